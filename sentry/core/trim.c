#include "sentry/core/trim.h"
#include "sentry/core/timer.h"
#include <malloc.h>

#define FREED_MIN (4u << 20)  // before the heap is looked at
#define UNUSED_MIN (2u << 20) // that is worth giving back
#define AFTER_NS 1000000000u

static uint64_t freed; // since the last look

// A stream under way has little free between two looks: its buffers are used again at once.
static void look(struct ktimer *t)
{
    freed = 0;
    if (mallinfo2().fordblks >= UNUSED_MIN)
        malloc_trim(0);
}

static struct ktimer timer = {.fire = look};

void memory_freed(uint64_t bytes)
{
    freed += bytes;
    if (freed >= FREED_MIN && !ktimer_armed(&timer))
        (void)ktimer_arm(&timer, mono_now_ns() + AFTER_NS);
}
