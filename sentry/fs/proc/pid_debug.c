// Entries of a process that debuggers and tools read: where it waits, its timers, the old scale of the OOM score.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/task.h"
#include "sentry/time/time.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define OOM_ADJ_MIN (-17)
#define OOM_ADJ_MAX 15
#define OOM_SCORE_ADJ_MAX 1000

// The function of Linux in which such a call waits.
static const char *waits_in(uint32_t nr)
{
    switch (nr) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
        return "hrtimer_nanosleep";
    case SYS_wait4:
    case SYS_waitid:
        return "do_wait";
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
        return "poll_schedule_timeout";
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
        return "ep_poll";
    case SYS_pause:
        return "__do_sys_pause";
    case SYS_rt_sigsuspend:
        return "sigsuspend";
    case SYS_rt_sigtimedwait:
        return "do_sigtimedwait";
    case SYS_read:
    case SYS_readv:
        return "anon_pipe_read";
    case SYS_write:
    case SYS_writev:
        return "anon_pipe_write";
    case SYS_accept:
    case SYS_accept4:
        return "inet_csk_accept";
    case SYS_flock:
    case SYS_fcntl:
        return "locks_lock_inode_wait";
    default:
        return "schedule_timeout";
    }
}

// NULL: it does not wait in a call of ours. May drop the kernel lock.
static const char *wait_channel(const struct task *t)
{
    struct proc_host_stat host;
    if (ptrace_stopped(t))
        return "ptrace_stop";
    if (t->stopped)
        return "do_signal_stop";
    if (t->call.phase == CALL_BLOCKED)
        return waits_in(t->call.nr);
    bool guest = t->trap.stage == STAGE_GUEST && !t->trap.hypercall_id && t->call.phase == CALL_IDLE;
    if (t != current && guest && proc_host_stat(t, &host) && host.state == 'S')
        return "futex_do_wait"; // the one native call that waits
    return NULL;
}

PROC_SHOW(wchan)
{
    struct task *t = proc_task(p);
    const char *name = NULL;
    if (t && proc_may_access(t)) {
        task_get(t);
        name = wait_channel(t);
        task_put(t);
    }
    out_printf(out, "%s", name ? name : "0");
    return 0;
}

// One entry, because there is no kernel stack: the function in which the thread waits.
PROC_SHOW(stack)
{
    struct task *t = proc_task(p);
    if (!capable(LX_CAP_SYS_ADMIN))
        return -LX_EACCES;
    if (!t)
        return -LX_ESRCH;
    task_get(t);
    const char *name = wait_channel(t);
    task_put(t);
    if (name)
        out_printf(out, "[<0>] %s+0x0/0x0\n", name);
    return 0;
}

PROC_SHOW(timers)
{
    static const char *const how[] = {"signal", "none", "thread", ""};
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    struct posix_timer_info info;
    for (struct posix_timer *timer = NULL; (timer = posix_timer_next(t->tg, timer, &info));)
        out_printf(out, "ID: %d\nsignal: %d/%016" PRIx64 "\nnotify: %s/%s.%d\nClockID: %d\n", info.id,
                   info.signo, info.value, how[info.notify & ~LX_SIGEV_THREAD_ID & 3],
                   info.notify & LX_SIGEV_THREAD_ID ? "tid" : "pid", info.target, info.clock_id);
    return 0;
}

// oom_adj_read and oom_adj_write of fs/proc/base.c
PROC_SHOW(oom_adj)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    int score = t->tg->oom_score_adj;
    int adj = score == OOM_SCORE_ADJ_MAX ? OOM_ADJ_MAX : score * -OOM_ADJ_MIN / OOM_SCORE_ADJ_MAX;
    out_printf(out, "%d\n", adj > OOM_ADJ_MAX ? OOM_ADJ_MAX : adj);
    return 0;
}

PROC_STORE(oom_adj)
{
    char *end;
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    long value = strtol(text, &end, 0);
    while (*end == '\n' || *end == ' ')
        end++;
    if (end == text || *end || value < OOM_ADJ_MIN || value > OOM_ADJ_MAX)
        return -LX_EINVAL;
    int score = value == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : (int)value * OOM_SCORE_ADJ_MAX / -OOM_ADJ_MIN;
    if (score < t->tg->oom_score_adj && !capable(LX_CAP_SYS_RESOURCE))
        return -LX_EACCES;
    t->tg->oom_score_adj = score;
    return (int64_t)n;
}
