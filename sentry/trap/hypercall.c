// What the stub asks, and the way back to guest code.
#include "sentry/trap/hypercall.h"
#include "sentry/core/log.h"
#include "sentry/mm/mm.h"
#include "sentry/signal/frame.h"
#include "sentry/trap/host_tid.h"
#include "sentry/trap/seccomp.h"
#include "sentry/trap/stats.h"
#include "sentry/trap/traced.h"
#include "sentry/trap/watchdog.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

bool trap_tracing;
bool trap_natives_notified;
bool trap_killable;

// The tasks end when the host says that their process is dead, so that nobody who is at work on them loses one.
void violation(struct task *t, const char *what)
{
    if (t->mm_gone)
        return; // another thread's exec ends this one
    uint64_t id = trap_open_id(t);
    if (t->tg->dead || t->tg->group_exit || (id && !listener_id_valid(id)))
        log_debug("guest process %d is being killed from elsewhere (%s)", t->tg->pid, what);
    else
        log_warn("guest process %d broke the stub's protocol (%s): killed", t->tg->pid, what);
    trap_kill_group(t->tg);
}

void kill_unknown(int host_tid)
{
    // PIDFD_THREAD (6.9) also names threads; where it is missing a lone thread stays without an answer for ever, which is as
    // good for us.
    int fd = (int)syscall(SYS_pidfd_open, host_tid, O_EXCL);
    if (fd < 0)
        fd = (int)syscall(SYS_pidfd_open, host_tid, 0);
    if (fd < 0)
        return;
    // Without PIDFD_SIGNAL_THREAD_GROUP a SIGKILL to one thread ends its whole process all the same.
    (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    close(fd);
}

void trap_kill_group(struct thread_group *tg)
{
    if (tg->host_pidfd >= 0 && !tg->dead)
        (void)syscall(SYS_pidfd_send_signal, tg->host_pidfd, SIGKILL, NULL, 0);
}

void trap_task_gone(struct task *t)
{
    trap_trace_result(t, 0);
    struct trap_state *trap = &t->trap;
    host_tid_remove(t);
    t->mm_gone = true;
    if (trap->order)
        order_end(t);
    clone_parent_gone(t);
    donation_release(t);
    if (t->tg->exec_task == t)
        t->tg->exec_task = NULL;
    if (t->mm)
        mm_area_free(t->mm, trap->area);
    trap->hypercall_id = 0;
    trap->parked = trap->resume_queued = false;
    if (t->call.phase != CALL_IDLE)
        call_abandon(&t->call); // or the run queue would run it for a task that has nothing left
    t->call.id = 0;
    list_del(&t->call.run_link);
}

void trap_kick(struct task *t)
{
    const struct trap_state *trap = &t->trap;
    if (trap->stage != STAGE_STUB)
        trap_kick_ahead(t);
}

void trap_kick_ahead(struct task *t)
{
    struct trap_state *trap = &t->trap;
    if (trap->kick_sent || t->state != TASK_RUNNING)
        return;
    if (syscall(SYS_tgkill, trap->host_tgid, trap->host_tid, STUB_KICK_SIGNAL) != 0)
        return; // the thread is gone
    trap->kick_sent = true;
    watchdog_kick(t);
    stats_kick();
}

void trap_tell_registers(struct task *t, uint64_t rip, uint64_t rax, uint64_t rsp)
{
    struct trap_state *trap = &t->trap;
    trap->rip = rip;
    trap->rax = rax;
    trap->rsp = rsp;
    trap->regs_known = true;
    // Only a trapped call begins without its address.
    if (!t->call.ip)
        t->call.ip = rip;
    if (!trap->fixup_ip)
        trap->fixup_ip = rip;
}

bool trap_know_registers(struct task *t)
{
    uint64_t words[4]; // rax, rcx, rsp, rip
    if (t->trap.regs_known)
        return true;
    if (task_copy_in(t, words, t->trap.ucontext + FRAME_RAX_OFFSET, sizeof(words)))
        return false;
    trap_tell_registers(t, words[3], words[0], words[2]);
    return true;
}

void hypercall_reply_return(struct task *t)
{
    mask_leave_stub(t);
    uint64_t id = t->trap.hypercall_id;
    t->trap.hypercall_id = 0;
    t->trap.stage = STAGE_GUEST;
    int r = listener_reply(id, STUB_DO_RETURN);
    if (r && r != -ENOENT)
        log_warn("answering a hypercall failed: %s", strerror(-r));
}

int stub_do(struct task *t, const struct stub_op *ops, unsigned count, int host_fd, enum stub_then then)
{
    struct stub_area head;
    if (count > STUB_OP_MAX)
        return -LX_E2BIG;
    mask_leave_stub(t);
    head.op_count = count;
    head.report = then == THEN_REPORT;
    memcpy(head.ops, ops, count * sizeof(*ops));
    int r = task_copy_out(t, area_address(t->trap.area), &head,
                          offsetof(struct stub_area, ops) + count * sizeof(*ops));
    if (r)
        return r;
    uint64_t id = t->trap.hypercall_id;
    r = host_fd >= 0 ? listener_donate(id, host_fd, STUB_DONATION_FD) : listener_reply(id, STUB_DO_OPS);
    if (r && r != -ENOENT)
        return r;
    t->trap.hypercall_id = 0;
    t->trap.stage = then == THEN_RETURN ? STAGE_GUEST : STAGE_STUB;
    return 0;
}

int stub_map(struct task *t, int host_fd)
{
    mask_leave_stub(t);
    int r = listener_donate(t->trap.hypercall_id, host_fd, STUB_DONATION_FD);
    if (r && r != -ENOENT)
        return r;
    t->trap.hypercall_id = 0;
    t->trap.stage = STAGE_GUEST;
    return 0;
}

int64_t order_begin(struct call *call, struct stub_order *o)
{
    struct task *t = call->task;
    if (t->trap.order) {
        o->ops->drop(o);
        return -LX_EAGAIN;
    }
    t->trap.order = o;
    if (call->trapped) { // its thread sits in the stub already
        t->trap.fixup = true;
        t->trap.fixup_ip = call->ip;
        t->trap.fixup_result = 0;
        t->trap.fixup_nr = call->nr;
        call->id = 0;
        o->ops->start(o);
        return -LX_ENOREPLY;
    }
    trap_kick(t);
    if (!t->trap.kick_sent) { // the thread is gone
        order_end(t);
        return -LX_ENOREPLY;
    }
    t->trap.fixup = true;
    t->trap.fixup_ip = call->ip;
    t->trap.fixup_result = 0;
    t->trap.fixup_nr = call->nr;
    t->trap.hypercall_due = true;
    uint64_t id = call->id;
    call->id = 0;
    (void)listener_reply(id, 0); // a caller that is gone makes no hypercall; its end is seen elsewhere
    return -LX_ENOREPLY;
}

void order_end(struct task *t)
{
    struct stub_order *o = t->trap.order;
    t->trap.order = NULL;
    if (o)
        o->ops->drop(o);
}

// A native futex wait without a time that the kick has interrupted stands before its call again, as the host restarts it for the
// stub's handler. For a guest's handler without SA_RESTART it ends.
static void end_native_wait(struct task *t, struct frame_regs *regs, const struct lx_sigaction *action)
{
    uint8_t code[2];
    if (!action || action->flags & LX_SA_RESTART || !t->trap.by_kick ||
        (regs->rax != SYS_futex && regs->rax != SYS_futex_waitv) ||
        task_copy_in(t, code, regs->rip, sizeof(code)) || code[0] != 0x0f || code[1] != 0x05 ||
        frame_load(t, regs))
        return;
    // RCX tells a call that was entered from one that is yet to come.
    const uint64_t *w = regs->context;
    int op = (int)w[FRAME_RSI] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    bool wait =
        regs->rax == SYS_futex_waitv || ((op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) && !w[FRAME_R10]);
    if (!wait || (w[FRAME_RCX] != regs->rip + 2 && w[FRAME_RCX] != regs->rip))
        return;
    regs->rip += 2;
    regs->rax = (uint64_t)-LX_EINTR;
    regs->dirty = true;
}

// Decides what an interrupted call comes to now that it is known whether a handler runs (arch/x86/kernel/signal.c).
static void resolve_restart(struct task *t, struct frame_regs *regs, const struct lx_sigaction *action)
{
    struct trap_state *trap = &t->trap;
    if (!trap->fixup) {
        end_native_wait(t, regs, action);
        return;
    }
    trap->fixup = false;
    int64_t r = trap->fixup_result;
    bool again = false;
    uint64_t nr = trap->fixup_nr;
    switch (r) {
    case -LX_ERESTARTSYS:
        again = !action || (action->flags & LX_SA_RESTART);
        break;
    case -LX_ERESTARTNOINTR:
        again = true;
        break;
    case -LX_ERESTARTNOHAND:
        again = !action;
        break;
    case -LX_ERESTART_RESTARTBLOCK:
        again = !action;
        if (again)
            nr = SYS_restart_syscall;
        break;
    default:
        regs->rip = trap->fixup_ip;
        regs->rax = (uint64_t)r;
        regs->dirty = regs->dirty || trap->rip != regs->rip || trap->rax != regs->rax;
        return;
    }
    regs->rip = again ? trap->fixup_ip - 2 : trap->fixup_ip;
    regs->rax = again ? nr : (uint64_t)-LX_EINTR;
    regs->dirty = true;
}

bool native_may_wait(uint32_t nr, const uint64_t args[6])
{
    if (nr == SYS_futex_waitv)
        return true;
    if (nr != SYS_futex)
        return false;
    switch ((uint32_t)args[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAKE:
    case FUTEX_WAKE_OP:
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_UNLOCK_PI:
        return false;
    default:
        return true;
    }
}

void hypercall_show_result(struct task *t, struct frame_regs *regs)
{
    struct trap_state *trap = &t->trap;
    if (!trap->fixup)
        return;
    regs->rip = trap->fixup_ip;
    regs->rax = (uint64_t)trap->fixup_result;
    regs->dirty = true;
}

// A kick that delivers no handler must not show. It interrupts a timed futex wait, the one native call that sleeps, with
// EINTR: an absolute wait is entered again, a relative one ends as a spurious wake-up.
static void hide_interruption(struct task *t, struct frame_regs *regs)
{
    struct trap_state *trap = &t->trap;
    uint8_t code[2];
    if (trap->fixup || regs->rax != (uint64_t)-LX_EINTR || regs->rip < 2 ||
        task_copy_in(t, code, regs->rip - 2, sizeof(code)) || code[0] != 0x0f || code[1] != 0x05 ||
        frame_load(t, regs))
        return;
    int op = (int)regs->context[FRAME_RSI] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if (op == FUTEX_WAIT) {
        regs->rax = 0;
    } else if (op == FUTEX_WAIT_BITSET || op == FUTEX_WAIT_REQUEUE_PI || op == FUTEX_LOCK_PI) {
        regs->rax = SYS_futex;
        regs->rip -= 2;
    } else {
        return;
    }
    regs->dirty = true;
}

static void return_or_order(struct task *t)
{
    struct trap_state *trap = &t->trap;
    if (t->mm_gone)
        return; // another thread's exec ends this one on the host: it takes no signal along
    if (!trap->sigreturn && !trap_know_registers(t)) {
        violation(t, "its context is gone");
        return;
    }
    struct frame_regs regs = {.rip = trap->rip, .rax = trap->rax, .rsp = trap->rsp};
    if (traced_step_off(t, &regs)) {
        violation(t, "its context is gone");
        return;
    }
    if (trap->order) {
        // A host that dropped the reply rewound the call (kernels before mid-2025): the stub must return behind it.
        if (trap->fixup && trap->rip != trap->fixup_ip) {
            regs.rip = trap->fixup_ip;
            regs.dirty = true;
        }
        if (regs.dirty && frame_write_regs(t, &regs)) {
            violation(t, "its context is gone");
            return;
        }
        trap->order->ops->start(trap->order);
        return;
    }
    bool seen = trap->sigreturn; // the guest takes part in this interruption, or took part in that one
    if (trap->sigreturn) {
        trap->sigreturn = false;
        trap->fixup = false;
        if (frame_restore(t, &regs)) {
            struct lx_siginfo info = {.signo = SIGSEGV, .code = LX_SI_KERNEL};
            force_signal(t, &info);
        }
    }
    if (t->vfork_held && !t->ptrace) {
        traced_park(t, &regs);
        return;
    }
    if (t->ptrace && traced_before_signals(t, &regs))
        return;
    for (;;) {
        struct lx_siginfo info;
        struct lx_sigaction action;
        int sig = dequeue_for_delivery(t, &info, &action);
        if (t->exiting || t->tg->group_exit)
            return; // the host kills the thread inside the hypercall
        if (t->stopped) {
            // Keep what has been decided so far; goes on in hypercall_resume().
            if (regs.dirty && frame_write_regs(t, &regs)) {
                violation(t, "its context is gone");
                return;
            }
            trap->rip = regs.rip, trap->rax = regs.rax, trap->rsp = regs.rsp;
            trap->parked = true;
            return;
        }
        if (ptrace_stopped(t)) {
            hypercall_show_result(t, &regs);
            traced_park(t, &regs);
            return;
        }
        if (!sig)
            break;
        resolve_restart(t, &regs, &action);
        seen = true;
        if (frame_deliver(t, sig, &info, &action, &regs)) {
            struct lx_siginfo fault = {.signo = SIGSEGV, .code = LX_SI_KERNEL};
            if (sig == SIGSEGV)
                t->sighand->action[SIGSEGV - 1].handler = 0; // as force_sigsegv()
            force_signal(t, &fault);
        } else if (traced_handler_built(t, &regs)) {
            return;
        }
    }
    if (!seen && trap->by_kick)
        hide_interruption(t, &regs);
    resolve_restart(t, &regs, NULL);
    if (t->restore_mask) {
        restore_saved_mask(t);
        if (signal_pending(t)) {
            if (regs.dirty && frame_write_regs(t, &regs)) {
                violation(t, "its context is gone");
                return;
            }
            trap->rip = regs.rip, trap->rax = regs.rax, trap->rsp = regs.rsp;
            return_or_order(t);
            return;
        }
    }
    if (traced_step_on(t, &regs) || (regs.dirty && frame_write_regs(t, &regs))) {
        violation(t, "its context is gone");
        return;
    }
    hypercall_reply_return(t);
}

void hypercall_return(struct task *t)
{
    task_get(t); // a signal may end it, and its parent may not wait for it
    return_or_order(t);
    task_put(t);
}

void hypercall_return_after_ops(struct task *t)
{
    struct trap_state *trap = &t->trap;
    trap->fixup = false; // the stub has put the result where it belongs
    if (t->ptrace)
        t->ptrace->call_over = true;
    if (!ptrace_work_pending(t) && !t->vfork_held && !signal_work(t) && !t->stopped && !t->restore_mask &&
        !trap->trace) {
        hypercall_reply_return(t);
        return;
    }
    trap->regs_known = false;
    if (!trap_know_registers(t)) {
        violation(t, "its context is gone");
        return;
    }
    trap_trace_result(t, (int64_t)trap->rax);
    hypercall_return(t);
}

void hypercall_resume(struct task *t)
{
    t->trap.parked = false;
    hypercall_return(t);
}

// Turns the host's siginfo of a fault into the guest's signal.
static void fault_signal(struct task *t, int signo)
{
    struct lx_siginfo info;
    if (task_copy_in(t, &info, t->trap.ucontext + FRAME_CONTEXT_SIZE, sizeof(info)) || info.signo != signo) {
        memset(&info, 0, sizeof(info));
        info.signo = signo;
        info.code = LX_SI_KERNEL;
    }
    if (signo == SIGTRAP && info.code == LX_TRAP_TRACE && t->trap.stepping && !traced_step_over(t, &info))
        return;
    force_signal(t, &info);
}

static void on_signal(struct task *t, const struct trap_notif *n)
{
    struct trap_state *trap = &t->trap;
    int signo = (int)n->args[1];
    if (trap->stage == STAGE_STUB) {
        // A fault inside ordered operations: only a guest that spoils its own stub or a wild program header gets here.
        violation(t, "a fault inside the stub");
        return;
    }
    trap->stage = STAGE_STUB;
    trap->hypercall_id = n->id;
    trap->ucontext = n->args[0];
    trap_tell_registers(t, n->args[2], n->args[3], n->args[4]);
    trap->by_kick = signo == STUB_KICK_SIGNAL;
    mask_told(t, n->args[5]);
    if (trap->rip - STUB_NATIVE_CALL <= 2 && native_call_over(t, &signo)) {
        violation(t, "its context is gone");
        return;
    }
    traced_native_call(t);
    if (trap->by_kick) {
        trap->kick_sent = false;
        trap->hypercall_due = false;
        trap_trace_kick(t);
    } else if (signo == SIGSYS) { // of a nested sandbox: nothing but the filter raises it
        struct trap_notif made = {.id = n->id, .tid = n->tid, .nr = (uint32_t)trap->rax, .ip = trap->rip};
        if (frame_arguments(t, made.args))
            violation(t, "its context is gone");
        else
            call_trapped(t, &made);
        return;
    } else if (signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL ||
               signo == SIGTRAP) {
        fault_signal(t, signo);
    }
    hypercall_return(t);
}

static void on_trapped_call(struct task *t, const struct trap_notif *n)
{
    struct trap_state *trap = &t->trap;
    if (trap->stage == STAGE_STUB) {
        violation(t, "a trapped call inside the stub");
        return;
    }
    trap->stage = STAGE_STUB;
    trap->hypercall_id = n->id;
    trap->ucontext = area_address(trap->area) + STUB_HC_CALL_UCONTEXT(n->nr);
    trap->regs_known = false;
    trap->by_kick = false;
    mask_not_told(t);
    // Whoever watches the call wants to know where it is made.
    if ((t->ptrace || t->seccomp_mode || trap->stepping || trap_tracing) && !trap_know_registers(t)) {
        violation(t, "its context is gone");
        return;
    }
    traced_native_call(t);
    struct trap_notif made = *n;
    made.nr = STUB_HC_CALL_NR(n->nr);
    made.ip = trap->regs_known ? trap->rip : 0; // 0: in the registers (trap_know_registers)
    call_trapped(t, &made);
}

void hypercall_entry(struct task *t, const struct trap_notif *n)
{
    if (n->nr ==
        STUB_HC_BOOT) { // with the leader's number: the leader may be gone, or in a call, when another thread did this
        exec_boot_hello(t, n);
        return;
    }
    // A call that the host took back (interrupted before we answered) is over when its thread is here.
    if (t && t->call.phase == CALL_RUNNING) {
        violation(t, "a hypercall inside a call");
        return;
    }
    if (t && t->call.phase != CALL_IDLE) {
        call_abandon(&t->call);
        if (t->ptrace && t->ptrace->in_call) { // it makes the call again, without another entry stop
            t->ptrace->entered = true;
            t->ptrace->call_ip = t->call.ip;
        }
    }
    switch (n->nr) {
    case STUB_HC_ZYGOTE:
        if (!zygote_call(n))
            kill_unknown(n->tid);
        return;
    case STUB_HC_CHILD:
        if (t)
            violation(t, "a second first hypercall");
        else
            clone_child_hello(n);
        return;
    }
    if (!t && zygote_call(n))
        return;
    if (!t) {
        kill_unknown(n->tid);
        return;
    }
    struct trap_state *trap = &t->trap;
    if (n->nr >= STUB_HC_CALL) {
        on_trapped_call(t, n);
        return;
    }
    switch (n->nr) {
    case STUB_HC_SIGNAL:
        on_signal(t, n);
        return;
    case STUB_HC_DONE:
        if (clone_failed(t, n))
            return;
        if (trap->stage == STAGE_GUEST && !trap->order && trap->booted) {
            // The last operations of an exec failed: as Linux does when loading fails after the old program is gone.
            group_exit(t->tg, SIGSEGV);
            return;
        }
        if (trap->stage != STAGE_STUB || !trap->order || trap->hypercall_id) {
            violation(t, "unexpected end of operations");
            return;
        }
        trap->hypercall_id = n->id;
        trap->order->ops->done(trap->order, (uint32_t)n->args[1], (int64_t)n->args[2]);
        return;
    default:
        violation(t, "unknown hypercall");
    }
}

void stub_native_call(struct task *t, const struct trap_notif *n)
{
    struct stub_order *o = t->trap.order;
    if (o && !t->trap.hypercall_id && o->ops->native && o->ops->native(o, n)) {
        int r = listener_continue(n->id);
        if (r && r != -ENOENT)
            log_warn("letting the stub's call run failed: %s", strerror(-r));
        return;
    }
    violation(t, "a call that was not ordered");
}
