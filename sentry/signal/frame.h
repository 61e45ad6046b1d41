#pragma once
// Signal frames: building one on the guest's stack and restoring one, inside an open hypercall.
// Follows arch/x86/kernel/signal_64.c and arch/x86/include/uapi/asm/sigcontext.h. Kernel lock.
#include "sentry/signal/signal.h"
#include <stdbool.h>

#define LX_SA_RESTART 0x10000000u
#define LX_SI_KERNEL 0x80

#define FRAME_CONTEXT_SIZE 304 // of struct ucontext; the siginfo follows it
#define FRAME_RAX_OFFSET 144   // of rax, rcx, rsp, rip in struct ucontext

struct task;

// Registers of the interrupted guest code. Only rip, rax and rsp are known from the hypercall itself; the rest is read from
// the context on demand.
struct frame_regs {
    uint64_t rip, rax, rsp;
    bool dirty;           // the context must be written before the return
    bool loaded;          // `context` holds all registers
    uint64_t context[38]; // struct ucontext of the kernel up to its signal mask, 304 bytes
};

// Builds the frame of handler `action` for `sig` and points the registers at it. 0 or -LX_EFAULT (stack is bad).
int frame_deliver(struct task *t, int sig, const struct lx_siginfo *info, const struct lx_sigaction *action,
                  struct frame_regs *regs);
// rt_sigreturn: takes registers, mask and alternate stack from the guest's frame at rsp - 8. 0 or -LX_EFAULT.
int frame_restore(struct task *t, struct frame_regs *regs);
// The six arguments of a system call in the context. 0 or -LX_EFAULT.
int frame_arguments(struct task *t, uint64_t args[6]);
// Reads all registers of the context. 0 or -LX_EFAULT.
int frame_load(struct task *t, struct frame_regs *regs);
// Words of struct ucontext that carry arguments.
#define FRAME_R8 5
#define FRAME_R9 6
#define FRAME_R10 7
#define FRAME_RDI 13
#define FRAME_RSI 14
#define FRAME_RDX 17
#define FRAME_RCX 19
// Writes rip, rax, rsp (and all when loaded) into the context. 0 or -LX_EFAULT.
int frame_write_regs(struct task *t, struct frame_regs *regs);
