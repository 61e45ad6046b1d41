// Random calls on pipes, sockets, epolls and event descriptors by several tasks that share one table, with
// calls that block, wake, time out and are interrupted. Objects end while others wait for them. Meant for the
// sanitizers.
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fixture.c" // the task and the guest's memory
#include "abi/linux/epoll.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/inet.h"
#include "abi/linux/poll.h"
#include "abi/linux/socket.h"
#include "abi/linux/time.h"
#include "sentry/core/timer.h"
#include "sentry/fs/pipefs/pipe.h"
#include "sentry/fs/timerfd/timerfd.h"
#include "sentry/net/socket.h"
#include "sentry/net/unix/unix.h"
#include "syscall_handlers.h"
#include <stdio.h>

#define TASKS 6
#define FDS 24u

static uint64_t clock_ahead;
static struct task tasks[TASKS];
static syscall_handler running[TASKS];
static const uint8_t *input; // or random when NULL
static size_t input_left;

static uint32_t rnd(uint32_t below)
{
    uint32_t value;
    if (input) {
        value = input_left ? *input : 0;
        if (input_left) {
            input++;
            input_left--;
        }
    } else {
        value = (uint32_t)(next() >> 11);
    }
    return value % below;
}

static void put(size_t at, const void *what, size_t n)
{
    memcpy(&fixture_guest[at], what, n);
}
static gaddr_t at(size_t offset)
{
    return rnd(200) == 0 ? 12345 : FIXTURE_GUEST_BASE + offset;
}
static uint64_t fd(void)
{
    return rnd(FDS);
}
// Mostly a descriptor of a kind.
enum kind { ANY, SOCKET, PIPE, EPOLL, TIMER, WATCHED };
static uint64_t fd_of(enum kind kind)
{
    uint64_t number = fd();
    for (int tries = 0; tries < 30 && rnd(50); tries++) {
        struct file *f = fd_lookup(current->files, (int)number);
        if (f && (kind == ANY || (kind == SOCKET && file_socket(f)) || (kind == PIPE && file_pipe(f)) ||
                  (kind == EPOLL && f->ops->poll && !f->ops->read && !is_timerfd(f)) ||
                  (kind == TIMER && is_timerfd(f)) || (kind == WATCHED && f->ops->poll)))
            break;
        number = fd();
    }
    return number;
}
static uint64_t some_flags(void)
{
    return (rnd(2) ? LX_O_NONBLOCK : 0) | (rnd(4) ? 0 : LX_O_CLOEXEC);
}

// An address: abstract names a to d, or a loopback port.
static uint64_t make_address(size_t offset)
{
    if (rnd(2)) {
        struct lx_sockaddr_un un = {.family = LX_AF_UNIX};
        un.path[1] = (char)('a' + rnd(2));
        put(offset, &un, sizeof(un));
        return rnd(20) ? 4 : rnd(120);
    }
    struct lx_sockaddr_in in = {LX_AF_INET, (uint16_t)(0x1027 + (rnd(2) << 8)), {127, 0, 0, 1}, {0}};
    if (rnd(4) == 0)
        in.addr[0] = in.addr[3] = 0;
    put(offset, &in, sizeof(in));
    return rnd(20) ? sizeof(in) : rnd(40);
}

// A message header at 1024 with one buffer and maybe descriptors.
static void make_message(bool sending)
{
    struct lx_msghdr h = {.iov = at(1200), .iovlen = rnd(3)};
    uint64_t iov[4] = {at(100000), rnd(3) ? rnd(100) : rnd(150000), at(300000), rnd(5000)};
    put(1200, iov, sizeof(iov));
    if (rnd(2)) {
        struct {
            struct lx_cmsghdr c;
            int32_t fds[8];
        } control = {{0, LX_SOL_SOCKET, rnd(5) ? LX_SCM_RIGHTS : LX_SCM_CREDENTIALS}, {0}};
        unsigned n = rnd(8);
        for (unsigned i = 0; i < n; i++)
            control.fds[i] = (int32_t)fd_of(rnd(2) ? SOCKET : ANY);
        control.c.len = sizeof(control.c) + n * 4;
        put(1400, &control, sizeof(control));
        h.control = at(1400);
        h.controllen = sending ? control.c.len : rnd(80);
    }
    if (rnd(3) == 0) {
        h.name = at(1600);
        h.namelen = sending ? (int32_t)make_address(1600) : 128;
    }
    put(1024, &h, sizeof(h));
}

