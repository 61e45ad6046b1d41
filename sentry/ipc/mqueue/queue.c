// Messages, the order of messages, and those who wait.
#include "sentry/ipc/mqueue/mqueue.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "sentry/core/timer.h"
#include "sentry/task/task.h"
#include <stdlib.h>

// What Linux counts for a message and for a priority in use (struct msg_msg, struct posix_msg_tree_node).
#define MESSAGE_HEAD 48
#define PRIORITY_HEAD 48

static uint64_t total_bytes;  // of all messages and of the heaps they lie in, kernel lock
static unsigned total_queues; // kernel lock

uint64_t mq_total_bytes(void)
{
    return total_bytes;
}

static uint64_t cost(uint32_t size)
{
    return sizeof(struct mq_message) + size;
}

struct mq_message *mq_message_alloc(uint32_t size, uint32_t prio)
{
    struct mq_message *m = total_bytes + cost(size) <= MQ_BYTES_TOTAL_MAX ? malloc(cost(size)) : NULL;
    if (!m)
        return NULL;
    total_bytes += cost(size);
    *m = (struct mq_message){.prio = prio, .size = size};
    return m;
}

void mq_message_free(struct mq_message *m)
{
    if (!m)
        return;
    total_bytes -= cost(m->size);
    free(m);
}

static int check_size(const struct mq_ns *ns, int64_t maxmsg, int64_t msgsize)
{
    bool may = capable(LX_CAP_SYS_RESOURCE);
    if (maxmsg <= 0 || msgsize <= 0 || maxmsg > (may ? MQ_MSG_HARD_MAX : ns->limits.msg_max) ||
        msgsize > (may ? MQ_MSGSIZE_HARD_MAX : ns->limits.msgsize_max))
        return -LX_EINVAL;
    return 0;
}

// RLIMIT_MSGQUEUE counts what the queue may come to hold.
static int charge(struct mqueue *q)
{
    int64_t prios = q->maxmsg < (int64_t)LX_MQ_PRIO_MAX ? q->maxmsg : (int64_t)LX_MQ_PRIO_MAX;
    uint64_t bytes = (uint64_t)(q->maxmsg * (q->msgsize + MESSAGE_HEAD) + prios * PRIORITY_HEAD);
    uint32_t uid = current->cred->uid;
    const struct user_usage *u = user_usage_find(uid);
    if ((u ? u->mq_bytes : 0) + bytes > current->tg->rlim[LX_RLIMIT_MSGQUEUE].cur)
        return -LX_EMFILE;
    if (!user_add_mq_bytes(uid, (int64_t)bytes))
        return -LX_ENOMEM;
    q->uid = uid;
    q->charged = bytes;
    return 0;
}

int mq_create(struct mq_ns *ns, const struct lx_mq_attr *attr, struct inode *inode, struct mqueue **out)
{
    const struct mq_limits *l = &ns->limits;
    int64_t maxmsg = l->msg_default < l->msg_max ? l->msg_default : l->msg_max;
    int64_t msgsize = l->msgsize_default < l->msgsize_max ? l->msgsize_default : l->msgsize_max;
    if (attr) {
        maxmsg = attr->maxmsg;
        msgsize = attr->msgsize;
    }
    if ((ns->queues >= l->queues_max && !capable(LX_CAP_SYS_RESOURCE)) || total_queues >= MQ_QUEUES_TOTAL_MAX)
        return -LX_ENOSPC;
    int err = check_size(ns, maxmsg, msgsize);
    if (err)
        return err;
    struct mqueue *q = calloc(1, sizeof(*q));
    if (!q)
        return -LX_ENOMEM;
    q->maxmsg = maxmsg;
    q->msgsize = msgsize;
    q->inode = inode;
    list_init(&q->senders);
    list_init(&q->receivers);
    list_init(&q->notify.link);
    wait_queue_init(&q->wait);
    err = charge(q);
    if (err) {
        free(q);
        return err;
    }
    total_queues++;
    *out = q;
    return 0;
}

// Makes the heap one for so many messages. 0 or -LX_ENOMEM, never for none.
static int set_room(struct mqueue *q, unsigned room)
{
    uint64_t others = total_bytes - q->room * sizeof(*q->heap), bytes = room * sizeof(*q->heap);
    struct mq_message **heap = NULL;
    if (room == 0)
        free(q->heap);
    else if (others + bytes > MQ_BYTES_TOTAL_MAX || !(heap = realloc(q->heap, bytes)))
        return -LX_ENOMEM;
    total_bytes = others + bytes;
    q->heap = heap;
    q->room = room;
    return 0;
}

