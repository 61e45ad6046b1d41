#pragma once
// timerfd_create(2) files. Kernel lock.
#include "abi/linux/time.h"
#include "sentry/vfs/file.h"

// A new disarmed timer on a LX_CLOCK_*. `flags`: LX_O_NONBLOCK. NULL: no memory.
struct file *timerfd_file(int clock, uint32_t flags);
bool is_timerfd(struct file *f);
// Sets it (`flags`: LX_TFD_*), and tells what was set before. 0, -LX_EINVAL, -LX_ENOMEM.
int timerfd_set(struct file *f, int flags, const struct lx_itimerspec *value, struct lx_itimerspec *old);
void timerfd_get(struct file *f, struct lx_itimerspec *value);