static uint64_t message_flags(void)
{
    static const uint32_t flags[] = {
        0, LX_MSG_DONTWAIT, LX_MSG_PEEK, LX_MSG_TRUNC, LX_MSG_WAITALL, LX_MSG_CMSG_CLOEXEC, LX_MSG_OOB};
    return flags[rnd(7)] | LX_MSG_NOSIGNAL;
}

static syscall_handler choose(uint64_t a[6])
{
    static const int types[] = {LX_SOCK_STREAM, LX_SOCK_DGRAM, LX_SOCK_SEQPACKET};
    memset(a, 0, 6 * sizeof(*a));
    current = &tasks[0];
    a[0] = fd_of(ANY);
    switch (rnd(36)) {
    case 0:
    case 1:
        a[0] = at(0);
        a[1] = some_flags() | (rnd(4) ? 0 : LX_O_DIRECT);
        return sys_pipe2;
    case 2:
    case 3:
        a[0] = LX_AF_UNIX;
        a[1] = (uint64_t)types[rnd(3)] | some_flags();
        a[3] = at(0);
        return sys_socketpair;
    case 4:
    case 5: {
        static const int families[] = {LX_AF_UNIX, LX_AF_INET, LX_AF_INET6};
        a[0] = (uint64_t)families[rnd(3)];
        a[1] = (uint64_t)types[rnd(3)] | some_flags();
        return sys_socket;
    }
    case 6:
        a[1] = at(64);
        a[2] = make_address(64);
        a[0] = fd_of(SOCKET);
        if (rnd(2)) {
            struct call *c = &tasks[0].call, saved = *c;
            memcpy(c->args, a, 6 * sizeof(*a));
            sys_bind(c);
            memcpy(c->args, saved.args, sizeof(c->args));
            a[1] = rnd(4);
            return sys_listen;
        }
        return sys_bind;
    case 7:
    case 8:
        a[1] = at(64);
        a[2] = make_address(64);
        a[0] = fd_of(SOCKET);
        return sys_connect;
    case 9:
        a[1] = rnd(4);
        a[0] = fd_of(SOCKET);
        return sys_listen;
    case 10:
        a[3] = some_flags();
        a[0] = fd_of(SOCKET);
        return sys_accept4;
    case 11:
    case 12:
    case 13:
        make_message(true);
        a[1] = at(1024);
        a[2] = message_flags();
        a[0] = fd_of(SOCKET);
        return sys_sendmsg;
    case 14:
    case 15:
        make_message(false);
        a[1] = at(1024);
        a[2] = message_flags();
        a[0] = fd_of(SOCKET);
        return sys_recvmsg;
    case 16:
    case 17:
        a[1] = at(100000);
        a[2] = rnd(3) ? rnd(100) : rnd(200000);
        return sys_write;
    case 18:
    case 19:
        a[1] = at(400000);
        a[2] = rnd(3) ? rnd(100) : rnd(200000);
        return sys_read;
    case 20:
    case 21:
        return sys_close;
    case 22:
        return sys_dup;
    case 23:
        a[0] = 0;
        return sys_epoll_create1;
    case 24:
    case 25: {
        struct lx_epoll_event e = {rnd(2) ? EV_IN : EV_IN | EV_OUT, rnd(100)};
        e.events |=
            (rnd(3) ? 0 : LX_EPOLLET) | (rnd(4) ? 0 : LX_EPOLLONESHOT) | (rnd(6) ? 0 : LX_EPOLLEXCLUSIVE);
        put(2000, &e, sizeof(e));
        a[1] = 1 + rnd(3);
        a[2] = fd_of(WATCHED);
        a[3] = at(2000);
        a[0] = fd_of(EPOLL);
        return sys_epoll_ctl;
    }
    case 26:
        a[1] = at(3000);
        a[2] = 1 + rnd(80);
        a[3] = rnd(2) ? 0 : rnd(3) ? rnd(50) : UINT32_MAX;
        a[0] = fd_of(EPOLL);
        return sys_epoll_wait;
    case 27:
        a[0] = rnd(3);
        a[1] = some_flags() | rnd(2);
        return sys_eventfd2;
    case 28:
        a[0] = LX_CLOCK_MONOTONIC;
        a[1] = some_flags();
        return sys_timerfd_create;
    case 29: {
        struct lx_itimerspec v = {{0, rnd(3) ? 0 : rnd(1000000)}, {0, rnd(1000000)}};
        put(4000, &v, sizeof(v));
        a[2] = at(4000);
        a[0] = fd_of(TIMER);
        return sys_timerfd_settime;
    }
    case 30: {
        struct lx_pollfd p[6];
        for (int i = 0; i < 6; i++)
            p[i] = (struct lx_pollfd){(int32_t)fd_of(WATCHED), (int16_t)(rnd(2) ? EV_IN : EV_OUT), 0};
        put(5000, p, sizeof(p));
        a[0] = at(5000);
        a[1] = rnd(7);
        a[2] = rnd(2) ? 0 : rnd(3) ? rnd(50) : UINT32_MAX;
        return sys_poll;
    }
    case 31:
        a[2] = fd_of(rnd(2) ? PIPE : SOCKET);
        a[4] = rnd(100000);
        a[5] = rnd(4);
        a[0] = fd_of(PIPE);
        return sys_splice;
    case 32:
        a[1] = fd_of(PIPE);
        a[2] = rnd(100000);
        a[3] = rnd(4);
        a[0] = fd_of(PIPE);
        return sys_tee;
    case 33:
        a[1] = rnd(4);
        a[0] = fd_of(SOCKET);
        return sys_shutdown;
    case 34: {
        int32_t v = (int32_t)rnd(3000);
        put(6000, &v, sizeof(v));
        a[1] = rnd(4) ? LX_SOL_SOCKET : LX_IPPROTO_TCP;
        a[2] = rnd(60);
        a[3] = at(6000);
        a[4] = 4;
        a[0] = fd_of(SOCKET);
        return sys_setsockopt;
    }
    default:
        a[1] = rnd(2) ? LX_F_SETPIPE_SZ : LX_F_SETFL;
        a[2] = rnd(2) ? rnd(200000) : some_flags() | (rnd(2) ? LX_O_DIRECT : 0);
        a[0] = fd_of(PIPE);
        return sys_fcntl;
    }
}

