#pragma once
// One system call, free of how it reached us, and the table that dispatches it.
#include "sentry/core/list.h"
#include "sentry/core/timer.h"
#include "sentry/core/wait.h"
#include "sentry/mm/uaccess.h"
#include "sentry/vfs/held.h"
#include <stdbool.h>
#include <stdint.h>
#include "abi/linux/errno.h"

struct task;
#define CALL_STATE_BYTES 96

enum call_phase { CALL_IDLE, CALL_RUNNING, CALL_BLOCKED, CALL_RUNNABLE };

// All fields: kernel lock, and only the worker that runs the call changes them while CALL_RUNNING.
struct call {
    struct task *task;
    uint32_t nr;
    uint64_t args[6];
    uint64_t ip;  // guest address after the syscall instruction
    uint64_t id;  // transport's handle (notification id)
    bool trapped; // came through the stub: answered by what the thread goes on with, not by a reply
    enum call_phase phase;
    bool first;          // first run of the handler for this call
    bool timed_out;      // the deadline of the last block passed
    bool restarted;      // entered through restart_syscall or a restart
    uint64_t started_ns; // CLOCK_MONOTONIC, kept with --strace and for `debug --stacks`
    // What the call returns when a signal interrupts the wait; set to -LX_ERESTARTSYS before each call. A handler with
    // progress sets a byte count; sleep-like calls -LX_ERESTART_RESTARTBLOCK or -LX_EINTR.
    int64_t interrupted;
    uint64_t deadline_ns; // of the present block, KTIMER_NEVER if none
    struct ktimer timer;
    struct waiter *waiters; // registrations of the present block
    unsigned nr_waiters, max_waiters;
    struct waiter inline_waiters[4];
    struct held_files held; // what it keeps open while it waits
    // The handler's own memory between runs, zeroed before the first. `release` (if set) runs once when the call ends.
    union {
        uint8_t bytes[CALL_STATE_BYTES];
        uint64_t words[CALL_STATE_BYTES / 8];
        void *ptrs[CALL_STATE_BYTES / 8];
    } state;
    void (*release)(struct call *c);
    struct list_head run_link; // in the run queue
};

// Typed view of the handler's state.
#define call_state(call, type)                                                    \
    ({                                                                            \
        _Static_assert(sizeof(type) <= CALL_STATE_BYTES, "call state too large"); \
        (type *)(void *)(call)->state.bytes;                                      \
    })

typedef int64_t (*syscall_handler)(struct call *call);

enum syscall_path {
    PATH_EMULATED, // the Sentry's handler decides
    PATH_NATIVE,   // the filter lets the host run it after register checks; the handler gets the rest
    PATH_CONTINUE, // notified, vetted by the handler, then run by the host
    PATH_REFUSED,  // answered by the guest filter itself
};

struct syscall_row {
    const char *name;        // NULL: no such call
    syscall_handler handler; // NULL: ENOSYS
    enum syscall_path path;
    // Native rows: may the host run the call with these registers? Under --strace the filter has no native rows, and
    // what passes here is answered CONTINUE. NULL for other rows.
    bool (*native)(const uint64_t args[6]);
};
extern const struct syscall_row syscall_table[];
extern const unsigned syscall_table_size;

// A handler of a continue row returns this after vetting registers only: the host runs the call.
#define CALL_CONTINUE (-(int64_t)LX_ECONTINUE)

// --- blocking (sentry/core/wait.c). Kernel lock.
// Removes every registration of the call and its timer. Anybody who ends a wait (a signal, an exit) calls it.
void call_unblock(struct call *c);
// The same, and frees what the call holds for waiting. Before the task's memory goes.
void call_wait_free(struct call *c);
// A wait of `c` is over and it has no registrations left: its handler is to run again (sentry/trap).
void call_make_runnable(struct call *c);

extern __thread struct task *current; // the task whose call this worker runs; NULL outside of calls

// 32-bit arguments arrive zero-extended: take them with these.
static inline int arg_int(const struct call *c, int i)
{
    return (int)(uint32_t)c->args[i];
}
static inline uint32_t arg_uint(const struct call *c, int i)
{
    return (uint32_t)c->args[i];
}
