// Landlock (landlock(7)): everything that the kernel's version knows is handled; what is allowed is named
// here.
#pragma once

#include <stdint.h>

#include "gofer/host.h"

// The host's version, 0 when it has none.
int landlock_version(void);

// Restricts this process to the exports of `host` (may be NULL), and to reading below `readable` (may be -1);
// no port, no abstract socket, no signal to others. 0 or -errno.
int landlock_restrict(const struct host *host, int readable);
// The same without any file, but with every port: for gofer --net.
int landlock_restrict_files(void);
