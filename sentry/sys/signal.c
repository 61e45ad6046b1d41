// Dispositions, masks and waiting for signals (kernel/signal.c). kill.c has the sending.
#include "sentry/task/task.h"
#include "sentry/signal/queue.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"
#include <string.h>

#define KILL_AND_STOP (SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP))
#define KNOWN_SA_FLAGS                                                                                   \
    (LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT | LX_SA_SIGINFO | LX_SA_ONSTACK | LX_SA_RESTART | LX_SA_NODEFER | \
     LX_SA_RESETHAND | LX_SA_EXPOSE_TAGBITS | LX_SA_RESTORER)

// A signal that is ignored from now on is no longer pending.
static void flush_if_ignored(struct task *t, int sig)
{
    uint64_t handler = t->sighand->action[sig - 1].handler;
    if (handler != LX_SIG_IGN && !(handler == LX_SIG_DFL && signal_default_ignored(sig)))
        return;
    flush_signals(&t->tg->shared_pending, SIGBIT(sig));
    list_for_each(other, &t->tg->threads, struct task, thread_link)
        flush_signals(&other->pending, SIGBIT(sig));
}

int64_t sys_rt_sigaction(struct call *call)
{
    int sig = arg_int(call, 0);
    struct lx_sigaction new, old;
    if (call->args[3] != sizeof(sigset64))
        return -LX_EINVAL;
    if (call->args[1] && get_user(new, call->args[1]) != 0)
        return -LX_EFAULT;
    if (sig < 1 || sig > LX_NSIG || (call->args[1] && SIGBIT(sig) & KILL_AND_STOP))
        return -LX_EINVAL;
    struct lx_sigaction *action = &current->sighand->action[sig - 1];
    old = *action;
    if (call->args[1]) {
        new.flags &= KNOWN_SA_FLAGS;
        new.mask &= ~KILL_AND_STOP;
        *action = new;
        flush_if_ignored(current, sig);
    }
    if (call->args[2] && put_user(old, call->args[2]) != 0)
        return -LX_EFAULT;
    return 0;
}

int64_t sys_rt_sigprocmask(struct call *call)
{
    sigset64 set, old = task_blocked(current), mask;
    if (call->args[3] != sizeof(sigset64))
        return -LX_EINVAL;
    if (call->args[1]) {
        if (get_user(set, call->args[1]) != 0)
            return -LX_EFAULT;
        switch (arg_int(call, 0)) {
        case LX_SIG_BLOCK:
            mask = old | set;
            break;
        case LX_SIG_UNBLOCK:
            mask = old & ~set;
            break;
        case LX_SIG_SETMASK:
            mask = set;
            break;
        default:
            return -LX_EINVAL;
        }
        set_blocked(current, mask);
    }
    if (call->args[2] && put_user(old, call->args[2]) != 0)
        return -LX_EFAULT;
    return 0;
}

int64_t sys_rt_sigpending(struct call *call)
{
    sigset64 set = signals_pending_in(current, task_blocked(current));
    if (call->args[1] > sizeof(set))
        return -LX_EINVAL;
    return copy_out(call->args[0], &set, call->args[1]);
}

int64_t sys_pause(struct call *call)
{
    call->interrupted = -LX_ERESTARTNOHAND;
    return block_until(KTIMER_NEVER);
}

int64_t sys_rt_sigsuspend(struct call *call)
{
    sigset64 mask;
    if (call->args[1] != sizeof(mask))
        return -LX_EINVAL;
    if (call->first) {
        if (get_user(mask, call->args[0]) != 0)
            return -LX_EFAULT;
        set_temporary_mask(current, mask);
    }
    call->interrupted = -LX_ERESTARTNOHAND;
    return block_until(KTIMER_NEVER);
}

struct timedwait_state {
    uint64_t deadline_ns;
    sigset64 set;
    sigset64 mask; // to come back at the end
    bool waiting;
};

static void timedwait_release(struct call *call)
{
    struct timedwait_state *s = call_state(call, struct timedwait_state);
    if (s->waiting && call->task->state == TASK_RUNNING)
        set_blocked(call->task, s->mask);
}

// Checks the timeout. Nanoseconds from now, KTIMER_NEVER for none; false when it is not a time.
static bool timeout_ns(const struct lx_timespec *ts, uint64_t *ns)
{
    if (ts->sec < 0 || ts->nsec < 0 || ts->nsec >= LX_NSEC_PER_SEC)
        return false;
    *ns =
        ts->sec >= INT64_MAX / LX_NSEC_PER_SEC ? INT64_MAX : (uint64_t)(ts->sec * LX_NSEC_PER_SEC + ts->nsec);
    return true;
}

// While it waits, the signals of the set are blocked, so that they come here and run no handler.
int64_t sys_rt_sigtimedwait(struct call *call)
{
    struct timedwait_state *s = call_state(call, struct timedwait_state);
    if (call->first) {
        struct lx_timespec ts;
        uint64_t ns = 0;
        if (call->args[3] != sizeof(sigset64))
            return -LX_EINVAL;
        if (get_user(s->set, call->args[0]) != 0)
            return -LX_EFAULT;
        s->set &= ~KILL_AND_STOP;
        s->deadline_ns = KTIMER_NEVER;
        if (call->args[2]) {
            if (get_user(ts, call->args[2]) != 0)
                return -LX_EFAULT;
            if (!timeout_ns(&ts, &ns))
                return -LX_EINVAL;
            s->deadline_ns = ns ? mono_now_ns() + ns : 0;
        }
    }
    struct lx_siginfo info;
    int sig = dequeue_signal(current, s->set, &info);
    if (sig)
        return call->args[1] && put_user(info, call->args[1]) != 0 ? -LX_EFAULT : sig;
    if (call->timed_out || s->deadline_ns == 0)
        return -LX_EAGAIN;
    if (!s->waiting) {
        s->waiting = true;
        s->mask = task_blocked(current);
        call->release = timedwait_release;
        set_blocked(current, s->mask | s->set);
    }
    call->interrupted = -LX_EINTR;
    return block_on_until(&current->signalfd_wait, EV_IN, s->deadline_ns);
}

int64_t sys_restart_syscall(struct call *call)
{
    return current->restart_fn ? current->restart_fn(call) : -LX_EINTR;
}
