#include "sentry/boot/nested.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/monitor.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 1000 // a guest that forks while it is killed makes another one necessary
#define END_MS 1000     // for one process that was killed

static bool in_session(int proc, const char *name, pid_t session)
{
    char path[300], text[512], state = 0;
    int its = 0;
    snprintf(path, sizeof(path), "%s/stat", name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *after = strrchr(text, ')'); // the name may hold anything
    return after && sscanf(after + 1, " %c %*d %*d %d", &state, &its) == 2 && its == session &&
           state != 'Z' && state != 'X';
}

// A number is held by its descriptor while it is looked at and killed.
static bool kill_one(int proc, const char *name, pid_t session)
{
    int fd = (int)syscall(SYS_pidfd_open, atoi(name), 0);
    if (fd < 0)
        return false;
    bool found = in_session(proc, name, session) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    struct pollfd end = {.fd = fd, .events = POLLIN};
    if (found)
        (void)poll(&end, 1, END_MS);
    close(fd);
    return found;
}

static void sweep(pid_t session)
{
    bool found = true;
    for (int round = 0; found && round < ROUNDS_MAX; round++) {
        DIR *dir = opendir("/proc");
        found = false;
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
                found |= kill_one(dirfd(dir), entry->d_name, session);
        if (dir)
            closedir(dir);
        while (waitpid(-1, NULL, WNOHANG) > 0) // those that have become ours
            ;
    }
}

static _Noreturn void be_guard(pid_t session, int pipe_end)
{
    char byte;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_NAME, "sentry-guard");
    (void)setsid(); // no terminal's signal ends it
    if (pipe_end > 3)
        (void)close_range(3, (unsigned)pipe_end - 1, 0);
    (void)close_range((unsigned)pipe_end + 1, ~0u, 0);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (monitor_drop_privileges())
        _exit(EXIT_SANDBOX);
    while (read(pipe_end, &byte, 1) < 0 && errno == EINTR)
        ;
    sweep(session);
    _exit(0);
}

int nested_guard_start(pid_t session, struct nested_guard *guard)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return boot_fail("cannot make a pipe for the guard", NULL, errno, NULL);
    guard->pid = fork();
    if (guard->pid == 0)
        be_guard(session, (close(ends[1]), ends[0]));
    close(ends[0]);
    if (guard->pid < 0)
        return boot_fail("cannot fork the guard", NULL, errno, NULL);
    guard->held = ends[1];
    return 0;
}

void nested_end(pid_t session, struct nested_guard *guard)
{
    sweep(session);
    close(guard->held);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
