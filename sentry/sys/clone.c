// clone, clone3, fork and vfork: what the flags may be. trap_clone() does the rest (kernel/fork.c).
#include "sentry/trap/trap.h"
#include "sentry/vfs/file.h"
#include "abi/linux/capability.h"
#include "abi/linux/sched.h"
#include "abi/linux/signal.h"
#include "syscall_handlers.h"
#include <string.h>

#define CLONE_ARGS_MAX 4096

// The rules of copy_process() and its namespaces.
static int64_t check_flags(uint64_t f)
{
    if ((f & LX_CLONE_NEWNS && f & LX_CLONE_FS) || (f & LX_CLONE_NEWUSER && f & LX_CLONE_FS))
        return -LX_EINVAL;
    if (f & LX_CLONE_THREAD && !(f & LX_CLONE_SIGHAND))
        return -LX_EINVAL;
    if (f & LX_CLONE_SIGHAND && !(f & LX_CLONE_VM))
        return -LX_EINVAL;
    if (f & LX_CLONE_PARENT && current->tg == init_tg)
        return -LX_EINVAL;
    if (f & LX_CLONE_THREAD && f & (LX_CLONE_NEWUSER | LX_CLONE_NEWPID))
        return -LX_EINVAL;
    if (f & LX_CLONE_PIDFD && f & (LX_CLONE_DETACHED | LX_CLONE_THREAD))
        return -LX_EINVAL;
    if ((f & (LX_CLONE_NEWIPC | LX_CLONE_SYSVSEM)) == (LX_CLONE_NEWIPC | LX_CLONE_SYSVSEM))
        return -LX_EINVAL;
    if (f & LX_CLONE_INTO_CGROUP)
        return -LX_EOPNOTSUPP;
    return 0;
}

static int64_t do_clone(struct call *call, struct clone_request *req)
{
    int64_t err = check_flags(req->flags);
    if (err)
        return err;
    if (req->flags & LX_CLONE_PIDFD) {
        int32_t old;
        if (get_user(old, req->pidfd) != 0 || put_user(old, req->pidfd) != 0)
            return -LX_EFAULT;
        int available = fd_available(current->files);
        if (available)
            return available;
        current->clone_pidfd_addr = req->pidfd;
    }
    if (call->first && signal_pending(current))
        return -LX_ERESTARTNOINTR; // so that a signal to the whole group finds the child, too
    return trap_clone(call, req);
}

int64_t sys_clone(struct call *call)
{
    uint64_t flags = (uint32_t)call->args[0];
    struct clone_request req = {
        .flags = flags & ~LX_CSIGNAL,
        .exit_signal = (int)(flags & LX_CSIGNAL),
        .stack = call->args[1],
        .parent_tid = call->args[2],
        .child_tid = call->args[3],
        .tls = call->args[4],
    };
    if (flags & LX_CLONE_PIDFD) {
        if (flags & LX_CLONE_PARENT_SETTID)
            return -LX_EINVAL;
        req.pidfd = req.parent_tid;
    }
    return do_clone(call, &req);
}

int64_t sys_fork(struct call *call)
{
    struct clone_request req = {.exit_signal = LX_SIGCHLD};
    return do_clone(call, &req);
}

int64_t sys_vfork(struct call *call)
{
    struct clone_request req = {.flags = LX_CLONE_VFORK | LX_CLONE_VM, .exit_signal = LX_SIGCHLD};
    return do_clone(call, &req);
}

// copy_struct_from_user: an older caller's struct is filled up with zeros, a newer one's unknown part must be zero.
static int64_t copy_args(struct lx_clone_args *a, gaddr_t addr, uint64_t size)
{
    if (size > CLONE_ARGS_MAX)
        return -LX_E2BIG;
    if (size < LX_CLONE_ARGS_SIZE_VER0)
        return -LX_EINVAL;
    uint8_t bytes[CLONE_ARGS_MAX];
    if (copy_in(bytes, addr, size) != 0)
        return -LX_EFAULT;
    for (size_t i = sizeof(*a); i < size; i++)
        if (bytes[i])
            return -LX_E2BIG;
    memset(a, 0, sizeof(*a));
    memcpy(a, bytes, size < sizeof(*a) ? size : sizeof(*a));
    return 0;
}

static int64_t check_clone3(const struct lx_clone_args *a)
{
    const uint64_t known = 0xffffffffull | LX_CLONE_CLEAR_SIGHAND | LX_CLONE_INTO_CGROUP;
    if (a->set_tid_size > 32 || (!a->set_tid && a->set_tid_size) || (a->set_tid && !a->set_tid_size))
        return -LX_EINVAL;
    if (a->exit_signal > LX_NSIG)
        return -LX_EINVAL;
    if (a->flags & ~known || a->flags & (LX_CLONE_DETACHED | (LX_CSIGNAL & ~LX_CLONE_NEWTIME)))
        return -LX_EINVAL;
    if (a->flags & LX_CLONE_SIGHAND && a->flags & LX_CLONE_CLEAR_SIGHAND)
        return -LX_EINVAL;
    if (a->flags & (LX_CLONE_THREAD | LX_CLONE_PARENT) && a->exit_signal)
        return -LX_EINVAL;
    uint64_t end;
    if (!a->stack != !a->stack_size || __builtin_add_overflow(a->stack, a->stack_size, &end) || end >> 47)
        return -LX_EINVAL;
    return a->set_tid ? -LX_EPERM : 0;
}

int64_t sys_clone3(struct call *call)
{
    struct lx_clone_args a;
    int64_t err = copy_args(&a, call->args[0], call->args[1]);
    if (!err)
        err = check_clone3(&a);
    if (err)
        return err;
    struct clone_request req = {
        .flags = a.flags,
        .exit_signal = (int)a.exit_signal,
        .stack = a.stack ? a.stack + a.stack_size : 0,
        .parent_tid = a.parent_tid,
        .child_tid = a.child_tid,
        .tls = a.tls,
        .pidfd = a.pidfd,
    };
    return do_clone(call, &req);
}
