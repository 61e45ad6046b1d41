// Open files: life cycle, positions, and the checks that reading and writing share.
#include "abi/linux/signal.h"
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/fs/epoll/epoll.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/notify.h"
#include <stdlib.h>

// Open files of the whole sandbox; beyond it open gives ENFILE.
#define FILES_MAX (1u << 20)
static unsigned nr_files;

struct file *file_alloc(void)
{
    if (nr_files >= FILES_MAX)
        return NULL;
    struct file *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    nr_files++;
    f->refs = 1;
    list_init(&f->epoll_links);
    return f;
}

struct file *file_get(struct file *f)
{
    f->refs++;
    return f;
}

void file_is_writer(struct file *f)
{
    f->mode |= FMODE_WRITER;
    f->inode->write_count++;
    f->inode->sb->writers++;
    f->path.mnt->writers++;
}

void file_no_writer(struct file *f)
{
    f->mode &= ~FMODE_WRITER;
    f->inode->write_count--;
    f->inode->sb->writers--;
    f->path.mnt->writers--;
}

void file_put(struct file *f)
{
    if (!f || --f->refs > 0)
        return;
    if (f->epoll_items)
        epoll_file_closed(f);
    if (f->inode) {
        locks_release_file(f);
        if (f->mode & FMODE_OPENED)
            notify_file(f, f->mode & FMODE_WRITE ? LX_IN_CLOSE_WRITE : LX_IN_CLOSE_NOWRITE);
    }
    if (f->ops && f->ops->release)
        f->ops->release(f);
    if (f->mode & FMODE_WRITER)
        file_no_writer(f);
    if (f->mode & FMODE_RUNS)
        inode_allow_write(f->inode);
    path_put(&f->path);
    nr_files--;
    free(f);
}

int64_t file_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    if (!(f->mode & FMODE_READ))
        return -LX_EBADF;
    if (!f->ops || !f->ops->read)
        return f->inode && LX_S_ISDIR(f->inode->attr.mode) ? -LX_EISDIR : -LX_EINVAL;
    if (it->count > GUEST_RW_MAX)
        it->count = GUEST_RW_MAX;
    int64_t n = f->ops->read(f, it, pos);
    if (n > 0)
        notify_file(f, LX_IN_ACCESS);
    return n;
}

int64_t file_size_exceeded(void)
{
    struct lx_siginfo info;
    siginfo_from_current(&info, LX_SIGXFSZ, LX_SI_USER);
    send_signal_task(current, LX_SIGXFSZ, &info);
    return -LX_EFBIG;
}

// RLIMIT_FSIZE: a write that begins at the limit raises SIGXFSZ, one that crosses it is cut.
static int64_t limit_size(struct file *f, struct iov_iter *it, int64_t pos)
{
    uint64_t limit = current ? current->tg->rlim[1].cur : UINT64_MAX;
    if (limit == UINT64_MAX || !f->inode || !LX_S_ISREG(f->inode->attr.mode))
        return 0;
    uint64_t at = f->flags & LX_O_APPEND ? f->inode->attr.size : (uint64_t)pos;
    if (at >= limit)
        return file_size_exceeded();
    if (it->count > limit - at)
        it->count = limit - at;
    return 0;
}

int64_t file_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    if (!(f->mode & FMODE_WRITE))
        return -LX_EBADF;
    if (!f->ops || !f->ops->write)
        return -LX_EINVAL;
    if (it->count > GUEST_RW_MAX)
        it->count = GUEST_RW_MAX;
    if (it->count) {
        int64_t err = limit_size(f, it, *pos);
        if (err)
            return err;
        if ((f->mode & FMODE_SEEKABLE) && *pos > INT64_MAX - (int64_t)it->count)
            return -LX_EFBIG;
    }
    int64_t n = f->ops->write(f, it, pos);
    if (n > 0)
        notify_file(f, LX_IN_MODIFY);
    return n;
}

int64_t kernel_read(struct file *f, void *buf, size_t n, int64_t offset)
{
    size_t done = 0;
    while (done < n) {
        struct iov_iter it;
        iter_init_kernel(&it, (char *)buf + done, n - done);
        int64_t got = file_read(f, &it, &offset);
        if (got < 0)
            return done ? (int64_t)done : got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t kernel_write(struct file *f, const void *buf, size_t n)
{
    struct iov_iter it;
    int64_t offset = 0;
    iter_init_kernel(&it, (char *)(uintptr_t)buf, n);
    return file_write(f, &it, &offset);
}

int64_t generic_lseek_size(struct file *f, int64_t offset, int whence, int64_t size)
{
    int64_t to;
    switch (whence) {
    case LX_SEEK_SET:
        to = offset;
        break;
    case LX_SEEK_CUR:
        if (__builtin_add_overflow(f->pos, offset, &to))
            return -LX_EOVERFLOW;
        break;
    case LX_SEEK_END:
        if (__builtin_add_overflow(size, offset, &to))
            return -LX_EOVERFLOW;
        break;
    case LX_SEEK_DATA:
        if (offset < 0 || offset >= size)
            return -LX_ENXIO;
        to = offset;
        break;
    case LX_SEEK_HOLE:
        if (offset < 0 || offset >= size)
            return -LX_ENXIO;
        to = size;
        break;
    default:
        return -LX_EINVAL;
    }
    if (to < 0)
        return -LX_EINVAL;
    f->pos = to;
    return to;
}

int64_t generic_lseek(struct file *f, int64_t offset, int whence)
{
    struct kstat st;
    if (whence == LX_SEEK_END || whence == LX_SEEK_DATA || whence == LX_SEEK_HOLE) {
        int err = vfs_getattr(f->inode, &st);
        if (err)
            return err;
    }
    return generic_lseek_size(f, offset, whence, (int64_t)f->inode->attr.size);
}

int64_t dir_lseek(struct file *f, int64_t offset, int whence)
{
    if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR)
        return -LX_EINVAL;
    return generic_lseek_size(f, offset, whence, 0);
}
