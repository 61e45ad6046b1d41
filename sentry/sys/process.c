// Numbers of processes, process groups and sessions (kernel/sys.c).
#include "sentry/sys/process.h"
#include "syscall_handlers.h"

int64_t sys_getpid(struct call *call)
{
    return current->tg->pid;
}

int64_t sys_gettid(struct call *call)
{
    return current->tid;
}

int64_t sys_getppid(struct call *call)
{
    return current->tg->parent ? current->tg->parent->pid : 0;
}

int64_t sys_getpgrp(struct call *call)
{
    return current->tg->pgrp->pgid;
}

struct thread_group *group_or_current(int pid)
{
    if (pid == 0)
        return current->tg;
    struct thread_group *tg = find_group(pid);
    if (tg)
        return tg;
    struct task *t = find_task(pid);
    return t ? t->tg : NULL;
}

int64_t sys_getpgid(struct call *call)
{
    struct thread_group *tg = group_or_current(arg_int(call, 0));
    return tg ? tg->pgrp->pgid : -LX_ESRCH;
}

int64_t sys_getsid(struct call *call)
{
    struct thread_group *tg = group_or_current(arg_int(call, 0));
    return tg ? tg->pgrp->session->sid : -LX_ESRCH;
}

// setpgid(2): 0, -LX_EINVAL, -LX_ESRCH, -LX_EPERM, -LX_EACCES.
int64_t sys_setpgid(struct call *call)
{
    int pid = arg_int(call, 0), pgid = arg_int(call, 1);
    if (pid == 0)
        pid = current->tg->pid;
    if (pgid == 0)
        pgid = pid;
    if (pgid < 0)
        return -LX_EINVAL;
    struct thread_group *tg = find_group(pid);
    if (!tg)
        return find_task(pid) ? -LX_EINVAL : -LX_ESRCH;
    struct session *session = current->tg->pgrp->session;
    if (tg->parent == current->tg) {
        if (tg->pgrp->session != session)
            return -LX_EPERM;
        if (tg->did_exec)
            return -LX_EACCES;
    } else if (tg != current->tg) {
        return -LX_ESRCH;
    }
    if (group_leads_session(tg))
        return -LX_EPERM;
    return group_set_pgrp(tg, pgid);
}

int64_t sys_setsid(struct call *call)
{
    return group_new_session(current->tg);
}

// Ends the thread: all bookkeeping here, then the host ends its thread.
// The host keeps the list's head and reads the caller's natively; nobody else's is shown.
int64_t sys_get_robust_list(struct call *call)
{
    const struct task *t = find_task(arg_int(call, 0));
    if (!t)
        return -LX_ESRCH;
    return t == current ? CALL_CONTINUE : -LX_EPERM;
}
