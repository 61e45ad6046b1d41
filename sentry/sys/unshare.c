// unshare(2) and setns(2) (kernel/fork.c, kernel/nsproxy.c).
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/fs/proc/ns_file.h"
#include "sentry/sys/process.h"
#include "sentry/task/unshare.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "abi/linux/sched.h"
#include "syscall_handlers.h"

#define UNSHARE_KNOWN                                                                                     \
    (LX_CLONE_THREAD | LX_CLONE_FS | LX_CLONE_SIGHAND | LX_CLONE_VM | LX_CLONE_FILES | LX_CLONE_SYSVSEM | \
     LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME)

static int64_t unshare_fs(void)
{
    if (current->fs->refs == 1)
        return 0;
    struct fs_struct *own = fs_dup(current->fs);
    if (!own)
        return -LX_ENOMEM;
    fs_put(current->fs);
    current->fs = own;
    return 0;
}

static int64_t unshare_files(void)
{
    if (current->files->refs == 1)
        return 0;
    struct fdtable *own = fdtable_dup(current->files);
    if (!own)
        return -LX_ENOMEM;
    fdtable_put(current->files);
    current->files = own;
    return 0;
}

int64_t sys_unshare(struct call *call)
{
    uint64_t flags = call->args[0];
    if (flags & LX_CLONE_NEWUSER)
        flags |= LX_CLONE_THREAD | LX_CLONE_FS;
    if (flags & LX_CLONE_VM)
        flags |= LX_CLONE_SIGHAND;
    if (flags & LX_CLONE_NEWNS)
        flags |= LX_CLONE_FS;
    if (flags & ~UNSHARE_KNOWN)
        return -LX_EINVAL;
    if (flags & (LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM) && current->tg->nr_threads > 1)
        return -LX_EINVAL;
    if (flags & (LX_CLONE_SIGHAND | LX_CLONE_VM) && current->sighand->refs > 1)
        return -LX_EINVAL;
    if (flags & LX_CLONE_VM && current->mm->users > 1)
        return -LX_EINVAL;
    int64_t err = flags & LX_CLONE_FS ? unshare_fs() : 0;
    if (!err && flags & LX_CLONE_FILES)
        err = unshare_files();
    return err ? err : task_new_namespaces(current, flags);
}

static int64_t enter_user(struct user_ns *ns)
{
    if (ns == current->cred->user_ns || current->tg->nr_threads > 1 || current->fs->refs > 1)
        return -LX_EINVAL;
    if (!ns_capable(ns, LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    struct cred *new = cred_dup(current->cred);
    if (!new)
        return -LX_ENOMEM;
    ns_get(&ns->ns);
    cred_enter_user_ns(new, ns);
    task_set_cred(current, new);
    return 0;
}

static bool may_enter(const struct user_ns *owner)
{
    return ns_capable(owner, LX_CAP_SYS_ADMIN) && ns_capable(current->cred->user_ns, LX_CAP_SYS_ADMIN);
}

static int64_t enter_mounts(struct mount_ns *ns)
{
    if (!may_enter(mount_ns_owner(ns)) || !ns_capable(current->cred->user_ns, LX_CAP_SYS_CHROOT))
        return -LX_EPERM;
    if (current->fs->refs > 1)
        return -LX_EINVAL;
    mount_ns_enter(current->fs, mount_ns_get(ns));
    return 0;
}

static int64_t enter(uint64_t type, struct ns_common *ns, struct mount_ns *mnt)
{
    if (type == LX_CLONE_NEWUSER)
        return enter_user(container_of(ns, struct user_ns, ns));
    if (mnt)
        return enter_mounts(mnt);
    if (!may_enter(ns ? ns->owner : &init_user_ns))
        return -LX_EPERM;
    if (type == LX_CLONE_NEWUTS) {
        struct uts_ns *old = current->uts;
        current->uts = container_of(ns_get(ns), struct uts_ns, ns);
        ns_put(&old->ns);
    } else if (type == LX_CLONE_NEWIPC) {
        struct ipc_ns *old = current->ipc;
        if (current->tg->nr_threads <= 1)
            sem_group_exit(current->tg); // what it owes the old one
        current->ipc = container_of(ns_get(ns), struct ipc_ns, ns);
        ns_put(&old->ns);
    }
    return 0; // of the other kinds there is one, in which everybody is
}

// By a pidfd: the namespaces of another process, in the order in which each is still permitted. The user namespace first.
static int64_t enter_all(const struct task *t, uint64_t types)
{
    if (!t || !t->fs)
        return -LX_ESRCH;
    if (!task_may_access(t))
        return -LX_EPERM;
    struct ns_common *user = ns_get(&t->cred->user_ns->ns), *uts = ns_get(&t->uts->ns),
                     *ipc = ns_get(&t->ipc->ns);
    struct mount_ns *mnt = mount_ns_get(t->fs->mnt_ns);
    int64_t err = types & LX_CLONE_NEWUSER ? enter(LX_CLONE_NEWUSER, user, NULL) : 0;
    if (!err && types & LX_CLONE_NEWNS)
        err = enter(LX_CLONE_NEWNS, NULL, mnt);
    if (!err && types & LX_CLONE_NEWUTS)
        err = enter(LX_CLONE_NEWUTS, uts, NULL);
    if (!err && types & LX_CLONE_NEWIPC)
        err = enter(LX_CLONE_NEWIPC, ipc, NULL);
    if (!err && types & (LX_CLONE_NEWPID | LX_CLONE_NEWNET | LX_CLONE_NEWCGROUP | LX_CLONE_NEWTIME))
        err = enter(LX_CLONE_NEWNET, NULL, NULL);
    ns_put(user);
    ns_put(uts);
    ns_put(ipc);
    mount_ns_put(mnt);
    return err;
}

int64_t sys_setns(struct call *call)
{
    uint64_t wanted = arg_uint(call, 1), type;
    struct ns_common *ns;
    struct mount_ns *mnt;
    struct file *f = fd_lookup(current->files, arg_int(call, 0));
    if (!f)
        return -LX_EBADF;
    const struct thread_group *tg = pidfd_group(f);
    if (tg) {
        if (!wanted || wanted & ~(LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME))
            return -LX_EINVAL;
        return enter_all(group_thread(tg), wanted);
    }
    if (!ns_of_file(f, &type, &ns, &mnt) || (wanted && wanted != type))
        return -LX_EINVAL;
    file_get(f);
    int64_t err = enter(type, ns, mnt);
    file_put(f);
    return err;
}
