#pragma once
// The socket by which `sentry debug` reaches a running sandbox: DIR/PID, where PID is the monitor's.
#include <stddef.h>
#include <sys/types.h>

// DIR: /run/sentry for root, $XDG_RUNTIME_DIR/sentry for others, private to the user. -ENOENT where there is
// none.
int debug_directory(char *path, size_t size);
// Makes the directory where necessary and listens there. The descriptor, or -errno; the sandbox can do
// without.
int debug_listen(void);
// Takes the name away again.
void debug_unlink(void);
// Accepts a client of the same user. The descriptor, or -errno.
int debug_accept(int listener);
// Connects to the sandbox of a monitor. A name that nobody listens on any more is removed. The descriptor, or
// -errno.
int debug_connect(pid_t pid);
