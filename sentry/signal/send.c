// Sending: who gets a signal, whether it is queued, and whom that wakes (kernel/signal.c of Linux).
#include "sentry/signal/queue.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"
#include <stdlib.h>

#define STOP_SIGNALS (SIGBIT(LX_SIGSTOP) | SIGBIT(LX_SIGTSTP) | SIGBIT(LX_SIGTTIN) | SIGBIT(LX_SIGTTOU))

bool init_is_protected;

bool signal_init_protected(const struct thread_group *tg)
{
    return init_is_protected && tg == init_tg;
}

static bool ignored(struct task *t, int sig)
{
    uint64_t handler = t->sighand->action[sig - 1].handler;
    if ((t->ptrace && sig != LX_SIGKILL) || (handler != LX_SIG_DFL && handler != LX_SIG_IGN))
        return false;
    if (handler == LX_SIG_DFL && !signal_default_ignored(sig) && !signal_init_protected(t->tg))
        return false;
    return !((task_blocked(t) | t->real_blocked) & SIGBIT(sig));
}

static void flush_everywhere(struct thread_group *tg, sigset64 set)
{
    flush_signals(&tg->shared_pending, set);
    list_for_each(t, &tg->threads, struct task, thread_link) flush_signals(&t->pending, set);
}

static void continue_group(struct thread_group *tg)
{
    flush_everywhere(tg, STOP_SIGNALS);
    ptrace_group_continued(tg);
    if (tg->job != JOB_STOPPED)
        return;
    bool told = tg->stop_notified;
    tg->job = JOB_RUNNING;
    tg->stop_reported = false;
    list_for_each_safe(t, &tg->threads, struct task, thread_link) if (t->stopped)
    {
        t->stopped = false;
        task_resume(t);
    }
    tg->continued_pending = true;
    notify_parent_job(tg, told ? LX_CLD_CONTINUED : LX_CLD_STOPPED);
}

// What a signal does by being sent, whoever takes it. False: nothing else is to happen.
static bool prepare(struct thread_group *tg, struct task *t, int sig)
{
    if (tg->group_exit || tg->zombie)
        return false;
    if (signal_default_stops(sig))
        flush_everywhere(tg, SIGBIT(LX_SIGCONT));
    else if (sig == LX_SIGCONT)
        continue_group(tg);
    return !ignored(t, sig);
}

static bool wants(struct task *t, int sig)
{
    return !t->exiting && (sig == LX_SIGKILL || !t->stopped) && !(task_blocked(t) & SIGBIT(sig));
}

static struct task *choose(struct thread_group *tg, struct task *t, int sig, bool group)
{
    if (wants(t, sig))
        return t;
    if (group)
        list_for_each(other, &tg->threads, struct task, thread_link) if (wants(other, sig)) return other;
    return NULL;
}

static bool is_fatal(const struct task *t, int sig)
{
    return t->sighand->action[sig - 1].handler == LX_SIG_DFL && !signal_default_ignored(sig) &&
           !signal_default_stops(sig) && !(t->real_blocked & SIGBIT(sig));
}

// Nobody takes it now: whoever may come to do so tells of its next change of mask.
static void recall(struct thread_group *tg, struct task *t, bool group)
{
    if (!group)
        mask_recall(t);
    else
        list_for_each(other, &tg->threads, struct task, thread_link) mask_recall(other);
}

// complete_signal
static void complete(struct thread_group *tg, struct task *t, int sig, bool group)
{
    if (group)
        list_for_each_safe(other, &tg->threads, struct task, thread_link)
            wake_up(&other->signalfd_wait, EV_IN | EV_RDNORM);
    else
        wake_up(&t->signalfd_wait, EV_IN | EV_RDNORM);
    struct task *target = choose(tg, t, sig, group);
    if (!target) {
        recall(tg, t, group);
        return;
    }
    if (is_fatal(target, sig) && !signal_default_dumps_core(sig) && !target->ptrace)
        group_exit(tg, sig);
    else
        task_interrupt(target);
}

static int enqueue(struct sigpending *p, const struct task *t, int sig, const struct lx_siginfo *info)
{
    if (sig < LX_SIGRTMIN && p->set & SIGBIT(sig))
        return 0;
    bool override = sig < LX_SIGRTMIN && (!info || info->code >= 0);
    struct sigqueue *q = sigqueue_alloc(t, override);
    if (q) {
        if (info)
            q->info = *info;
        else
            q->info.code = LX_SI_KERNEL;
        q->info.signo = sig;
        list_add_tail(&q->link, &p->queue);
    } else if (sig >= LX_SIGRTMIN && info && info->code != LX_SI_USER) {
        return -LX_EAGAIN;
    }
    p->set |= SIGBIT(sig);
    return 1;
}

