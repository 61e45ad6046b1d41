#include "sentry/ipc/sysv/sysv.h"
#include "abi/linux/errno.h"
#include <stdlib.h>

static uint64_t msg_bytes; // of all queues, kernel lock

static uint64_t cost(uint32_t size)
{
    return sizeof(struct msg) + size;
}

struct msg *msg_alloc(uint32_t size, int *err)
{
    struct msg *m = NULL;
    if (msg_bytes + cost(size) <= SYSV_MSG_BYTES_MAX)
        m = malloc(cost(size));
    if (!m) {
        *err = -LX_ENOMEM;
        return NULL;
    }
    msg_bytes += cost(size);
    list_init(&m->link);
    m->size = size;
    return m;
}

void msg_free(struct msg *m)
{
    msg_bytes -= cost(m->size);
    free(m);
}

void msg_destroy(struct msg_queue *q)
{
    while (!list_empty(&q->messages)) {
        struct msg *m = list_first(&q->messages, struct msg, link);
        list_del(&m->link);
        msg_free(m);
    }
    ipc_remove(&q->ns->msg, &q->perm);
    wait_queue_release(&q->senders);
    wait_queue_release(&q->receivers);
    free(q);
}

struct msg *msg_pick(const struct msg_queue *q, int64_t type, int flags)
{
    struct msg *best = NULL;
    if (flags & LX_MSG_COPY) { // the type is a position
        list_for_each(m, &q->messages, struct msg, link) if (type-- == 0) return m;
        return NULL;
    }
    list_for_each(m, &q->messages, struct msg, link)
    {
        if (type == 0)
            return m;
        if (type > 0 && (flags & LX_MSG_EXCEPT ? m->type != type : m->type == type))
            return m;
        // Negative: the lowest type that is not above it.
        if (type < 0 && m->type <= (type == INT64_MIN ? INT64_MAX : -type) && (!best || m->type < best->type))
            best = m;
    }
    return best;
}
