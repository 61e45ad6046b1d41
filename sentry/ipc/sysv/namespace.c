// System V objects of IPC namespaces: their birth and end (ipc/namespace.c of Linux).
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/task.h"
#include "sentry/task/namespace.h"
#include <stdlib.h>

#define FIRST_LIMITS                                                                                \
    {                                                                                               \
        .shmmni = 4096, .shmmax = UINT64_MAX - (1u << 24), .shmall = UINT64_MAX - (1u << 24),       \
        .msgmax = 8192, .msgmnb = 16384, .msgmni = 32000, .semmsl = LX_SEMMSL, .semmns = LX_SEMMNS, \
        .semopm = LX_SEMOPM, .semmni = LX_SEMMNI,                                                   \
    }

struct sysv_ns init_sysv_ns = {.limits = FIRST_LIMITS};

struct sysv_ns *sysv_current(void)
{
    return current && current->ipc ? current->ipc->sysv : &init_sysv_ns;
}

struct sysv_ns *sysv_ns_alloc(void)
{
    struct sysv_ns *ns = calloc(1, sizeof(*ns));
    if (ns)
        ns->limits = (struct sysv_limits)FIRST_LIMITS;
    return ns;
}

static void end_segment(struct shm_segment *s)
{
    if (s->nattch == 0) {
        shm_destroy(s);
        return;
    }
    ipc_forget_key(&s->perm);
    s->perm.mode |= LX_SHM_DEST;
    s->ns = NULL;
}

void sysv_ns_free(struct sysv_ns *ns)
{
    for (unsigned i = 0; i < ns->shm.size; i++)
        if (ns->shm.slots[i])
            end_segment((struct shm_segment *)(void *)ns->shm.slots[i]);
    for (unsigned i = 0; i < ns->sem.size; i++)
        if (ns->sem.slots[i])
            sem_set_destroy((struct sem_set *)(void *)ns->sem.slots[i]);
    for (unsigned i = 0; i < ns->msg.size; i++)
        if (ns->msg.slots[i])
            msg_destroy((struct msg_queue *)(void *)ns->msg.slots[i]);
    free(ns->shm.slots);
    free(ns->sem.slots);
    free(ns->msg.slots);
    free(ns);
}
