// signalfd(2), signalfd4(2).
#include "abi/linux/fcntl.h"
#include "sentry/fs/signalfd/signalfd.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"

static int64_t do_signalfd(int fd, gaddr_t user_mask, uint64_t size, uint32_t flags)
{
    sigset64 mask;
    if (size != sizeof(mask))
        return -LX_EINVAL;
    if (get_user(mask, user_mask))
        return -LX_EFAULT;
    if (flags & ~(LX_O_NONBLOCK | LX_O_CLOEXEC))
        return -LX_EINVAL;
    if (fd != -1) {
        struct file *old = fd_lookup(current->files, fd);
        if (!old)
            return -LX_EBADF;
        if (!is_signalfd(old))
            return -LX_EINVAL;
        signalfd_set_mask(old, mask);
        return fd;
    }
    struct file *f = signalfd_file(mask, flags);
    if (!f)
        return -LX_ENOMEM;
    int number = fd_install(current->files, f, 0, flags & LX_O_CLOEXEC);
    if (number < 0)
        file_put(f);
    return number;
}

int64_t sys_signalfd(struct call *c)
{
    return do_signalfd(arg_int(c, 0), c->args[1], c->args[2], 0);
}

int64_t sys_signalfd4(struct call *c)
{
    return do_signalfd(arg_int(c, 0), c->args[1], c->args[2], arg_uint(c, 3));
}
