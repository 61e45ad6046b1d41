#include "sentry/trap/traced.h"
#include "sentry/trap/hypercall.h"
#include "sentry/trap/seccomp.h"
#include "abi/linux/signal.h"
#include <string.h>
#include <sys/syscall.h>

#define EFLAGS_TF 0x100ull
#define DEBUG_STATUS_STEP 0x4000u
#define FRAME_EFLAGS 22 // word of struct ucontext

static int syscall_code(const struct ptrace *p)
{
    return LX_SIGTRAP | (p->options & LX_PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
}

// Takes the thread out of its call, which leaves `result`. False: the thread is gone.
static bool take_out(struct call *c, int64_t result)
{
    struct task *t = c->task;
    if (!c->trapped)
        trap_kick(t);
    if (!c->trapped && !t->trap.kick_sent)
        return false;
    t->trap.fixup = true;
    t->trap.fixup_ip = c->ip;
    t->trap.fixup_result = result;
    t->trap.fixup_nr = c->nr;
    uint64_t id = c->id;
    c->id = 0;
    if (c->trapped) { // the thread is in the stub already
        call_abandon(c);
        hypercall_return(t);
        return true;
    }
    t->trap.hypercall_due = true;
    (void)listener_reply(id, 0);
    return true;
}

static bool exit_stop(struct call *c, struct ptrace *p)
{
    if ((c->nr != SYS_exit && c->nr != SYS_exit_group) || !(p->options & LX_PTRACE_O_TRACEEXIT) ||
        p->exit_told)
        return false;
    p->exit_told = true;
    p->event = LX_PTRACE_EVENT_EXIT;
    p->event_message = (c->args[0] & 0xff) << 8;
    p->entered = true;
    p->call_ip = c->ip;
    return take_out(c, -LX_ERESTARTNOINTR);
}

static bool seccomp_stop(struct call *c, struct ptrace *p)
{
    if (p->seccomp_told || !(p->options & LX_PTRACE_O_TRACESECCOMP) || !seccomp_traces(c, &p->seccomp_data))
        return false;
    p->seccomp_due = true;
    return true;
}

bool traced_call_entry(struct call *c)
{
    struct ptrace *p = c->task->ptrace;
    bool entered = p->entered && p->call_ip == c->ip;
    p->entered = p->call_over = false;
    if (!entered)
        p->in_call = p->seccomp_told = false;
    p->entry_due = !entered && (p->mode == PTRACE_MODE_SYSCALL || ptrace_emulates(p));
    if (!p->entry_due && !seccomp_stop(c, p))
        return exit_stop(c, p);
    p->skips = p->entry_due && ptrace_emulates(p);
    p->nr = c->nr;
    memcpy(p->args, c->args, sizeof(p->args));
    return take_out(c, -LX_ENOSYS);
}

void traced_call_continues(struct call *c)
{
    struct task *t = c->task;
    struct ptrace *p = t->ptrace;
    if (!p || t->exiting || !p->in_call)
        return;
    if (c->nr == SYS_futex) { // a kick would end its wait
        p->in_call = false;
        return;
    }
    p->call_over = true;
    trap_kick(t); // the result is in the registers then
}

void traced_native_call(struct task *t)
{
    struct ptrace *p = t->ptrace;
    if (!p || !p->in_call || t->trap.rip != t->trap.native_ip - 2)
        return;
    p->call_over = false; // it has not been made yet, or is made again
    p->entered = true;
    p->call_ip = t->trap.native_ip;
}

// Puts the registers into the frame. False: the process is being killed for having none.
static bool save(struct task *t, struct frame_regs *regs)
{
    struct trap_state *trap = &t->trap;
    if (regs->dirty && frame_write_regs(t, regs)) {
        violation(t, "its context is gone");
        return false;
    }
    trap->rip = regs->rip, trap->rax = regs->rax, trap->rsp = regs->rsp;
    return true;
}

void traced_park(struct task *t, struct frame_regs *regs)
{
    struct ptrace *p = t->ptrace;
    if (!save(t, regs))
        return;
    t->trap.parked = true;
    if (p && (p->where == PTRACE_STOP_SIGNAL || p->where == PTRACE_STOP_GROUP))
        p->orig_rax = t->trap.fixup ? t->trap.fixup_nr : ~0ull;
}

// Back to the call that has had its entry stop, past any signal.
static void enter_again(struct task *t, struct frame_regs *regs)
{
    struct trap_state *trap = &t->trap;
    trap->fixup = false;
    regs->rip = trap->fixup_ip - 2;
    regs->rax = trap->fixup_nr;
    if (traced_step_on(t, regs) || (regs->dirty = true, frame_write_regs(t, regs)))
        violation(t, "its context is gone");
    else
        hypercall_reply_return(t);
}

// A breakpoint of the debug registers lies where the thread is to go on.
static void breakpoint_at(struct task *t, gaddr_t rip)
{
    struct ptrace *p = t->ptrace;
    struct lx_siginfo info = {.signo = LX_SIGTRAP, .code = LX_TRAP_HWBKPT};
    unsigned hits = ptrace_watch_ip(p, rip);
    if (!hits)
        return;
    info.u.fault.addr = rip;
    p->debug_status = hits;
    force_signal(t, &info);
}

bool traced_before_signals(struct task *t, struct frame_regs *regs)
{
    struct trap_state *trap = &t->trap;
    struct ptrace *p = t->ptrace;
    if (t->vfork_held && !p->event) {
        traced_park(t, regs);
        return true;
    }
    if ((p->mode == PTRACE_MODE_SYSCALL || ptrace_emulates(p)) && !trap->natives_trap && !p->natives_fail) {
        if (!save(t, regs) || !trap_natives(t))
            return true; // comes here again
        p->natives_fail = true;
    }
    if (p->entry_due || p->seccomp_due) {
        hypercall_show_result(t, regs);
        trap->fixup = false;
        p->orig_rax = p->nr;
        if (p->entry_due) {
            ptrace_stop(t, PTRACE_STOP_ENTRY, syscall_code(p), NULL);
        } else {
            p->message = p->seccomp_data;
            ptrace_stop(t, PTRACE_STOP_SECCOMP, LX_SIGTRAP | LX_PTRACE_EVENT_SECCOMP << 8, NULL);
        }
        p->entry_due = p->seccomp_due = false;
        traced_park(t, regs);
        return true;
    }
    if (p->event) {
        int event = p->event;
        p->event = 0;
        p->message = p->event_message;
        hypercall_show_result(t, regs);
        p->orig_rax = p->nr;
        ptrace_stop(t, PTRACE_STOP_EVENT, LX_SIGTRAP | event << 8, NULL);
        traced_park(t, regs);
        return true;
    }
    if (p->entered && trap->fixup && trap->fixup_result == -LX_ERESTARTNOINTR &&
        trap->fixup_ip == p->call_ip) {
        enter_again(t, regs);
        return true;
    }
    if (p->entered && !trap->fixup && trap->rip == p->call_ip - 2) { // kicked before it has made the call
        if (regs->dirty && frame_write_regs(t, regs))
            violation(t, "its context is gone");
        else
            hypercall_reply_return(t);
        return true;
    }
    if (!p->call_over)
        return false;
    p->call_over = false;
    if (p->in_call) {
        p->in_call = false;
        hypercall_show_result(t, regs);
        p->orig_rax = p->nr;
        ptrace_stop(t, PTRACE_STOP_EXIT, syscall_code(p), NULL);
        traced_park(t, regs);
        return true;
    }
    if (p->mode == PTRACE_MODE_STEP) {
        struct lx_siginfo info = {.signo = LX_SIGTRAP, .code = LX_TRAP_BRKPT};
        info.u.fault.addr = trap->fixup ? trap->fixup_ip : regs->rip;
        p->mode = PTRACE_MODE_CONT;
        force_signal(t, &info);
    } else {
        breakpoint_at(t, trap->fixup ? trap->fixup_ip : regs->rip);
    }
    return false;
}

bool traced_handler_built(struct task *t, struct frame_regs *regs)
{
    if (!t->ptrace)
        return false;
    if (!ptrace_steps(t->ptrace)) {
        breakpoint_at(t, regs->rip);
        return false;
    }
    t->ptrace->message = 0;
    ptrace_stop(t, PTRACE_STOP_EVENT, LX_SIGTRAP, NULL);
    traced_park(t, regs);
    return true;
}

bool traced_step_over(struct task *t, struct lx_siginfo *info)
{
    struct ptrace *p = t->ptrace;
    if (!p)
        return false; // the step of a tracer that is gone
    unsigned hits = ptrace_watches(p) ? ptrace_watch_end(t) : 0;
    if (!hits && !ptrace_steps(p))
        return false;
    p->debug_status = hits | (ptrace_steps(p) ? DEBUG_STATUS_STEP : 0);
    if (!ptrace_steps(p))
        info->code = LX_TRAP_HWBKPT;
    return true;
}

int traced_step_off(struct task *t, struct frame_regs *regs)
{
    if (!t->trap.stepping)
        return 0;
    t->trap.stepping = false;
    if (frame_load(t, regs))
        return -LX_EFAULT;
    regs->context[FRAME_EFLAGS] &= ~EFLAGS_TF;
    regs->dirty = true;
    return 0;
}

int traced_step_on(struct task *t, struct frame_regs *regs)
{
    if (!t->ptrace || (!ptrace_steps(t->ptrace) && !ptrace_watches(t->ptrace)))
        return 0;
    ptrace_watch_begin(t);
    if (frame_load(t, regs))
        return -LX_EFAULT;
    regs->context[FRAME_EFLAGS] |= EFLAGS_TF;
    regs->dirty = true;
    t->trap.stepping = true;
    return 0;
}
