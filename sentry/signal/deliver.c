// Taking signals off the queues and carrying out default actions (get_signal of kernel/signal.c), and masks.
#include "sentry/signal/queue.h"
#include "sentry/ptrace/ptrace.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"

#define CORE_BIT 0x80
#define CORE_MIN 4096 // a smaller RLIMIT_CORE makes no core

sigset64 signals_pending_in(const struct task *t, sigset64 set)
{
    return (t->pending.set | t->tg->shared_pending.set) & set;
}

bool signal_pending(struct task *t)
{
    bool stop = t->tg->job == JOB_STOPPED && !t->stopped;
    if (t->ptrace) // in a stop of its tracer it takes none, and it may be let go on in spite of a group stop
        stop = t->ptrace->trap_stop || (stop && !t->ptrace->ignores_stop);
    return t->exiting || stop || (signals_pending_in(t, ~0ull) && signals_pending_in(t, ~task_blocked(t)));
}

bool signal_work(struct task *t)
{
    return signal_pending(t) || mask_must_come_home(t);
}

bool fatal_signal_pending(const struct task *t)
{
    return t->exiting || t->tg->group_exit;
}

int dequeue_signal(struct task *t, sigset64 set, struct lx_siginfo *info)
{
    struct sigpending *p = &t->pending;
    int sig = next_signal(p, set);
    if (!sig) {
        p = &t->tg->shared_pending;
        sig = next_signal(p, set);
    }
    if (sig)
        collect_signal(p, sig, info);
    return sig;
}

static int status_of(const struct task *t, int sig)
{
    bool core =
        signal_default_dumps_core(sig) && t->mm->dumpable && t->tg->rlim[LX_RLIMIT_CORE].cur >= CORE_MIN;
    return core ? sig | CORE_BIT : sig;
}

void signal_kill(struct task *t, int sig)
{
    group_exit(t->tg, status_of(t, sig));
}

int dequeue_for_delivery(struct task *t, struct lx_siginfo *info, struct lx_sigaction *action)
{
    struct thread_group *tg = t->tg;
    for (;;) {
        if (t->exiting || t->state != TASK_RUNNING)
            return 0;
        if (t->ptrace && t->ptrace->dies) {
            group_exit(tg, t->ptrace->dies);
            return 0;
        }
        bool traced = t->ptrace, decided = traced && t->ptrace->decide;
        if (traced && !decided &&
            (t->ptrace->trap_stop || (tg->job == JOB_STOPPED && !t->ptrace->ignores_stop))) {
            ptrace_group_stop(t);
            group_stop_check(tg);
            return 0;
        }
        if (!traced && tg->job == JOB_STOPPED) {
            t->stopped = true;
            group_stop_check(tg);
            return 0;
        }
        int sig = decided ? ptrace_signal_decision(t, info) : dequeue_signal(t, ~task_blocked(t), info);
        if (!sig && decided)
            continue;
        if (!sig)
            return 0;
        if (traced && !decided && sig != LX_SIGKILL) {
            ptrace_signal_stop(t, info);
            return 0;
        }
        struct lx_sigaction *a = &t->sighand->action[sig - 1];
        if (a->handler == LX_SIG_IGN)
            continue;
        if (a->handler != LX_SIG_DFL) {
            *action = *a;
            if (a->flags & LX_SA_RESETHAND)
                a->handler = LX_SIG_DFL;
            return sig;
        }
        if (signal_default_ignored(sig) || signal_init_protected(tg))
            continue;
        if (signal_default_stops(sig)) {
            if (sig == LX_SIGSTOP || !pgrp_is_orphaned(tg->pgrp))
                group_stop_begin(tg, sig);
            continue;
        }
        if (!ptrace_dies(t, status_of(t, sig)))
            signal_kill(t, sig);
        return 0;
    }
}

void set_blocked(struct task *t, sigset64 mask)
{
    mask &= ~UNBLOCKABLE_SIGNALS;
    sigset64 newly = mask & ~task_blocked(t);
    mask_set(t, mask);
    if (newly & t->tg->shared_pending.set)
        retarget_shared(t->tg, t, newly);
}

void set_temporary_mask(struct task *t, sigset64 mask)
{
    if (!t->restore_mask) {
        t->saved_mask = task_blocked(t);
        t->restore_mask = true;
    }
    set_blocked(t, mask);
}

void restore_saved_mask(struct task *t)
{
    if (!t->restore_mask)
        return;
    t->restore_mask = false;
    set_blocked(t, t->saved_mask);
}

sigset64 mask_for_frame(struct task *t)
{
    if (!t->restore_mask)
        return task_blocked(t);
    t->restore_mask = false;
    return t->saved_mask;
}

void signal_delivered(struct task *t, int sig, const struct lx_sigaction *action)
{
    sigset64 mask = task_blocked(t) | action->mask;
    if (!(action->flags & LX_SA_NODEFER))
        mask |= SIGBIT(sig);
    set_blocked(t, mask);
}
