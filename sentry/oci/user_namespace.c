#include "sentry/oci/user_namespace.h"
#include "sentry/oci/container.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_BYTES_MAX 65536 // Linux has at most 340 lines

// Joins, tells how that went, and waits to be killed. Whoever is root in there must not get hold of it: it is a copy of us.
static _Noreturn void join(int namespace, int report)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        _exit(1);
    int error = setns(namespace, CLONE_NEWUSER) < 0 ? errno : 0;
    if (write(report, &error, sizeof(error)) == (ssize_t)sizeof(error))
        for (;;)
            pause();
    _exit(1);
}

static int read_map(pid_t pid, const char *name, char **text)
{
    char path[64];
    size_t length;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int failed = read_file_at(AT_FDCWD, path, MAP_BYTES_MAX, text, &length);
    if (failed || length)
        return failed;
    free(*text);
    *text = NULL;
    return -ENODATA;
}

static int ask(pid_t pid, int report, const char *path, char **uid_map, char **gid_map,
               struct oci_error *error)
{
    int code;
    ssize_t n;
    do {
        n = read(report, &code, sizeof(code));
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(code))
        return oci_fail(error, ECHILD, "linux.namespaces: the user namespace %s cannot be looked at", path);
    if (code)
        return oci_fail_errno(error, code, "linux.namespaces: cannot join the user namespace %s", path);
    int failed = read_map(pid, "uid_map", uid_map);
    if (!failed)
        failed = read_map(pid, "gid_map", gid_map);
    return failed
               ? oci_fail_errno(error, -failed, "linux.namespaces: the user namespace %s has no maps", path)
               : 0;
}

int user_namespace_maps(const char *path, char **uid_map, char **gid_map, struct oci_error *error)
{
    int pair[2];
    *uid_map = *gid_map = NULL;
    int namespace = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (namespace < 0)
        return oci_fail_errno(error, errno, "linux.namespaces: cannot open the user namespace %s", path);
    if (pipe2(pair, O_CLOEXEC) < 0) {
        close(namespace);
        return oci_fail_errno(error, errno, "cannot make a pipe");
    }
    pid_t pid = fork();
    if (pid == 0)
        join(namespace, pair[1]);
    close(namespace);
    close(pair[1]);
    int failed = pid < 0 ? oci_fail_errno(error, errno, "cannot fork")
                         : ask(pid, pair[0], path, uid_map, gid_map, error);
    close(pair[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (failed) {
        free(*uid_map);
        free(*gid_map);
        *uid_map = *gid_map = NULL;
    }
    return failed;
}
