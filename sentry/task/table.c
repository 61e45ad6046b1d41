// The numbers: tasks, groups and process groups by id.
#include "sentry/task/internal.h"

#define HASH_SIZE 1024u // a power of two
struct table {
    struct list_head bucket[HASH_SIZE];
    bool ready;
};
static struct table tasks, groups, pgrps; // kernel lock

struct thread_group *init_tg;
struct list_head all_groups = LIST_INIT(all_groups);
unsigned nr_tasks;
unsigned max_tasks = 4096;
uint64_t system_memory_limit;
unsigned system_cpus;

static struct list_head *bucket(struct table *t, int number)
{
    if (!t->ready) {
        for (unsigned i = 0; i < HASH_SIZE; i++)
            list_init(&t->bucket[i]);
        t->ready = true;
    }
    return &t->bucket[(unsigned)number & (HASH_SIZE - 1)];
}

void table_add_task(struct task *t)
{
    list_add(&t->hash_link, bucket(&tasks, t->tid));
}

void table_add_group(struct thread_group *tg)
{
    list_add(&tg->hash_link, bucket(&groups, tg->pid));
}

void table_add_pgrp(struct process_group *p)
{
    list_add(&p->hash_link, bucket(&pgrps, p->pgid));
}

struct task *find_task(int tid)
{
    list_for_each(t, bucket(&tasks, tid), struct task, hash_link) if (t->tid == tid) return t;
    return NULL;
}

struct thread_group *find_group(int pid)
{
    list_for_each(tg, bucket(&groups, pid), struct thread_group, hash_link) if (tg->pid == pid) return tg;
    return NULL;
}

struct process_group *find_pgrp(int pgid)
{
    list_for_each(p, bucket(&pgrps, pgid), struct process_group, hash_link) if (p->pgid == pgid) return p;
    return NULL;
}

struct session *find_session(int sid)
{
    list_for_each(tg, &all_groups, struct thread_group,
                  all_link) if (tg->pgrp && tg->pgrp->session->sid == sid) return tg->pgrp->session;
    return NULL;
}
