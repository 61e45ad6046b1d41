// Message queues: what they take of the memory of all, and that it is given back.
#include "sentry/ipc/mqueue/mqueue.h"
#include "abi/linux/errno.h"
#include "abi/linux/resource.h"
#include "tests/unit/fixture.h"
#include <criterion/criterion.h>

#define MOST 1000u

static struct mq_ns ns = {.limits = {.queues_max = 8, .msg_max = MOST, .msgsize_max = 64}};

static struct mqueue *make(void)
{
    const struct lx_mq_attr attr = {.maxmsg = MOST, .msgsize = 64};
    struct mqueue *q = NULL;
    fixture_group.rlim[LX_RLIMIT_MSGQUEUE].cur = UINT64_MAX;
    cr_assert_eq(mq_create(&ns, &attr, NULL, &q), 0);
    return q;
}

static void fill(struct mqueue *q)
{
    for (unsigned i = 0; i < MOST; i++)
        cr_assert_eq(mq_put(q, mq_message_alloc(0, i % 3)), 0);
}

static void empty(struct mqueue *q)
{
    for (unsigned i = 0; i < MOST; i++)
        mq_message_free(mq_take(q));
    cr_assert_null(mq_take(q));
}

TestSuite(mqueue, .init = fixture_setup);

Test(mqueue, the_order_of_messages_counts_as_they_do)
{
    struct mqueue *q = make();
    cr_assert_eq(mq_total_bytes(), 0);
    fill(q);
    cr_assert_geq(mq_total_bytes(), MOST * (sizeof(struct mq_message) + sizeof(struct mq_message *)));
    mq_destroy(q);
    cr_assert_eq(mq_total_bytes(), 0);
}

Test(mqueue, an_empty_queue_keeps_nothing)
{
    struct mqueue *q = make();
    for (unsigned round = 0; round < 2; round++) {
        fill(q);
        empty(q);
        cr_assert_eq(mq_total_bytes(), 0);
    }
    mq_destroy(q);
}

Test(mqueue, who_waits_to_send_finds_a_place_in_the_queue_that_was_emptied)
{
    struct mqueue *q = make();
    q->maxmsg = 1;
    struct mq_message *first = mq_message_alloc(0, 0), *second = mq_message_alloc(0, 0);
    cr_assert_eq(mq_put(q, first), 0);
    cr_assert_eq(mq_put(q, second), -LX_EAGAIN);
    struct mq_waiter w = {.msg = second};
    wait_queue_init(&w.wake);
    list_add_tail(&w.link, &q->senders);
    cr_assert_eq(mq_take(q), first);
    cr_assert(w.done);
    cr_assert_eq(mq_take(q), second);
    mq_message_free(first);
    mq_message_free(second);
    cr_assert_eq(mq_total_bytes(), 0);
    mq_destroy(q);
}

Test(mqueue, beyond_the_total_nothing_is_taken)
{
    struct mqueue *q = make();
    struct mq_message *big = mq_message_alloc(MQ_BYTES_TOTAL_MAX - 3 * sizeof(*big), 0);
    struct mq_message *small = mq_message_alloc(0, 0);
    cr_assert(big && small);
    cr_assert_eq(mq_put(q, small), -LX_ENOMEM, "no room for the heap");
    mq_message_free(big);
    cr_assert_eq(mq_put(q, small), 0);
    mq_destroy(q);
}
