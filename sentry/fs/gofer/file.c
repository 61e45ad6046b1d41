// Contents of regular files, through donated descriptors: first what the page cache has, without waiting and
// under the lock; what must wait for the host happens without it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sentry/fs/gofer/fs.h"

#define CHUNK (128u << 10)

// One buffer a thread, made when it first needs one.
static void *chunk_buffer(void)
{
    static __thread void *buffer;
    if (!buffer)
        buffer = malloc(CHUNK);
    return buffer;
}

static uint32_t access_of(const struct file *f)
{
    if ((f->mode & (FMODE_READ | FMODE_WRITE)) == (FMODE_READ | FMODE_WRITE))
        return LX_O_RDWR;
    return f->mode & FMODE_WRITE ? LX_O_WRONLY : LX_O_RDONLY;
}

int gofer_file_open(struct inode *inode, struct file *f)
{
    int fd;
    if (!LX_S_ISREG(inode->attr.mode))
        return 0;
    int err = gofer_handle(inode, access_of(f), false, &fd);
    if (!err)
        gofer_inode(inode)->opens++;
    return err;
}

static void file_release(struct file *f)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    node->opens--;
    if (f->priv)
        node->fd_pins--;
    if (!node->opens && node->orphan && node->fd_pins == 0)
        gofer_close_handles(node);
}

// Reading moves the access time on the host once in a while (relatime).
static void note_read(struct inode *inode)
{
    const struct kstat *attr = &inode->attr;
    if (!gofer_fs_of(inode)->read_only &&
        (attr->atime.sec <= attr->mtime.sec || attr->atime.sec <= attr->ctime.sec))
        gofer_inode(inode)->stale = true;
}

// Up to `size` bytes at `offset`; may drop the lock.
static ssize_t read_chunk(struct inode *inode, void *buffer, size_t size, int64_t offset)
{
    int fd;
    int err = gofer_handle(inode, LX_O_RDONLY, false, &fd);
    if (err)
        return err;
    struct gofer_inode *node = gofer_inode(inode);
    ssize_t got;
    if (gofer_connection_of(inode)->plain) {
        node->fd_pins++;
        got =
            GOFER_BLOCKING(gofer_read(gofer_client_of(inode), (uint32_t)fd, (uint64_t)offset, buffer, size));
        node->fd_pins--;
        return got;
    }
    struct iovec vector = {.iov_base = buffer, .iov_len = size};
    got = preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
    if (got >= 0 || (errno != EAGAIN && errno != EOPNOTSUPP))
        return got < 0 ? -errno : got;
    node->fd_pins++;
    got = GOFER_BLOCKING(({
        ssize_t done = pread(fd, buffer, size, offset);
        done < 0 ? -errno : done;
    }));
    node->fd_pins--;
    return got;
}

static int64_t file_read_op(struct file *f, struct iov_iter *it, int64_t *pos)
{
    int64_t total = 0;
    void *buffer = it->kernel ? NULL : chunk_buffer();
    if (!it->kernel && !buffer)
        return -LX_ENOMEM;
    // On a mount of our own the end is known, and need not be found by one more call.
    bool knows_end = !gofer_fs_of(f->inode)->shared && !gofer_inode(f->inode)->mapped;
    while (it->count) {
        size_t size = it->count < CHUNK ? it->count : CHUNK;
        void *to = buffer;
        if (it->kernel) {
            to = it->kernel;
            size = it->count;
        }
        ssize_t got = read_chunk(f->inode, to, size, *pos);
        if (got < 0 && !total)
            return got;
        if (got <= 0)
            break;
        if (it->kernel) {
            iter_advance(it, (size_t)got);
        } else {
            ssize_t copied = iter_copy_to(it, buffer, (size_t)got);
            if (copied < got) {
                total += copied > 0 ? copied : 0;
                *pos += copied > 0 ? copied : 0;
                return total ? total : copied;
            }
        }
        total += got;
        *pos += got;
        if (knows_end && (size_t)got < size && (uint64_t)*pos >= f->inode->attr.size)
            break;
    }
    note_read(f->inode);
    return total;
}

static ssize_t write_at(int fd, const void *buffer, size_t size, int64_t offset, int flags)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    ssize_t done = pwritev2(fd, &vector, 1, offset, flags);
    return done < 0 ? -errno : done;
}

// To a plain server, as many messages as it takes. Without the kernel lock.
static ssize_t write_messages(struct gofer_client *client, uint32_t fid, const unsigned char *buffer,
                              size_t size, int64_t offset, int flags)
{
    size_t done = 0;
    int64_t sent = 0;
    while (done < size) {
        sent = gofer_write(client, fid, (uint64_t)offset + done, buffer + done, size - done);
        if (sent <= 0)
            break;
        done += (size_t)sent;
    }
    if (done && (flags & (RWF_SYNC | RWF_DSYNC))) {
        int err = gofer_fsync(client, fid, !(flags & RWF_SYNC));
        if (err)
            return err;
    }
    return done ? (ssize_t)done : (ssize_t)sent;
}

// Writes one chunk; may drop the lock. The inode's lock is held, so that appends do not meet.
static ssize_t write_chunk(struct inode *inode, const void *buffer, size_t size, int64_t offset, int flags)
{
    struct gofer_fs *fs = gofer_fs_of(inode);
    struct gofer_inode *node = gofer_inode(inode);
    int fd;
    int err = gofer_handle(inode, LX_O_WRONLY, false, &fd);
    if (err)
        return err;
    if (fs->connection->plain) {
        node->fd_pins++;
        ssize_t sent = GOFER_BLOCKING(
            write_messages(&fs->connection->client, (uint32_t)fd, buffer, size, offset, flags));
        node->fd_pins--;
        return sent;
    }
    if (fs->nowait_writes && !flags) {
        ssize_t done = write_at(fd, buffer, size, offset, RWF_NOWAIT);
        if (done != -EAGAIN && done != -EOPNOTSUPP)
            return done;
        if (done == -EOPNOTSUPP)
            fs->nowait_writes = false;
    }
    node->fd_pins++;
    ssize_t done = GOFER_BLOCKING(write_at(fd, buffer, size, offset, flags));
    node->fd_pins--;
    return done;
}

