// fsync and its relatives, and hints about files.
#include "sentry/sys/path.h"

static int64_t sync_file(struct call *c, bool datasync)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!f->ops || !f->ops->fsync)
        return -LX_EINVAL;
    file_get(f);
    int err = f->ops->fsync(f, datasync);
    file_put(f);
    return err;
}

int64_t sys_fsync(struct call *c)
{
    return sync_file(c, false);
}

int64_t sys_fdatasync(struct call *c)
{
    return sync_file(c, true);
}

// What a guest wrote through the Gofer is in the host's page cache already: the host writes it back in its own time.
int64_t sys_sync(struct call *c)
{
    return 0;
}

int64_t sys_syncfs(struct call *c)
{
    return fd_lookup(current->files, arg_int(c, 0)) ? 0 : -LX_EBADF;
}

int64_t sys_sync_file_range(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    int64_t offset = (int64_t)c->args[1], len = (int64_t)c->args[2], end;
    if (!f)
        return -LX_EBADF;
    if ((arg_uint(c, 3) & ~7u) || offset < 0 || len < 0 || __builtin_add_overflow(offset, len, &end))
        return -LX_EINVAL;
    uint32_t mode = f->inode->attr.mode;
    return LX_S_ISREG(mode) || LX_S_ISDIR(mode) || LX_S_ISLNK(mode) || LX_S_ISBLK(mode) ? 0 : -LX_ESPIPE;
}

int64_t sys_fadvise64(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (LX_S_ISFIFO(f->inode->attr.mode) || LX_S_ISSOCK(f->inode->attr.mode))
        return -LX_ESPIPE;
    return (int64_t)c->args[2] < 0 || arg_uint(c, 3) > 5 ? -LX_EINVAL : 0;
}

int64_t sys_readahead(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f || !(f->mode & FMODE_READ))
        return -LX_EBADF;
    return LX_S_ISREG(f->inode->attr.mode) ? 0 : -LX_EINVAL;
}
