#pragma once
// ptrace(2): who traces whom, the stops of a traced thread, and what its tracer may read and write meanwhile. Kernel lock.
//
// No host thread is traced. A stop is an open hypercall that is not answered: the thread sits in the stub with all registers in
// its signal frame. A call of a traced thread becomes two such stops: before it, the kick takes the thread out of the call with
// the result -ENOSYS and it enters the call again when its tracer says so; after it, the kick comes with the result.
#include "abi/linux/ptrace.h"
#include "sentry/signal/frame.h"
#include "sentry/task/task.h"

enum ptrace_mode {
    PTRACE_MODE_CONT,
    PTRACE_MODE_SYSCALL,
    PTRACE_MODE_STEP,
    PTRACE_MODE_EMULATE,      // PTRACE_SYSEMU: calls stop and are not made
    PTRACE_MODE_EMULATE_STEP, // PTRACE_SYSEMU_SINGLESTEP
};
enum ptrace_stop {
    PTRACE_STOP_SIGNAL,
    PTRACE_STOP_GROUP, // a group stop, or PTRACE_EVENT_STOP
    PTRACE_STOP_EVENT,
    PTRACE_STOP_ENTRY,
    PTRACE_STOP_SECCOMP, // PTRACE_EVENT_SECCOMP
    PTRACE_STOP_EXIT,
};

// What a tracer and its tracee share; owned by the tracee.
struct ptrace {
    struct task *tracee, *tracer; // tracer: referenced
    struct list_head link;        // in tracer->tracees
    uint32_t options;
    bool seized;
    enum ptrace_mode mode; // how the tracer let it go on

    bool stopped;           // in a stop
    bool reported;          // wait4 has told of it
    bool listening;         // PTRACE_LISTEN: stopped, and told of the end of the group stop
    enum ptrace_stop where; // of the present or last stop
    int code;               // signal | event << 8
    uint64_t message;       // PTRACE_GETEVENTMSG
    bool has_info;
    struct lx_siginfo info;
    int deliver;       // the signal that the tracer wants delivered after PTRACE_STOP_SIGNAL
    bool decide;       // `deliver` is to be acted on
    bool ignores_stop; // it was let go on from the present group stop

    int event; // due at the next return to guest code, 0 when none
    uint64_t event_message;
    uint64_t vfork_child; // of the last vfork event
    bool trap_stop;       // PTRACE_EVENT_STOP is due
    bool entry_due;       // the entry stop of `nr` is due
    bool skips;           // it is one of PTRACE_SYSEMU: the call is not made
    bool seccomp_due;     // PTRACE_EVENT_SECCOMP of `nr` is due
    bool seccomp_told;    // of the call that is made again
    uint32_t seccomp_data;
    bool entered;      // the next call at `call_ip` has had its entry stop
    bool in_call;      // its exit stop is due once it is over
    bool call_over;    // a call has just ended
    bool natives_fail; // the host takes no filter that makes its native calls stop
    bool exit_told;    // PTRACE_EVENT_EXIT has been told of
    int dies;          // wait status: ends with it after the present stop
    gaddr_t call_ip;   // after the call
    uint64_t nr;       // of the call of an entry or exit stop
    uint64_t args[6];
    uint64_t orig_rax;

    struct ptrace_order *order; // work for the tracer in the tracee's stub; the trap layer or we own it
    void (*forget_order)(struct ptrace_order *o);
    bool bases_known; // of the present stop
    uint64_t fs_base, gs_base;
    struct wait_queue wait; // the tracer's call that waits for the order

    uint64_t debug[4], debug_control; // debug registers (watch.c)
    uint64_t debug_status;            // as a difference to the value at reset
    uint64_t watched[4];              // what was at the addresses before the present step
};

// The end of a traced thread that its tracer has not waited for.
struct ptrace_end {
    struct list_head link; // in tracer->ended_tracees
    int tid;
    uint32_t uid;
    int status;
};

