#pragma once
// Wait queues. One mechanism for blocking calls, poll, epoll and the kernel's own continuations.
//
// Everything here runs under the kernel lock, so "check, then block" cannot lose a wake-up.
// A blocking handler:
//
//     if (nothing there) {
//         if (file->flags & LX_O_NONBLOCK) return -LX_EAGAIN;
//         return block_on(&pipe->readers_wait, EV_IN);          // returns -LX_EBLOCKED: hand it up unchanged
//     }
//
// After a wake-up, a timeout or a signal the handler runs again from the top with the same struct call.
// Progress that must survive (a deadline, bytes already written) lives in call->state. See
// sentry/trap/call.h.
#include "sentry/core/list.h"
#include <stdbool.h>
#include <stdint.h>

// Event bits; the values are those of poll(2), so poll and epoll use them as they are.
#define EV_IN 0x001u
#define EV_PRI 0x002u
#define EV_OUT 0x004u
#define EV_ERR 0x008u
#define EV_HUP 0x010u
#define EV_NVAL 0x020u
#define EV_RDNORM 0x040u
#define EV_RDBAND 0x080u
#define EV_WRNORM 0x100u
#define EV_WRBAND 0x200u
#define EV_RDHUP 0x2000u
#define EV_ALL 0xffffffffu

struct wait_queue {
    struct list_head waiters; // struct waiter.link; kernel lock
};

// One registration on one queue. Embedded by its owner (a call, an epoll item).
struct waiter {
    struct list_head link;    // in wait_queue.waiters; kernel lock
    struct wait_queue *queue; // where it is registered, or NULL; kernel lock
    uint32_t events;          // events that concern it; kernel lock
    bool exclusive;           // wake_one() stops after it; kernel lock
    // Called under the kernel lock with the events signalled. May remove itself (wait_del). Must not wake
    // this queue. Returns true if it took the wake-up (counts for wake_one).
    bool (*wake)(struct waiter *w, uint32_t events);
    void *owner; // for `wake`; never changes while registered
};

static inline void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}
void wait_add(struct wait_queue *q, struct waiter *w, uint32_t events);
// Harmless when not registered.
void wait_del(struct waiter *w);
// The queue's owner goes: signals EV_HUP to everybody, then takes all waiters off.
void wait_queue_release(struct wait_queue *q);
// All waiters of one queue go over to another.
void wait_queue_move(struct wait_queue *from, struct wait_queue *to);
// Signals `events` to every interested waiter.
void wake_up(struct wait_queue *q, uint32_t events);
// Signals to all non-exclusive interested waiters and to the first exclusive one that takes it.
void wake_one(struct wait_queue *q, uint32_t events);

// Collects the queues of a poll. A file's poll operation calls poll_wait() once for each queue it depends on
// and returns the events that hold now. `pt` may be NULL (only the current events are wanted).
struct poll_table {
    void (*add)(struct poll_table *pt, struct wait_queue *q);
};
static inline void poll_wait(struct poll_table *pt, struct wait_queue *q)
{
    if (pt)
        pt->add(pt, q);
}

// Registers the running call on a queue (EV_ERR and EV_HUP always count, as in poll) and returns
// -LX_EBLOCKED, or another negative errno if it must not wait (out of memory). If a signal is already pending
// the call will end at once as call->interrupted says.
int64_t block_on(struct wait_queue *q, uint32_t events);
// The same with a deadline in nanoseconds of CLOCK_MONOTONIC (UINT64_MAX: none). On the run after the
// deadline call->timed_out is true.
int64_t block_on_until(struct wait_queue *q, uint32_t events, uint64_t deadline_ns);
// Adds the running call to one more queue without deciding to block (poll, select).
int block_add(struct wait_queue *q, uint32_t events);
// Blocks on what block_add() collected, until the deadline.
int64_t block_until(uint64_t deadline_ns);
// Takes back what block_add() collected: the call goes on after all.
void block_cancel(void);
