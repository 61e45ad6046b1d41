#pragma once
// Hypercalls: what the stub asks, and the operations that we order. Internal to sentry/trap. Kernel lock.
#include "abi/stub/layout.h"
#include "sentry/trap/trap.h"

extern bool trap_tracing;  // set at boot; handlers see every call and times are kept
extern bool trap_killable; // WAIT_KILLABLE_RECV: a received call is not given up for a signal. Set at boot
extern bool trap_natives_notified; // the guests' filter has no native rows. Set at boot

// Work that needs the stub of one thread, in one or more rounds of operations.
struct stub_order {
    const struct stub_order_ops *ops;
    struct task *task; // referenced
};
struct stub_order_ops {
    const char *name;
    // The hypercall is open: order operations with stub_order_ops(), or end with hypercall_return() / violation().
    void (*start)(struct stub_order *o);
    // The operations ended: `index` of the failing one (or their count) and the last result. The guest's word.
    void (*done)(struct stub_order *o, uint32_t index, int64_t result);
    // A notified native call of the stub: true when it is the one ordered, to be run by the host.
    bool (*native)(struct stub_order *o, const struct trap_notif *n);
    // A fault inside the operations; true when handled.
    void (*drop)(struct stub_order *o); // frees; the thread may be gone
};

// `t` may be NULL: unknown thread.
void hypercall_entry(struct task *t, const struct trap_notif *n);
// A notified call that the stub makes while it runs our operations.
void stub_native_call(struct task *t, const struct trap_notif *n);
// Hands the order to t and calls it into the stub: kick first, then the reply. The running call is answered with 0.
int64_t order_begin(struct call *call, struct stub_order *o);
// What follows the operations.
enum stub_then {
    THEN_REPORT, // STUB_HC_DONE
    THEN_RETURN, // back to guest code; STUB_HC_DONE only after a failure
    THEN_CALL, // the same, and one of them is a notified call: until it comes the thread is not in guest code
};
// Answers the open hypercall with operations, and with a descriptor at STUB_DONATION_FD when host_fd is not negative.
// 0 or -LX_E...; then the hypercall is still open.
int stub_do(struct task *t, const struct stub_op *ops, unsigned count, int host_fd, enum stub_then then);
// Answers the open hypercall of a trapped mmap: the stub makes that very call with this descriptor. 0 or -LX_E...
int stub_map(struct task *t, int host_fd);
// A call that the guests' filter turned into a signal, told by the stub in the hypercall that is open (dispatch.c). n.ip is 0 where the
// registers are not read yet.
void call_trapped(struct task *t, const struct trap_notif *n);
// Answers the open hypercall: back to guest code.
void hypercall_reply_return(struct task *t);
// The order is over: frees it.
void order_end(struct task *t);
// On the way back to guest code: signals, stops, fix-ups; then the reply. The hypercall must be open.
void hypercall_return(struct task *t);
// The same after operations that set the result in the context: its words are read again before a signal is delivered.
void hypercall_return_after_ops(struct task *t);
// Reserves the process's donation number for t: another thread's descriptor in it would be replaced. False: t's order starts
// again when it is free.
bool donation_take(struct task *t);
// Frees the process's donation number if t has it, and lets the next thread go on.
void donation_release(struct task *t);
// Puts the outcome of a call that is still to be decided on into the registers, for a tracer.
struct frame_regs;
void hypercall_show_result(struct task *t, struct frame_regs *regs);
// Goes on after a stop.
void hypercall_resume(struct task *t);
// The guest broke the protocol: its process is killed, and its tasks end once it is dead. An open hypercall stays open.
void violation(struct task *t, const char *what);
// Ends the process of a thread that no task stands for.
void kill_unknown(int host_tid);
// The exit of a child that we sent away. True when it was.
bool doomed_call(const struct trap_notif *n);
// Calls of the zygote. True when it was the zygote's.
bool zygote_call(const struct trap_notif *n);
void clone_init(void); // at boot
// Is t back in guest code with a child that has not said hello? Its next call waits: the guest could name the child.
bool clone_pending(const struct task *t);
// Is t in a clone whose child is registered (a vfork parent waits natively for as long as it takes)?
bool clone_child_known(const struct task *t);
int64_t clone_wait_child(struct call *call); // what its handler returns
// The operations' report of a clone that the host refused. True when it was.
bool clone_failed(struct task *t, const struct trap_notif *n);
void clone_parent_gone(const struct task *t);
// The child of a clone or launch in progress says hello.
void clone_child_hello(const struct trap_notif *n);
// The fresh image after an ordered exec says hello. `t` is the task with that host thread number before.
void exec_boot_hello(struct task *t, const struct trap_notif *n);
// May the host's run of this native call wait? A kick would end the wait early.
bool native_may_wait(uint32_t nr, const uint64_t args[6]);
static inline gaddr_t area_address(unsigned index)
{
    return STUB_AREAS_START + (gaddr_t)index * STUB_AREA_SIZE;
}
