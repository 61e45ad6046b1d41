// timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).
#include "abi/linux/capability.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "sentry/fs/timerfd/timerfd.h"
#include "sentry/ipc/poll.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"

int64_t sys_timerfd_create(struct call *c)
{
    int clock = arg_int(c, 0);
    uint32_t flags = arg_uint(c, 1);
    if (flags & ~(LX_O_NONBLOCK | LX_O_CLOEXEC))
        return -LX_EINVAL;
    bool alarm = clock == LX_CLOCK_REALTIME_ALARM || clock == LX_CLOCK_BOOTTIME_ALARM;
    if (!alarm && clock != LX_CLOCK_REALTIME && clock != LX_CLOCK_MONOTONIC && clock != LX_CLOCK_BOOTTIME)
        return -LX_EINVAL;
    if (alarm && !capable(LX_CAP_WAKE_ALARM))
        return -LX_EPERM;
    struct file *f = timerfd_file(clock, flags);
    if (!f)
        return -LX_ENOMEM;
    int fd = fd_install(current->files, f, 0, flags & LX_O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_timerfd_settime(struct call *c)
{
    int flags = arg_int(c, 1);
    struct lx_itimerspec value, old;
    if (get_user(value, c->args[2]))
        return -LX_EFAULT;
    if ((flags & ~(LX_TFD_TIMER_ABSTIME | LX_TFD_TIMER_CANCEL_ON_SET)) || timespec_ns(&value.value) < 0 ||
        timespec_ns(&value.interval) < 0)
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!is_timerfd(f))
        return -LX_EINVAL;
    int err = timerfd_set(f, flags, &value, &old);
    if (err)
        return err;
    return c->args[3] ? put_user(old, c->args[3]) : 0;
}

int64_t sys_timerfd_gettime(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!is_timerfd(f))
        return -LX_EINVAL;
    struct lx_itimerspec value;
    timerfd_get(f, &value);
    return put_user(value, c->args[1]);
}
