#pragma once
// The trap layer: how calls reach handlers, and how the Sentry makes a guest thread do something.
//
// All functions run under the kernel lock unless they say otherwise.
#include "sentry/trap/call.h"
#include "sentry/trap/listener.h"
#include "sentry/task/task.h"

struct exec_image;
struct boot_fds;
struct sentry_config;

// --- entry, for the worker pool (core/kernel.c) ---
void trap_receive(const struct trap_notif *n);
// Runs calls that were woken up and threads that go on after a stop, until none is left.
void trap_run_queue(void);
bool trap_queue_empty(void);

// --- calls (dispatch.c) ---
// Ends the running or blocked call with a result; restart codes are resolved here or at signal delivery.
void call_finish(struct call *c, int64_t result);
// Gives up the call without an answer: its thread is gone or about to be.
void call_abandon(struct call *c);
// Notification id of what t has open now (call or hypercall), 0 when none.
uint64_t trap_open_id(const struct task *t);
// --strace: where lines go (-1: nowhere), and the line of a call that is about to be answered.
void trace_init(int fd);
void trap_trace(struct call *c, int64_t result);
// The result of a call that was answered by an order to the stub (clone, execve, mmap of a file).
void trap_trace_result(struct task *t, int64_t result);
// A kick has arrived: where the host ran a traced call before it, the registers hold the result.
void trap_trace_kick(struct task *t);

// --- control of threads ---
// Sends the kick unless one is on its way or the thread sits in the stub.
void trap_kick(struct task *t);
// The same also while it sits in the stub, where the signal waits: it comes before the next instruction of the guest's.
void trap_kick_ahead(struct task *t);
// Reads RIP, RAX and RSP of the open hypercall into the trap state, and where a trapped call came from into the call, unless they
// are there. False: the guest has no such memory.
bool trap_know_registers(struct task *t);
void trap_tell_registers(struct task *t, uint64_t rip, uint64_t rax, uint64_t rsp); // that they are these

// What sys_clone found valid. Addresses are the guest's.
struct clone_request {
    uint64_t flags; // LX_CLONE_* without the exit signal
    int exit_signal;
    gaddr_t stack; // top of the child's stack, 0: the parent's
    gaddr_t parent_tid, child_tid, tls;
    gaddr_t pidfd; // where the virtual pidfd goes with CLONE_PIDFD (the handler writes it)
};
// The guest's parent/child relation and limits are checked: makes the thread or process. What it returns is what the
// handler returns. Blocks while another clone is under way.
int64_t trap_clone(struct call *call, const struct clone_request *req);
// Replaces the program. Takes over the image. Returns what the handler returns.
int64_t trap_exec(struct call *call, struct exec_image *image);
// Maps a file: `fd` is borrowed from `file`, which is kept. With file NULL and fd -1 maps anonymous memory. Returns what
// the handler returns.
int64_t trap_map(struct call *call, struct file *file, int fd, uint64_t addr, uint64_t len, int prot,
                 int flags, uint64_t offset);
// Who wants to know what a mapping came to. Owned by the order until one of the two is called.
struct map_then {
    // `result` is an address or -errno, the guest's word; what it returns is what the guest's call returns. Frees.
    int64_t (*done)(struct map_then *then, struct task *t, int64_t result);
    void (*drop)(struct map_then *then); // the thread is gone. Frees
};
// trap_map() from offset 0 that tells `then`, which it takes over also when it fails.
int64_t trap_map_then(struct call *call, struct file *file, int fd, uint64_t addr, uint64_t len, int prot,
                      int flags, struct map_then *then);
// munmap(2) by the stub: the guest's own memory, where the handler has looked first.
int64_t trap_unmap(struct call *call, uint64_t addr, uint64_t len);
// rt_sigreturn: the frame is restored inside a kick.
int64_t trap_sigreturn(struct call *call);
// Starts a first process (the container's, or an exec into it) through the zygote. The task has no thread yet.
// 0 or -errno. `t` is published when it registers; a failure ends it. Without an image it then waits for trap_begin_launched().
int trap_launch(struct task *t, struct exec_image *image);
// The program of a launched process that has registered and waits. Takes over the image; nothing happens where the process has ended.
void trap_begin_launched(struct task *t, struct exec_image *image);
// A launched task has registered, and is about to load its program, or (err below 0) could not be and is given up. Set by the
// boot code.
extern void (*launch_hook)(struct task *t, int err);
// Takes over the listener and sets the backend of guest copies. 0 or -errno. Once, at boot.
int trap_init(const struct sentry_config *config, const struct boot_fds *fds);
