// Counts per user id, for the limits that Linux counts per user (kernel/user.c).
#include "sentry/task/cred.h"
#include <stdlib.h>

static struct list_head users = LIST_INIT(users); // kernel lock

struct user_usage *user_usage_find(uint32_t uid)
{
    list_for_each(u, &users, struct user_usage, link) if (u->uid == uid) return u;
    return NULL;
}

static struct user_usage *find_or_make(uint32_t uid)
{
    struct user_usage *u = user_usage_find(uid);
    if (u)
        return u;
    u = calloc(1, sizeof(*u));
    if (!u)
        return NULL;
    u->uid = uid;
    list_add(&u->link, &users);
    return u;
}

static void drop_unused(struct user_usage *u)
{
    if (u->threads || u->signals || u->mq_bytes)
        return;
    list_del(&u->link);
    free(u);
}

static bool add(uint32_t uid, int threads, int signals)
{
    struct user_usage *u = threads < 0 || signals < 0 ? user_usage_find(uid) : find_or_make(uid);
    if (!u)
        return false;
    u->threads = threads < 0 && u->threads < (unsigned)-threads ? 0 : u->threads + (unsigned)threads;
    u->signals = signals < 0 && u->signals < (unsigned)-signals ? 0 : u->signals + (unsigned)signals;
    drop_unused(u);
    return true;
}

bool user_add_threads(uint32_t uid, int n)
{
    return add(uid, n, 0);
}

bool user_add_signals(uint32_t uid, int n)
{
    return add(uid, 0, n);
}

bool user_add_mq_bytes(uint32_t uid, int64_t n)
{
    struct user_usage *u = n < 0 ? user_usage_find(uid) : find_or_make(uid);
    if (!u)
        return false;
    u->mq_bytes += (uint64_t)n;
    drop_unused(u);
    return true;
}
