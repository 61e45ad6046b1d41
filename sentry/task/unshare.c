#include "sentry/task/unshare.h"
#include "sentry/task/user_ns.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/task/task.h"
#include "abi/linux/capability.h"
#include "abi/linux/sched.h"

void task_first_namespaces(struct task *t)
{
    t->uts = container_of(ns_get(&init_uts_ns.ns), struct uts_ns, ns);
    t->ipc = container_of(ns_get(&init_ipc_ns.ns), struct ipc_ns, ns);
}

void task_inherit_namespaces(struct task *t, const struct task *parent)
{
    t->uts = container_of(ns_get(&parent->uts->ns), struct uts_ns, ns);
    t->ipc = container_of(ns_get(&parent->ipc->ns), struct ipc_ns, ns);
}

void task_put_namespaces(struct task *t)
{
    if (t->uts)
        ns_put(&t->uts->ns);
    if (t->ipc)
        ns_put(&t->ipc->ns);
    t->uts = NULL;
    t->ipc = NULL;
}

struct fresh {
    struct cred *cred;
    struct mount_ns *mnt;
    struct uts_ns *uts;
    struct ipc_ns *ipc;
};

static void drop(struct fresh *new)
{
    cred_put(new->cred);
    mount_ns_put(new->mnt);
    if (new->uts)
        ns_put(&new->uts->ns);
    if (new->ipc)
        ns_put(&new->ipc->ns);
}

static int make(struct task *t, uint64_t flags, struct fresh *new)
{
    int err = 0;
    if (flags & LX_CLONE_NEWUSER) {
        new->cred = cred_dup(t->cred);
        err = new->cred ? user_ns_create(new->cred, mount_ns_chrooted(t->fs)) : -LX_ENOMEM;
        if (err)
            return err;
    }
    struct user_ns *owner = (new->cred ? new->cred : t->cred)->user_ns;
    if (!(flags & (LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME) & ~LX_CLONE_NEWUSER))
        return 0;
    if (!cred_ns_capable(new->cred ? new->cred : t->cred, owner, LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    if (flags & (LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME) & ~LX_CLONE_NEW_MADE)
        return -LX_EINVAL;
    if (flags & LX_CLONE_NEWNS)
        new->mnt = mount_ns_copy(t->fs->mnt_ns, owner, &err);
    if (!err && flags & LX_CLONE_NEWUTS)
        new->uts = uts_ns_copy(t->uts, owner, &err);
    if (!err && flags & LX_CLONE_NEWIPC)
        new->ipc = ipc_ns_alloc(owner, &err);
    return err;
}

int task_new_namespaces(struct task *t, uint64_t flags)
{
    struct fresh new = {0};
    if (!(flags & (LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME)))
        return 0;
    int err = make(t, flags, &new);
    if (err) {
        drop(&new);
        return err;
    }
    if (new.cred)
        task_set_cred(t, new.cred);
    if (new.mnt)
        mount_ns_enter_copy(t->fs, new.mnt);
    if (new.uts) {
        ns_put(&t->uts->ns);
        t->uts = new.uts;
    }
    if (new.ipc) {
        if (t->tg->nr_threads <= 1)
            sem_group_exit(t->tg); // what it owes its old namespace (unshare(2))
        ns_put(&t->ipc->ns);
        t->ipc = new.ipc;
    }
    return 0;
}
