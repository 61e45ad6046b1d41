#pragma once
// signalfd(2) files. Kernel lock.
#include "sentry/signal/signal.h"
#include "sentry/vfs/file.h"

// A new file that reads the signals of `mask`. `flags`: LX_O_NONBLOCK. NULL: no memory.
struct file *signalfd_file(sigset64 mask, uint32_t flags);
bool is_signalfd(struct file *f);
void signalfd_set_mask(struct file *f, sigset64 mask);
