// Waiting for one file, and the arithmetic of timeouts.
#include "sentry/ipc/poll.h"
#include "abi/linux/errno.h"
#include "sentry/core/timer.h"

struct file_table {
    struct poll_table pt;
    uint32_t events;
    int err;
};

static void add_queue(struct poll_table *pt, struct wait_queue *q)
{
    struct file_table *t = container_of(pt, struct file_table, pt);
    if (!t->err)
        t->err = block_add(q, t->events);
}

int64_t block_on_file(struct file *f, uint32_t events, uint64_t deadline_ns)
{
    struct file_table t = {.pt = {add_queue}, .events = events};
    file_poll(f, &t.pt);
    if (t.err) {
        block_cancel();
        return t.err;
    }
    return block_until(deadline_ns);
}

uint64_t deadline_after(uint64_t ns)
{
    uint64_t deadline;
    if (__builtin_add_overflow(mono_now_ns(), ns, &deadline) || deadline >= INT64_MAX)
        return INT64_MAX;
    return deadline;
}

int64_t timespec_ns(const struct lx_timespec *ts)
{
    int64_t ns;
    if (ts->sec < 0 || ts->nsec < 0 || ts->nsec >= LX_NSEC_PER_SEC)
        return -LX_EINVAL;
    if (__builtin_mul_overflow(ts->sec, LX_NSEC_PER_SEC, &ns) || __builtin_add_overflow(ns, ts->nsec, &ns))
        return INT64_MAX;
    return ns;
}
