// unshare(2), setns(2) and kcmp(2) (kernel/fork.c, kernel/kcmp.c). There are no namespaces to make inside the sandbox.
#include "sentry/sys/process.h"
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
    if (flags & ~UNSHARE_KNOWN)
        return -LX_EINVAL;
    if (flags & (LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM) && current->tg->nr_threads > 1)
        return -LX_EINVAL;
    if (flags & (LX_CLONE_SIGHAND | LX_CLONE_VM) && current->sighand->refs > 1)
        return -LX_EINVAL;
    if (flags & LX_CLONE_VM && current->mm->users > 1)
        return -LX_EINVAL;
    if (flags & (LX_CLONE_NEW_ANY | LX_CLONE_NEWTIME))
        return -LX_EPERM;
    int64_t err = flags & LX_CLONE_FS ? unshare_fs() : 0;
    if (!err && flags & LX_CLONE_FILES)
        err = unshare_files();
    return err;
}

int64_t sys_setns(struct call *call)
{
    if (!fd_lookup(current->files, arg_int(call, 0)))
        return -LX_EBADF;
    return -LX_EINVAL; // no descriptor here is one of a namespace
}

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

// A stable order that does not tell addresses.
static int64_t order(const void *a, const void *b)
{
    static const uintptr_t scramble = 0x9e3779b97f4a7c15u;
    uintptr_t x = (uintptr_t)a * scramble, y = (uintptr_t)b * scramble;
    return x == y ? 0 : x < y ? 1 : 2;
}

int64_t sys_kcmp(struct call *call)
{
    const struct task *a = find_task(arg_int(call, 0)), *b = find_task(arg_int(call, 1));
    if (!a || !b)
        return -LX_ESRCH;
    if (!task_may_access(a) || !task_may_access(b))
        return -LX_EPERM;
    const struct file *f, *g;
    switch (arg_int(call, 2)) {
    case KCMP_FILE:
        f = call->args[3] < FD_TABLE_MAX ? fd_lookup_path(a->files, (int)call->args[3]) : NULL;
        g = call->args[4] < FD_TABLE_MAX ? fd_lookup_path(b->files, (int)call->args[4]) : NULL;
        return f && g ? order(f, g) : -LX_EBADF;
    case KCMP_VM:
        return order(a->mm, b->mm);
    case KCMP_FILES:
        return order(a->files, b->files);
    case KCMP_FS:
        return order(a->fs, b->fs);
    case KCMP_SIGHAND:
        return order(a->sighand, b->sighand);
    case KCMP_IO:
        return order(a->tg, b->tg);
    default:
        return -LX_EINVAL;
    }
}
