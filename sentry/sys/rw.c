// Reading, writing and seeking.
#include "sentry/sys/path.h"
#include <stdlib.h>

typedef int64_t (*move_fn)(struct file *f, struct iov_iter *it, int64_t *pos);

// At the file's own position, which the operation moves. The file is held: another thread may close it while the kernel lock is dropped.
static int64_t move_here(struct file *f, struct iov_iter *it, move_fn move)
{
    file_get(f);
    bool seekable = (f->mode & FMODE_SEEKABLE) && !(f->mode & FMODE_NO_POS);
    int64_t none = 0;
    int64_t n = move(f, it, seekable ? &f->pos : &none);
    file_put(f);
    return n;
}

static int64_t move_at(struct file *f, struct iov_iter *it, int64_t pos, move_fn move)
{
    if (pos < 0)
        return -LX_EINVAL;
    if (!(f->mode & FMODE_SEEKABLE))
        return -LX_ESPIPE;
    file_get(f);
    int64_t n = move(f, it, &pos);
    file_put(f);
    return n;
}

#define USER_END 0x7ffffffff000ull

// The checks of a single buffer, in the order of vfs_read() and vfs_write().
static int64_t check_buffer(const struct file *f, const struct call *c, move_fn move)
{
    uint64_t end;
    if (!(f->mode & (move == file_read ? FMODE_READ : FMODE_WRITE)))
        return -LX_EBADF;
    if (__builtin_add_overflow(c->args[1], c->args[2], &end) || end > USER_END)
        return -LX_EFAULT;
    return (int64_t)c->args[2] < 0 ? -LX_EINVAL : 0;
}

static int64_t one_buffer(struct call *c, move_fn move)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    int64_t err = check_buffer(f, c, move);
    if (err)
        return err;
    struct iov_iter it;
    iter_init_one(&it, c->args[1], c->args[2]);
    return move_here(f, &it, move);
}

int64_t sys_read(struct call *c)
{
    return one_buffer(c, file_read);
}

int64_t sys_write(struct call *c)
{
    return one_buffer(c, file_write);
}

static int64_t one_buffer_at(struct call *c, move_fn move)
{
    if ((int64_t)c->args[3] < 0)
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!(f->mode & FMODE_SEEKABLE))
        return -LX_ESPIPE;
    int64_t err = check_buffer(f, c, move);
    if (err)
        return err;
    struct iov_iter it;
    iter_init_one(&it, c->args[1], c->args[2]);
    return move_at(f, &it, (int64_t)c->args[3], move);
}

int64_t sys_pread64(struct call *c)
{
    return one_buffer_at(c, file_read);
}

int64_t sys_pwrite64(struct call *c)
{
    return one_buffer_at(c, file_write);
}

// The flags of preadv2 and pwritev2, put on the file for the length of one operation.
static int check_rwf(const struct file *f, uint32_t rwf, bool writing)
{
    if (rwf & ~(LX_RWF_HIPRI | LX_RWF_DSYNC | LX_RWF_SYNC | LX_RWF_NOWAIT | LX_RWF_APPEND))
        return -LX_EOPNOTSUPP;
    // Files that may have to ask the Gofer cannot promise not to wait; streams can.
    if ((rwf & LX_RWF_NOWAIT) && (f->mode & FMODE_SEEKABLE) && writing)
        return -LX_EOPNOTSUPP;
    return 0;
}

static int64_t vectors(struct call *c, int64_t pos, uint32_t rwf, move_fn move)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!(f->mode & (move == file_read ? FMODE_READ : FMODE_WRITE)))
        return -LX_EBADF;
    if (pos >= 0 && !(f->mode & FMODE_SEEKABLE))
        return -LX_ESPIPE;
    int err = check_rwf(f, rwf, move == file_write);
    if (err)
        return err;
    struct iov_iter it;
    struct guest_iov *storage;
    ssize_t total = iter_init_iovec(&it, c->args[1], arg_uint(c, 2), &storage);
    if (total < 0)
        return total;
    uint32_t extra = 0;
    if (rwf & LX_RWF_NOWAIT)
        extra |= LX_O_NONBLOCK;
    if (rwf & LX_RWF_APPEND)
        extra |= LX_O_APPEND;
    extra &= ~f->flags;
    f->flags |= extra;
    file_get(f);
    int64_t n = pos >= 0 ? move_at(f, &it, pos, move) : move_here(f, &it, move);
    f->flags &= ~extra;
    if (n > 0 && (rwf & (LX_RWF_DSYNC | LX_RWF_SYNC)) && f->ops->fsync)
        f->ops->fsync(f, !(rwf & LX_RWF_SYNC));
    file_put(f);
    free(storage);
    return n;
}

int64_t sys_readv(struct call *c)
{
    return vectors(c, -1, 0, file_read);
}

int64_t sys_writev(struct call *c)
{
    return vectors(c, -1, 0, file_write);
}

int64_t sys_preadv(struct call *c)
{
    return (int64_t)c->args[3] < 0 ? -LX_EINVAL : vectors(c, (int64_t)c->args[3], 0, file_read);
}

int64_t sys_pwritev(struct call *c)
{
    return (int64_t)c->args[3] < 0 ? -LX_EINVAL : vectors(c, (int64_t)c->args[3], 0, file_write);
}

int64_t sys_preadv2(struct call *c)
{
    int64_t pos = (int64_t)c->args[3];
    return pos < -1 ? -LX_EINVAL : vectors(c, pos, arg_uint(c, 5), file_read);
}

int64_t sys_pwritev2(struct call *c)
{
    int64_t pos = (int64_t)c->args[3];
    return pos < -1 ? -LX_EINVAL : vectors(c, pos, arg_uint(c, 5), file_write);
}

int64_t sys_lseek(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    uint32_t whence = arg_uint(c, 2);
    if (!f)
        return -LX_EBADF;
    if (whence > LX_SEEK_HOLE)
        return -LX_EINVAL;
    if (!f->ops || !f->ops->lseek)
        return -LX_ESPIPE;
    file_get(f);
    int64_t n = f->ops->lseek(f, (int64_t)c->args[1], (int)whence);
    file_put(f);
    return n;
}
