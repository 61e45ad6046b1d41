#pragma once
// What a traced thread does at its calls and on its way back to guest code (sentry/ptrace/ptrace.h). Kernel lock.
#include "sentry/ptrace/ptrace.h"
#include "sentry/trap/trap.h"

// A call of a traced thread is about to run for the first time. True: it stops first, and makes the call again later.
bool traced_call_entry(struct call *c);
// The host is about to run it.
void traced_call_continues(struct call *c);
// A native call that may wait has been interrupted (native_call_over()).
void traced_native_call(struct task *t);
// The hypercall is open. True: the thread has stopped for its tracer or has gone on; nothing is left to do.
bool traced_before_signals(struct task *t, struct frame_regs *regs);
// A handler's frame has been built. True: it has stopped.
bool traced_handler_built(struct task *t, struct frame_regs *regs);
// The trap flag of ours has stopped it behind an instruction. False: its tracer does not hear of that.
bool traced_step_over(struct task *t, struct lx_siginfo *info);
// Keeps the hypercall open for a stop; ptrace_stop() was called.
void traced_park(struct task *t, struct frame_regs *regs);
// The trap flag of a context, off before anybody sees it and on for PTRACE_SINGLESTEP. 0 or -LX_EFAULT.
int traced_step_off(struct task *t, struct frame_regs *regs);
int traced_step_on(struct task *t, struct frame_regs *regs);
