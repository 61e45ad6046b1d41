#pragma once
// Shared by the files of time/ only.
#include "sentry/task/task.h"
#include "sentry/time/time.h"

void itimer_init(struct thread_group *tg);
void itimers_stop(struct thread_group *tg);

// The first expiry after `now` of a timer that expired at `expires`, and how many were missed in between.
static inline uint64_t next_period(uint64_t expires, uint64_t interval, uint64_t now, uint64_t *missed)
{
    *missed = now > expires ? (now - expires) / interval : 0;
    uint64_t next, step;
    if (__builtin_mul_overflow(*missed + 1, interval, &step) || __builtin_add_overflow(expires, step, &next))
        return UINT64_MAX - 1;
    return next;
}
