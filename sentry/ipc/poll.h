#pragma once
// What blocking and polling code shares. Kernel lock.
#include "sentry/core/wait.h"
#include "sentry/vfs/file.h"
#include "abi/linux/time.h"

// Events of a file that cannot be waited for (DEFAULT_POLLMASK).
#define POLL_ALWAYS (EV_IN | EV_OUT | EV_RDNORM | EV_WRNORM)

// The events that hold for `f` now, out of those a poll may report.
static inline uint32_t file_poll(struct file *f, struct poll_table *pt)
{
    return f->ops->poll ? f->ops->poll(f, pt) : POLL_ALWAYS;
}
// Blocks the running call until one of `events` may hold for `f`, or the deadline (KTIMER_NEVER: none).
int64_t block_on_file(struct file *f, uint32_t events, uint64_t deadline_ns);

// CLOCK_MONOTONIC nanoseconds of a relative timeout from now, saturated below KTIMER_NEVER.
uint64_t deadline_after(uint64_t ns);
// Checks a guest's timespec. Nanoseconds, saturated, or -LX_EINVAL.
int64_t timespec_ns(const struct lx_timespec *ts);
