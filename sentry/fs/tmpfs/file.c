// Files of tmpfs.
#include "sentry/fs/tmpfs/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/mman.h"
#include "abi/linux/stat.h"

static bool newer(struct timespec64 a, struct timespec64 b)
{
    return a.sec != b.sec ? a.sec > b.sec : a.nsec > b.nsec;
}

// atime_needs_update: as the mount's flags say.
static void touch_atime(struct file *f)
{
    struct kstat *a = &f->inode->attr;
    uint32_t flags = f->path.mnt ? f->path.mnt->flags : MNT_RELATIME;
    if ((f->flags & LX_O_NOATIME) || (flags & (MNT_RDONLY | MNT_NOATIME)) ||
        ((flags & MNT_NODIRATIME) && LX_S_ISDIR(a->mode)))
        return;
    struct timespec64 now = vfs_now();
    if ((flags & MNT_RELATIME) && newer(a->atime, a->mtime) && newer(a->atime, a->ctime) &&
        now.sec - a->atime.sec < 24 * 3600)
        return;
    a->atime = now;
}

static int64_t file_read_op(struct file *f, struct iov_iter *it, int64_t *pos)
{
    if (it->count == 0)
        return 0;
    int64_t n = mem_data_read(&tmpfs_node(f->inode)->data, it, (uint64_t)*pos);
    if (n > 0)
        *pos += n;
    touch_atime(f);
    return n;
}

static int64_t file_write_op(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct tmpfs_node *node = tmpfs_node(f->inode);
    struct kstat *a = &f->inode->attr;
    if (it->count == 0)
        return 0;
    if (node->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
        return -LX_EPERM;
    uint64_t at = f->flags & LX_O_APPEND ? node->data.size : (uint64_t)*pos;
    if ((node->seals & LX_F_SEAL_GROW) && at + it->count > node->data.size) {
        if (at >= node->data.size)
            return -LX_EPERM;
        it->count = node->data.size - at;
    }
    int64_t n = mem_data_write(&node->data, it, at);
    if (n <= 0)
        return n;
    *pos = (int64_t)at + n;
    a->size = node->data.size;
    a->mtime = a->ctime = vfs_now();
    if (a->mode & (LX_S_ISUID | LX_S_ISGID)) {
        if (!vfs_capable(4)) // CAP_FSETID
            a->mode &= ~(LX_S_ISUID | (a->mode & LX_S_IXGRP ? LX_S_ISGID : 0u));
    }
    return n;
}

static int64_t file_lseek(struct file *f, int64_t offset, int whence)
{
    struct mem_data *d = &tmpfs_node(f->inode)->data;
    if (whence == LX_SEEK_DATA || whence == LX_SEEK_HOLE) {
        int64_t to = mem_data_seek(d, offset, whence);
        if (to >= 0)
            f->pos = to;
        return to;
    }
    return generic_lseek_size(f, offset, whence, (int64_t)d->size);
}

static int file_fsync(struct file *f, bool datasync)
{
    return 0;
}

static int64_t file_fallocate(struct file *f, int mode, int64_t offset, int64_t len)
{
    struct tmpfs_node *node = tmpfs_node(f->inode);
    struct kstat *a = &f->inode->attr;
    if ((mode & LX_FALLOC_FL_PUNCH_HOLE) && (node->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE)))
        return -LX_EPERM;
    if ((node->seals & LX_F_SEAL_GROW) && !(mode & LX_FALLOC_FL_KEEP_SIZE) &&
        (uint64_t)offset + (uint64_t)len > a->size)
        return -LX_EPERM;
    int err = mem_data_fallocate(&node->data, mode, (uint64_t)offset, (uint64_t)len);
    a->size = node->data.size;
    if (err == 0)
        a->mtime = a->ctime = vfs_now();
    return err;
}

static int file_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out)
{
    struct tmpfs_node *node = tmpfs_node(f->inode);
    bool may_write = (f->mode & FMODE_WRITE) && !(node->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE));
    bool private = (flags & LX_MAP_TYPE) == LX_MAP_PRIVATE;
    if (!private && (prot & LX_PROT_WRITE) && (f->mode & FMODE_WRITE) && !may_write)
        return -LX_EPERM; // sealed
    int err = mem_data_map_fd(&node->data, f, may_write && !private, !private, &out->fd);
    if (err)
        return err;
    out->offset = offset;
    out->shared_write_ok = may_write;
    touch_atime(f);
    return 0;
}

static void file_release(struct file *f)
{
    mem_data_mapped_release(&tmpfs_node(f->inode)->data, f);
}

static int64_t file_fcntl(struct file *f, int cmd, uint64_t arg)
{
    struct tmpfs_node *node = tmpfs_node(f->inode);
    if (cmd == LX_F_GET_SEALS)
        return node->seals;
    if (cmd != LX_F_ADD_SEALS)
        return -LX_EINVAL;
    const uint32_t all = LX_F_SEAL_SEAL | LX_F_SEAL_SHRINK | LX_F_SEAL_GROW | LX_F_SEAL_WRITE |
                         LX_F_SEAL_FUTURE_WRITE | LX_F_SEAL_EXEC;
    if (!(f->mode & FMODE_WRITE))
        return -LX_EPERM;
    if ((uint32_t)arg & ~all)
        return -LX_EINVAL;
    if (node->seals & LX_F_SEAL_SEAL)
        return -LX_EPERM;
    uint32_t seals = (uint32_t)arg;
    if ((seals & LX_F_SEAL_EXEC) && (f->inode->attr.mode & 0111))
        seals |= LX_F_SEAL_SHRINK | LX_F_SEAL_GROW | LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE;
    if ((seals & LX_F_SEAL_WRITE) && !(node->seals & LX_F_SEAL_WRITE)) {
        int err = mem_data_seal_write(&node->data);
        if (err)
            return err;
    }
    node->seals |= seals;
    return 0;
}

static int dir_iterate(struct file *f, struct dir_context *ctx)
{
    struct tmpfs_node *node = tmpfs_node(f->inode);
    uint64_t up = node->parent ? node->parent->attr.ino : f->inode->attr.ino;
    touch_atime(f);
    return mem_dir_iterate(&node->dir, ctx, f->inode->attr.ino, up);
}

const struct file_ops tmpfs_file_ops = {
    .read = file_read_op,
    .write = file_write_op,
    .lseek = file_lseek,
    .fsync = file_fsync,
    .fallocate = file_fallocate,
    .map = file_map,
    .fcntl = file_fcntl,
    .release = file_release,
};
const struct file_ops tmpfs_dir_file_ops = {
    .iterate = dir_iterate,
    .lseek = dir_lseek,
    .fsync = file_fsync,
};
