#include "sentry/boot/zygote.h"
#include "abi/stub/layout.h"
#include "sentry/boot/fail.h"
#include "sentry/boot/jail.h"
#include "sentry/boot/memory_file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ZYGOTE_FILTER_FD 3
#define ZYGOTE_SOCKET_FD 4
#define ZYGOTE_IMAGE_FD 5
#define ZYGOTE_LISTENER_FD 0 // the lowest free number
#define ZYGOTE_WAIT_NS 10000000000ull
#define ZYGOTE_WAIT_MS 10000

#define FLAG_WAIT_KILLABLE_RECV (1u << 5) // 5.19

#ifndef PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xFF, 6)
#endif

// Steps of the child that can fail, told apart by the number that comes instead of a listener.
static const char *const child_steps[] = {"session",
                                          "namespaces",
                                          "limits",
                                          "Landlock domain",
                                          "capabilities",
                                          "descriptors",
                                          "exec of the stub image"};
enum child_step {
    STEP_SESSION,
    STEP_NAMESPACES,
    STEP_LIMITS,
    STEP_LANDLOCK,
    STEP_CAPABILITIES,
    STEP_DESCRIPTORS,
    STEP_EXEC
};
#define CHILD_FAILED 0x40000000u // | step << 16 | errno
#define CHILD_READY 0x20000000u  // next is the exec

static _Noreturn void child_fail(int socket, enum child_step step, int error)
{
    uint32_t word = CHILD_FAILED | (uint32_t)step << 16 | (uint32_t)error;
    ssize_t unused = write(socket, &word, sizeof(word));
    (void)unused;
    _exit(EXIT_SANDBOX);
}

static int report_child(uint32_t word)
{
    if (word & CHILD_FAILED && !(word & 0x80000000u)) {
        unsigned step = (word >> 16) & 0xff;
        return boot_fail("cannot start the zygote:", step <= STEP_EXEC ? child_steps[step] : "?",
                         (int)(word & 0xffff), "see `sentry check`");
    }
    int error = -(int32_t)word;
    return boot_fail("cannot install the guests' filter", NULL, error,
                     error == EBUSY
                         ? "another supervisor already listens to this process; run outside of a supervised "
                           "container"
                         : "see `sentry check`");
}

static int default_signals(void)
{
    for (int signo = 1; signo < 65; signo++) {
        struct sigaction action = {.sa_handler = signo == SIGCHLD ? SIG_IGN : SIG_DFL};
        if (signo == SIGKILL || signo == SIGSTOP || signo == 32 || signo == 33)
            continue;
        if (sigaction(signo, &action, NULL) < 0)
            return errno;
    }
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? errno : 0;
}

// Moves the three descriptors to their numbers and closes all others.
static int arrange_descriptors(int filter, int socket, int image)
{
    int from[3] = {filter, socket, image};
    for (int i = 0; i < 3; i++) {
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64); // out of the way first
        if (from[i] < 0)
            return errno;
    }
    if (dup3(from[0], ZYGOTE_FILTER_FD, 0 /* kept */) < 0 || dup3(from[1], ZYGOTE_SOCKET_FD, 0) < 0 ||
        dup3(from[2], ZYGOTE_IMAGE_FD, O_CLOEXEC) < 0)
        return errno;
    if (close_range(0, ZYGOTE_FILTER_FD - 1, 0) < 0 || close_range(ZYGOTE_IMAGE_FD + 1, ~0u, 0) < 0)
        return errno;
    return 0;
}

static _Noreturn void zygote_child(int image, int filter, int socket, unsigned flags)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setsid() < 0)
        child_fail(socket, STEP_SESSION, errno);
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0)
        child_fail(socket, STEP_NAMESPACES, errno);
    int error = default_signals();
    if (error)
        child_fail(socket, STEP_SESSION, error);
    error = arrange_descriptors(filter, socket, image);
    if (error)
        child_fail(socket, STEP_DESCRIPTORS, error);
    socket = ZYGOTE_SOCKET_FD;
    error = jail_set_limit(RLIMIT_CORE, 1);
    if (!error)
        error = jail_set_limit(RLIMIT_NOFILE, STUB_HOST_NOFILE);
    if (error)
        child_fail(socket, STEP_LIMITS, -error);
    error = jail_landlock(-1, false);
    if (error)
        child_fail(socket, STEP_LANDLOCK, -error);
    error = jail_drop_capabilities();
    if (error)
        child_fail(socket, STEP_CAPABILITIES, -error);
    char number[16];
    snprintf(number, sizeof(number), "%u", flags);
    const char *const argv[] = {"zygote", number, NULL};
    const char *const environment[] = {NULL};
    const uint32_t ready = CHILD_READY;
    if (write(socket, &ready, sizeof(ready)) != (ssize_t)sizeof(ready))
        _exit(EXIT_SANDBOX);
    syscall(SYS_execveat, ZYGOTE_IMAGE_FD, "", argv, environment, AT_EMPTY_PATH);
    child_fail(socket, STEP_EXEC, errno);
}

