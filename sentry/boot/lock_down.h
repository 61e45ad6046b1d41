#pragma once
// The Sentry's own filter: an allow-list (syscall-tables/sentry-filter.tbl). What it does not allow ends the
// Sentry, and the log names the call and its arguments.
#include <stdbool.h>

// Installs the handler that reports a violation. `log_fd` may be -1.
// `donated_sockets`: the broker of the network gives it some.
void lock_down_prepare(int log_fd, bool donated_sockets);
// Installs the filter on every thread. On failure the process ends.
void lock_down(void);
