#include "sentry/boot/control_kernel.h"
#include "sentry/boot/client.h"
#include "sentry/boot/control.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/fs/hostfile/hostfile.h"
#include "sentry/task/task.h"
#include "sentry/trap/stacks.h"
#include "sentry/trap/stats.h"
#include "sentry/trap/trap.h"
#include "abi/linux/signal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct host_watch watch;             // kernel lock
static int control = -1;                    // never changes after control_init
static struct tty *terminal;                // of the first process, borrowed; kernel lock
static const struct control_first *waiting; // the first process, not begun; NULL: nothing waits. Kernel lock

int control_send(int fd, uint32_t kind, int value, const char *text, size_t length, int flags)
{
    struct control_record r = {.kind = kind, .value = value};
    r.length = (uint32_t)(length < CONTROL_TEXT_MAX ? length : CONTROL_TEXT_MAX);
    memcpy(r.text, text, r.length);
    struct iovec part = {&r, sizeof(r)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(fd, &m, MSG_NOSIGNAL | flags) == sizeof(r) ? 0 : -errno;
}

int control_receive(int fd, struct control_record *r, int fds[CONTROL_FDS_MAX], unsigned *nr_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
    } with;
    struct iovec part = {r, sizeof(*r)};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &with, .msg_controllen = sizeof(with)};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *nr_fds = 0;
    if (n < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *nr_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), *nr_fds * sizeof(int));
    }
    if (n == 0)
        return 0;
    if (n == sizeof(*r) && r->length <= CONTROL_TEXT_MAX && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return 1;
    for (unsigned i = 0; i < *nr_fds; i++)
        close(fds[i]);
    *nr_fds = 0;
    return -EPROTO;
}

static void send_record(uint32_t kind, int value, const char *text, size_t length)
{
    int err = control_send(control, kind, value, text, length, 0);
    if (err)
        log_warn("a record for the monitor is lost: %s", strerror(-err));
}

_Noreturn void control_finish(uint32_t kind, int value, const char *text)
{
    stats_write();
    send_record(kind, value, text, strlen(text));
    _exit(0);
}

void control_stopped(int sig)
{
    send_record(CONTROL_STOPPED, sig, "", 0);
}

void control_ready(const struct control_first *first)
{
    waiting = first;
    send_record(CONTROL_READY, 0, "", 0);
}

int control_start(void)
{
    const struct control_first *first = waiting;
    if (!first)
        return -EINVAL;
    waiting = NULL;
    int err = first->start();
    if (err)
        waiting = first;
    return err;
}

int control_hold(void)
{
    return waiting ? waiting->hold() : -EINVAL;
}

int control_give(int fd)
{
    if (waiting)
        return waiting->give(fd);
    close(fd);
    return -EINVAL;
}

bool control_is_waiting(void)
{
    return waiting != NULL;
}

void control_terminal(struct tty *t)
{
    terminal = t;
}

void control_may_read(void)
{
    send_record(CONTROL_MAY_READ, 0, "", 0);
}

static void send_text(const char *text, size_t length)
{
    send_record(CONTROL_TEXT, 0, text, length);
}

static void take(const struct control_record *r, int fd)
{
    switch (r->kind) {
    case CONTROL_SIGNAL:
        if (r->value <= 0 || r->value > LX_NSIG)
            break;
        if (control_is_waiting())
            client_signal_unstarted(r->value);
        else
            host_tty_signal(init_tg, terminal, r->value);
        break;
    case CONTROL_WINSIZE:
        host_tty_signal(init_tg, terminal, LX_SIGWINCH);
        break;
    case CONTROL_CONTINUE:
        host_tty_signal(init_tg, terminal, LX_SIGCONT);
        break;
    case CONTROL_TERMINAL:
        host_tty_answer(r->value);
        break;
    case CONTROL_STACKS:
        stacks_write(send_text);
        send_record(CONTROL_TEXT_END, 0, "", 0);
        break;
    case CONTROL_CLIENT:
        if (fd >= 0)
            client_add(fd);
        return;
    default:
        log_warn("unknown record %u from the monitor", r->kind);
    }
}

static void readable(struct host_watch *w, uint32_t events)
{
    (void)events;
    struct control_record r;
    int fds[CONTROL_FDS_MAX];
    unsigned nr_fds;
    int n = control_receive(control, &r, fds, &nr_fds);
    if (n == 0)
        kernel_fatal("the monitor is gone");
    if (n > 0)
        take(&r, nr_fds == 1 ? fds[0] : -1);
    (void)host_watch_arm(w, EV_IN);
}

int control_wait_for_go(int fd)
{
    struct control_record r;
    ssize_t n;
    int err = control_send(fd, CONTROL_BUILT, 0, "", 0, 0);
    if (err)
        return err;
    do {
        n = recv(fd, &r, sizeof(r), 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == sizeof(r) && r.kind == CONTROL_GO ? 0 : -EPROTO;
}

void control_init(int fd)
{
    control = fd;
    if (host_watch_add(&watch, fd, EV_IN, readable))
        kernel_fatal("the monitor's socket cannot be watched");
}
