// exec: one more process in a container. The process that an engine waits for stands for it, holds the connection to the kernel,
// and ends as it ends.
#include "sentry/boot/monitor.h"
#include "sentry/oci/client.h"
#include "sentry/oci/command.h"
#include "sentry/oci/console.h"
#include "sentry/oci/pid_file.h"
#include "sentry/oci/plan.h"
#include "sentry/oci/preserve.h"
#include "sentry/oci/report.h"
#include "sentry/oci/supervise.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_EXEC_FAILED 255 // as runc says it
#define LAUNCH_MS 30000

struct exec_options {
    const char *console_socket, *cwd, *user, *process, *pid_file, *label, *apparmor, *cgroup;
    struct oci_list env, gids, caps;
    bool tty, detach, no_new_privs, ignore_paused;
    int64_t preserve_fds;
};

static int read_options(int argc, char **argv, struct exec_options *o, struct oci_error *error)
{
    const struct oci_option options[] = {
        {"console-socket", 0, OCI_TEXT, &o->console_socket, "PATH",
         "Unix socket that gets the master end of the terminal"},
        {"cwd", 0, OCI_TEXT, &o->cwd, "DIR", "working directory in the container"},
        {"env", 'e', OCI_LIST, &o->env, "NAME=VALUE", "set an environment variable; may be repeated"},
        {"tty", 't', OCI_FLAG, &o->tty, NULL, "give the program a terminal"},
        {"user", 'u', OCI_TEXT, &o->user, "UID[:GID]", "the program's user and group"},
        {"additional-gids", 'g', OCI_LIST, &o->gids, "GID", "one more group; may be repeated"},
        {"process", 'p', OCI_TEXT, &o->process, "FILE", "a process document in the place of all else"},
        {"detach", 'd', OCI_FLAG, &o->detach, NULL, "do not wait for the program's end"},
        {"pid-file", 0, OCI_TEXT, &o->pid_file, "FILE",
         "write the number of the process that stands for the program"},
        {"process-label", 0, OCI_TEXT, &o->label, "LABEL", "refused: guests have no labels of the host"},
        {"apparmor", 0, OCI_TEXT, &o->apparmor, "PROFILE", "accepted, without effect"},
        {"no-new-privs", 0, OCI_FLAG, &o->no_new_privs, NULL, "the program can gain no privileges"},
        {"cap", 'c', OCI_LIST, &o->caps, "NAME", "one more capability, in the container; may be repeated"},
        {"preserve-fds", 0, OCI_NUMBER, &o->preserve_fds, "N", "pass the descriptors 3 to 2+N on"},
        {"cgroup", 0, OCI_TEXT, &o->cgroup, "PATH", "accepted as runc does"},
        {"ignore-paused", 0, OCI_FLAG, &o->ignore_paused, NULL, "accepted: a paused container refuses"},
        OCI_OPTIONS_END,
    };
    int used = oci_options(argc - 1, argv + 1, options, error);
    if (used < 0)
        return used;
    if (preserve_check(o->preserve_fds, error))
        return -EINVAL;
    if (o->cgroup)
        return oci_fail(error, EOPNOTSUPP, "--cgroup is not supported: a container has one group");
    int failed = oci_arguments(argc - 1, used, o->process ? 1 : 2, -1, "exec", error);
    return failed ? failed : 1 + used;
}

// --- what runs: the document of --process, or the container's own process with changes

static int parse_id(const char *text, uint32_t *id)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (!*text || *end || value >= UINT32_MAX)
        return -EINVAL;
    *id = (uint32_t)value;
    return 0;
}

static int change_user(struct oci_process *p, const struct exec_options *o, struct oci_error *error)
{
    char copy[64];
    if (o->user) {
        snprintf(copy, sizeof(copy), "%s", o->user);
        char *colon = strchr(copy, ':');
        if (colon)
            *colon++ = 0;
        p->gid = 0;
        if (parse_id(copy, &p->uid) || (colon && parse_id(colon, &p->gid)))
            return oci_fail(error, EINVAL, "--user takes numbers: UID[:GID]");
    }
    if (!o->gids.count)
        return 0;
    p->additional_gids = calloc(o->gids.count, sizeof(*p->additional_gids));
    if (!p->additional_gids)
        return oci_fail(error, ENOMEM, "out of memory");
    p->nr_additional_gids = o->gids.count;
    for (size_t i = 0; i < o->gids.count; i++)
        if (parse_id(o->gids.items[i], &p->additional_gids[i]))
            return oci_fail(error, EINVAL, "--additional-gids takes numbers");
    return 0;
}

static int change_capabilities(struct oci_process *p, const struct exec_options *o, struct oci_error *error)
{
    for (size_t i = 0; i < o->caps.count; i++) {
        int number = oci_capability_number(o->caps.items[i]);
        if (number < 0)
            return oci_fail(error, EINVAL, "--cap: there is no capability %s", o->caps.items[i]);
        p->capabilities_set = true;
        p->capabilities[OCI_CAP_BOUNDING] |= 1ull << number;
        p->capabilities[OCI_CAP_EFFECTIVE] |= 1ull << number;
        p->capabilities[OCI_CAP_PERMITTED] |= 1ull << number;
    }
    return 0;
}

