#include "sentry/cli/debug.h"
#include "sentry/boot/debug_socket.h"
#include "sentry/boot/fail.h"
#include "sentry/oci/client.h"
#include "sentry/oci/container.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 5000

static int number_of(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && value > 0 && value <= INT_MAX ? (int)value : 0;
}

// What can be asked: the number of a `sentry` command, or the name of a container.
struct found {
    unsigned count;
    char name[256];
    bool container;
};

static void add(struct found *found, const char *name, bool container)
{
    if (++found->count == 2)
        boot_say("several sandboxes run; name one of them:\n  sentry debug --stacks %s", found->name);
    if (found->count >= 2)
        boot_say("  sentry debug --stacks %s", name);
    snprintf(found->name, sizeof(found->name), "%s", name);
    found->container = container;
}

static void find_sandboxes(struct found *found)
{
    char directory[PATH_MAX];
    DIR *dir = debug_directory(directory, sizeof(directory)) ? NULL : opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        pid_t pid = number_of(entry->d_name);
        int fd = pid ? debug_connect(pid) : -1;
        if (fd < 0)
            continue;
        close(fd);
        add(found, entry->d_name, false);
    }
    if (dir)
        closedir(dir);
}

static void find_containers(const char *root, struct found *found)
{
    DIR *dir = opendir(root);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct container c;
        if (entry->d_name[0] == '.' || container_open(root, entry->d_name, false, &c, NULL))
            continue;
        if (c.pid && container_status_now(&c) != CONTAINER_STOPPED)
            add(found, entry->d_name, true);
        container_close(&c);
    }
    if (dir)
        closedir(dir);
}

// Copies the answer to standard output until the other end closes.
static int show_answer(int fd)
{
    char text[4096];
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int n = poll(&waiting, 1, ANSWER_WAIT_MS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return boot_fail("no answer from the sandbox", NULL, n < 0 ? errno : ETIMEDOUT, NULL);
        ssize_t got = read(fd, text, sizeof(text));
        if (got < 0 && errno != EINTR)
            return boot_fail("cannot read the answer", NULL, errno, NULL);
        if (got == 0)
            return 0;
        if (got > 0)
            fwrite(text, 1, (size_t)got, stdout);
    }
}

// Says why nobody answers for a number.
static void explain(pid_t pid, int error)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &st) < 0)
        boot_say("there is no process %d; the number is that of the `sentry` command", (int)pid);
    else if (st.st_uid != geteuid())
        boot_say("process %d is of user %u, not of yours (%u): ask as that user", (int)pid, st.st_uid,
                 geteuid());
    else
        boot_say(
            "process %d is no sandbox that answers: %s; the number is that of the `sentry` command, and a "
            "container is asked by its name",
            (int)pid, strerror(-error));
}

static int show_sandbox(pid_t pid)
{
    int fd = debug_connect(pid);
    if (fd < 0) {
        explain(pid, fd);
        return 1;
    }
    return write(fd, "s", 1) == 1 && show_answer(fd) == 0 ? 0 : 1;
}

static int show_container(const char *root, const char *name)
{
    struct container c;
    struct oci_error error;
    int failed = container_open(root, name, false, &c, &error);
    if (!failed && container_status_now(&c) == CONTAINER_STOPPED)
        failed = oci_fail(&error, ESRCH, "container not running");
    if (!failed)
        failed = client_print(&c, CONTROL_STACKS, &error);
    if (failed)
        boot_say("%s: %s", name, error.text);
    return failed ? 1 : 0;
}

static void usage(void)
{
    puts("usage: sentry debug --stacks [--root DIR] [PID|CONTAINER]\n\n"
         "Prints what each thread of a guest waits for: of the sandbox that the `sentry` command with that "
         "number runs, or of a\n"
         "container by its name. Without either, of the one that runs, or the names of those that do (the "
         "caller's own).\n\n"
         "  --stacks                           what each thread waits for\n"
         "  --root DIR                         where the state of containers lies (engines have one of their "
         "own)");
}

int debug_main(int argc, char **argv)
{
    const char *given = NULL, *who = NULL;
    char root[PATH_MAX];
    struct oci_error error;
    bool stacks = false, good = true;
    for (int i = 2; i < argc && good; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage();
            return 0;
        }
        if (strcmp(argv[i], "--stacks") == 0)
            stacks = true;
        else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            given = argv[++i];
        else if (strncmp(argv[i], "--root=", 7) == 0)
            given = argv[i] + 7;
        else if (argv[i][0] != '-' && !who)
            who = argv[i];
        else
            good = false;
    }
    if (!good || !stacks) {
        boot_say("usage: sentry debug --stacks [--root DIR] [PID|CONTAINER]");
        return EXIT_SANDBOX;
    }
    bool has_root = container_root(given, root, sizeof(root), &error) == 0;
    struct found found = {0};
    if (!who && !given)
        find_sandboxes(&found);
    if (!who && has_root)
        find_containers(root, &found);
    if (!who && found.count == 0)
        boot_say("no sandbox of this user runs%s%s", has_root ? ", and no container below " : "",
                 has_root ? root : "");
    if (!who && found.count != 1)
        return 1;
    bool container = who ? given || !number_of(who) : found.container;
    if (container && !has_root) {
        boot_say("%s", error.text);
        return 1;
    }
    return container ? show_container(root, who ? who : found.name)
                     : show_sandbox(number_of(who ? who : found.name));
}
