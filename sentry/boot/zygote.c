#include "sentry/boot/zygote.h"
#include "abi/stub/layout.h"
#include "abi/mutate.h"
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

#define ZYGOTE_IMAGE_FD 5
#define ZYGOTE_LISTENER_FD 0 // the lowest free number
#define SHARED_IMAGE_FD 200  // above everything else that is open then
#define ZYGOTE_WAIT_NS 10000000000ull
#define ZYGOTE_WAIT_MS 10000

#define FLAG_WAIT_KILLABLE_RECV (1u << 5) // 5.19

#ifndef PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xFF, 6)
#endif

// Steps of the child that can fail, told apart by the number that comes instead of a listener.
static const char *const child_steps[] = {"process group",         "namespaces",   "limits",
                                          "Landlock domain",       "capabilities", "descriptors",
                                          "exec of the stub image"};
enum child_step {
    STEP_GROUP,
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

static unsigned filter_flags(const struct zygote_plan *plan)
{
    return SECCOMP_FILTER_FLAG_NEW_LISTENER | (plan->killable ? FLAG_WAIT_KILLABLE_RECV : 0);
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
    if (dup3(from[0], STUB_ZYGOTE_FILTER_FD, 0 /* kept */) < 0 ||
        dup3(from[1], STUB_ZYGOTE_SOCKET_FD, 0) < 0 || dup3(from[2], ZYGOTE_IMAGE_FD, O_CLOEXEC) < 0)
        return errno;
    if (close_range(0, STUB_ZYGOTE_FILTER_FD - 1, 0) < 0 || close_range(ZYGOTE_IMAGE_FD + 1, ~0u, 0) < 0)
        return errno;
    return 0;
}

// What guests are placed in, but for the descriptor limit. They stay in the Sentry's session, which has no terminal: a session of
// their own would be a scheduling group of its own (sched(7), autogroup), and every switch between a guest and the Sentry would
// cost a fifth more.
static void enter_placement(int socket, const struct zygote_plan *plan)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setpgid(0, 0) < 0)
        child_fail(socket, STEP_GROUP, errno);
    int others = mutated("guest-namespaces") ? 0 : CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (!plan->nested && unshare(others | CLONE_NEWPID) < 0)
        child_fail(socket, STEP_NAMESPACES, errno);
    int error = default_signals();
    if (error)
        child_fail(socket, STEP_GROUP, error);
    error = jail_forbid_core();
    if (error < 0)
        child_fail(socket, STEP_LIMITS, -error);
    error = plan->landlock ? jail_landlock(NULL) : 0;
    if (error)
        child_fail(socket, STEP_LANDLOCK, -error);
    error = plan->nested ? jail_clear_capabilities() : jail_drop_capabilities();
    if (error)
        child_fail(socket, STEP_CAPABILITIES, -error);
}

static void tell_ready(int socket, uint32_t value)
{
    const uint32_t word = CHILD_READY | value;
    if (write(socket, &word, sizeof(word)) != (ssize_t)sizeof(word))
        _exit(EXIT_SANDBOX);
}

static void execute_image(int image, unsigned filter_flags)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", filter_flags);
    const char *const argv[] = {STUB_ZYGOTE_NAME, number, NULL};
    const char *const environment[] = {NULL};
    syscall(SYS_execveat, image, "", argv, environment, AT_EMPTY_PATH);
}

static _Noreturn void zygote_child(const struct zygote_plan *plan, int filter, int socket)
{
    enter_placement(socket, plan);
    int error = arrange_descriptors(filter, socket, plan->image);
    if (error)
        child_fail(socket, STEP_DESCRIPTORS, error);
    socket = STUB_ZYGOTE_SOCKET_FD;
    error = jail_set_limit(RLIMIT_NOFILE, STUB_HOST_NOFILE);
    if (error)
        child_fail(socket, STEP_LIMITS, -error);
    tell_ready(socket, ZYGOTE_LISTENER_FD);
    execute_image(ZYGOTE_IMAGE_FD, filter_flags(plan));
    child_fail(socket, STEP_EXEC, errno);
}

// The child whose descriptor table is the Sentry's own: the filter's listener appears in it. The calls after
// that are the Sentry's to let pass.
static _Noreturn void shared_child(const struct zygote_plan *plan, int image, int socket)
{
    enter_placement(socket, plan);
    int next = fcntl(socket, F_DUPFD_CLOEXEC, 0); // the number that the listener will have
    if (next < 0 || close(next) < 0)
        child_fail(socket, STEP_DESCRIPTORS, errno);
    tell_ready(socket, (uint32_t)next);
    const uint64_t every_signal = ~0ull; // the image cannot mask them any more
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every_signal, NULL, sizeof(every_signal));
    struct sock_fprog program = {.len = (unsigned short)plan->instructions,
                                 .filter = (struct sock_filter *)(uintptr_t)plan->filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags(plan), &program) < 0) {
        const uint32_t word = (uint32_t)-errno;
        ssize_t unused = write(socket, &word, sizeof(word));
        (void)unused;
        _exit(EXIT_SANDBOX);
    }
    syscall(SYS_close_range, 0, image - 1, CLOSE_RANGE_UNSHARE);
    execute_image(image, 0);
    _exit(EXIT_SANDBOX);
}

