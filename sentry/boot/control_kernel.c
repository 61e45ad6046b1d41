#include "sentry/boot/control_kernel.h"
#include "sentry/boot/control.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/fs/hostfile/hostfile.h"
#include "sentry/trap/stacks.h"
#include "sentry/trap/stats.h"
#include "sentry/trap/trap.h"
#include "abi/linux/signal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct host_watch watch; // kernel lock
static int control = -1;        // never changes after control_init

static void send_record(uint32_t kind, int value, const char *text, size_t length)
{
    struct control_record r = {.kind = kind, .value = value};
    r.length = (uint32_t)(length < CONTROL_TEXT_MAX ? length : CONTROL_TEXT_MAX);
    memcpy(r.text, text, r.length);
    struct iovec part = {&r, sizeof(r)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (sendmsg(control, &m, MSG_NOSIGNAL) != sizeof(r))
        log_warn("a record for the monitor is lost: %s", strerror(errno));
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

static void send_text(const char *text, size_t length)
{
    send_record(CONTROL_TEXT, 0, text, length);
}

static void take(const struct control_record *r)
{
    switch (r->kind) {
    case CONTROL_SIGNAL:
        if (r->value > 0 && r->value <= LX_NSIG)
            host_tty_signal(r->value);
        break;
    case CONTROL_WINSIZE:
        host_tty_signal(LX_SIGWINCH);
        break;
    case CONTROL_CONTINUE:
        host_tty_signal(LX_SIGCONT);
        break;
    case CONTROL_STACKS:
        stacks_write(send_text);
        send_record(CONTROL_TEXT_END, 0, "", 0);
        break;
    default:
        log_warn("unknown record %u from the monitor", r->kind);
    }
}

static void readable(struct host_watch *w, uint32_t events)
{
    (void)events;
    struct control_record r;
    struct iovec part = {&r, sizeof(r)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(control, &m, MSG_DONTWAIT);
    if (n == 0)
        kernel_fatal("the monitor is gone");
    if (n == sizeof(r))
        take(&r);
    (void)host_watch_arm(w, EV_IN);
}

void control_init(int fd)
{
    control = fd;
    if (host_watch_add(&watch, fd, readable) || host_watch_arm(&watch, EV_IN))
        kernel_fatal("the monitor's socket cannot be watched");
}