// Reads one word of the child. 0 at the end of the stream, -EAGAIN when `wait` is false and there is none
// yet.
static int read_word(struct zygote *z, bool wait, uint32_t *word)
{
    struct pollfd waiting = {.fd = z->handshake, .events = POLLIN};
    int n;
    do {
        n = poll(&waiting, 1, wait ? ZYGOTE_WAIT_MS : 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return wait ? -ETIMEDOUT : -EAGAIN;
    ssize_t got = recv(z->handshake, word, sizeof(*word), MSG_DONTWAIT);
    return got == (ssize_t)sizeof(*word) ? 1 : 0;
}

static bool is_listener(int fd)
{
    uint64_t no_id = 0;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &no_id) < 0 && errno == ENOENT;
}

// Nobody could answer a call of the zygote before the listener is here, so it says nothing when the filter is
// in force: its descriptor is looked for until it is there. The socket tells of failures.
static int take_listener(struct zygote *z)
{
    uint32_t word;
    int got = read_word(z, true, &word);
    if (got == 1 && word != CHILD_READY)
        return report_child(word);
    struct timespec pause = {.tv_nsec = 20000};
    for (uint64_t waited = 0; got == 1 || got == -EAGAIN; waited += (uint64_t)pause.tv_nsec) {
        int fd = (int)syscall(SYS_pidfd_getfd, z->pidfd, ZYGOTE_LISTENER_FD, 0);
        if (fd >= 0 && is_listener(fd))
            return fd;
        if (fd >= 0 || (errno != EBADF && errno != ESRCH))
            return boot_fail("cannot take the listener from the zygote", NULL, fd >= 0 ? EPROTO : errno,
                             "pidfd_getfd(2) must be allowed");
        got = waited > ZYGOTE_WAIT_NS ? -ETIMEDOUT : read_word(z, false, &word);
        if (got == 1)
            return report_child(word);
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 1000000)
            pause.tv_nsec += pause.tv_nsec / 4;
    }
    if (got < 0)
        return boot_fail("the zygote did not start", NULL, -got, NULL);
    boot_say("the zygote ended before it had installed the guests' filter");
    return -ECHILD;
}

int zygote_start(int image, const struct sock_filter *filter, size_t instructions, bool killable,
                 struct zygote *z)
{
    *z = (struct zygote){.pid = -1, .pidfd = -1, .listener = -1, .guest_pidns = -1, .handshake = -1};
    int filter_fd = memory_file_sealed("guest-filter", filter, instructions * sizeof(*filter), 0);
    if (filter_fd < 0)
        return boot_fail("cannot make a memory file for the guests' filter", NULL, -filter_fd, NULL);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        int error = errno;
        close(filter_fd);
        return boot_fail("cannot make a socket pair for the zygote", NULL, error, NULL);
    }
    int pidfd = -1;
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, NULL);
    if (pid == 0)
        zygote_child(image, filter_fd, pair[1],
                     SECCOMP_FILTER_FLAG_NEW_LISTENER | (killable ? FLAG_WAIT_KILLABLE_RECV : 0));
    int error = errno;
    close(filter_fd);
    close(pair[1]);
    z->handshake = pair[0];
    if (pid < 0)
        return boot_fail("cannot fork the zygote", NULL, error, NULL);
    z->pid = pid;
    z->pidfd = pidfd;
    z->listener = take_listener(z);
    close(z->handshake);
    if (z->listener < 0)
        return z->listener;
    z->guest_pidns = ioctl(z->pidfd, PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, 0);
    return 0;
}
