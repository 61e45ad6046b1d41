// pipe(2), pipe2(2).
#include "abi/linux/fcntl.h"
#include "sentry/fs/pipefs/pipe.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"

static int64_t make_pipe(gaddr_t user, uint32_t flags)
{
    if (flags & ~(LX_O_CLOEXEC | LX_O_NONBLOCK | LX_O_DIRECT))
        return -LX_EINVAL;
    struct file *files[2];
    int err = pipe_create(files, flags);
    if (err)
        return err;
    int32_t fds[2];
    bool cloexec = flags & LX_O_CLOEXEC;
    fds[0] = fd_install(current->files, files[0], 0, cloexec);
    if (fds[0] < 0) {
        file_put(files[0]);
        file_put(files[1]);
        return fds[0];
    }
    fds[1] = fd_install(current->files, files[1], 0, cloexec);
    if (fds[1] < 0) {
        file_put(files[1]);
        fd_close(current->files, fds[0]);
        return fds[1];
    }
    if (copy_out(user, fds, sizeof(fds))) {
        fd_close(current->files, fds[0]);
        fd_close(current->files, fds[1]);
        return -LX_EFAULT;
    }
    return 0;
}

int64_t sys_pipe(struct call *c)
{
    return make_pipe(c->args[0], 0);
}

int64_t sys_pipe2(struct call *c)
{
    return make_pipe(c->args[0], arg_uint(c, 1));
}