// --- ptrace.c
// `tracer` begins to trace t. 0, -LX_ENOMEM.
int ptrace_link(struct task *t, struct task *tracer, bool seized, uint32_t options);
// Ends it; a stopped thread goes on.
void ptrace_unlink(struct task *t);
// A thread ends: as a tracee, and as a tracer.
void ptrace_thread_exits(struct task *t);
// A child of t has been published and has not run: it is traced, too, if t's tracer asked for that or the flags say so.
void ptrace_child(struct task *t, struct task *child, uint64_t clone_flags, int exit_signal);
// The vfork child of t has memory of its own, or is gone: t, if it was held in the stub for that, goes on.
void ptrace_vfork_over(struct task *t);
// t has executed another program; it had this number before.
void ptrace_exec(struct task *t, int old_tid);
// The event a clone with these flags is, when the tracer asked for it; else 0.
int ptrace_clone_event(const struct task *t, uint64_t clone_flags, int exit_signal);
// Enters a stop and tells the tracer. The message of an event is the caller's to set before.
void ptrace_stop(struct task *t, enum ptrace_stop where, int code, const struct lx_siginfo *info);
// The tracer lets it go on.
void ptrace_resume(struct task *t, enum ptrace_mode mode, int sig);
// A signal has been taken off the queue: a stop for it. What the tracer decides comes out of ptrace_signal_decision().
void ptrace_signal_stop(struct task *t, const struct lx_siginfo *info);
// The signal to deliver after such a stop (*info rewritten as Linux does), 0 for none.
int ptrace_signal_decision(struct task *t, struct lx_siginfo *info);
// The stop of a traced thread in a stopped group.
void ptrace_group_stop(struct task *t);
// A fatal signal: true when PTRACE_EVENT_EXIT comes first.
bool ptrace_dies(struct task *t, int status);
// The group has been continued.
void ptrace_group_continued(struct thread_group *tg);
// Does something but a signal wait for t's return to guest code?
bool ptrace_work_pending(const struct task *t);
// May a set-id program give its rights to t, which is traced? (LSM_UNSAFE_PTRACE)
bool ptrace_limits_exec(const struct task *t);
// PTRACE_O_EXITKILL, or the process is to be told of nothing: the tid of the tracer, 0 for none.
int ptrace_tracer_tid(const struct task *t);

static inline bool ptrace_stopped(const struct task *t)
{
    return t->ptrace && t->ptrace->stopped;
}
static inline bool ptrace_steps(const struct ptrace *p)
{
    return p->mode == PTRACE_MODE_STEP || p->mode == PTRACE_MODE_EMULATE_STEP;
}
static inline bool ptrace_emulates(const struct ptrace *p)
{
    return p->mode == PTRACE_MODE_EMULATE || p->mode == PTRACE_MODE_EMULATE_STEP;
}

// --- regs.c: registers of a stopped tracee, in its frame. 0 or -LX_EFAULT, -LX_EIO.
int ptrace_get_regs(struct task *t, struct lx_user_regs *out); // without fs_base and gs_base
int ptrace_set_regs(struct task *t, const struct lx_user_regs *in);
// The extended state, in the layout of NT_X86_XSTATE. The number of bytes, or -LX_EIO.
int64_t ptrace_get_xstate(struct task *t, uint8_t *bytes, size_t size);
int64_t ptrace_set_xstate(struct task *t, const uint8_t *bytes, size_t size);

// --- watch.c: debug registers.
bool ptrace_watches(const struct ptrace *p); // is a breakpoint or watchpoint on?
uint64_t ptrace_get_debug(const struct ptrace *p, unsigned n);
int64_t ptrace_set_debug(struct ptrace *p, unsigned n, uint64_t word); // 0, -LX_EINVAL, -LX_EIO
// Before and after an instruction of t, whose registers trap.rip and its kind have: which registers have been hit, as bits.
void ptrace_watch_begin(struct task *t);
unsigned ptrace_watch_end(struct task *t);
unsigned ptrace_watch_ip(const struct ptrace *p, gaddr_t rip); // those of the instruction at rip

// --- order.c: what only the tracee itself can do. Called from the tracer's handler; -LX_EBLOCKED: hand it up, and call again
// with the same arguments when the handler runs again.
int64_t ptrace_read_bases(struct task *t); // fills fs_base and gs_base
int64_t ptrace_write_bases(struct task *t, uint64_t fs, uint64_t gs);
// Writes memory whatever its protection is, as long as it is private.
int64_t ptrace_write_memory(struct task *t, gaddr_t addr, const void *bytes, size_t n);