// Where an append goes: the end as the host has it, which others may have moved on a shared mount.
static int append_position(struct inode *inode, int64_t *pos)
{
    int fd;
    int err = gofer_handle(inode, LX_O_WRONLY, false, &fd);
    if (err)
        return err;
    if (gofer_connection_of(inode)->plain) {
        gofer_inode(inode)->stale = true;
        err = gofer_getattr(inode);
        *pos = (int64_t)inode->attr.size;
        return err;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return -errno;
    *pos = end;
    return 0;
}

static int64_t file_write_op(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct inode *inode = f->inode;
    unsigned char *buffer = chunk_buffer();
    if (!buffer)
        return -LX_ENOMEM;
    if (!it->count)
        return 0; // before the position of an append is looked for
    int flags = (f->flags & LX_O_SYNC) == LX_O_SYNC ? RWF_SYNC : f->flags & LX_O_DSYNC ? RWF_DSYNC : 0;
    int64_t total = 0;
    ssize_t result = 0;
    vfs_mutex_lock(&inode->lock);
    if (f->flags & LX_O_APPEND) {
        result = append_position(inode, pos);
        if (gofer_fs_of(inode)->shared)
            flags |= RWF_APPEND;
    }
    while (it->count && result >= 0) {
        result = iter_copy_from(it, buffer, it->count < CHUNK ? it->count : CHUNK);
        if (result <= 0)
            break;
        size_t size = (size_t)result;
        result = write_chunk(inode, buffer, size, *pos, flags);
        if (result > 0) {
            total += result;
            *pos += result;
            if ((uint64_t)*pos > inode->attr.size)
                inode->attr.size = (uint64_t)*pos;
            gofer_inode(inode)->stale = true;
        }
        if (result < 0 || (size_t)result < size)
            break;
    }
    vfs_mutex_unlock(&inode->lock);
    return total ? total : result;
}

static int64_t seek_without_holes(struct file *f, int64_t offset, int whence)
{
    int err = gofer_getattr(f->inode);
    int64_t size = (int64_t)f->inode->attr.size;
    if (err)
        return err;
    if (offset < 0 || offset >= size)
        return -LX_ENXIO;
    return f->pos = whence == LX_SEEK_DATA ? offset : size;
}

static int64_t file_lseek(struct file *f, int64_t offset, int whence)
{
    if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE)
        return generic_lseek(f, offset, whence);
    if (gofer_connection_of(f->inode)->plain) // no holes that it would tell of
        return seek_without_holes(f, offset, whence);
    int fd;
    int err = gofer_handle(f->inode, f->mode & FMODE_READ ? LX_O_RDONLY : LX_O_WRONLY, false, &fd);
    if (err)
        return err;
    off_t to = lseek(fd, offset, whence == LX_SEEK_DATA ? SEEK_DATA : SEEK_HOLE);
    if (to < 0)
        return -errno;
    f->pos = to;
    return to;
}

static int file_fsync(struct file *f, bool datasync)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    int fd;
    int err = gofer_handle(f->inode, f->mode & FMODE_WRITE ? LX_O_WRONLY : LX_O_RDONLY, false, &fd);
    if (err)
        return err;
    node->fd_pins++;
    if (gofer_connection_of(f->inode)->plain)
        err = GOFER_BLOCKING(gofer_fsync(gofer_client_of(f->inode), (uint32_t)fd, datasync));
    else
        err = GOFER_BLOCKING((datasync ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0);
    node->fd_pins--;
    return err;
}

static int64_t file_fallocate(struct file *f, int mode, int64_t offset, int64_t length)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    if (gofer_connection_of(f->inode)->plain)
        return -LX_EOPNOTSUPP;
    int fd;
    int err = gofer_handle(f->inode, LX_O_WRONLY, false, &fd);
    if (err)
        return err;
    node->fd_pins++;
    err = GOFER_BLOCKING(fallocate(fd, mode, offset, length) < 0 ? -errno : 0);
    node->fd_pins--;
    node->stale = true;
    if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && (uint64_t)(offset + length) > f->inode->attr.size)
        f->inode->attr.size = (uint64_t)(offset + length);
    return err;
}

// A mapping gets a descriptor that allows just what the mapping may do: writing only where it is shared.
static int file_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    bool writes = (flags & 3) != 2 && (f->mode & FMODE_WRITE); // not MAP_PRIVATE
    if (gofer_connection_of(f->inode)->plain)
        return writes ? -LX_ENODEV : gofer_snapshot(f, offset, out);
    int fd;
    int err = gofer_handle(f->inode, writes ? LX_O_RDWR : LX_O_RDONLY, true, &fd);
    if (err)
        return err;
    if (!f->priv) { // the descriptor stays as long as the file is open
        f->priv = f;
        node->fd_pins++;
    }
    if (writes)
        node->mapped = true;
    else
        note_read(f->inode);
    *out = (struct host_map){.fd = fd, .offset = offset, .shared_write_ok = writes};
    return 0;
}

const struct file_ops gofer_file_ops = {
    .read = file_read_op,
    .write = file_write_op,
    .lseek = file_lseek,
    .fsync = file_fsync,
    .fallocate = file_fallocate,
    .map = file_map,
    .release = file_release,
};
