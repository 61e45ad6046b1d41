#pragma once
// Descriptors that stand for a process (pidfd_open(2)). Kernel lock.
#include "sentry/vfs/file.h"

struct thread_group;

// A new file for `tg` (takes its own reference). `flags`: LX_O_NONBLOCK or 0. NULL: no memory.
struct file *pidfd_file(struct thread_group *tg, uint32_t flags);
// The process behind a pidfd, borrowed from the file; NULL when `f` is something else.
struct thread_group *pidfd_group(struct file *f);
