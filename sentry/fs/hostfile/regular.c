// Host files, pipes, sockets and devices as guest inodes.
//
// The standard stream itself reads and writes at the host's position, because that position is shared with whoever gave it
// to us (`(a; b) > file` appends b's output after a's). A file opened again through /proc/self/fd has a position of its own.
#include "sentry/core/hostcall.h"
#include "sentry/fs/hostfile/regular.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/core/kernel.h"
#include "sentry/tty/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define OVERFLOW_ID 65534u
#define CHUNK (256u << 10)

struct host_node {
    int fd;
    uint32_t access;   // O_ACCMODE of the descriptor
    uint32_t uid, gid; // owner to show where the host's is unknown here
    bool regular;
    struct wait_queue wait;
    struct host_stream stream; // when not regular
};

static struct super_block *host_sb; // never goes away

static struct host_node *node_of(const struct file *f)
{
    return f->inode->priv;
}

static void fill_attributes(struct inode *i, const struct stat *st)
{
    i->attr.size = (uint64_t)st->st_size;
    i->attr.blocks = (uint64_t)st->st_blocks;
    i->attr.blksize = (uint32_t)st->st_blksize;
    i->attr.mode = st->st_mode;
    i->attr.nlink = (uint32_t)st->st_nlink;
    const struct host_node *n = i->priv;
    i->attr.uid = st->st_uid == OVERFLOW_ID ? n->uid : st->st_uid;
    i->attr.gid = st->st_gid == OVERFLOW_ID ? n->gid : st->st_gid;
    i->attr.rdev = st->st_rdev;
    i->attr.atime = (struct timespec64){st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec};
    i->attr.mtime = (struct timespec64){st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec};
    i->attr.ctime = (struct timespec64){st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec};
}

static int node_getattr(struct inode *i)
{
    struct stat st;
    const struct host_node *n = i->priv;
    if (host_fstat(n->fd, &st))
        return -errno;
    fill_attributes(i, &st);
    return 0;
}

static int node_setattr(struct inode *i, const struct iattr *a)
{
    const struct host_node *n = i->priv;
    if (a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
        return -LX_EPERM; // the stream's content was handed to us, not its inode
    if (a->valid & ATTR_SIZE) {
        if (!n->regular || (n->access & LX_O_ACCMODE) == LX_O_RDONLY)
            return -LX_EINVAL;
        if (ftruncate(n->fd, (off_t)a->size))
            return -errno;
    }
    return node_getattr(i);
}

static ssize_t transfer(struct file *f, const struct host_node *n, void *buf, size_t size, int64_t *pos,
                        bool write_it)
{
    bool shared = (f->mode & FMODE_HOST_POS) && pos == &f->pos;
    bool append = write_it && (f->flags & LX_O_APPEND);
    struct iovec iov = {buf, size};
    int64_t at = shared || append ? -1 : *pos;
    ssize_t done;
    // Page cache first: no lock to drop when the bytes are there.
    if (!write_it) {
        done = preadv2(n->fd, &iov, 1, at, RWF_NOWAIT);
        if (done >= 0 || (errno != EAGAIN && errno != EOPNOTSUPP))
            return done < 0 ? -errno : done;
    }
    kernel_blocking_begin();
    done = write_it ? pwritev2(n->fd, &iov, 1, at, append ? RWF_APPEND : 0) : preadv2(n->fd, &iov, 1, at, 0);
    int err = errno;
    kernel_blocking_end();
    return done < 0 ? -err : done;
}

static void moved(struct file *f, const struct host_node *n, ssize_t done, int64_t *pos, bool append)
{
    if ((f->mode & FMODE_HOST_POS) && pos == &f->pos) {
        *pos = lseek(n->fd, 0, SEEK_CUR);
    } else if (append) {
        struct stat st;
        *pos = host_fstat(n->fd, &st) ? *pos + done : st.st_size;
    } else {
        *pos += done;
    }
}

static int64_t regular_move(struct file *f, struct iov_iter *it, int64_t *pos, bool write_it)
{
    const struct host_node *n = node_of(f);
    size_t size = it->count < CHUNK ? it->count : CHUNK;
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        return -LX_ENOMEM;
    file_get(f);
    int64_t total = 0, done = 0;
    uint64_t since = 0;
    while (it->count) {
        size_t want = it->count < size ? it->count : size;
        if (write_it) {
            done = iter_copy_from(it, bytes, want);
            if (done <= 0)
                break;
            want = (size_t)done;
        }
        done = transfer(f, n, bytes, want, pos, write_it);
        if (done <= 0)
            break;
        moved(f, n, done, pos, write_it && (f->flags & LX_O_APPEND));
        size_t got = (size_t)done;
        if (!write_it)
            done = iter_copy_to(it, bytes, got);
        if (done < 0)
            break;
        total += done;
        if ((size_t)done < want || got < want || transfer_pause(&since, got))
            break;
    }
    free(bytes);
    file_put(f);
    return total ? total : done;
}

static int64_t regular_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return regular_move(f, it, pos, false);
}

static int64_t regular_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return regular_move(f, it, pos, true);
}

