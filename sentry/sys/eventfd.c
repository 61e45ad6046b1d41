// eventfd(2), eventfd2(2).
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "sentry/fs/eventfd/eventfd.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"

static int64_t make_eventfd(uint32_t count, uint32_t flags)
{
    if (flags & ~(LX_EFD_SEMAPHORE | LX_O_NONBLOCK | LX_O_CLOEXEC))
        return -LX_EINVAL;
    struct file *f = eventfd_file(count, flags);
    if (!f)
        return -LX_ENOMEM;
    int fd = fd_install(current->files, f, 0, flags & LX_O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_eventfd(struct call *c)
{
    return make_eventfd(arg_uint(c, 0), 0);
}

int64_t sys_eventfd2(struct call *c)
{
    return make_eventfd(arg_uint(c, 0), arg_uint(c, 1));
}
