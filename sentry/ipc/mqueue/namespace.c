// Message queues of IPC namespaces: their birth and end.
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/fs/mqueue/mqueuefs.h"
#include "sentry/task/namespace.h"
#include "sentry/task/task.h"
#include <stdlib.h>

#define FIRST_LIMITS                                                                                      \
    {                                                                                                     \
        .queues_max = 256, .msg_max = 10, .msgsize_max = 8192, .msg_default = 10, .msgsize_default = 8192 \
    }

struct mq_ns init_mq_ns = {.limits = FIRST_LIMITS};

struct mq_ns *mq_current(void)
{
    return current && current->ipc ? current->ipc->mq : &init_mq_ns;
}

struct mq_ns *mq_ns_alloc(void)
{
    struct mq_ns *ns = calloc(1, sizeof(*ns));
    if (ns)
        ns->limits = (struct mq_limits)FIRST_LIMITS;
    return ns;
}

void mq_ns_free(struct mq_ns *ns)
{
    mqueuefs_forget_ns(ns);
    free(ns);
}
