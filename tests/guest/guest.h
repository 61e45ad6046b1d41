// What guest programs share. They print facts that are the same in every run on Linux (no address, pid,
// time), so that the output of a native run can be compared with the sandbox's.
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((unused)) static const char *error_name(int error)
{
    static char unknown[32];
    // clang-format off
    switch (error) {
#define E(name) case name: return #name;
        E(EPERM) E(ENOENT) E(ESRCH) E(EINTR) E(EIO) E(ENXIO) E(E2BIG) E(ENOEXEC) E(EBADF) E(ECHILD) E(EAGAIN)
        E(ENOMEM) E(EACCES) E(EFAULT) E(ENOTBLK) E(EBUSY) E(EEXIST) E(EXDEV) E(ENODEV) E(ENOTDIR) E(EISDIR)
        E(EINVAL) E(ENFILE) E(EMFILE) E(ENOTTY) E(ETXTBSY) E(EFBIG) E(ENOSPC) E(ESPIPE) E(EROFS) E(EMLINK)
        E(EPIPE) E(EDOM) E(ERANGE) E(EDEADLK) E(ENAMETOOLONG) E(ENOLCK) E(ENOSYS) E(ENOTEMPTY) E(ELOOP) E(ENODATA)
        E(ETIME) E(EPROTO) E(EBADMSG) E(EOVERFLOW) E(ELIBBAD) E(ENOTSOCK) E(EDESTADDRREQ) E(EMSGSIZE) E(EPROTOTYPE)
        E(ENOPROTOOPT) E(EPROTONOSUPPORT) E(ESOCKTNOSUPPORT) E(EOPNOTSUPP) E(EAFNOSUPPORT) E(EADDRINUSE)
        E(EADDRNOTAVAIL) E(ENETUNREACH) E(ECONNABORTED) E(ECONNRESET) E(ENOBUFS) E(EISCONN) E(ENOTCONN)
        E(ETIMEDOUT) E(ECONNREFUSED) E(EALREADY) E(EINPROGRESS) E(ESTALE) E(ECANCELED) E(EOWNERDEAD)
        E(ENOTRECOVERABLE) E(EIDRM) E(ENOMSG)
#undef E
    default:
        snprintf(unknown, sizeof(unknown), "E%d", error);
        return unknown;
    }
    // clang-format on
}

// Print `what: value`, or `what: -1 ENAME` for a failed call. Returns the value.
__attribute__((unused)) static long show_value(const char *what, long value)
{
    if (value == -1)
        printf("%s: -1 %s\n", what, error_name(errno));
    else
        printf("%s: %ld\n", what, value);
    fflush(stdout);
    return value;
}

// Print whether a call succeeded, for results that are not the same in every run.
__attribute__((unused)) static long show_success(const char *what, long value)
{
    if (value == -1)
        printf("%s: -1 %s\n", what, error_name(errno));
    else
        printf("%s: ok\n", what);
    fflush(stdout);
    return value;
}

#define SHOW(call) show_value(#call, (long)(call))
#define OK(call) show_success(#call, (long)(call))
#define TRUTH(expression) (printf("%s: %s\n", #expression, (expression) ? "true" : "FALSE"), fflush(stdout))

// Print how a process ended, from a wait status.
__attribute__((unused)) static void show_status(const char *what, int status)
{
    if (WIFEXITED(status))
        printf("%s: exited %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by signal %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status))
        printf("%s: stopped by signal %d\n", what, WSTOPSIG(status));
    else if (WIFCONTINUED(status))
        printf("%s: continued\n", what);
    else
        printf("%s: status %#x\n", what, (unsigned)status);
    fflush(stdout);
}

// Run the block in a child and print how the child ended.
#define IN_CHILD(what, ...)                                                                 \
    do {                                                                                    \
        fflush(stdout);                                                                     \
        pid_t in_child_pid = fork();                                                        \
        if (in_child_pid == 0) {                                                            \
            __VA_ARGS__;                                                                    \
            fflush(stdout);                                                                 \
            _exit(0);                                                                       \
        }                                                                                   \
        int in_child_status = 0;                                                            \
        if (in_child_pid < 0 || waitpid(in_child_pid, &in_child_status, 0) != in_child_pid) \
            printf("%s: cannot fork or wait: %s\n", what, error_name(errno));               \
        else                                                                                \
            show_status(what, in_child_status);                                             \
    } while (0)

__attribute__((unused)) static void sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

__attribute__((unused)) static long long now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// A page that is mapped and one that is not, for bad pointers.
__attribute__((unused)) static void *unmapped_address(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    return page;
}

__attribute__((unused)) static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        printf("write_file %s: %s\n", path, error_name(errno));
    close(fd);
}

__attribute__((unused)) static void show_file(const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n < 0) {
        printf("%s: %s\n", path, error_name(errno));
    } else {
        text[n] = 0;
        printf("%s: [%s]\n", path, text);
    }
    if (fd >= 0)
        close(fd);
    fflush(stdout);
}

// The text of the file read last, and how long it is; -1 and no text where it cannot be opened (said on stdout).
__attribute__((unused)) static char slurped[1 << 20];
__attribute__((unused)) static int slurp(const char *path)
{
    int fd = open(path, O_RDONLY), total = 0;
    slurped[0] = 0;
    if (fd < 0) {
        printf("%s: %s\n", path, error_name(errno));
        return -1;
    }
    ssize_t n;
    while (total < (int)sizeof(slurped) - 1 &&
           (n = read(fd, slurped + total, sizeof(slurped) - 1 - (size_t)total)) > 0)
        total += (int)n;
    slurped[total] = 0;
    close(fd);
    return total;
}

// Print whether a file has some text in it.
__attribute__((unused)) static void has(const char *path, const char *needle)
{
    slurp(path);
    printf("%s has \"%s\": %d\n", path, needle, strstr(slurped, needle) != NULL);
}

// Writes a text to a file that exists.
__attribute__((unused)) static void write_text(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("write %s to %s: %s\n", text, file, error_name(errno));
    close(fd);
}

// Root of a user namespace of its own, so that the test needs no privilege.
__attribute__((unused)) static void become_root(void)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();
    show_value("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
    snprintf(map, sizeof(map), "0 %u 1\n", uid);
    write_text("/proc/self/uid_map", map);
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1\n", gid);
    write_text("/proc/self/gid_map", map);
}

#endif
