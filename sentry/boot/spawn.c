#include "sentry/boot/spawn.h"
#include "abi/mutate.h"
#include "sentry/boot/cgroup.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child could not do, through the pipe that a successful exec closes.
struct spawn_failure {
    int error;
    char step[28];
};

static int write_file_at(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

// Written from outside: mapping another id than one's own (nobody) is the parent's right alone.
static int write_maps(pid_t pid, const struct id_map *map)
{
    char path[32], text[64];
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    int error = 0;
    if (geteuid() != 0)
        error = write_file_at(dir, "setgroups", "deny");
    if (!error) {
        snprintf(text, sizeof(text), "%u %u 1", map->inside_gid, map->outside_gid);
        error = write_file_at(dir, "gid_map", map->gid_text ? map->gid_text : text);
    }
    if (!error) {
        snprintf(text, sizeof(text), "%u %u 1", map->inside_uid, map->outside_uid);
        error = write_file_at(dir, "uid_map", map->uid_text ? map->uid_text : text);
    }
    close(dir);
    return error;
}

static _Noreturn void child_fail(int pipe_fd, const char *step)
{
    struct spawn_failure failure = {.error = errno};
    strncpy(failure.step, step, sizeof(failure.step) - 1);
    ssize_t unused = write(pipe_fd, &failure, sizeof(failure));
    (void)unused;
    _exit(EXIT_SANDBOX);
}

static _Noreturn void child_main(const struct spawn *spawn, int go_fd, int failure_fd, bool drop_groups)
{
    char go;
    if ((spawn->map || spawn->cgroup) && read(go_fd, &go, 1) != 1)
        _exit(EXIT_SANDBOX); // the parent has reported why
    if (spawn->host_ids)
        (void)jail_drop_bounding(); // as far as we may; no_new_privs makes the rest void
    if (spawn->map) {
        if (drop_groups && setgroups(0, NULL) < 0)
            child_fail(failure_fd, "setgroups");
        if (setresgid(spawn->map->inside_gid, spawn->map->inside_gid, spawn->map->inside_gid) < 0)
            child_fail(failure_fd, "setresgid");
        if (setresuid(spawn->map->inside_uid, spawn->map->inside_uid, spawn->map->inside_uid) < 0)
            child_fail(failure_fd, "setresuid");
    }
    if (spawn->keep_capabilities) {
        int error = jail_keep_capabilities(spawn->keep_capabilities);
        if (error) {
            errno = -error;
            child_fail(failure_fd, "keeping capabilities");
        }
    }
    for (size_t i = 0; i < spawn->nr_keep; i++) {
        if (spawn->keep[i] >= 0 && fcntl(spawn->keep[i], F_SETFD, 0) < 0)
            child_fail(failure_fd, "passing a descriptor");
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
#ifdef SENTRY_MUTANTS
    char *const *environment = environ; // names the mutation
#else
    char *const environment[] = {NULL};
#endif
    syscall(SYS_execveat, spawn->program, "", spawn->argv, environment, AT_EMPTY_PATH);
    child_fail(failure_fd, "executing");
}

static const char *advice_for(int error, uint64_t namespaces)
{
    if ((error == EPERM || error == ENOSPC || error == EUSERS) && (namespaces & CLONE_NEWUSER))
        return "user namespaces are switched off or used up here (see `sentry check`); inside a container, "
               "--nested does without";
    if (error == EACCES)
        return "the program must be executable for everybody, in a directory that everybody may search";
    return NULL;
}

static int give_up(const struct spawning *child, const char *step, int error)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        close(child->pidfd);
    }
    close(child->failure);
    char what[64];
    snprintf(what, sizeof(what), "%s failed for", step);
    return boot_fail(what, child->name, error, advice_for(error, child->namespaces));
}

int spawn_begin(const struct spawn *spawn, struct spawning *child)
{
    int go[2], failure[2];
    *child = (struct spawning){
        .name = spawn->name, .namespaces = spawn->namespaces, .pid = -1, .pidfd = -1, .failure = -1};
    if (pipe2(go, O_CLOEXEC) < 0)
        return boot_fail("cannot make a pipe for", spawn->name, errno, NULL);
    if (pipe2(failure, O_CLOEXEC) < 0) {
        int error = errno;
        close(go[0]);
        close(go[1]);
        return boot_fail("cannot make a pipe for", spawn->name, error, NULL);
    }
    bool drop_groups = geteuid() == 0;
    // Raw clone with a pidfd: the child runs on a copy of this stack, as after fork.
    child->pid =
        (pid_t)syscall(SYS_clone, spawn->namespaces | CLONE_PIDFD | SIGCHLD, NULL, &child->pidfd, NULL, NULL);
    if (child->pid == 0)
        child_main(spawn, (close(go[1]), go[0]), failure[1], drop_groups);
    int error = child->pid < 0 ? errno : 0;
    child->failure = failure[0];
    close(go[0]);
    close(failure[1]);
    const char *step = "starting";
    if (!error && spawn->cgroup) {
        error = -cgroup_enter(spawn->cgroup, child->pid);
        step = error ? "entering the control group" : step;
    }
    if (!error && spawn->map && !spawn->host_ids) {
        error = -write_maps(child->pid, spawn->map);
        step = error ? "mapping ids" : step;
    }
    if (!error && (spawn->map || spawn->cgroup) && write(go[1], "g", 1) != 1)
        error = errno;
    close(go[1]);
    return error ? give_up(child, step, error) : 0;
}

int spawn_finish(struct spawning *child)
{
    struct spawn_failure report = {0};
    ssize_t n;
    do {
        n = read(child->failure, &report, sizeof(report));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(report)) {
        report.step[sizeof(report.step) - 1] = 0;
        return give_up(child, report.step, report.error);
    }
    close(child->failure);
    return 0;
}

pid_t spawn_program(const struct spawn *spawn, int *pidfd)
{
    struct spawning child;
    int error = spawn_begin(spawn, &child);
    if (!error)
        error = spawn_finish(&child);
    if (error)
        return error;
    *pidfd = child.pidfd;
    return child.pid;
}
