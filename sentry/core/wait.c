// Wait queues, and how the running call blocks on them (include/linux/wait.h, fs/select.c).
#include "sentry/core/wait.h"
#include "sentry/core/kernel.h"
#include "sentry/core/timer.h"
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include <stdlib.h>
#include <string.h>

// A poll of every descriptor a task may have, with two queues each, fits.
#define CALL_WAITERS_MAX (2u * FD_TABLE_MAX)
// A larger array is freed when the wait ends, so that one big poll does not cost memory for ever.
#define CALL_WAITERS_KEEP 64u

void wait_add(struct wait_queue *q, struct waiter *w, uint32_t events)
{
    w->queue = q;
    w->events = events;
    list_add_tail(&w->link, &q->waiters);
}

void wait_del(struct waiter *w)
{
    if (!w->queue)
        return;
    w->queue = NULL;
    list_del(&w->link);
}

// Moves the waiters to a list of its own and takes them from there one by one, because a wake-up may remove
// any other waiter of the queue (a poll that registered twice).
static void signal_waiters(struct wait_queue *q, uint32_t events, bool one)
{
    if (list_empty(&q->waiters))
        return;
    struct list_head todo;
    list_add(&todo, &q->waiters);
    list_del(&q->waiters); // the ring now hangs on `todo`
    bool taken = false;
    while (!list_empty(&todo)) {
        struct waiter *w = list_first(&todo, struct waiter, link);
        list_del(&w->link);
        list_add_tail(&w->link, &q->waiters);
        if (!(w->events & events) || (taken && w->exclusive))
            continue;
        bool exclusive = w->exclusive;
        if (w->wake(w, events) && exclusive && one)
            taken = true;
    }
}

void wake_up(struct wait_queue *q, uint32_t events)
{
    signal_waiters(q, events, false);
}

void wake_one(struct wait_queue *q, uint32_t events)
{
    signal_waiters(q, events, true);
}

void wait_queue_release(struct wait_queue *q)
{
    wake_up(q, EV_HUP);
    while (!list_empty(&q->waiters))
        wait_del(list_first(&q->waiters, struct waiter, link));
}

void wait_queue_move(struct wait_queue *from, struct wait_queue *to)
{
    while (!list_empty(&from->waiters)) {
        struct waiter *w = list_first(&from->waiters, struct waiter, link);
        list_del(&w->link);
        list_add_tail(&w->link, &to->waiters);
        w->queue = to;
    }
}

static struct waiter *waiters_of(struct call *c)
{
    if (!c->waiters) {
        c->waiters = c->inline_waiters;
        c->max_waiters = sizeof(c->inline_waiters) / sizeof(c->inline_waiters[0]);
    }
    return c->waiters;
}

void call_unblock(struct call *c)
{
    for (unsigned i = 0; i < c->nr_waiters; i++)
        wait_del(&c->waiters[i]);
    c->nr_waiters = 0;
    ktimer_cancel(&c->timer);
    c->deadline_ns = KTIMER_NEVER;
    if (c->max_waiters > CALL_WAITERS_KEEP)
        call_wait_free(c);
}

void call_wait_free(struct call *c)
{
    for (unsigned i = 0; i < c->nr_waiters; i++)
        wait_del(&c->waiters[i]);
    c->nr_waiters = 0;
    ktimer_cancel(&c->timer);
    if (c->waiters && c->waiters != c->inline_waiters)
        free(c->waiters);
    c->waiters = NULL;
    c->max_waiters = 0;
}

static bool call_wake(struct waiter *w, uint32_t events)
{
    struct call *c = w->owner;
    call_unblock(c);
    call_make_runnable(c);
    return true;
}

static void call_timeout(struct ktimer *t)
{
    struct call *c = container_of(t, struct call, timer);
    call_unblock(c);
    c->timed_out = true;
    call_make_runnable(c);
}

// Doubles the array; the registrations move with it.
static int grow_waiters(struct call *c)
{
    unsigned max = c->max_waiters * 2;
    if (max > CALL_WAITERS_MAX)
        return -LX_ENOMEM;
    struct waiter *bigger = malloc(max * sizeof(*bigger));
    if (!bigger)
        return -LX_ENOMEM;
    for (unsigned i = 0; i < c->nr_waiters; i++) {
        struct waiter *old = &c->waiters[i];
        bigger[i] = *old;
        if (old->queue) {
            list_add_between(&bigger[i].link, &old->link, old->link.next);
            list_del(&old->link);
        }
    }
    if (c->waiters != c->inline_waiters)
        free(c->waiters);
    c->waiters = bigger;
    c->max_waiters = max;
    return 0;
}

static int add_waiter(struct wait_queue *q, uint32_t events, bool exclusive)
{
    struct call *c = &current->call;
    waiters_of(c);
    if (c->nr_waiters == c->max_waiters) {
        int err = grow_waiters(c);
        if (err)
            return err;
    }
    struct waiter *w = &c->waiters[c->nr_waiters++];
    w->wake = call_wake;
    w->owner = c;
    w->exclusive = exclusive;
    wait_add(q, w, events | EV_ERR | EV_HUP);
    return 0;
}

int block_add(struct wait_queue *q, uint32_t events)
{
    return add_waiter(q, events, false);
}

void block_cancel(void)
{
    call_unblock(&current->call);
}

int64_t block_until(uint64_t deadline_ns)
{
    struct call *c = &current->call;
    c->timed_out = false;
    c->deadline_ns = deadline_ns;
    if (deadline_ns != KTIMER_NEVER) {
        c->timer.fire = call_timeout;
        int err = ktimer_arm(&c->timer, deadline_ns);
        if (err) {
            call_unblock(c);
            return err;
        }
    }
    return -LX_EBLOCKED;
}

int64_t block_on_until(struct wait_queue *q, uint32_t events, uint64_t deadline_ns)
{
    int err = add_waiter(q, events, true);
    if (err)
        return err;
    return block_until(deadline_ns);
}

int64_t block_on(struct wait_queue *q, uint32_t events)
{
    return block_on_until(q, events, KTIMER_NEVER);
}
