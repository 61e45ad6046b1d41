// Thread groups: making and freeing. exit.c ends them.
#include "sentry/task/internal.h"
#include "sentry/time/time.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"
#include <stdlib.h>
#include <unistd.h>

struct thread_group *group_alloc(void)
{
    struct thread_group *tg = calloc(1, sizeof(*tg));
    if (!tg)
        return NULL;
    tg->refs = 1;
    tg->host_pid = -1;
    tg->host_pidfd = -1;
    tg->loginuid = UINT32_MAX;
    tg->exit_signal = LX_SIGCHLD;
    tg->start_ns = clock_now_ns(7 /* CLOCK_BOOTTIME */);
    list_init(&tg->threads);
    list_init(&tg->children);
    list_init(&tg->sibling);
    list_init(&tg->hash_link);
    list_init(&tg->all_link);
    list_init(&tg->pgrp_link);
    sigpending_init(&tg->shared_pending);
    wait_queue_init(&tg->child_wait);
    wait_queue_init(&tg->exit_wait);
    time_group_init(tg);
    return tg;
}

struct thread_group *tg_get(struct thread_group *tg)
{
    tg->refs++;
    return tg;
}

void tg_put(struct thread_group *tg)
{
    if (!tg || --tg->refs > 0)
        return;
    wait_queue_release(&tg->child_wait);
    wait_queue_release(&tg->exit_wait); // a poll of a pidfd that was closed meanwhile
    time_group_release(tg);
    sigpending_flush(&tg->shared_pending);
    pgrp_leave(tg);
    task_put(tg->pidfd_to);
    if (tg->host_pidfd >= 0)
        close(tg->host_pidfd);
    free(tg);
}

struct task *group_thread(const struct thread_group *tg)
{
    if (tg->leader && tg->leader->state == TASK_RUNNING && !tg->leader->exiting)
        return tg->leader;
    list_for_each(t, &tg->threads, struct task, thread_link) if (!t->exiting) return t;
    return NULL;
}
