#include "sentry/oci/supervise.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include "sentry/boot/monitor.h"
#include "sentry/oci/container_hooks.h"
#include "sentry/oci/network.h"
#include "sentry/oci/report.h"
#include "sentry/oci/view.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int sync_send(int fd, enum sync_kind kind, const char *text)
{
    struct sync_record record = {.kind = kind};
    snprintf(record.text, sizeof(record.text), "%s", text);
    return send(fd, &record, sizeof(record), MSG_NOSIGNAL) == (ssize_t)sizeof(record) ? 0 : -errno;
}

int sync_wait(int fd, enum sync_kind kind, struct oci_error *error)
{
    struct sync_record record;
    ssize_t n;
    do {
        n = recv(fd, &record, sizeof(record), 0);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(record))
        return oci_fail(error, ECHILD, "the container's monitor has ended");
    record.text[sizeof(record.text) - 1] = 0;
    if (record.kind == kind)
        return 0;
    return oci_fail(error, ECHILD, "%s",
                    record.kind == SYNC_FAILED ? record.text : "the container's monitor is out of step");
}

static int sync_fd = -1;
static int first_status = -1;

static _Noreturn void give_up(const char *text)
{
    (void)sync_send(sync_fd, SYNC_FAILED, text);
    _exit(1);
}

static void built(void)
{
    struct oci_error error;
    if (sync_send(sync_fd, SYNC_BUILT, "") || sync_wait(sync_fd, SYNC_JOINED, &error))
        _exit(1);
}

static void ready(void)
{
    (void)sync_send(sync_fd, SYNC_READY, "");
    close(sync_fd);
    sync_fd = -1;
}

// The words that engines look for, to tell 126 and 127 from other failures.
static void failed(int error, const char *name)
{
    char text[OCI_ERROR_TEXT];
    bool searched = error == ENOENT && !strchr(name, '/');
    if (searched)
        snprintf(text, sizeof(text),
                 "unable to start container process: exec: \"%s\": executable file not found in $PATH", name);
    else
        snprintf(text, sizeof(text), "unable to start container process: exec: \"%s\": %s", name,
                 error == EACCES   ? "permission denied"
                 : error == ENOENT ? "no such file or directory"
                                   : strerror(error));
    if (sync_fd >= 0)
        (void)sync_send(sync_fd, SYNC_FAILED, text);
    else
        report_error(text);
}

static char gofer_said[512]; // its first line: why it ended, which the kernel process then only sees

static void say(const char *line)
{
    if (!gofer_said[0] && strncmp(line, "gofer: ", 7) == 0)
        snprintf(gofer_said, sizeof(gofer_said), "%s", line);
    boot_say("%s", line);
}

static const char *reason(void)
{
    if (gofer_said[0])
        return gofer_said;
    return report_last_boot_message()[0] ? report_last_boot_message() : "the sandbox has ended";
}

// Our own descriptors 0 to 2 become those of our processes: nothing to read, nothing to write, and messages to us.
static int replace_streams(struct sandbox_spec *spec, int *messages)
{
    int ends[2];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    for (int fd = 0; fd < 3; fd++) {
        if (spec->stdio[fd] < 0 || spec->stdio[fd] > 2)
            continue;
        spec->stdio[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (spec->stdio[fd] < 0)
            return -errno;
    }
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(ends[1], 2) < 0)
        return -errno;
    close(null);
    close(ends[1]);
    *messages = ends[0];
    report_leave_stderr();
    return 0;
}

static void close_streams(const struct sandbox_spec *spec)
{
    for (int i = 0; i < 3; i++)
        if (spec->stdio[i] > 2)
            close(spec->stdio[i]);
}

