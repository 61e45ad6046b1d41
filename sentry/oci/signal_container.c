// kill, pause, resume.
#include "sentry/oci/client.h"
#include "sentry/oci/command.h"
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

// "KILL", "SIGKILL", "kill", "9", "RTMIN+3". 0: no signal.
static int signal_number(const char *text)
{
    if (isdigit((unsigned char)*text)) {
        char *end;
        long number = strtol(text, &end, 10);
        return !*end && number > 0 && number <= 64 ? (int)number : 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int signo = 1; signo < 32; signo++) {
        const char *name = sigabbrev_np(signo);
        if (name && strcasecmp(name, text) == 0)
            return signo;
    }
    bool least = strncasecmp(text, "RTMIN", 5) == 0, most = strncasecmp(text, "RTMAX", 5) == 0;
    if (!least && !most)
        return 0;
    char *end;
    long offset = text[5] ? strtol(text + 5, &end, 10) : 0;
    if (text[5] && *end)
        return 0;
    long number = (least ? 34 : 64) + offset;
    return number >= 34 && number <= 64 ? (int)number : 0;
}

// The end of the monitor ends everything, whatever state the kernel of the container is in.
static int kill_now(const struct container *c, struct oci_error *error)
{
    int fd = container_pidfd(c);
    if (fd < 0)
        return oci_fail(error, ESRCH, "container not running");
    int failed = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0
                     ? oci_fail_errno(error, errno, "cannot kill the container")
                     : 0;
    close(fd);
    return failed;
}

int oci_kill(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    char root[PATH_MAX];
    bool all = false;
    const struct oci_option options[] = {{"all", 'a', OCI_FLAG, &all, NULL, "every process of the container"},
                                         OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, 2, "kill", &error) ||
        container_root(globals->root, root, sizeof(root), &error) ||
        container_open(root, argv[1 + used], false, &c, &error))
        return oci_fail_command(&error);
    const char *name = argc - 1 - used > 1 ? argv[2 + used] : "SIGTERM";
    int signo = signal_number(name);
    int failed;
    if (!signo)
        failed = oci_fail(&error, EINVAL, "unknown signal \"%s\"", name);
    else if (container_status_now(&c) == CONTAINER_STOPPED)
        failed = all ? 0 : oci_fail(&error, ESRCH, "container not running");
    else if (signo == SIGKILL)
        failed = kill_now(&c, &error);
    else
        failed = client_request(&c, all ? CONTROL_KILL_ALL : CONTROL_KILL, signo, "signal", &error);
    return failed ? oci_fail_command(&error) : 0;
}

// What is written beforehand and what afterwards: a command that dies in between must not leave a container that counts as
// running and stands still.
static int change_pause(const struct oci_globals *globals, int argc, char **argv, bool pause)
{
    struct oci_error error = {""};
    struct container c;
    char root[PATH_MAX];
    const struct oci_option options[] = {OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, 1, argv[0], &error) ||
        container_root(globals->root, root, sizeof(root), &error) ||
        container_open(root, argv[1 + used], true, &c, &error))
        return oci_fail_command(&error);
    enum container_status now = container_status_now(&c),
                          wanted = pause ? CONTAINER_RUNNING : CONTAINER_PAUSED;
    if (now != wanted) {
        (void)oci_fail(&error, EINVAL, "cannot %s: the container is %s", argv[0], container_status_name(now));
        return oci_fail_command(&error);
    }
    int failed = 0;
    if (pause) {
        c.status = CONTAINER_PAUSED;
        failed = container_save(&c, &error);
    }
    if (!failed) {
        failed = client_request(&c, pause ? CONTROL_PAUSE : CONTROL_RESUME, 0, argv[0], &error);
        if (!pause && failed == -EINVAL)
            failed = 0; // it was written, and never came to it
    }
    if (!failed == !pause) {
        c.status = CONTAINER_RUNNING;
        int saved = container_save(&c, failed ? NULL : &error);
        failed = failed ? failed : saved;
    }
    return failed ? oci_fail_command(&error) : 0;
}

int oci_pause(const struct oci_globals *globals, int argc, char **argv)
{
    return change_pause(globals, argc, argv, true);
}

int oci_resume(const struct oci_globals *globals, int argc, char **argv)
{
    return change_pause(globals, argc, argv, false);
}
