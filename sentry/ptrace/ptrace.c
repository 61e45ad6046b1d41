// Links between tracers and tracees, and the stops (kernel/ptrace.c and kernel/signal.c of Linux).
#include "sentry/ptrace/ptrace.h"
#include "abi/linux/capability.h"
#include "abi/linux/sched.h"
#include "abi/linux/signal.h"
#include <stdlib.h>

#define STOP_CODE(sig, event) ((sig) | (event) << 8)

int ptrace_link(struct task *t, struct task *tracer, bool seized, uint32_t options)
{
    struct ptrace *p = calloc(1, sizeof(*p));
    if (!p)
        return -LX_ENOMEM;
    p->tracee = t;
    p->tracer = task_get(tracer);
    p->seized = seized;
    p->options = options;
    p->orig_rax = ~0ull;
    wait_queue_init(&p->wait);
    list_add_tail(&p->link, &tracer->tracees);
    t->ptrace = p;
    mask_recall(t);
    return 0;
}

void ptrace_unlink(struct task *t)
{
    struct ptrace *p = t->ptrace;
    if (!p)
        return;
    bool stopped = p->stopped;
    if (stopped)
        ptrace_resume(t, PTRACE_MODE_CONT, 0);
    if (p->order)
        p->forget_order(p->order);
    wait_queue_release(&p->wait);
    list_del(&p->link);
    t->ptrace = NULL;
    struct task *tracer = p->tracer;
    free(p);
    task_put(tracer);
}

static void record_end(struct task *t, struct task *tracer, int status)
{
    struct ptrace_end *end = calloc(1, sizeof(*end));
    if (!end)
        return; // the tracer finds the thread gone
    *end = (struct ptrace_end){.tid = t->tid, .uid = t->cred->uid, .status = status};
    list_add_tail(&end->link, &tracer->ended_tracees);
}

static void tell_tracer(struct task *t, struct task *tracer, int code, int status)
{
    const struct lx_sigaction *a = &tracer->sighand->action[LX_SIGCHLD - 1];
    bool stop = code == LX_CLD_TRAPPED;
    struct thread_group *tg = tg_get(tracer->tg);
    if (a->handler != LX_SIG_IGN && !(stop && a->flags & LX_SA_NOCLDSTOP)) {
        struct lx_siginfo info = {.signo = LX_SIGCHLD, .code = code};
        info.u.chld.pid = t->tid;
        info.u.chld.uid = t->cred->uid;
        info.u.chld.status = status;
        send_signal_group(tg, LX_SIGCHLD, &info);
    }
    wake_up(&tg->child_wait, EV_IN);
    tg_put(tg);
}

