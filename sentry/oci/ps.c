// ps: the processes of a container, by the host's numbers.
#include "sentry/oci/client.h"
#include "sentry/oci/command.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROC_BYTES_MAX (1u << 20)

struct pids {
    pid_t *list;
    size_t count;
};

static void add_pid(struct pids *p, pid_t pid)
{
    pid_t *list = realloc(p->list, (p->count + 1) * sizeof(*list));
    if (!list)
        return;
    list[p->count++] = pid;
    p->list = list;
}

static char *read_proc(pid_t pid, const char *name)
{
    char path[64], *text;
    size_t length;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return read_file_at(AT_FDCWD, path, PROC_BYTES_MAX, &text, &length) ? NULL : text;
}

// In how many pid namespaces below ours it is: the numbers of its NSpid line.
static unsigned depth_of(pid_t pid)
{
    char *text = read_proc(pid, "status");
    const char *at = text ? strstr(text, "\nNSpid:") : NULL;
    unsigned n = 0;
    for (at = at ? at + 7 : ""; *at == '\t'; n++)
        at += 1 + strcspn(at + 1, "\t\n");
    free(text);
    return n;
}

static void add_descendants(struct pids *p, pid_t pid)
{
    char *text = read_proc(pid, "task/children"), *rest, *word;
    char name[48];
    if (!text) {
        snprintf(name, sizeof(name), "task/%d/children", (int)pid);
        text = read_proc(pid, name);
    }
    for (word = text ? strtok_r(text, " \n", &rest) : NULL; word; word = strtok_r(NULL, " \n", &rest)) {
        add_pid(p, (pid_t)atoi(word));
        add_descendants(p, (pid_t)atoi(word));
    }
    free(text);
}

// Guests are two pid namespaces below the monitor: the kernel process's, and their own. A thread's children are listed with it.
static struct pids guests_of(const struct container *c)
{
    struct pids all = {0}, guests = {0};
    unsigned depth = depth_of(c->pid);
    add_descendants(&all, c->pid);
    for (size_t i = 0; i < all.count; i++)
        if (depth && depth_of(all.list[i]) == depth + 2)
            add_pid(&guests, all.list[i]);
    free(all.list);
    return guests;
}

static int print_numbers(const struct pids *p)
{
    struct json_writer w = {0};
    json_put_array(&w, NULL);
    for (size_t i = 0; i < p->count; i++)
        json_put_u64(&w, NULL, (uint64_t)p->list[i]);
    json_put_end(&w, ']');
    int status = w.error || puts(w.text) < 0;
    free(w.text);
    return status;
}

static bool in_list(const struct pids *p, pid_t pid)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i] == pid)
            return true;
    return false;
}

// The column of the header that says PID, from 0; -1: none.
static int pid_column(const char *header)
{
    char copy[512], *rest;
    int column = 0;
    snprintf(copy, sizeof(copy), "%s", header);
    for (char *word = strtok_r(copy, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest), column++)
        if (strcmp(word, "PID") == 0)
            return column;
    return -1;
}

static pid_t number_in_column(const char *line, int column)
{
    while (*line == ' ' || *line == '\t')
        line++;
    for (; column > 0; column--) {
        line += strcspn(line, " \t\n");
        line += strspn(line, " \t");
    }
    return (pid_t)atoi(line);
}

static int filter_lines(FILE *from, const struct pids *p, struct oci_error *error)
{
    char *line = NULL;
    size_t size = 0;
    int column = -1;
    for (bool header = true; getline(&line, &size, from) > 0; header = false) {
        if (header && (column = pid_column(line)) < 0) {
            free(line);
            return oci_fail(error, EINVAL, "ps prints no column PID");
        }
        if (header || in_list(p, number_in_column(line, column)))
            fputs(line, stdout);
    }
    free(line);
    return 0;
}

// The host's ps with the given options, and of its lines those of our processes.
static int print_table(const struct pids *p, char **words, struct oci_error *error)
{
    static char program[] = "ps", all[] = "-ef";
    char *arguments[64] = {program, all};
    int ends[2];
    for (int i = 0; words[i] && i < 62; i++)
        arguments[1 + i] = words[i];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return oci_fail_errno(error, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp(program, arguments);
        _exit(127);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    int failed = from ? filter_lines(from, p, error) : oci_fail_errno(error, errno, "cannot read from ps");
    if (from)
        fclose(from);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!failed && (pid < 0 || status))
        failed = oci_fail(error, EINVAL, "ps has failed");
    return failed;
}

// What the guest's own kernel says: number, parent, user, name.
static int print_guest(const struct container *c, struct oci_error *error)
{
    puts("PID PPID UID COMMAND");
    return client_print(c, CONTROL_LIST, error);
}

int oci_ps(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    char root[PATH_MAX];
    const char *format = "table";
    bool guest = false;
    const struct oci_option options[] = {
        {"format", 'f', OCI_TEXT, &format, "FORMAT", "table (default) or json"},
        {"guest", 0, OCI_FLAG, &guest, NULL, "list the processes as the container numbers them"},
        OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, -1, "ps", &error) ||
        container_root(globals->root, root, sizeof(root), &error) ||
        container_open(root, argv[1 + used], false, &c, &error))
        return oci_fail_command(&error);
    bool json = strcmp(format, "json") == 0;
    int failed = 0;
    if (!json && strcmp(format, "table") != 0)
        failed = oci_fail(&error, EINVAL, "--format takes table or json");
    else if (container_status_now(&c) == CONTAINER_STOPPED)
        failed = oci_fail(&error, ESRCH, "container not running");
    else if (guest)
        failed = print_guest(&c, &error);
    if (failed)
        return oci_fail_command(&error);
    if (guest)
        return 0;
    struct pids guests = guests_of(&c);
    if (json)
        return print_numbers(&guests);
    return print_table(&guests, argv + 2 + used, &error) ? oci_fail_command(&error) : 0;
}
