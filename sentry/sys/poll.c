// poll(2), ppoll(2) (fs/select.c of Linux).
#include "abi/linux/poll.h"
#include "sentry/ipc/poll.h"
#include "sentry/ipc/timeout.h"
#include "sentry/task/task.h"
#include "abi/linux/resource.h"
#include "syscall_handlers.h"
#include <stdlib.h>

// Polls of up to this many descriptors need no allocation.
#define POLL_ON_STACK 64u

struct poll_waiter {
    struct poll_table pt;
    uint32_t events;
    int err;
};

static void poll_add(struct poll_table *pt, struct wait_queue *q)
{
    struct poll_waiter *w = container_of(pt, struct poll_waiter, pt);
    if (!w->err)
        w->err = block_add(q, w->events);
}

// Asks every descriptor once, each time as the table is then, as Linux does. With `w` also registers the call, which holds the
// files. Returns how many have something to tell.
static int poll_all(struct lx_pollfd *fds, int16_t *revents, unsigned n, struct poll_waiter *w)
{
    int ready = 0;
    held_poll_drop(&current->call.held);
    for (unsigned i = 0; i < n; i++) {
        revents[i] = 0;
        if (fds[i].fd < 0)
            continue;
        struct file *f = fd_lookup_now(current->files, fds[i].fd);
        uint32_t wanted = (uint16_t)fds[i].events | EV_ERR | EV_HUP, events = EV_NVAL;
        if (f && !(f->mode & FMODE_PATH)) {
            if (w) {
                w->events = wanted;
                if (!w->err)
                    w->err = held_poll(&current->call.held, f);
            }
            events = file_poll(f, w ? &w->pt : NULL) & wanted;
        }
        revents[i] = (int16_t)events;
        ready += events != 0;
    }
    return ready;
}

// Writes the revents back, and nothing else. What the guest's memory already says needs no copy.
static int put_revents(gaddr_t ufds, const struct lx_pollfd *fds, const int16_t *revents, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i].revents == revents[i])
            continue;
        int err = put_user(revents[i], ufds + i * sizeof(*fds) + offsetof(struct lx_pollfd, revents));
        if (err)
            return err;
    }
    return 0;
}

static int64_t poll_once(gaddr_t ufds, struct lx_pollfd *fds, int16_t *revents, unsigned n, uint64_t deadline)
{
    if (n && copy_in(fds, ufds, n * sizeof(*fds)))
        return -LX_EFAULT;
    int ready = poll_all(fds, revents, n, NULL);
    if (!ready && !current->call.timed_out && deadline != 0) {
        struct poll_waiter w = {.pt = {poll_add}};
        ready = poll_all(fds, revents, n, &w);
        if (!w.err && !ready)
            return block_until(deadline);
        block_cancel();
        if (w.err)
            return w.err;
    }
    int err = put_revents(ufds, fds, revents, n);
    return err ? err : ready;
}

// `deadline`: CLOCK_MONOTONIC, KTIMER_NEVER to wait for ever, 0 not to wait.
static int64_t do_poll(gaddr_t ufds, unsigned n, uint64_t deadline)
{
    if (n > current->tg->rlim[LX_RLIMIT_NOFILE].cur || n > FD_TABLE_MAX)
        return -LX_EINVAL;
    struct lx_pollfd small[POLL_ON_STACK], *fds = small;
    int16_t small_revents[POLL_ON_STACK], *revents = small_revents;
    if (n > POLL_ON_STACK) {
        fds = malloc(n * (sizeof(*fds) + sizeof(*revents)));
        if (!fds)
            return -LX_ENOMEM;
        revents = (int16_t *)(void *)(fds + n);
    }
    int64_t ret = poll_once(ufds, fds, revents, n, deadline);
    if (fds != small)
        free(fds);
    return ret;
}

// restart_syscall(2) of a poll that a stop or an ignored signal interrupted.
static int64_t poll_restart(struct call *c)
{
    uint64_t *saved = current->restart_words;
    c->interrupted = -LX_ERESTART_RESTARTBLOCK;
    return do_poll(saved[0], (unsigned)saved[1], saved[2]);
}

int64_t sys_poll(struct call *c)
{
    uint64_t *deadline = &c->state.words[1];
    int timeout = arg_int(c, 2);
    if (c->first) {
        *deadline = timeout < 0    ? KTIMER_NEVER
                    : timeout == 0 ? 0
                                   : deadline_after((uint64_t)timeout * 1000000u);
        c->interrupted = -LX_ERESTART_RESTARTBLOCK;
    }
    int64_t ret = do_poll(c->args[0], arg_uint(c, 1), *deadline);
    if (ret == -LX_EBLOCKED) {
        current->restart_fn = poll_restart;
        current->restart_words[0] = c->args[0];
        current->restart_words[1] = arg_uint(c, 1);
        current->restart_words[2] = *deadline;
    }
    return ret;
}

int64_t sys_ppoll(struct call *c)
{
    struct timeout_state *t = call_state(c, struct timeout_state);
    if (c->first) {
        int err = timeout_begin(t, TIMEOUT_TIMESPEC, c->args[2]);
        if (!err)
            err = temporary_mask(c->args[3], c->args[4]);
        if (err)
            return err;
        c->interrupted = -LX_ERESTARTNOHAND;
    }
    int64_t ret = do_poll(c->args[0], arg_uint(c, 1), t->deadline);
    return timeout_end(t, ret);
}