static int change_process(struct oci_process *p, const struct exec_options *o, char **words,
                          struct oci_error *error)
{
    size_t n = 0;
    while (words[n])
        n++;
    p->args = (struct oci_strings){(const char **)(uintptr_t)words, n};
    p->terminal = o->tty;
    if (o->cwd)
        p->cwd = o->cwd;
    if (o->no_new_privs)
        p->no_new_privileges = true;
    const char **env = calloc(p->env.count + o->env.count + 1, sizeof(*env));
    if (!env)
        return oci_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < p->env.count; i++)
        env[i] = p->env.list[i];
    for (size_t i = 0; i < o->env.count; i++)
        env[p->env.count + i] = o->env.items[i];
    p->env = (struct oci_strings){env, p->env.count + o->env.count};
    int failed = change_user(p, o, error);
    return failed ? failed : change_capabilities(p, o, error);
}

static int read_process(const char *path, struct oci_process_document *document, struct oci_error *error)
{
    char *text;
    size_t length;
    int failed = read_file_at(AT_FDCWD, path, JSON_BYTES_MAX, &text, &length);
    if (failed)
        return oci_fail_errno(error, -failed, "--process: cannot read %s", path);
    failed = oci_process_parse(text, length, document, error);
    free(text);
    if (failed)
        oci_error_prefix(error, "%s", path);
    return failed;
}

static int plan_process(const struct container *c, const struct exec_options *o, char **words,
                        struct oci_process *out, struct oci_error *error)
{
    static struct oci_process_document document;
    static struct oci_config config;
    if (o->process) {
        int failed = read_process(o->process, &document, error);
        *out = document.process;
        return failed;
    }
    int failed = container_config(c, &config, error);
    if (failed)
        return failed;
    *out = *config.process;
    return change_process(out, o, words, error);
}

// --- streams

struct streams {
    int fds[3];
    int terminal; // of the engine; -1: none
};

static int plan_streams(const struct exec_options *o, const struct oci_process *p, struct streams *s,
                        struct oci_error *error)
{
    *s = (struct streams){{0, 1, 2}, -1};
    if (p->terminal && o->console_socket) {
        int failed = console_make(o->console_socket, p, &s->terminal, error);
        for (int i = 0; i < 3; i++)
            s->fds[i] = s->terminal;
        return failed;
    }
    if (o->console_socket)
        return oci_fail(error, EINVAL, "--console-socket needs a terminal (--tty or process.terminal)");
    if (p->terminal && (o->detach || !isatty(0)))
        return oci_fail(error, EINVAL,
                        o->detach ? "a terminal with --detach needs --console-socket"
                                  : "--tty: standard input is no terminal");
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0)
            s->fds[i] = -1;
    return 0;
}

// --- the process that stands for it

static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,   SIGUSR2,
                                SIGTSTP, SIGCONT, SIGWINCH, SIGALRM, SIGVTALRM, SIGPROF};

static void describe_failure(int code, const char *name, char *text, size_t size)
{
    if (code == ENOENT && !strchr(name, '/'))
        snprintf(text, size,
                 "unable to start container process: exec: \"%s\": executable file not found in $PATH", name);
    else if (code == EACCES)
        snprintf(text, size, "unable to start container process: exec: \"%s\": permission denied", name);
    else if (code == ENOENT)
        snprintf(text, size, "unable to start container process: exec: \"%s\": no such file or directory",
                 name);
    else
        snprintf(text, size, "unable to start container process: exec: \"%s\": %s", name, strerror(code));
}

static void leave_streams(const struct streams *s)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (s->terminal >= 0)
        close(s->terminal);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    report_leave_stderr();
}

static _Noreturn void follow(int connection, int signals)
{
    struct control_record record;
    for (;;) {
        struct pollfd waiting[] = {{.fd = connection, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0)
            continue;
        if (waiting[1].revents & POLLIN) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                (void)client_send(connection, info.ssi_signo == SIGWINCH ? CONTROL_WINSIZE : CONTROL_SIGNAL,
                                  (int)info.ssi_signo, NULL, 0);
        }
        if (!waiting[0].revents)
            continue;
        int n = client_receive(connection, &record, 0);
        if (n == 1 && record.kind == CONTROL_EXIT)
            end_as(record.value & 0xffff);
        if (n != -ETIMEDOUT)
            end_as(SIGKILL); // the container has ended, and everything in it
    }
}