// Nobody has it open, so nobody waits and nobody is to be told: closing it took that back.
void mq_destroy(struct mqueue *q)
{
    if (q->notify.owner)
        mq_notify_clear(q, q->notify.owner);
    for (unsigned i = 0; i < q->count; i++)
        mq_message_free(q->heap[i]);
    set_room(q, 0);
    wait_queue_release(&q->wait);
    user_add_mq_bytes(q->uid, -(int64_t)q->charged);
    total_queues--;
    free(q);
}

// --- the heap: higher priorities first, then older messages

static bool before(const struct mq_message *a, const struct mq_message *b)
{
    return a->prio != b->prio ? a->prio > b->prio : a->seq < b->seq;
}

static int push(struct mqueue *q, struct mq_message *m)
{
    if (q->count == q->room && set_room(q, q->room ? q->room * 2 : 8))
        return -LX_ENOMEM;
    m->seq = q->next_seq++;
    unsigned at = q->count++;
    for (; at > 0 && before(m, q->heap[(at - 1) / 2]); at = (at - 1) / 2)
        q->heap[at] = q->heap[(at - 1) / 2];
    q->heap[at] = m;
    q->bytes += m->size;
    return 0;
}

static struct mq_message *pop(struct mqueue *q)
{
    struct mq_message *first = q->heap[0], *last = q->heap[--q->count];
    unsigned at = 0, child;
    while ((child = 2 * at + 1) < q->count) {
        if (child + 1 < q->count && before(q->heap[child + 1], q->heap[child]))
            child++;
        if (!before(q->heap[child], last))
            break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    if (q->count)
        q->heap[at] = last;
    q->bytes -= first->size;
    return first;
}

// --- who waits

// What Linux sorts waiters by: the priority of the thread.
static int thread_prio(const struct task *t)
{
    if (t->sched_policy == LX_SCHED_FIFO || t->sched_policy == LX_SCHED_RR)
        return 99 - t->sched_priority;
    return 120 + t->nice;
}

static void add_waiter(struct list_head *waiting, struct mq_waiter *w)
{
    w->prio = thread_prio(current);
    wait_queue_init(&w->wake);
    // Before the first one of lower priority.
    list_for_each(other, waiting, struct mq_waiter, link) if (other->prio > w->prio)
    {
        list_add_tail(&w->link, &other->link);
        return;
    }
    list_add_tail(&w->link, waiting);
}

int64_t mq_wait(struct list_head *waiting, struct mq_waiter *w)
{
    uint64_t at = KTIMER_NEVER;
    if (w->deadline >= 0) { // looked at anew each time: the clock may have been set
        uint64_t now = clock_now_ns(LX_CLOCK_REALTIME);
        if ((uint64_t)w->deadline <= now)
            return signal_pending(current) ? -LX_ERESTARTSYS : -LX_ETIMEDOUT;
        if (__builtin_add_overflow(mono_now_ns(), (uint64_t)w->deadline - now, &at))
            at = KTIMER_NEVER - 1;
    }
    if (list_empty(&w->link))
        add_waiter(waiting, w);
    return block_on_until(&w->wake, EV_IN, at);
}

void mq_waiter_end(struct mq_waiter *w)
{
    list_del(&w->link);
    mq_message_free(w->msg);
    w->msg = NULL;
}

static void finish_waiter(struct mq_waiter *w)
{
    list_del(&w->link);
    w->done = true;
    wake_up(&w->wake, EV_IN);
}

// --- sending and receiving

int mq_put(struct mqueue *q, struct mq_message *m)
{
    if (!list_empty(&q->receivers)) { // pipelined_send: poll sees nothing of it
        struct mq_waiter *w = list_first(&q->receivers, struct mq_waiter, link);
        w->msg = m;
        finish_waiter(w);
        return 0;
    }
    if (q->count >= q->maxmsg)
        return -LX_EAGAIN;
    int err = push(q, m);
    if (err)
        return err;
    if (q->count == 1)
        mq_notify_fire(q);
    wake_up(&q->wait, EV_IN | EV_RDNORM | EV_OUT | EV_WRNORM);
    return 0;
}

struct mq_message *mq_take(struct mqueue *q)
{
    if (q->count == 0)
        return NULL;
    struct mq_message *m = pop(q);
    struct mq_waiter *w = list_empty(&q->senders) ? NULL : list_first(&q->senders, struct mq_waiter, link);
    if (!w) {
        if (q->count == 0)
            (void)set_room(q, 0);
        wake_up(&q->wait, EV_IN | EV_RDNORM | EV_OUT | EV_WRNORM);
    } else {
        push(q, w->msg); // there is room: one was taken
        w->msg = NULL;
        finish_waiter(w);
    }
    return m;
}