static int64_t regular_lseek(struct file *f, int64_t offset, int whence)
{
    const struct host_node *n = node_of(f);
    if (f->mode & FMODE_HOST_POS) {
        off_t now = lseek(n->fd, offset, whence);
        if (now < 0)
            return -errno;
        f->pos = now;
        return now;
    }
    int err = node_getattr(f->inode);
    return err ? err : generic_lseek(f, offset, whence);
}

static int regular_fsync(struct file *f, bool datasync)
{
    const struct host_node *n = node_of(f);
    file_get(f);
    kernel_blocking_begin();
    int err = (datasync ? fdatasync(n->fd) : fsync(n->fd)) ? -errno : 0;
    kernel_blocking_end();
    file_put(f);
    return err;
}

static int64_t regular_fallocate(struct file *f, int mode, int64_t offset, int64_t len)
{
    return fallocate(node_of(f)->fd, mode, offset, len) ? -errno : 0;
}

static int regular_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags,
                       struct host_map *out)
{
    *out =
        (struct host_map){.fd = node_of(f)->fd, .offset = offset, .shared_write_ok = f->mode & FMODE_WRITE};
    return 0;
}

static const struct file_ops regular_fops = {
    .read = regular_read,
    .write = regular_write,
    .lseek = regular_lseek,
    .fsync = regular_fsync,
    .fallocate = regular_fallocate,
    .map = regular_map,
};

static int64_t stream_file_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return host_stream_read(&node_of(f)->stream, f, it);
}

static int64_t stream_file_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return host_stream_write(&node_of(f)->stream, f, it);
}

static uint32_t stream_file_poll(struct file *f, struct poll_table *pt)
{
    uint32_t events = host_stream_poll(&node_of(f)->stream, pt);
    if (!(f->mode & FMODE_READ))
        events &= ~(EV_IN | EV_RDNORM);
    if (!(f->mode & FMODE_WRITE))
        events &= ~(EV_OUT | EV_WRNORM);
    return events;
}

static int64_t stream_file_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    int32_t bytes = 0;
    const struct host_stream *s = &node_of(f)->stream;
    if (cmd != LX_FIONREAD || !s->pollable)
        return -LX_ENOTTY;
    if (ioctl(s->fd, LX_FIONREAD, &bytes) < 0)
        return -errno;
    return put_user(bytes, arg);
}

static const struct file_ops stream_fops = {
    .read = stream_file_read,
    .write = stream_file_write,
    .poll = stream_file_poll,
    .ioctl = stream_file_ioctl,
};

// Opened again (/dev/stdout, /proc/self/fd/1): no more access than the descriptor has.
static int node_open(struct inode *i, struct file *f)
{
    uint32_t access = ((const struct host_node *)i->priv)->access & LX_O_ACCMODE;
    if ((f->mode & FMODE_READ) && access == LX_O_WRONLY)
        return -LX_EACCES;
    if ((f->mode & FMODE_WRITE) && access == LX_O_RDONLY)
        return -LX_EACCES;
    f->ops = i->fops;
    return 0;
}

static void node_evict(struct inode *i)
{
    struct host_node *n = i->priv;
    if (!n)
        return;
    if (!n->regular)
        host_stream_release(&n->stream);
    wait_queue_release(&n->wait);
    close(n->fd);
    free(n);
}

static const struct inode_ops host_inode_ops = {
    .getattr = node_getattr,
    .setattr = node_setattr,
    .open = node_open,
    .evict = node_evict,
};

void host_inode_name(const struct stat *st, char *buf, size_t size)
{
    const char *kind = S_ISFIFO(st->st_mode) ? "pipe" : S_ISSOCK(st->st_mode) ? "socket" : "host";
    snprintf(buf, size, "%s:[%llu]", kind, (unsigned long long)st->st_ino);
}

struct inode *host_inode(int fd, const struct stat *st, uint32_t access, uint32_t uid, uint32_t gid)
{
    if (!host_sb) {
        host_sb = sb_alloc("host", NULL, NULL);
        if (host_sb)
            host_sb->flags |= SB_ANON;
    }
    bool regular = S_ISREG(st->st_mode) || S_ISBLK(st->st_mode);
    struct host_node *n = calloc(1, sizeof(*n));
    struct inode *i =
        host_sb && n ? inode_alloc(host_sb, &host_inode_ops, regular ? &regular_fops : &stream_fops) : NULL;
    if (!i) {
        free(n);
        close(fd);
        return NULL;
    }
    n->fd = fd;
    n->access = access;
    n->uid = uid;
    n->gid = gid;
    n->regular = regular;
    wait_queue_init(&n->wait);
    i->priv = n;
    fill_attributes(i, st);
    i->attr.ino = st->st_ino;
    enum stream_kind kind = S_ISFIFO(st->st_mode)   ? STREAM_PIPE
                            : S_ISSOCK(st->st_mode) ? STREAM_SOCKET
                                                    : STREAM_OTHER;
    if (!regular && host_stream_init(&n->stream, fd, kind, &n->wait)) {
        inode_put(i);
        return NULL;
    }
    return i;
}
