// Sending signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo (kernel/signal.c).
#include "sentry/task/task.h"
#include "abi/linux/signal.h"
#include "syscall_handlers.h"
#include <limits.h>
#include <stdlib.h>

static int check(const struct thread_group *tg, int sig)
{
    if (sig < 0 || sig > LX_NSIG)
        return -LX_EINVAL;
    return signal_permission(tg, sig);
}

static int kill_group(struct thread_group *tg, int sig, const struct lx_siginfo *info)
{
    int err = check(tg, sig);
    return err ? err : send_signal_group(tg, sig, info);
}

// Sends to every process of a list that was copied first, because a signal may end one at once, and that others.
// 0 when one got it, else the last error; -LX_ESRCH for none.
static int kill_all(struct thread_group **groups, size_t n, int sig, const struct lx_siginfo *info)
{
    int result = -LX_ESRCH;
    bool success = false;
    for (size_t i = 0; i < n; i++) {
        result = kill_group(groups[i], sig, info);
        success |= result == 0;
        tg_put(groups[i]);
    }
    return success ? 0 : result;
}

static int kill_pgrp(int pgid, int sig, const struct lx_siginfo *info)
{
    struct process_group *p = find_pgrp(pgid);
    size_t n = 0, i = 0;
    if (!p)
        return -LX_ESRCH;
    list_for_each(tg, &p->members, struct thread_group, pgrp_link) n++;
    struct thread_group **groups = calloc(n + 1, sizeof(struct thread_group *));
    if (!groups)
        return -LX_ENOMEM;
    list_for_each(tg, &p->members, struct thread_group, pgrp_link) groups[i++] = tg_get(tg);
    int err = kill_all(groups, n, sig, info);
    free(groups);
    return err;
}

// kill(-1): everything that may be signalled but the first process and the caller.
static int kill_everything(int sig, const struct lx_siginfo *info)
{
    size_t n = 0, i = 0;
    list_for_each(tg, &all_groups, struct thread_group, all_link) n++;
    struct thread_group **groups = calloc(n + 1, sizeof(struct thread_group *));
    if (!groups)
        return -LX_ENOMEM;
    list_for_each(tg, &all_groups, struct thread_group, all_link) if (tg->pid > 1 && tg != current->tg)
        groups[i++] = tg_get(tg);
    int err = kill_all(groups, i, sig, info);
    free(groups);
    return err;
}

int64_t sys_kill(struct call *call)
{
    int pid = arg_int(call, 0), sig = arg_int(call, 1);
    struct lx_siginfo info;
    siginfo_from_current(&info, sig, LX_SI_USER);
    if (pid == INT_MIN)
        return -LX_ESRCH;
    if (pid == -1)
        return kill_everything(sig, &info);
    if (pid <= 0)
        return kill_pgrp(pid ? -pid : current->tg->pgrp->pgid, sig, &info);
    struct thread_group *tg = find_group(pid);
    if (!tg && find_task(pid))
        tg = find_task(pid)->tg;
    return tg ? kill_group(tg, sig, &info) : -LX_ESRCH;
}

// To one thread; `tgid` 0: of any process.
static int64_t kill_thread(int tgid, int tid, int sig, const struct lx_siginfo *info)
{
    struct task *t = find_task(tid);
    struct thread_group *tg = t ? t->tg : find_group(tid); // a leader that ended still has its number
    if (!tg || (tgid && tg->pid != tgid))
        return -LX_ESRCH;
    int err = check(tg, sig);
    if (err || !t || sig == 0)
        return err;
    return send_signal_task(t, sig, info);
}

int64_t sys_tgkill(struct call *call)
{
    int tgid = arg_int(call, 0), tid = arg_int(call, 1), sig = arg_int(call, 2);
    struct lx_siginfo info;
    if (tgid <= 0 || tid <= 0)
        return -LX_EINVAL;
    siginfo_from_current(&info, sig, LX_SI_TKILL);
    return kill_thread(tgid, tid, sig, &info);
}

int64_t sys_tkill(struct call *call)
{
    int tid = arg_int(call, 0), sig = arg_int(call, 1);
    struct lx_siginfo info;
    if (tid <= 0)
        return -LX_EINVAL;
    siginfo_from_current(&info, sig, LX_SI_TKILL);
    return kill_thread(0, tid, sig, &info);
}

// A siginfo of the caller's making: nobody may pretend to be the kernel or kill(2) towards others.
static int64_t copy_siginfo(struct lx_siginfo *info, gaddr_t addr, int sig, int target)
{
    if (copy_in(info, addr, sizeof(*info)) != 0)
        return -LX_EFAULT;
    info->signo = sig;
    if ((info->code >= 0 || info->code == LX_SI_TKILL) && target != current->tg->pid)
        return -LX_EPERM;
    return 0;
}

int64_t sys_rt_sigqueueinfo(struct call *call)
{
    int pid = arg_int(call, 0), sig = arg_int(call, 1);
    struct lx_siginfo info;
    int64_t err = copy_siginfo(&info, call->args[2], sig, pid);
    if (err)
        return err;
    struct thread_group *tg = find_group(pid);
    return tg ? kill_group(tg, sig, &info) : -LX_ESRCH;
}

int64_t sys_rt_tgsigqueueinfo(struct call *call)
{
    int tgid = arg_int(call, 0), tid = arg_int(call, 1), sig = arg_int(call, 2);
    struct lx_siginfo info;
    if (copy_in(&info, call->args[3], sizeof(info)) != 0)
        return -LX_EFAULT;
    if (tgid <= 0 || tid <= 0)
        return -LX_EINVAL;
    info.signo = sig;
    if ((info.code >= 0 || info.code == LX_SI_TKILL) && tid != current->tid)
        return -LX_EPERM;
    return kill_thread(tgid, tid, sig, &info);
}
