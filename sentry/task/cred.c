// Credentials: reference counts, copies, and what they allow. cred_exec.c has the rules of exec.
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include <stdlib.h>
#include <string.h>

struct cred *cred_alloc(void)
{
    struct cred *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->refs = 1;
    c->user_ns = &init_user_ns;
    ns_get(&init_user_ns.ns);
    return c;
}

struct cred *cred_get(struct cred *c)
{
    c->refs++;
    return c;
}

void cred_put(struct cred *c)
{
    if (!c || --c->refs > 0)
        return;
    ns_put(&c->user_ns->ns);
    free(c->groups);
    free(c);
}

struct cred *cred_dup(const struct cred *c)
{
    struct cred *n = malloc(sizeof(*n));
    if (!n)
        return NULL;
    *n = *c;
    n->refs = 1;
    n->groups = NULL;
    if (c->nr_groups) {
        n->groups = malloc(c->nr_groups * sizeof(*n->groups));
        if (!n->groups) {
            free(n);
            return NULL;
        }
        memcpy(n->groups, c->groups, c->nr_groups * sizeof(*n->groups));
    }
    ns_get(&n->user_ns->ns);
    return n;
}

bool cred_has(const struct cred *c, int cap)
{
    return c->user_ns == &init_user_ns && c->cap_effective >> cap & 1;
}

bool capable(int cap)
{
    return cred_has(current->cred, cap);
}

bool cred_in_group(const struct cred *c, uint32_t gid)
{
    if (gid == c->fsgid)
        return true;
    uint32_t low = 0, high = c->nr_groups;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (c->groups[mid] == gid)
            return true;
        if (c->groups[mid] < gid)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool may_trace(const struct task *t)
{
    return t->mm && t->mm->unreadable ? capable(LX_CAP_SYS_PTRACE)
                                      : ns_capable(t->cred->user_ns, LX_CAP_SYS_PTRACE);
}

bool task_may_access(const struct task *t)
{
    if (t->tg == current->tg)
        return true;
    const struct cred *me = current->cred, *them = t->cred;
    if (may_trace(t))
        return true;
    bool same = me->uid == them->euid && me->uid == them->suid && me->uid == them->uid &&
                me->gid == them->egid && me->gid == them->sgid && me->gid == them->gid;
    return same && t->mm && t->mm->dumpable && me->user_ns == them->user_ns &&
           !(them->cap_permitted & ~me->cap_permitted);
}

void task_set_cred(struct task *t, struct cred *c)
{
    struct cred *old = t->cred;
    if (c->uid != old->uid && user_add_threads(c->uid, 1))
        user_add_threads(old->uid, -1);
    t->cred = c;
    cred_put(old);
}
