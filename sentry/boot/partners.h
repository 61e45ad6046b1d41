#pragma once
// The kernel does not go on without the zygote (invariant 7). The end of either Gofer is seen by its client, that of the
// monitor by the control socket.
#include "sentry/boot/config.h"

// Watches it from the event thread. Kernel lock. 0 or -errno.
int partners_watch(const struct boot_fds *fds);
