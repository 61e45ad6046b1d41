#include "sentry/core/timer.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include "tests/unit/fixture.h"

enum { N = 2000 };
static struct ktimer timers[N];
static uint64_t last;
static unsigned fired;

static void in_order(struct ktimer *t)
{
    cr_assert_geq(t->expires_ns, last);
    cr_assert_not(ktimer_armed(t));
    last = t->expires_ns;
    fired++;
}

Test(timer, fires_in_order_whatever_the_order_of_arming_and_cancelling)
{
    srand(7);
    for (int i = 0; i < N; i++) {
        timers[i].fire = in_order;
        cr_assert_eq(ktimer_arm(&timers[i], 1 + (uint64_t)rand() % 500), 0);
    }
    unsigned expected = N;
    for (int i = 0; i < N; i += 3) {
        ktimer_cancel(&timers[i]);
        ktimer_cancel(&timers[i]);
        expected--;
    }
    for (int i = 1; i < N; i += 3)
        cr_assert_eq(ktimer_arm(&timers[i], 1 + (uint64_t)rand() % 500), 0, "arming again moves it");
    uint64_t next = 0;
    for (uint64_t now = 0; now <= 500; now += 10) {
        next = ktimer_run(now);
        cr_assert(next > now);
    }
    cr_assert_eq(next, KTIMER_NEVER);
    cr_assert_eq(fired, expected);
}

static unsigned ticks;
static void again(struct ktimer *t)
{
    if (++ticks < 5)
        cr_assert_eq(ktimer_arm(t, t->expires_ns + 10), 0);
}
Test(timer, may_arm_itself_again)
{
    struct ktimer t = {.fire = again};
    cr_assert_eq(ktimer_arm(&t, 10), 0);
    cr_assert_eq(ktimer_run(29), 30);
    cr_assert_eq(ticks, 2);
    cr_assert_eq(ktimer_run(1000), KTIMER_NEVER);
    cr_assert_eq(ticks, 5);
    cr_assert_eq(ktimer_arm(&t, KTIMER_NEVER), 0);
    cr_assert_not(ktimer_armed(&t));
}