static _Noreturn void stand_for(int connection, int sync, const struct sentry_config *config,
                                const struct streams *s, bool new_session)
{
    struct oci_error error;
    struct control_record record;
    sigset_t set;
    (void)prctl(PR_SET_NAME, "sentry-exec");
    if (new_session)
        (void)setsid();
    if (s->terminal >= 0)
        (void)ioctl(s->terminal, TIOCSCTTY, 0);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
        sigaddset(&set, forwarded[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTTOU, SIG_IGN);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (preserve_send(connection, CONTROL_PRESERVE_EXEC, &error)) {
        (void)sync_send(sync, SYNC_FAILED, error.text);
        _exit(1);
    }
    preserve_close();
    int n = client_send_exec(connection, config, s->fds);
    leave_streams(s);
    if (!n)
        n = client_receive(connection, &record, LAUNCH_MS);
    if (n != 1 || record.kind != CONTROL_DONE || record.value > 0 || record.value < -4095)
        snprintf(error.text, sizeof(error.text), "the container does not answer");
    else if (record.value == -EBUSY)
        snprintf(error.text, sizeof(error.text), "cannot exec in a paused container");
    else if (record.value == -ESRCH)
        snprintf(error.text, sizeof(error.text), "cannot exec in a container that is not running");
    else if (record.value)
        describe_failure(-record.value, config->argv[0], error.text, sizeof(error.text));
    else
        error.text[0] = 0;
    if (!error.text[0] && (monitor_drop_privileges() || sync_send(sync, SYNC_READY, "")))
        _exit(1);
    if (error.text[0]) {
        (void)sync_send(sync, SYNC_FAILED, error.text);
        _exit(1);
    }
    close(sync);
    follow(connection, signals);
}

// --- the command

static int start(const struct container *c, const struct sentry_config *config, const struct streams *s,
                 bool new_session, pid_t *pid, struct oci_error *error)
{
    int pair[2];
    int connection = client_connect(c, error);
    if (connection < 0)
        return connection;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        close(connection);
        return oci_fail_errno(error, errno, "cannot make a socket pair");
    }
    *pid = fork();
    if (*pid == 0) {
        close(pair[0]);
        close(c->fd);
        stand_for(connection, pair[1], config, s, new_session);
    }
    int failed = *pid < 0 ? oci_fail_errno(error, errno, "cannot fork") : 0;
    close(connection);
    close(pair[1]);
    // Meanwhile: it starts nothing itself, the program is the zygote's child.
    if (!failed && c->cgroup.layout != OCI_CGROUP_NONE)
        failed = oci_cgroup_add(&c->cgroup, pid, 1, error);
    if (!failed)
        failed = sync_wait(pair[0], SYNC_READY, error);
    close(pair[0]);
    if (failed && *pid > 0) {
        kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return failed;
}

static int check_status(const struct container *c, const struct exec_options *o, struct oci_error *error)
{
    switch (container_status_now(c)) {
    case CONTAINER_RUNNING:
        return 0;
    case CONTAINER_PAUSED:
        return oci_fail(error, EBUSY, "cannot exec in a paused container%s",
                        o->ignore_paused ? ": --ignore-paused would wait for ever" : "");
    case CONTAINER_STOPPED:
        return oci_fail(error, ESRCH, "cannot exec in a stopped container");
    default:
        return oci_fail(error, ESRCH, "cannot exec in a container that is not running");
    }
}

static volatile pid_t forward_to;

static void forward(int signo)
{
    int code = errno;
    kill(forward_to, signo);
    errno = code;
}

static int wait_for(pid_t pid, bool terminal)
{
    int status;
    forward_to = pid;
    for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
        struct sigaction action = {.sa_handler = terminal ? SIG_IGN : forward, .sa_flags = SA_RESTART};
        if (forwarded[i] != SIGTSTP && forwarded[i] != SIGCONT)
            sigaction(forwarded[i], &action, NULL);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_EXEC_FAILED;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int oci_exec(const struct oci_globals *globals, int argc, char **argv)
{
    struct exec_options o = {0};
    struct oci_error error = {""};
    struct container c = {.fd = -1};
    struct oci_process process;
    struct sentry_config config = {0};
    struct streams streams;
    char root[PATH_MAX];
    pid_t pid = -1, announcer = geteuid() == 0 ? oci_cgroup_announce() : -1;
    int used = read_options(argc, argv, &o, &error);
    int failed = used < 0 ? used : container_root(globals->root, root, sizeof(root), &error);
    if (!failed)
        failed = container_open(root, argv[used], false, &c, &error);
    if (!failed)
        failed = check_status(&c, &o, &error);
    if (!failed)
        failed = plan_process(&c, &o, argv + used + 1, &process, &error);
    if (!failed)
        failed = preserve_environment(&process, &error);
    if (!failed)
        failed = oci_plan_process(&process, &config, &error);
    if (!failed)
        failed = plan_streams(&o, &process, &streams, &error);
    bool own_terminal = !failed && process.terminal && streams.terminal < 0;
    if (!failed)
        failed = start(&c, &config, &streams, o.detach || streams.terminal >= 0, &pid, &error);
    if (!failed)
        failed = write_pid_file(o.pid_file, pid, &error);
    oci_cgroup_announced(announcer);
    if (failed) {
        oci_error_prefix(&error, "exec failed");
        (void)oci_fail_command(&error);
        return EXIT_EXEC_FAILED;
    }
    preserve_close();
    return o.detach ? 0 : wait_for(pid, own_terminal);
}
