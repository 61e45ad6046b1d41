// Group stops, and what a parent is told of its children (do_signal_stop, do_notify_parent of kernel/signal.c).
#include "sentry/signal/queue.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/time/time.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"

#define TICK_NS (LX_NSEC_PER_SEC / LX_USER_HZ)

static void child_info(struct thread_group *tg, struct lx_siginfo *info, int sig, int code, int status)
{
    uint64_t user, system;
    group_cpu_times(tg, &user, &system);
    *info = (struct lx_siginfo){.signo = sig, .code = code};
    info->u.chld.pid = tg->pid;
    info->u.chld.uid = tg->leader ? tg->leader->cred->uid : 0;
    info->u.chld.status = status;
    info->u.chld.utime = (int64_t)(user / TICK_NS);
    info->u.chld.stime = (int64_t)(system / TICK_NS);
}

static const struct lx_sigaction *action_of(const struct thread_group *tg, int sig)
{
    static const struct lx_sigaction none;
    struct task *t = group_thread(tg);
    return t ? &t->sighand->action[sig - 1] : &none;
}

void (*init_stop_hook)(int sig);

void notify_parent_job(struct thread_group *tg, int code)
{
    struct thread_group *parent = tg->parent;
    if (!parent) {
        if (tg == init_tg && code == LX_CLD_STOPPED && init_stop_hook)
            init_stop_hook(tg->stop_signal);
        return;
    }
    const struct lx_sigaction *a = action_of(parent, LX_SIGCHLD);
    if (a->handler != LX_SIG_IGN && !(a->flags & LX_SA_NOCLDSTOP)) {
        struct lx_siginfo info;
        child_info(tg, &info, LX_SIGCHLD, code, code == LX_CLD_CONTINUED ? LX_SIGCONT : tg->stop_signal);
        send_signal_group(parent, LX_SIGCHLD, &info);
    }
    wake_up(&parent->child_wait, EV_IN);
}

bool notify_parent_exit(struct thread_group *tg)
{
    struct thread_group *parent = tg->parent;
    int sig = tg->exit_signal, status = tg->exit_code;
    bool autoreap = false;
    if (sig == LX_SIGCHLD) {
        const struct lx_sigaction *a = action_of(parent, LX_SIGCHLD);
        if (a->handler == LX_SIG_IGN || a->flags & LX_SA_NOCLDWAIT) {
            autoreap = true;
            if (a->handler == LX_SIG_IGN)
                sig = 0;
        }
    }
    if (sig > 0 && sig <= LX_NSIG) {
        struct lx_siginfo info;
        int code = !(status & 0x7f) ? LX_CLD_EXITED : status & 0x80 ? LX_CLD_DUMPED : LX_CLD_KILLED;
        child_info(tg, &info, sig, code, status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
        send_signal_group(parent, sig, &info);
    }
    wake_up(&parent->child_wait, EV_IN);
    return autoreap;
}

void group_stop_begin(struct thread_group *tg, int sig)
{
    tg->job = JOB_STOPPED;
    tg->stop_signal = sig;
    tg->stop_reported = false;
    tg->stop_notified = false;
    tg->continued_pending = false;
    list_for_each_safe(t, &tg->threads, struct task, thread_link)
    {
        if (t->ptrace)
            t->ptrace->ignores_stop = false;
        if (!t->exiting && !t->stopped)
            task_interrupt(t);
    }
}

void group_stop_check(struct thread_group *tg)
{
    if (tg->job != JOB_STOPPED || tg->stop_notified)
        return;
    list_for_each(t, &tg->threads, struct task,
                  thread_link) if (!t->stopped && !ptrace_stopped(t) && !t->exiting) return;
    tg->stop_notified = true;
    notify_parent_job(tg, LX_CLD_STOPPED);
}