static int send(struct thread_group *tg, struct task *t, int sig, const struct lx_siginfo *info, bool group)
{
    if (sig == 0 || !t)
        return 0;
    if (!prepare(tg, t, sig))
        return 0;
    if (sig == LX_SIGKILL) {
        group_exit(tg, LX_SIGKILL);
        return 0;
    }
    int queued = enqueue(group ? &tg->shared_pending : &t->pending, t, sig, info);
    if (queued > 0)
        complete(tg, t, sig, group);
    return queued < 0 ? queued : 0;
}

int send_signal_task(struct task *t, int sig, const struct lx_siginfo *info)
{
    if (t->exiting || t->state != TASK_RUNNING)
        return 0;
    return send(t->tg, t, sig, info, false);
}

int send_signal_group(struct thread_group *tg, int sig, const struct lx_siginfo *info)
{
    return send(tg, group_thread(tg), sig, info, true);
}

int send_signal_pgrp(int pgid, int sig, const struct lx_siginfo *info)
{
    struct process_group *p = find_pgrp(pgid);
    if (!p || list_empty(&p->members))
        return -LX_ESRCH;
    // A signal may end a process at once, and that others of the same list: so walk a copy.
    size_t n = 0, i = 0;
    list_for_each(tg, &p->members, struct thread_group, pgrp_link) n++;
    struct thread_group **members = calloc(n, sizeof(struct thread_group *));
    if (!members)
        return -LX_ENOMEM;
    list_for_each(tg, &p->members, struct thread_group, pgrp_link) members[i++] = tg_get(tg);
    for (i = 0; i < n; i++) {
        send_signal_group(members[i], sig, info);
        tg_put(members[i]);
    }
    free(members);
    return 0;
}

void force_signal(struct task *t, const struct lx_siginfo *info)
{
    int sig = info->signo;
    struct lx_sigaction *a = &t->sighand->action[sig - 1];
    sigset64 blocked = task_blocked(t);
    if (a->handler == LX_SIG_IGN || blocked & SIGBIT(sig)) {
        a->handler = LX_SIG_DFL;
        mask_set(t, blocked & ~SIGBIT(sig));
    }
    if (a->handler == LX_SIG_DFL && signal_init_protected(t->tg))
        init_is_protected = false;
    send_signal_task(t, sig, info);
}

int send_sigqueue(struct task *t, bool group, struct sigqueue *q)
{
    struct thread_group *tg = t->tg;
    int sig = q->info.signo;
    if (!list_empty(&q->link))
        return 1;
    if (t->state != TASK_RUNNING || t->exiting || !prepare(tg, t, sig))
        return -LX_EINVAL;
    if (sig == LX_SIGKILL) {
        group_exit(tg, LX_SIGKILL);
        return -LX_EINVAL;
    }
    struct sigpending *p = group ? &tg->shared_pending : &t->pending;
    list_add_tail(&q->link, &p->queue);
    p->set |= SIGBIT(sig);
    complete(tg, t, sig, group);
    return 0;
}

void retarget_shared(struct thread_group *tg, const struct task *except, sigset64 which)
{
    which &= tg->shared_pending.set;
    list_for_each_safe(t, &tg->threads, struct task, thread_link)
    {
        if (!which)
            return;
        sigset64 blocked = t == except || t->exiting ? ~0ull : task_blocked(t);
        if (which & ~blocked)
            task_interrupt(t);
        which &= blocked;
    }
    if (which)
        list_for_each(t, &tg->threads, struct task, thread_link) if (t != except) mask_recall(t);
}

int signal_permission(const struct thread_group *tg, int sig)
{
    if (tg == current->tg)
        return 0;
    const struct cred *me = current->cred;
    const struct cred *target = tg->leader ? tg->leader->cred : NULL;
    if (target && (me->euid == target->suid || me->euid == target->uid || me->uid == target->suid ||
                   me->uid == target->uid))
        return 0;
    if (ns_capable(target ? target->user_ns : &init_user_ns, LX_CAP_KILL))
        return 0;
    if (sig == LX_SIGCONT && tg->pgrp && current->tg->pgrp->session == tg->pgrp->session)
        return 0;
    return -LX_EPERM;
}

void siginfo_from_current(struct lx_siginfo *info, int sig, int code)
{
    *info = (struct lx_siginfo){.signo = sig, .code = code};
    info->u.rt.pid = current->tg->pid;
    info->u.rt.uid = current->cred->uid;
}
