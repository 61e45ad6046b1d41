#pragma once
// Queues of pending signals; internal to signal/.
#include "sentry/task/task.h"

// Takes the first entry of `sig` off the queue into *info, or makes one up if only the bit was set. Clears the bit when no
// other entry is left.
void collect_signal(struct sigpending *p, int sig, struct lx_siginfo *info);
// The signal of `set` to take first: faults before others, then the lowest number (next_signal).
int next_signal(const struct sigpending *p, sigset64 set);
// Drops every pending signal of `set`.
void flush_signals(struct sigpending *p, sigset64 set);
// A new entry counted for the user of `t`; NULL when RLIMIT_SIGPENDING (unless `override`) or memory forbids it.
struct sigqueue *sigqueue_alloc(const struct task *t, bool override);
void sigqueue_release(struct sigqueue *q);
