#pragma once
// Kernel timers: one-shot callbacks on CLOCK_MONOTONIC, run by the event thread under the kernel lock.
#include <stdbool.h>
#include <stdint.h>
#include "sentry/core/list.h"

struct ktimer {
    uint64_t expires_ns; // CLOCK_MONOTONIC; kernel lock
    uint32_t heap_index; // position in the heap + 1, 0 when not armed; kernel lock
    void (*fire)(
        struct ktimer *t); // called unarmed, under the kernel lock; may arm again; never changes after init
};

#define KTIMER_NEVER UINT64_MAX
// Arms or re-arms. An expiry in the past fires as soon as the event thread runs. KTIMER_NEVER disarms.
// Returns 0 or -LX_ENOMEM.
int ktimer_arm(struct ktimer *t, uint64_t expires_ns);
void ktimer_cancel(struct ktimer *t);
static inline bool ktimer_armed(const struct ktimer *t)
{
    return t->heap_index != 0;
}

// Nanoseconds of a host clock now (CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME...).
uint64_t clock_now_ns(int clock);
static inline uint64_t mono_now_ns(void)
{
    return clock_now_ns(1);
}
// Used by the event loop: runs what is due and returns the next expiry (KTIMER_NEVER if none). Kernel lock held.
uint64_t ktimer_run(uint64_t now_ns);