_Noreturn void end_as(int wait_status)
{
    if (wait_status >= 0 && WIFSIGNALED(wait_status)) {
        int signo = WTERMSIG(wait_status);
        const struct rlimit none = {0, 0};
        sigset_t all;
        setrlimit(RLIMIT_CORE, &none);
        signal(signo, SIG_DFL);
        sigfillset(&all);
        sigdelset(&all, signo);
        sigprocmask(SIG_SETMASK, &all, NULL);
        kill(getpid(), signo);
        _exit(128 + signo);
    }
    _exit(wait_status < 0 ? EXIT_SANDBOX : WEXITSTATUS(wait_status));
}

static void take_terminal(const struct supervision *s)
{
    if (s->new_session)
        (void)setsid();
    if (s->terminal >= 0)
        (void)ioctl(s->terminal, TIOCSCTTY, 0);
}

static void adjust_oom_score(const struct oci_process *process)
{
    char text[16];
    int fd = process->oom_score_adj.set ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;
    int n = snprintf(text, sizeof(text), "%d", (int)process->oom_score_adj.value);
    if (fd < 0)
        return;
    if (write(fd, text, (size_t)n) < 0)
        report_warning("process.oomScoreAdj: the host does not allow this value");
    close(fd);
}

static void enter_namespaces(struct supervision *s, struct oci_error *error)
{
    if (sync_wait(s->sync, SYNC_BEGIN, error) || network_enter(s->config, &s->own_network, error) ||
        network_sysctls(s->config, error))
        give_up(error->text);
    if (sync_send(s->sync, SYNC_ENTERED, "") || sync_wait(s->sync, SYNC_GO, error))
        _exit(1);
    if (container_hooks_run(s->config, s->state, s->plan->rootfs, error))
        give_up(error->text);
}

_Noreturn void supervise(struct supervision *s)
{
    struct oci_error error = {""};
    struct sandbox sandbox;
    struct sandbox_spec *spec = &s->plan->spec;
    int messages = -1;
    sync_fd = s->sync;
    (void)prctl(PR_SET_NAME, "sentry-monitor");
    report_take_boot_messages();
    take_terminal(s);
    if (monitor_prepare())
        give_up(report_last_boot_message());
    enter_namespaces(s, &error);
    adjust_oom_score(s->config->process);
    // Where the groups may be joined late no hook has run.
    spec->config.network_host =
        network_is_brokered(s->config, s->globals->network, s->own_network && s->joins_late);
    static struct net_rules rules;
    if (oci_net_rules(s->globals, &rules, &error))
        give_up(error.text);
    spec->config.network_policy = spec->config.network_host && rules.given;
    spec->net_rules = &rules;
    int failure = replace_streams(spec, &messages);
    if (failure)
        give_up("cannot arrange the standard streams");
    spec->log = fcntl(2, F_DUPFD_CLOEXEC, 3);
    if (spec->config.strace) {
        spec->strace = open(s->globals->strace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (spec->strace < 0)
            give_up("--strace: the file cannot be opened");
    }
    spec->waits = s->joins_late;
    (void)jail_forbid_core();
    if (sandbox_start(spec, &sandbox)) {
        // What a process of ours said before it ended comes before what we make of it.
        give_up(report_last_boot_message());
    }
    close_streams(spec);
    if (s->terminal >= 0)
        close(s->terminal);
    close(spec->log);
    if (spec->strace >= 0)
        close(spec->strace);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 2);
        close(null);
    }
    (void)view_enter(s->plan->rootfs, spec); // an ordinary user cannot, and an engine can do without
    if (monitor_drop_privileges()) {
        sandbox_kill(&sandbox);
        give_up(report_last_boot_message());
    }
    const struct monitor_container container = {.clients = s->clients,
                                                .messages = messages,
                                                .built = s->joins_late ? built : NULL,
                                                .ready = ready,
                                                .failed = failed,
                                                .say = say,
                                                .wait_status = &first_status};
    const struct monitor_options options = {.debug_listener = -1, .container = &container};
    int status = monitor_run(&sandbox, &options);
    if (sync_fd >= 0)
        give_up(reason());
    if (first_status < 0)
        _exit(status);
    end_as(first_status);
}
