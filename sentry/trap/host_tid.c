#include "sentry/trap/host_tid.h"

#define BUCKETS 1024
static struct list_head table[BUCKETS]; // task.host_link; kernel lock

static struct list_head *bucket(int tid)
{
    struct list_head *b = &table[(unsigned)tid % BUCKETS];
    if (!b->next)
        list_init(b);
    return b;
}

void host_tid_insert(struct task *t)
{
    list_add(&t->host_link, bucket(t->trap.host_tid));
}

void host_tid_remove(struct task *t)
{
    if (t->host_link.next)
        list_del(&t->host_link);
}

struct task *host_tid_find(int host_tid)
{
    list_for_each(t, bucket(host_tid), struct task, host_link) if (t->trap.host_tid == host_tid) return t;
    return NULL;
}
