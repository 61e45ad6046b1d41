// Open files of a merge: the layer's own file does the work. One opened for reading goes on in the upper layer once the file has
// been copied there (ovl_real_fdget of Linux); what was mapped before stays what it was.
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdlib.h>

// What f->priv is. A descriptor that a mapping was given must not be closed before f, which the mapping's order holds: a number
// that is free comes to stand for another file.
struct merge_file {
    struct file *below;  // the layer's file, referenced; kernel lock
    struct file *before; // the lower layer's that `below` has replaced, referenced, or NULL; kernel lock
};

static int open_top(struct inode *i, uint32_t flags, struct file **out)
{
    const struct path p = merge_path(i, 0);
    struct path held = p;
    path_get(&held);
    int err = vfs_open_raw(&held, flags, out);
    path_put(&held);
    return err;
}

int merge_open(struct inode *i, struct file *f)
{
    if (!LX_S_ISREG(i->attr.mode))
        return 0;
    bool writes = (f->mode & FMODE_WRITE) || (f->flags & LX_O_TRUNC);
    int err = writes ? merge_copy_up(i, f->flags & LX_O_TRUNC ? 0 : UINT64_MAX) : 0;
    struct merge_file *m = err ? NULL : calloc(1, sizeof(*m));
    if (!err)
        err = m ? open_top(i, f->flags & LX_O_ACCMODE, &m->below) : -LX_ENOMEM;
    if (err)
        free(m);
    else
        f->priv = m;
    return err;
}

// The file to ask, with a reference: the kernel lock may be dropped while it is asked.
static int take_below(struct file *f, struct file **out)
{
    struct merge_file *m = f->priv;
    struct file *below = m->below, *fresh;
    if (below->inode != merge_top(f->inode) && !(f->mode & FMODE_WRITE) && !m->before) {
        int err = open_top(f->inode, LX_O_RDONLY, &fresh);
        if (err)
            return err;
        if (m->below == below && !m->before) {
            m->below = fresh;
            m->before = below;
        } else {
            file_put(fresh); // somebody else was faster
        }
        below = m->below;
    }
    below->flags = f->flags;
    *out = file_get(below);
    return 0;
}

static int64_t op_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct file *below;
    int64_t n = take_below(f, &below);
    if (n)
        return n;
    n = below->ops->read ? below->ops->read(below, it, pos) : -LX_EIO;
    file_put(below);
    return n;
}

static int64_t op_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct file *below;
    int64_t n = take_below(f, &below);
    if (n)
        return n;
    n = below->ops->write ? below->ops->write(below, it, pos) : -LX_EIO;
    file_put(below);
    if (n > 0)
        (void)merge_getattr(f->inode);
    return n;
}

static int64_t op_lseek(struct file *f, int64_t offset, int whence)
{
    struct file *below;
    if (whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE)
        return generic_lseek(f, offset, whence);
    int64_t to = take_below(f, &below);
    if (to)
        return to;
    to = below->ops->lseek ? below->ops->lseek(below, offset, whence) : generic_lseek(f, offset, whence);
    file_put(below);
    if (to >= 0)
        f->pos = to;
    return to;
}

static int op_fsync(struct file *f, bool datasync)
{
    struct file *below;
    int err = take_below(f, &below);
    if (err)
        return err;
    err = below->ops->fsync && merge_in_upper(f->inode) ? below->ops->fsync(below, datasync) : 0;
    file_put(below);
    return err;
}

static int64_t op_fallocate(struct file *f, int mode, int64_t offset, int64_t len)
{
    struct file *below;
    int64_t r = take_below(f, &below);
    if (r)
        return r;
    r = below->ops->fallocate ? below->ops->fallocate(below, mode, offset, len) : -LX_EOPNOTSUPP;
    file_put(below);
    (void)merge_getattr(f->inode);
    return r;
}

static int op_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out)
{
    struct file *below;
    int err = take_below(f, &below);
    if (err)
        return err;
    err = below->ops->map ? below->ops->map(below, offset, len, prot, flags, out) : -LX_ENODEV;
    if (!merge_in_upper(f->inode))
        out->shared_write_ok = false;
    file_put(below); // f keeps it, and with it the descriptor
    return err;
}

static void op_release(struct file *f)
{
    struct merge_file *m = f->priv;
    if (!m)
        return;
    file_put(m->below);
    if (m->before)
        file_put(m->before);
    free(m);
}

const struct file_ops merge_file_ops = {.read = op_read,
                                        .write = op_write,
                                        .lseek = op_lseek,
                                        .fsync = op_fsync,
                                        .fallocate = op_fallocate,
                                        .map = op_map,
                                        .release = op_release};
