// epoll through its system calls.
#include "abi/linux/epoll.h"
#include "abi/linux/eventfd.h"
#include "tests/unit/net/harness.h"

static int ep, ev;

static int make_event(void)
{
    int64_t fd = CALL(eventfd2, 0, LX_O_NONBLOCK);
    cr_assert_geq(fd, 0);
    return (int)fd;
}
static int make_epoll(void)
{
    int64_t fd = CALL(epoll_create1, 0);
    cr_assert_geq(fd, 0);
    return (int)fd;
}
static int64_t control(int epfd, int op, int fd, uint32_t events)
{
    struct lx_epoll_event e = {events, 1000u + (unsigned)fd};
    memcpy(harness_memory(0), &e, sizeof(e));
    return CALL(epoll_ctl, (uint64_t)epfd, (uint64_t)op, (uint64_t)fd, fixture_addr(0));
}
static int64_t wait_events(int epfd, struct lx_epoll_event *out, int max)
{
    int64_t n = CALL(epoll_wait, (uint64_t)epfd, fixture_addr(1024), (uint64_t)max, 0);
    if (n > 0 && out)
        memcpy(out, harness_memory(1024), (size_t)n * sizeof(*out));
    return n;
}
static void signal_event(int fd)
{
    uint64_t one = 1;
    cr_assert_eq(do_write(fd, (const char *)&one, 8), 8);
}
static void setup(void)
{
    harness_setup();
    ep = make_epoll();
    ev = make_event();
}
TestSuite(epoll, .init = setup);

Test(epoll, level_triggered_tells_as_long_as_it_holds)
{
    struct lx_epoll_event e;
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), -LX_EEXIST);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
    signal_event(ev);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(wait_events(ep, &e, 8), 1);
        cr_assert_eq(e.events, EV_IN);
        cr_assert_eq(e.data, 1000u + (unsigned)ev);
    }
    cr_assert_eq(do_read(ev, 8), 8);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_DEL, ev, 0), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_DEL, ev, 0), -LX_ENOENT);
    signal_event(ev);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
}

Test(epoll, edge_triggered_tells_once_for_each_signal)
{
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN | LX_EPOLLET), 0);
    signal_event(ev);
    cr_assert_eq(wait_events(ep, NULL, 8), 1);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
    signal_event(ev);
    cr_assert_eq(wait_events(ep, NULL, 8), 1, "a new signal, though it was readable before");
}

Test(epoll, one_shot_is_disabled_until_modified)
{
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN | LX_EPOLLONESHOT), 0);
    signal_event(ev);
    cr_assert_eq(wait_events(ep, NULL, 8), 1);
    signal_event(ev);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_MOD, ev, EV_IN | LX_EPOLLONESHOT), 0);
    cr_assert_eq(wait_events(ep, NULL, 8), 1);
}

Test(epoll, a_wait_ends_when_the_file_signals)
{
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    cr_assert_eq(CALL(epoll_wait, (uint64_t)ep, fixture_addr(1024), 8, (uint64_t)-1), -LX_EBLOCKED);
    struct task waiter_of = fixture_task, *waiter = current;
    memset(&waiter_of.call, 0, sizeof(waiter_of.call));
    current = &waiter_of;
    uint64_t one = 1;
    struct iov_iter it;
    struct file *f = fd_lookup(fixture_task.files, ev);
    iter_init_kernel(&it, &one, 8);
    cr_assert_eq(f->ops->write(f, &it, NULL), 8);
    current = waiter;
    cr_assert_eq(harness_again(sys_epoll_wait), 1);
}

Test(epoll, more_events_than_fit_come_in_turn)
{
    enum { N = 100 };
    int seen[400] = {0};
    for (int i = 0; i < N; i++) {
        int fd = make_event();
        signal_event(fd);
        cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, fd, EV_IN), 0);
    }
    struct lx_epoll_event e[30];
    for (int round = 0; round < 10; round++) {
        int64_t n = wait_events(ep, e, 30);
        cr_assert_eq(n, 30);
        for (int i = 0; i < n; i++)
            seen[e[i].data - 1000]++;
    }
    int told = 0;
    for (int i = 0; i < 400; i++) {
        told += seen[i] > 0;
        cr_assert_leq(seen[i], 3);
    }
    cr_assert_eq(told, N, "nobody starves");
    cr_assert_eq(wait_events(ep, NULL, 1000), N, "each once in one call");
}

Test(epoll, closing_the_last_descriptor_ends_the_registration)
{
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    int64_t copy = CALL(dup, (uint64_t)ev);
    signal_event(ev);
    cr_assert_eq(CALL(close, (uint64_t)ev), 0);
    cr_assert_eq(wait_events(ep, NULL, 8), 1, "a copy keeps the file open");
    cr_assert_eq(CALL(close, (uint64_t)copy), 0);
    cr_assert_eq(wait_events(ep, NULL, 8), 0);
    ev = make_event();
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    cr_assert_eq(CALL(close, (uint64_t)ep), 0, "the epoll goes first");
    signal_event(ev);
}

Test(epoll, nested_epolls_tell_and_circles_are_refused)
{
    int outer = make_epoll();
    cr_assert_eq(control(outer, LX_EPOLL_CTL_ADD, ep, EV_IN), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    signal_event(ev);
    cr_assert_eq(wait_events(outer, NULL, 8), 1);
    cr_assert_eq(do_read(ev, 8), 8);
    cr_assert_eq(wait_events(outer, NULL, 8), 0);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, outer, EV_IN), -LX_ELOOP);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ep, EV_IN), -LX_EINVAL);
    int top = outer;
    int64_t err = 0;
    int levels = 1;
    while (!err) {
        int next = make_epoll();
        err = control(next, LX_EPOLL_CTL_ADD, top, EV_IN);
        top = next;
        levels += !err;
        cr_assert_lt(levels, 20);
    }
    cr_assert_eq(err, -LX_ELOOP);
}

Test(epoll, arguments_are_checked)
{
    cr_assert_eq(CALL(epoll_create, 0), -LX_EINVAL);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, 77, EV_IN), -LX_EBADF);
    cr_assert_eq(control(ev, LX_EPOLL_CTL_ADD, ep, EV_IN), -LX_EINVAL);
    cr_assert_eq(control(ep, 9, ev, EV_IN), -LX_EINVAL);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN | LX_EPOLLEXCLUSIVE | LX_EPOLLONESHOT), -LX_EINVAL);
    cr_assert_eq(CALL(epoll_ctl, (uint64_t)ep, LX_EPOLL_CTL_ADD, (uint64_t)ev, 8), -LX_EFAULT);
    cr_assert_eq(CALL(epoll_wait, (uint64_t)ep, fixture_addr(0), 0, 0), -LX_EINVAL);
    cr_assert_eq(control(ep, LX_EPOLL_CTL_ADD, ev, EV_IN), 0);
    signal_event(ev);
    cr_assert_eq(CALL(epoll_wait, (uint64_t)ep, 8, 4, 0), -LX_EFAULT);
    cr_assert_eq(wait_events(ep, NULL, 8), 1, "the event is not lost");
}
