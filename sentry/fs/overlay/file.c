// Files of overlay: in memory once they have been written, the lower's before.
#include "sentry/fs/overlay/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/mman.h"
#include "abi/linux/stat.h"

static int64_t op_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct ovl_node *node = ovl_node(f->inode);
    struct file *lower = f->priv;
    if (!node->own_data)
        return lower && lower->ops->read ? lower->ops->read(lower, it, pos) : -LX_EIO;
    int64_t n = mem_data_read(&node->data, it, (uint64_t)*pos);
    if (n > 0)
        *pos += n;
    return n;
}

static int64_t op_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct ovl_node *node = ovl_node(f->inode);
    struct kstat *a = &f->inode->attr;
    if (it->count == 0)
        return 0;
    uint64_t at = f->flags & LX_O_APPEND ? node->data.size : (uint64_t)*pos;
    int64_t n = mem_data_write(&node->data, it, at);
    if (n <= 0)
        return n;
    *pos = (int64_t)at + n;
    a->size = node->data.size;
    a->mtime = a->ctime = vfs_now();
    if ((a->mode & (LX_S_ISUID | LX_S_ISGID)) && !vfs_capable(4)) // CAP_FSETID
        a->mode &= ~(LX_S_ISUID | (a->mode & LX_S_IXGRP ? LX_S_ISGID : 0u));
    return n;
}

static int64_t op_lseek(struct file *f, int64_t offset, int whence)
{
    struct ovl_node *node = ovl_node(f->inode);
    struct file *lower = f->priv;
    if (whence == LX_SEEK_DATA || whence == LX_SEEK_HOLE) {
        int64_t to;
        if (node->own_data)
            to = mem_data_seek(&node->data, offset, whence);
        else if (lower && lower->ops->lseek)
            to = lower->ops->lseek(lower, offset, whence);
        else
            return generic_lseek(f, offset, whence);
        if (to >= 0)
            f->pos = to;
        return to;
    }
    return generic_lseek(f, offset, whence);
}

static int op_fsync(struct file *f, bool datasync)
{
    return 0;
}

static int64_t op_fallocate(struct file *f, int mode, int64_t offset, int64_t len)
{
    struct ovl_node *node = ovl_node(f->inode);
    int err = mem_data_fallocate(&node->data, mode, (uint64_t)offset, (uint64_t)len);
    f->inode->attr.size = node->data.size;
    if (err == 0)
        f->inode->attr.mtime = f->inode->attr.ctime = vfs_now();
    return err;
}

static int op_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out)
{
    struct ovl_node *node = ovl_node(f->inode);
    struct file *lower = f->priv;
    if (!node->own_data) {
        if (!lower || !lower->ops->map)
            return -LX_ENODEV;
        int err = lower->ops->map(lower, offset, len, prot, flags, out);
        out->shared_write_ok = false;
        return err;
    }
    bool shared = (flags & LX_MAP_TYPE) != LX_MAP_PRIVATE;
    int err = mem_data_map_fd(&node->data, f, shared && (f->mode & FMODE_WRITE), shared, &out->fd);
    if (err)
        return err;
    out->offset = offset;
    out->shared_write_ok = f->mode & FMODE_WRITE;
    return 0;
}

static void op_release(struct file *f)
{
    mem_data_mapped_release(&ovl_node(f->inode)->data, f);
    file_put(f->priv);
}

const struct file_ops ovl_file_ops = {
    .read = op_read,
    .write = op_write,
    .lseek = op_lseek,
    .fsync = op_fsync,
    .fallocate = op_fallocate,
    .map = op_map,
    .release = op_release,
};
const struct file_ops ovl_dir_file_ops = {.iterate = ovl_iterate, .lseek = dir_lseek, .fsync = op_fsync};