static void end_call(struct call *c)
{
    call_unblock(c);
    if (c->release)
        c->release(c);
    c->release = NULL;
    held_drop(&c->held);
}

static bool waits(const struct call *c)
{
    return c->nr_waiters || ktimer_armed(&c->timer);
}

static void run(int i)
{
    struct call *c = &tasks[i].call;
    current = &tasks[i];
    c->phase = CALL_RUNNING;
    int64_t ret = running[i](c);
    c->first = false;
    if (ret != -LX_EBLOCKED) {
        end_call(c);
        running[i] = NULL;
    } else if (!waits(c) && running[i] != sys_poll) { // a poll of nothing may wait for a signal
        fprintf(stderr, "a blocked call that nobody can end\n");
        abort();
    }
}

static void step(void)
{
    int i = (int)rnd(TASKS);
    struct call *c = &tasks[i].call;
    if (rnd(50) == 0) {
        clock_ahead += rnd(20000000);
        ktimer_run(mono_now_ns() + clock_ahead);
    }
    if (running[i] && waits(c)) {
        if (rnd(6) == 0) { // a signal
            current = &tasks[i];
            end_call(c);
            running[i] = NULL;
        }
        return;
    }
    if (!running[i]) {
        uint64_t a[6];
        running[i] = choose(a);
        memset(c->state.bytes, 0, sizeof(c->state.bytes));
        memcpy(c->args, a, sizeof(a));
        c->task = &tasks[i];
        c->first = true;
        c->timed_out = false;
        c->interrupted = -LX_ERESTARTSYS;
    }
    run(i);
}

static void one_run(unsigned steps)
{
    fixture_setup();
    fixture_task.sighand = sighand_alloc();
    fixture_group.rlim[7].cur = FDS; // RLIMIT_NOFILE
    struct fdtable *files = fdtable_alloc();
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = fixture_task;
        list_init(&tasks[i].call.run_link);
        list_init(&tasks[i].pending.queue);
        wait_queue_init(&tasks[i].signalfd_wait);
        tasks[i].files = files;
        running[i] = NULL;
    }
    while (steps-- > 0 && (!input || input_left))
        step();
    for (int i = 0; i < TASKS; i++) {
        current = &tasks[i];
        end_call(&tasks[i].call);
        call_wait_free(&tasks[i].call);
        held_free(&tasks[i].call.held);
        sigpending_flush(&tasks[i].pending);
    }
    current = &tasks[0];
    fdtable_put(files);
    unix_gc(); // what holds itself waits for the next socket to be closed
    current = NULL;
    sighand_put(fixture_task.sighand);
    fixture_task.sighand = NULL;
}

static void smoke(unsigned long total)
{
    for (unsigned long done = 0; done < total; done += 2000)
        one_run(2000);
}

static void replay(const uint8_t *bytes, size_t size)
{
    input = bytes;
    input_left = size;
    one_run(UINT32_MAX);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, replay);
}
