#pragma once
// A host terminal behind standard streams, as a struct tty. Kernel lock.
#include "sentry/fs/hostfile/stream.h"
#include "sentry/tty/tty.h"

// The terminal with this st_rdev on the host, made on first use. `fd` (taken over) serves as its reading and/or writing side
// where it has none yet. A reference, or NULL when out of memory or when the event loop refuses it.
struct tty *host_tty_open(int fd, uint64_t host_rdev, bool readable, bool writable);
