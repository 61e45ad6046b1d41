#include "sentry/core/wait.h"
#include "tests/unit/fixture.h"
#include <criterion/criterion.h>

static unsigned woken;
static bool count_wake(struct waiter *w, uint32_t events)
{
    woken++;
    return true;
}
static bool refuse_wake(struct waiter *w, uint32_t events)
{
    return false;
}
static bool remove_other(struct waiter *w, uint32_t events)
{
    woken++;
    wait_del(w->owner);
    return true;
}

static void setup(void)
{
    woken = 0;
    fixture_setup();
}
TestSuite(wait, .init = setup);

Test(wait, wakes_only_the_events_asked_for)
{
    struct wait_queue q;
    wait_queue_init(&q);
    struct waiter in = {.wake = count_wake}, out = {.wake = count_wake};
    wait_add(&q, &in, EV_IN);
    wait_add(&q, &out, EV_OUT);
    wake_up(&q, EV_IN);
    cr_assert_eq(woken, 1);
    wake_up(&q, EV_IN | EV_OUT);
    cr_assert_eq(woken, 3);
    wait_del(&in);
    wait_del(&in);
    wake_up(&q, EV_IN);
    cr_assert_eq(woken, 3);
}

Test(wait, wake_one_stops_at_the_first_exclusive_that_takes_it)
{
    struct wait_queue q;
    wait_queue_init(&q);
    struct waiter refuses = {.wake = refuse_wake, .exclusive = true};
    struct waiter a = {.wake = count_wake, .exclusive = true}, b = {.wake = count_wake, .exclusive = true};
    struct waiter shared = {.wake = count_wake};
    wait_add(&q, &refuses, EV_IN);
    wait_add(&q, &a, EV_IN);
    wait_add(&q, &b, EV_IN);
    wait_add(&q, &shared, EV_IN);
    wake_one(&q, EV_IN);
    cr_assert_eq(woken, 2, "a and the shared one, not b");
}

Test(wait, a_wake_up_may_remove_any_other_waiter)
{
    struct wait_queue q;
    wait_queue_init(&q);
    struct waiter a, b = {.wake = count_wake};
    a = (struct waiter){.wake = remove_other, .owner = &b};
    wait_add(&q, &a, EV_IN);
    wait_add(&q, &b, EV_IN);
    wake_up(&q, EV_IN);
    cr_assert_eq(woken, 1);
    wake_up(&q, EV_IN);
    cr_assert_eq(woken, 2);
    cr_assert_not(list_empty(&q.waiters), "the waiter that fired stays registered");
}

Test(wait, block_on_registers_and_one_wake_up_ends_it)
{
    struct wait_queue q;
    wait_queue_init(&q);
    fixture_call(0, 0, 0, 0, 0, 0);
    cr_assert_eq(block_on(&q, EV_IN), -LX_EBLOCKED);
    wake_up(&q, EV_OUT);
    cr_assert_eq(fixture_runnable, 0);
    wake_up(&q, EV_HUP);
    cr_assert_eq(fixture_runnable, 1, "a hang-up always counts");
    wake_up(&q, EV_IN);
    cr_assert_eq(fixture_runnable, 1);
    cr_assert(list_empty(&q.waiters));
}

Test(wait, a_poll_of_many_queues_is_removed_from_all)
{
    enum { N = 300 };
    static struct wait_queue q[N];
    fixture_call(0, 0, 0, 0, 0, 0);
    for (int i = 0; i < N; i++) {
        wait_queue_init(&q[i]);
        cr_assert_eq(block_add(&q[i], EV_IN), 0);
        cr_assert_eq(block_add(&q[i], EV_IN), 0, "the same queue twice");
    }
    cr_assert_eq(block_until(KTIMER_NEVER), -LX_EBLOCKED);
    wake_up(&q[N / 2], EV_IN);
    cr_assert_eq(fixture_runnable, 1);
    for (int i = 0; i < N; i++)
        cr_assert(list_empty(&q[i].waiters), "queue %d", i);
    cr_assert_eq(fixture_task.call.nr_waiters, 0);
}

Test(wait, a_deadline_ends_the_wait_and_is_told)
{
    struct wait_queue q;
    wait_queue_init(&q);
    struct call *c = fixture_call(0, 0, 0, 0, 0, 0);
    cr_assert_eq(block_on_until(&q, EV_IN, 1000), -LX_EBLOCKED);
    cr_assert(ktimer_armed(&c->timer));
    cr_assert_eq(ktimer_run(999), 1000);
    cr_assert_eq(fixture_runnable, 0);
    cr_assert_eq(ktimer_run(1000), KTIMER_NEVER);
    cr_assert_eq(fixture_runnable, 1);
    cr_assert(c->timed_out);
    cr_assert(list_empty(&q.waiters));
    cr_assert_eq(block_on_until(&q, EV_IN, 2000), -LX_EBLOCKED);
    cr_assert_not(c->timed_out);
    wake_up(&q, EV_IN);
    cr_assert_not(ktimer_armed(&c->timer));
    cr_assert_not(c->timed_out);
}
