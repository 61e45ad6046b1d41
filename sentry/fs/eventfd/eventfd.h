#pragma once
// eventfd(2) files. Kernel lock.
#include "sentry/vfs/file.h"

// A new file with a counter. `flags`: LX_EFD_SEMAPHORE, LX_O_NONBLOCK. NULL: no memory.
struct file *eventfd_file(uint32_t count, uint32_t flags);
