#include "sentry/task/namespace.h"
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/errno.h"
#include "abi/linux/sched.h"
#include <stdlib.h>

// The numbers that Linux gives its first namespaces (include/linux/proc_ns.h).
struct uts_ns init_uts_ns = {{1, LX_CLONE_NEWUTS, 4026531838, &init_user_ns, NULL}, {"sentry", "(none)"}};
struct ipc_ns init_ipc_ns = {
    {1, LX_CLONE_NEWIPC, 4026531839, &init_user_ns, NULL}, &init_sysv_ns, &init_mq_ns};
static unsigned count;                    // kernel lock
static uint64_t last_number = 4026532000; // kernel lock

uint64_t ns_next_ino(void)
{
    return ++last_number;
}

struct ns_common *ns_get(struct ns_common *ns)
{
    ns->refs++;
    return ns;
}

void ns_put(struct ns_common *ns)
{
    while (ns && --ns->refs == 0) {
        struct user_ns *owner = ns->owner;
        ns->free(ns);
        count--;
        ns = owner ? &owner->ns : NULL;
    }
}

int ns_init(struct ns_common *ns, uint64_t type, struct user_ns *owner, void (*free_it)(struct ns_common *ns))
{
    if (count >= NAMESPACES_MAX)
        return -LX_ENOSPC;
    count++;
    *ns = (struct ns_common){1, type, ns_next_ino(), owner, free_it};
    ns_get(&owner->ns);
    return 0;
}

static void free_uts(struct ns_common *ns)
{
    free(container_of(ns, struct uts_ns, ns));
}

struct uts_ns *uts_ns_copy(const struct uts_ns *from, struct user_ns *owner, int *err)
{
    struct uts_ns *u = malloc(sizeof(*u));
    *err = u ? ns_init(&u->ns, LX_CLONE_NEWUTS, owner, free_uts) : -LX_ENOMEM;
    if (*err) {
        free(u);
        return NULL;
    }
    u->names = from->names;
    return u;
}

static void free_ipc(struct ns_common *ns)
{
    struct ipc_ns *i = container_of(ns, struct ipc_ns, ns);
    sysv_ns_free(i->sysv);
    mq_ns_free(i->mq);
    free(i);
}

struct ipc_ns *ipc_ns_alloc(struct user_ns *owner, int *err)
{
    struct ipc_ns *i = malloc(sizeof(*i));
    struct sysv_ns *sysv = sysv_ns_alloc();
    struct mq_ns *mq = mq_ns_alloc();
    *err = i && sysv && mq ? ns_init(&i->ns, LX_CLONE_NEWIPC, owner, free_ipc) : -LX_ENOMEM;
    if (*err) {
        free(sysv);
        free(mq);
        free(i);
        return NULL;
    }
    i->sysv = sysv;
    i->mq = mq;
    return i;
}
