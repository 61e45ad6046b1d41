// epoll_create(2), epoll_ctl(2), epoll_wait(2) and their newer forms.
#include "abi/linux/fcntl.h"
#include "sentry/fs/epoll/internal.h"
#include "sentry/ipc/timeout.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"
#include <limits.h>

// Events gathered for one copy to the guest.
#define EVENTS_BATCH 64

static int64_t create(bool cloexec)
{
    struct file *f = epoll_create_file();
    if (!f)
        return -LX_ENOMEM;
    int fd = fd_install(current->files, f, 0, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_epoll_create(struct call *c)
{
    return arg_int(c, 0) <= 0 ? -LX_EINVAL : create(false);
}

int64_t sys_epoll_create1(struct call *c)
{
    uint32_t flags = arg_uint(c, 0);
    return flags & ~LX_EPOLL_CLOEXEC ? -LX_EINVAL : create(flags);
}

static bool exclusive_ok(int op, const struct lx_epoll_event *ev, struct file *target)
{
    const uint32_t allowed = EV_IN | EV_OUT | EV_ERR | EV_HUP | EV_RDNORM | EV_WRNORM | LX_EPOLLWAKEUP |
                             LX_EPOLLET | LX_EPOLLEXCLUSIVE;
    return op == LX_EPOLL_CTL_ADD && !file_eventpoll(target) && !(ev->events & ~allowed);
}

int64_t sys_epoll_ctl(struct call *c)
{
    struct lx_epoll_event ev = {0, 0};
    int op = arg_int(c, 1), fd = arg_int(c, 2);
    if (op != LX_EPOLL_CTL_DEL && get_user(ev, c->args[3]))
        return -LX_EFAULT;
    struct file *epf = fd_lookup(current->files, arg_int(c, 0)), *f = fd_lookup(current->files, fd);
    if (!epf || !f)
        return -LX_EBADF;
    if (!f->ops->poll)
        return -LX_EPERM;
    struct eventpoll *ep = file_eventpoll(epf);
    if (!ep || f == epf)
        return -LX_EINVAL;
    if (op != LX_EPOLL_CTL_DEL && (ev.events & LX_EPOLLEXCLUSIVE) && !exclusive_ok(op, &ev, f))
        return -LX_EINVAL;
    struct epitem *item = epoll_find(ep, f, fd);
    switch (op) {
    case LX_EPOLL_CTL_ADD:
        return item ? -LX_EEXIST : epoll_insert(ep, f, fd, &ev);
    case LX_EPOLL_CTL_MOD:
        if (!item)
            return -LX_ENOENT;
        if (item->events & LX_EPOLLEXCLUSIVE)
            return -LX_EINVAL;
        epoll_modify(item, &ev);
        return 0;
    case LX_EPOLL_CTL_DEL:
        if (!item)
            return -LX_ENOENT;
        epoll_remove(item);
        return 0;
    default:
        return -LX_EINVAL;
    }
}

// What became of an item whose event was told: one-shot disables it, level-triggered ones stay ready, behind
// the others.
static void told(struct epitem *item, struct list_head *again)
{
    if (item->events & LX_EPOLLONESHOT)
        item->events &= EPOLL_PRIVATE;
    else if (!(item->events & LX_EPOLLET))
        list_add_tail(&item->ready_link, again);
}

// Moves ready events to the guest. Returns how many, or -LX_EFAULT when none could be written.
static int64_t send_events(struct eventpoll *ep, gaddr_t user, int max)
{
    struct list_head
        again; // level-triggered items that were told: at the end, so that none of them comes twice
    list_init(&again);
    int sent = 0, err = 0;
    while (sent < max && !err && !list_empty(&ep->ready)) {
        struct lx_epoll_event events[EVENTS_BATCH];
        struct epitem *items[EVENTS_BATCH];
        int n = 0;
        while (n < EVENTS_BATCH && sent + n < max && !list_empty(&ep->ready)) {
            struct epitem *item = list_first(&ep->ready, struct epitem, ready_link);
            list_del(&item->ready_link);
            uint32_t now = file_poll(item->file, NULL) & item->events;
            if (!now)
                continue;
            events[n] = (struct lx_epoll_event){now, item->data};
            items[n++] = item;
        }
        if (n && copy_out(user + (uint64_t)sent * sizeof(events[0]), events, (size_t)n * sizeof(events[0])))
            err = -LX_EFAULT;
        for (int i = 0; i < n; i++) {
            if (err)
                list_add_tail(&items[i]->ready_link, &again); // not told: it keeps its event
            else
                told(items[i], &again);
        }
        sent += err ? 0 : n;
    }
    while (!list_empty(&again)) {
        struct list_head *link = again.next;
        list_del(link);
        list_add_tail(link, &ep->ready);
    }
    // What is left is for another waiter (ep_done_scan).
    if (sent && !list_empty(&ep->ready))
        wake_one(&ep->wait, EV_IN);
    return sent ? sent : err;
}

static int64_t do_wait(struct call *c, uint64_t deadline)
{
    int max = arg_int(c, 2);
    c->interrupted = -LX_EINTR;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (max <= 0 || max > INT_MAX / (int)sizeof(struct lx_epoll_event))
        return -LX_EINVAL;
    if (!f)
        return -LX_EBADF;
    struct eventpoll *ep = file_eventpoll(f);
    if (!ep)
        return -LX_EINVAL;
    int64_t n = send_events(ep, c->args[1], max);
    if (n || c->timed_out || deadline == 0)
        return n;
    return block_on_until(&ep->wait, EV_IN, deadline);
}

static uint64_t deadline_of_ms(int ms)
{
    return ms < 0 ? KTIMER_NEVER : ms == 0 ? 0 : deadline_after((uint64_t)ms * 1000000u);
}

int64_t sys_epoll_wait(struct call *c)
{
    if (c->first)
        c->state.words[1] = deadline_of_ms(arg_int(c, 3));
    return do_wait(c, c->state.words[1]);
}

int64_t sys_epoll_pwait(struct call *c)
{
    if (c->first) {
        int err = temporary_mask(c->args[4], c->args[5]);
        if (err)
            return err;
        c->state.words[1] = deadline_of_ms(arg_int(c, 3));
    }
    return do_wait(c, c->state.words[1]);
}

int64_t sys_epoll_pwait2(struct call *c)
{
    struct timeout_state *t = call_state(c, struct timeout_state);
    if (c->first) {
        int err = timeout_begin(t, TIMEOUT_TIMESPEC, c->args[3]);
        if (!err)
            err = temporary_mask(c->args[4], c->args[5]);
        if (err)
            return err;
    }
    // The time left is not written back.
    return do_wait(c, t->deadline);
}
