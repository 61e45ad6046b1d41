// pidfd_open, pidfd_send_signal, pidfd_getfd (kernel/pid.c, kernel/signal.c).
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "abi/linux/capability.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "syscall_handlers.h"
#include <string.h>

int64_t sys_pidfd_open(struct call *call)
{
    int pid = arg_int(call, 0);
    uint32_t flags = arg_uint(call, 1);
    if (flags & ~LX_O_NONBLOCK || pid <= 0)
        return -LX_EINVAL;
    struct thread_group *tg = find_group(pid);
    if (!tg)
        return find_task(pid) ? -LX_EINVAL : -LX_ESRCH;
    struct file *f = pidfd_file(tg, flags);
    if (!f)
        return -LX_ENOMEM;
    int fd = fd_install(current->files, f, 0, true);
    if (fd < 0)
        file_put(f);
    return fd;
}

static struct thread_group *group_of(int fd)
{
    struct file *f = fd_lookup(current->files, fd);
    return f ? pidfd_group(f) : NULL;
}

// pidfd_send_signal also takes a descriptor of the directory /proc/PID.
static struct thread_group *signalled_group(int fd)
{
    struct file *f = fd_lookup(current->files, fd);
    if (!f)
        return NULL;
    struct thread_group *tg = pidfd_group(f);
    if (tg || strcmp(f->inode->sb->fstype, "proc") != 0)
        return tg;
    const struct pseudo *p = pseudo_of(f->inode);
    return p->tg && !p->task && p->node->children == proc_process_rows ? p->tg : NULL;
}

int64_t sys_pidfd_send_signal(struct call *call)
{
    int sig = arg_int(call, 1);
    struct lx_siginfo info;
    if (call->args[3] & UINT32_MAX)
        return -LX_EINVAL;
    struct thread_group *tg = signalled_group(arg_int(call, 0));
    if (!tg)
        return -LX_EBADF;
    siginfo_from_current(&info, sig, LX_SI_USER);
    if (call->args[2]) {
        if (get_user(info, call->args[2]) != 0)
            return -LX_EFAULT;
        if (info.signo != sig)
            return -LX_EINVAL;
        if (tg != current->tg && (info.code >= 0 || info.code == LX_SI_TKILL))
            return -LX_EPERM;
    }
    if (!tg->linked)
        return -LX_ESRCH;
    if (sig < 0 || sig > LX_NSIG)
        return -LX_EINVAL;
    int err = signal_permission(tg, sig);
    return err ? err : send_signal_group(tg, sig, &info);
}

int64_t sys_pidfd_getfd(struct call *call)
{
    if (call->args[2] & UINT32_MAX)
        return -LX_EINVAL;
    struct thread_group *tg = group_of(arg_int(call, 0));
    if (!tg)
        return -LX_EBADF;
    struct task *t = group_thread(tg);
    if (!t)
        return -LX_ESRCH;
    if (!task_may_access(t))
        return -LX_EPERM;
    struct file *f = fd_lookup_path(t->files, arg_int(call, 1));
    if (!f)
        return -LX_EBADF;
    int fd = fd_install(current->files, file_get(f), 0, true);
    if (fd < 0)
        file_put(f);
    return fd;
}
