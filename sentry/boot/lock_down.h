#pragma once
// The Sentry's own filter: an allow-list (syscall-tables/sentry-filter.tbl). What it does not allow ends the
// Sentry, and the log names the call and its arguments.
#include <stdbool.h>

// Installs the handler that reports a violation. `log_fd` may be -1.
void lock_down_prepare(int log_fd, bool network_host);
// Installs the filter on every thread. On failure the process ends.
void lock_down(void);
