// Kernel timers in a binary heap (smallest expiry first).
#include "sentry/core/timer.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include <stdlib.h>
#include <time.h>

// Far above what the limits on tasks, pending signals and descriptors let a guest arm.
#define TIMERS_MAX (1u << 22)
#define TIMERS_MIN 64u

static struct ktimer **heap; // heap[0] is the first to expire; kernel lock
static uint32_t count, capacity;

uint64_t clock_now_ns(int clock)
{
    struct timespec ts = {0};
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void place(uint32_t i, struct ktimer *t)
{
    heap[i] = t;
    t->heap_index = i + 1;
}

static void sift_up(uint32_t i, struct ktimer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (heap[parent]->expires_ns <= t->expires_ns)
            break;
        place(i, heap[parent]);
        i = parent;
    }
    place(i, t);
}

static void sift_down(uint32_t i, struct ktimer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && heap[child + 1]->expires_ns < heap[child]->expires_ns)
            child++;
        if (heap[child]->expires_ns >= t->expires_ns)
            break;
        place(i, heap[child]);
        i = child;
    }
    place(i, t);
}

static int reserve(void)
{
    if (count < capacity)
        return 0;
    uint32_t bigger = capacity ? capacity * 2 : TIMERS_MIN;
    if (bigger > TIMERS_MAX)
        return -LX_ENOMEM;
    struct ktimer **grown = realloc(heap, bigger * sizeof(*grown));
    if (!grown)
        return -LX_ENOMEM;
    heap = grown;
    capacity = bigger;
    return 0;
}

void ktimer_cancel(struct ktimer *t)
{
    if (!t->heap_index)
        return;
    uint32_t i = t->heap_index - 1;
    t->heap_index = 0;
    struct ktimer *last = heap[--count];
    if (last == t)
        return;
    if (i > 0 && heap[(i - 1) / 2]->expires_ns > last->expires_ns)
        sift_up(i, last);
    else
        sift_down(i, last);
}

int ktimer_arm(struct ktimer *t, uint64_t expires_ns)
{
    ktimer_cancel(t);
    if (expires_ns == KTIMER_NEVER)
        return 0;
    int err = reserve();
    if (err)
        return err;
    t->expires_ns = expires_ns;
    sift_up(count++, t);
    if (t->heap_index == 1)
        event_timers_changed(expires_ns);
    return 0;
}

uint64_t ktimer_run(uint64_t now_ns)
{
    while (count && heap[0]->expires_ns <= now_ns) {
        struct ktimer *t = heap[0];
        ktimer_cancel(t);
        t->fire(t);
    }
    return count ? heap[0]->expires_ns : KTIMER_NEVER;
}