static void tracee_ends(struct task *t)
{
    struct ptrace *p = t->ptrace;
    struct task *tracer = task_get(p->tracer);
    bool last = t->tg->nr_threads == 0;
    bool leader = t == t->tg->leader;
    int status = last || t->tg->group_exit ? t->tg->exit_code : t->exit_code;
    p->stopped = false;
    ptrace_unlink(t);
    // A child's end is the parent's to wait for; a leader's is told with its process's.
    bool child = leader && t->tg->parent == tracer->tg;
    if (!child && (!leader || last) && !tracer->exiting) {
        record_end(t, tracer, status);
        int code = !(status & 0x7f) ? LX_CLD_EXITED : status & 0x80 ? LX_CLD_DUMPED : LX_CLD_KILLED;
        tell_tracer(t, tracer, code, status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
    }
    task_put(tracer);
}

static void tracer_ends(struct task *t)
{
    while (!list_empty(&t->tracees)) {
        struct ptrace *p = list_first(&t->tracees, struct ptrace, link);
        struct task *tracee = task_get(p->tracee);
        bool kill = p->options & LX_PTRACE_O_EXITKILL;
        ptrace_unlink(tracee);
        if (kill)
            send_signal_group(tracee->tg, LX_SIGKILL, NULL);
        task_put(tracee);
    }
    list_for_each_safe(end, &t->ended_tracees, struct ptrace_end, link)
    {
        list_del(&end->link);
        free(end);
    }
}

void ptrace_thread_exits(struct task *t)
{
    if (t->ptrace)
        tracee_ends(t);
    tracer_ends(t);
}

int ptrace_clone_event(const struct task *t, uint64_t clone_flags, int exit_signal)
{
    if (!t->ptrace || clone_flags & LX_CLONE_UNTRACED)
        return 0;
    int event = clone_flags & LX_CLONE_VFORK ? LX_PTRACE_EVENT_VFORK
                : exit_signal != LX_SIGCHLD  ? LX_PTRACE_EVENT_CLONE
                                             : LX_PTRACE_EVENT_FORK;
    return t->ptrace->options & 1u << event ? event : 0;
}

void ptrace_child(struct task *t, struct task *child, uint64_t clone_flags, int exit_signal)
{
    struct ptrace *p = t->ptrace;
    int event = ptrace_clone_event(t, clone_flags, exit_signal);
    if (!p)
        return;
    if (event) {
        p->event = event;
        p->event_message = (uint64_t)child->tid;
        if (event == LX_PTRACE_EVENT_VFORK)
            p->vfork_child = p->event_message;
    }
    if (!event && !(clone_flags & LX_CLONE_PTRACE))
        return;
    if (ptrace_link(child, p->tracer, p->seized, p->options))
        return;
    if (p->seized) {
        child->ptrace->trap_stop = true;
    } else {
        struct lx_siginfo info = {.signo = LX_SIGSTOP, .code = LX_SI_USER};
        send_signal_task(child, LX_SIGSTOP, &info);
    }
}

void ptrace_exec(struct task *t, int old_tid)
{
    struct ptrace *p = t->ptrace;
    if (!p)
        return;
    p->call_over = true;
    if (p->options & LX_PTRACE_O_TRACEEXEC) {
        p->event = LX_PTRACE_EVENT_EXEC;
        p->event_message = (uint64_t)old_tid;
    } else if (!p->seized) {
        struct lx_siginfo info = {.signo = LX_SIGTRAP, .code = LX_SI_USER};
        info.u.rt.pid = t->tg->pid;
        info.u.rt.uid = t->cred->uid;
        send_signal_task(t, LX_SIGTRAP, &info);
    }
}

void ptrace_stop(struct task *t, enum ptrace_stop where, int code, const struct lx_siginfo *info)
{
    struct ptrace *p = t->ptrace;
    p->stopped = true;
    p->reported = p->listening = p->bases_known = false;
    p->where = where;
    p->code = code;
    if (where == PTRACE_STOP_ENTRY)
        p->message = LX_PTRACE_EVENTMSG_SYSCALL_ENTRY;
    else if (where == PTRACE_STOP_EXIT)
        p->message = LX_PTRACE_EVENTMSG_SYSCALL_EXIT;
    else if (where != PTRACE_STOP_EVENT && where != PTRACE_STOP_SECCOMP)
        p->message = 0;
    p->has_info = true;
    if (info) {
        p->info = *info;
    } else { // ptrace_do_notify
        p->info = (struct lx_siginfo){.signo = code & 0x7f, .code = code};
        p->info.u.rt.pid = t->tid;
        p->info.u.rt.uid = t->cred->uid;
    }
    tell_tracer(t, p->tracer, LX_CLD_TRAPPED, code & 0x7f);
}

void ptrace_resume(struct task *t, enum ptrace_mode mode, int sig)
{
    struct ptrace *p = t->ptrace;
    struct trap_state *trap = &t->trap;
    p->stopped = p->listening = false;
    p->mode = mode;
    p->deliver = sig;
    if (p->where == PTRACE_STOP_SIGNAL)
        p->decide = true;
    else if (p->where == PTRACE_STOP_GROUP)
        p->ignores_stop = t->tg->job == JOB_STOPPED;
    else if (p->where == PTRACE_STOP_EXIT && sig) { // the tracer may inject one here, too
        struct lx_siginfo info = {.signo = sig, .code = LX_SI_KERNEL};
        send_signal_task(t, sig, &info);
    }
    if (p->where == PTRACE_STOP_ENTRY || p->where == PTRACE_STOP_SECCOMP) {
        p->in_call = mode == PTRACE_MODE_SYSCALL;
        p->nr = p->orig_rax;
        p->seccomp_told = p->where == PTRACE_STOP_SECCOMP;
        if ((int64_t)p->orig_rax < 0 || p->skips) { // the tracer does without it
            p->skips = false;
            p->call_over = true;
        } else {
            p->entered = true;
            p->call_ip = trap->rip;
            trap->fixup = true;
            trap->fixup_ip = trap->rip;
            trap->fixup_result = -LX_ERESTARTNOINTR;
            trap->fixup_nr = (uint32_t)p->orig_rax;
        }
    }
    task_resume(t);
}

void ptrace_signal_stop(struct task *t, const struct lx_siginfo *info)
{
    ptrace_stop(t, PTRACE_STOP_SIGNAL, info->signo, info);
}

// ptrace_signal of kernel/signal.c
int ptrace_signal_decision(struct task *t, struct lx_siginfo *info)
{
    struct ptrace *p = t->ptrace;
    p->decide = false;
    int sig = p->deliver;
    if (!sig)
        return 0;
    *info = p->info;
    if (info->signo != sig) {
        *info = (struct lx_siginfo){.signo = sig, .code = LX_SI_USER};
        info->u.rt.pid = p->tracer->tg->pid;
        info->u.rt.uid = p->tracer->cred->uid;
    }
    if (task_blocked(t) & SIGBIT(sig)) {
        send_signal_task(t, sig, info);
        return 0;
    }
    return sig;
}

void ptrace_group_stop(struct task *t)
{
    struct ptrace *p = t->ptrace;
    int sig = t->tg->job == JOB_STOPPED ? t->tg->stop_signal : LX_SIGTRAP;
    p->trap_stop = false;
    ptrace_stop(t, PTRACE_STOP_GROUP, p->seized ? STOP_CODE(sig, LX_PTRACE_EVENT_STOP) : sig, NULL);
    p->has_info = p->seized; // PTRACE_GETSIGINFO tells a group stop by its error
}

void ptrace_group_continued(struct thread_group *tg)
{
    list_for_each_safe(t, &tg->threads, struct task, thread_link)
    {
        struct ptrace *p = t->ptrace;
        if (!p)
            continue;
        p->ignores_stop = false;
        if (!p->seized || (p->stopped && !p->listening))
            continue;
        if (p->stopped) { // it stops again, and so its tracer hears of it
            p->trap_stop = true;
            p->stopped = p->listening = false;
            task_resume(t);
        }
    }
}

bool ptrace_work_pending(const struct task *t)
{
    const struct ptrace *p = t->ptrace;
    return p && (p->event || p->trap_stop || p->entry_due || p->seccomp_due || (p->call_over && p->in_call) ||
                 p->mode == PTRACE_MODE_STEP || ptrace_watches(p));
}

void ptrace_vfork_over(struct task *t)
{
    if (!t || !t->vfork_held)
        return;
    t->vfork_held = false;
    struct ptrace *p = t->ptrace;
    if (p && p->options & LX_PTRACE_O_TRACEVFORKDONE && !p->event) {
        p->event = LX_PTRACE_EVENT_VFORK_DONE;
        p->event_message = p->vfork_child;
    }
    task_resume(t);
}

bool ptrace_dies(struct task *t, int status)
{
    struct ptrace *p = t->ptrace;
    if (!p || !(p->options & LX_PTRACE_O_TRACEEXIT) || p->exit_told)
        return false;
    p->exit_told = true;
    p->dies = status;
    p->message = (uint64_t)status;
    ptrace_stop(t, PTRACE_STOP_EVENT, STOP_CODE(LX_SIGTRAP, LX_PTRACE_EVENT_EXIT), NULL);
    return true;
}

bool ptrace_limits_exec(const struct task *t)
{
    return t->ptrace && !cred_has(t->ptrace->tracer->cred, LX_CAP_SYS_PTRACE);
}

int ptrace_tracer_tid(const struct task *t)
{
    return t->ptrace ? t->ptrace->tracer->tg->pid : 0;
}
