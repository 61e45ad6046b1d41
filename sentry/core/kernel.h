#pragma once
// The kernel lock and the worker pool behind it.
//
// One lock protects every object of the Sentry's kernel, as lwIP's core lock does for its stack: a handler
// runs from its start to its return under it. It is dropped only between kernel_blocking_begin() and
// kernel_blocking_end(), around host work that may take long; what was read before must be checked again
// after.
#include <stdbool.h>
#include <stdint.h>

void kernel_lock(void);
void kernel_unlock(void);
// True when the calling thread holds the kernel lock. For assertions at the head of functions.
bool kernel_locked(void);
void kernel_assert_locked(void);

// Brackets slow host work: drops the kernel lock, and lets another worker receive calls meanwhile.
// `current` stays the same afterwards. Must not be nested.
void kernel_blocking_begin(void);
void kernel_blocking_end(void);

// Starts the first workers. 0 or -errno. Called once, when everything that a call may need exists.
int kernel_workers_start(void);

// The event thread has made calls runnable: lets a worker run them, because a call may wait on the host, and
// with the event thread every timer and descriptor would wait too.
void kernel_run_woken(void);

// Pause (trap/pause.h): workers handle nothing that they receive, and run no woken call, until it is over. Kernel lock.
void kernel_pause(bool on);
bool kernel_paused(void);

// Ends the sandbox: logs the reason, kills every guest and exits (invariant 7). Never returns.
_Noreturn void kernel_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