// Reads one word of the child. 1, 0 when the child has ended, -EAGAIN when `wait` is false and there is none
// yet.
static int read_word(struct zygote *z, bool wait, uint32_t *word)
{
    struct pollfd waiting[2] = {{.fd = z->handshake, .events = POLLIN}, {.fd = z->pidfd, .events = POLLIN}};
    int n;
    do {
        n = poll(waiting, 2, wait ? ZYGOTE_WAIT_MS : 0);
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

// In our own table, put there by a child that shares it. -1 and EBADF while it is not there.
static int dup_listener(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

// Nobody could answer a call of the zygote before the listener is here, so it says nothing when the filter is
// in force: its descriptor is looked for until it is there. The socket tells of failures.
static int take_listener(struct zygote *z, bool shared)
{
    uint32_t word;
    int got = read_word(z, true, &word);
    if (got == 1 && (word & ~0xffffu) != CHILD_READY)
        return report_child(word);
    uint32_t next = word;
    struct timespec pause = {.tv_nsec = 20000};
    for (uint64_t waited = 0; got == 1 || got == -EAGAIN; waited += (uint64_t)pause.tv_nsec) {
        int fd = shared ? dup_listener((int)(next & ~CHILD_READY))
                        : (int)syscall(SYS_pidfd_getfd, z->pidfd, ZYGOTE_LISTENER_FD, 0);
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

// Lets the next call of the child pass, which must be `nr` with this first argument.
static int let_pass(struct zygote *z, int nr, uint64_t first)
{
    struct pollfd waiting[2] = {{.fd = z->listener, .events = POLLIN}, {.fd = z->pidfd, .events = POLLIN}};
    struct seccomp_notif call = {0};
    if (poll(waiting, 2, ZYGOTE_WAIT_MS) <= 0 || !(waiting[0].revents & POLLIN) ||
        ioctl(z->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return boot_fail("the zygote does not go on after its filter", NULL, ETIMEDOUT, NULL);
    if (call.data.nr != nr || call.data.args[0] != first)
        return boot_fail("the zygote made an unexpected call", NULL, EPROTO, NULL);
    struct seccomp_notif_resp reply = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ioctl(z->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) < 0)
        return boot_fail("cannot let the zygote go on", NULL, errno, NULL);
    return 0;
}

// Without pidfd_getfd: a child that shares our descriptors installs the filter.
static int start_shared(const struct zygote_plan *plan, int socket, struct zygote *z)
{
    int image = fcntl(plan->image, F_DUPFD_CLOEXEC, SHARED_IMAGE_FD);
    if (image < 0)
        return boot_fail("cannot duplicate the stub image", NULL, errno, NULL);
    z->pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_FILES | CLONE_PIDFD | SIGCHLD, NULL, &z->pidfd,
                            NULL, NULL);
    if (z->pid == 0)
        shared_child(plan, image, socket);
    if (z->pid < 0)
        return boot_fail("cannot fork the zygote", NULL, errno, NULL);
    z->listener = take_listener(z, true);
    if (z->listener < 0)
        return z->listener;
    const struct rlimit limit = {STUB_HOST_NOFILE, STUB_HOST_NOFILE};
    if (syscall(SYS_prlimit64, z->pid, RLIMIT_NOFILE, &limit, NULL) < 0)
        return boot_fail("cannot limit the zygote's descriptors", NULL, errno, NULL);
    int error = let_pass(z, SYS_close_range, 0);
    if (!error)
        error = let_pass(z, SYS_execveat, (uint64_t)image);
    close(image);
    return error;
}

static int start_separate(const struct zygote_plan *plan, int socket, struct zygote *z)
{
    int filter =
        memory_file_sealed("guest-filter", plan->filter, plan->instructions * sizeof(*plan->filter), 0);
    if (filter < 0)
        return boot_fail("cannot make a memory file for the guests' filter", NULL, -filter, NULL);
    z->pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PIDFD | SIGCHLD, NULL, &z->pidfd, NULL, NULL);
    if (z->pid == 0)
        zygote_child(plan, filter, socket);
    int error = errno;
    close(filter);
    if (z->pid < 0)
        return boot_fail("cannot fork the zygote", NULL, error, NULL);
    z->listener = take_listener(z, false);
    return z->listener < 0 ? z->listener : 0;
}

int zygote_start(const struct zygote_plan *plan, struct zygote *z)
{
    *z = (struct zygote){.pid = -1, .pidfd = -1, .listener = -1, .guest_pidns = -1, .handshake = -1};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return boot_fail("cannot make a socket pair for the zygote", NULL, errno, NULL);
    z->handshake = pair[0];
    int error = plan->shared ? start_shared(plan, pair[1], z) : start_separate(plan, pair[1], z);
    close(pair[0]);
    close(pair[1]);
    z->handshake = -1;
    if (error)
        return error;
    z->guest_pidns = ioctl(z->pidfd, PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, 0);
    return 0;
}
