// The event thread against real host descriptors.
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/timer.h"
#include "tests/unit/fixture.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_uint readies, fires;
static atomic_uint seen;

static void ready(struct host_watch *w, uint32_t events)
{
    seen = events;
    readies++;
}
static void fire(struct ktimer *t)
{
    fires++;
}
static void *loop(void *arg)
{
    event_loop();
    return NULL;
}
// Arms under the lock, or the event thread could see the event before it is noted as armed.
static int arm(struct host_watch *w)
{
    kernel_lock();
    int result = host_watch_arm(w, EV_IN);
    kernel_unlock();
    return result;
}
// Waits up to two seconds for a counter.
static bool reaches(atomic_uint *what, unsigned n)
{
    for (int i = 0; i < 2000 && *what < n; i++)
        usleep(1000);
    return *what >= n;
}

Test(event, a_watch_is_one_shot_and_a_timer_fires)
{
    int fds[2];
    pthread_t thread;
    struct host_watch w;
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(event_init(), 0);
    cr_assert_eq(host_watch_add(&w, fds[0], 0, ready), 0);
    cr_assert_eq(pthread_create(&thread, NULL, loop, NULL), 0);
    cr_assert_eq(write(fds[1], "a", 1), 1);
    usleep(20000);
    cr_assert_eq(readies, 0, "nothing is armed yet");
    cr_assert_eq(arm(&w), 0);
    cr_assert(reaches(&readies, 1));
    cr_assert(seen & EV_IN);
    usleep(20000);
    cr_assert_eq(readies, 1, "one-shot");
    cr_assert_eq(arm(&w), 0);
    cr_assert(reaches(&readies, 2));
    host_watch_del(&w);
    cr_assert_eq(host_watch_add(&w, fds[0], 0, ready), 0, "registered anew");
    cr_assert_eq(host_watch_add(&(struct host_watch){0}, -1, EV_IN, ready), -EBADF);

    struct ktimer late = {.fire = fire}, early = {.fire = fire};
    uint64_t now = mono_now_ns();
    cr_assert_eq(ktimer_arm(&late, now + 3600000000000ull), 0);
    cr_assert_eq(ktimer_arm(&early, now + 10000000), 0);
    cr_assert(reaches(&fires, 1));
    cr_assert_geq(mono_now_ns(), now + 10000000);
    cr_assert_eq(fires, 1);
    cr_assert_eq(ktimer_arm(&late, 1), 0, "in the past");
    cr_assert(reaches(&fires, 2));
}
