// Names and files of a merge: each is what the topmost layer has, and a directory shows those of the layers below too.
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

#define OVERLAY_XATTRS "trusted.overlay."

static const struct inode_ops dir_ops, file_inode_ops, link_ops;
static const struct file_ops file_ops;

uint64_t merge_ino(const struct super_block *sb, unsigned layer, uint64_t ino)
{
    const struct merge_super *s = sb->priv;
    unsigned first = 0;
    while (s->layers[first].mnt->sb != s->layers[layer].mnt->sb)
        first++;
    return ino ^ (uint64_t)first << 52;
}

struct path merge_path(const struct inode *i, unsigned part)
{
    const struct merge_super *s = i->sb->priv;
    const struct merge_part *p = &merge_node(i)->parts[part];
    return (struct path){s->layers[p->layer].mnt, p->dentry};
}

static struct inode *top(const struct inode *i)
{
    return merge_node(i)->parts[0].dentry->inode;
}

static void take_attr(struct inode *i, const struct kstat *from)
{
    uint64_t dev = i->sb->dev;
    i->attr = *from;
    i->attr.dev = dev;
    i->attr.ino = merge_ino(i->sb, merge_node(i)->parts[0].layer, from->ino);
    if (LX_S_ISDIR(from->mode) && merge_node(i)->count > 1)
        i->attr.nlink = 1; // not counted over the layers
}

struct inode *merge_inode(struct super_block *sb, const struct merge_part *parts, unsigned count,
                          uint64_t parent_ino)
{
    struct merge_node *node = calloc(1, sizeof(*node) + count * sizeof(*parts));
    struct inode *i = node ? inode_alloc(sb, &file_inode_ops, NULL) : NULL;
    if (!i) {
        for (unsigned k = 0; k < count; k++)
            dentry_put(parts[k].dentry);
        free(node);
        return NULL;
    }
    node->count = count;
    node->parent_ino = parent_ino;
    memcpy(node->parts, parts, count * sizeof(*parts));
    i->priv = node;
    take_attr(i, &top(i)->attr);
    switch (i->attr.mode & LX_S_IFMT) {
    case LX_S_IFDIR:
        i->ops = &dir_ops;
        i->fops = &merge_dir_file_ops;
        break;
    case LX_S_IFLNK:
        i->ops = &link_ops;
        break;
    case LX_S_IFREG:
        i->fops = &file_ops;
        break;
    }
    return i;
}

static void op_evict(struct inode *i)
{
    struct merge_node *node = merge_node(i);
    for (unsigned k = 0; node && k < node->count; k++)
        dentry_put(node->parts[k].dentry);
    free(node);
}

// Nothing of the layers below shows through such a directory.
static bool is_opaque(struct inode *i)
{
    char value;
    return i->ops->getxattr && i->ops->getxattr(i, OVERLAY_XATTRS "opaque", &value, 1) == 1 && value == 'y';
}

// What the layers of a directory have of the name. Their count and references in `parts`, or -errno.
static int find_parts(struct inode *dir, const struct dentry *d, struct merge_part *parts)
{
    const struct merge_node *node = merge_node(dir);
    unsigned found = 0;
    for (unsigned k = 0; k < node->count; k++) {
        struct dentry *below;
        int err = dentry_lookup(node->parts[k].dentry, d->name, d->name_len, &below);
        if (err) {
            while (found)
                dentry_put(parts[--found].dentry);
            return err;
        }
        struct inode *i = below->inode;
        bool is_dir = i && LX_S_ISDIR(i->attr.mode);
        bool last = i && (!is_dir || is_opaque(i));
        if (i && !merge_is_whiteout(i) && (is_dir || !found))
            parts[found++] = (struct merge_part){node->parts[k].layer, below};
        else
            dentry_put(below);
        if (last)
            break;
    }
    return (int)found;
}

static int op_lookup(struct inode *dir, struct dentry *d)
{
    struct merge_part parts[MERGE_LAYERS_MAX];
    int n = find_parts(dir, d, parts);
    if (n <= 0)
        return n;
    struct inode *i = merge_inode(dir->sb, parts, (unsigned)n, dir->attr.ino);
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

// Layers that are changed while they are merged: what shows then is undefined, as Linux says. Those on shared exports are asked.
static int op_revalidate(struct inode *dir, struct dentry *d)
{
    const struct merge_node *node = merge_node(dir);
    for (unsigned k = 0; k < node->count; k++) {
        struct inode *below = node->parts[k].dentry->inode;
        if (!below->ops->revalidate)
            continue;
        if (!d->inode)
            return 0;
        const struct merge_node *child = merge_node(d->inode);
        for (unsigned c = 0; c < child->count; c++)
            if (child->parts[c].layer == node->parts[k].layer &&
                !below->ops->revalidate(below, child->parts[c].dentry))
                return 0;
    }
    return 1;
}

static int op_getattr(struct inode *i)
{
    struct kstat st;
    int err = vfs_getattr(top(i), &st);
    if (!err)
        take_attr(i, &st);
    return err;
}

static int op_statfs(struct inode *i, struct kstatfs *out)
{
    const struct merge_super *s = i->sb->priv;
    const struct path p = {s->layers[0].mnt, s->layers[0].dir};
    int err = vfs_statfs(&p, out);
    out->type = LX_OVERLAYFS_SUPER_MAGIC;
    return err;
}

static int64_t op_readlink(struct inode *i, char *buf, size_t size)
{
    struct inode *below = top(i);
    return below->ops->readlink ? below->ops->readlink(below, buf, size) : -LX_EINVAL;
}

static bool is_private(const char *name)
{
    return strncmp(name, OVERLAY_XATTRS, sizeof(OVERLAY_XATTRS) - 1) == 0;
}

static int64_t op_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
    struct inode *below = top(i);
    if (!below->ops->getxattr)
        return -LX_EOPNOTSUPP;
    return is_private(name) ? -LX_ENODATA : below->ops->getxattr(below, name, value, size);
}

// The names are filtered in one's own memory, so that the length alone is right too.
static int64_t op_listxattr(struct inode *i, char *list, size_t size)
{
    struct inode *below = top(i);
    char *all = below->ops->listxattr ? malloc(LX_XATTR_LIST_MAX) : NULL;
    if (!all)
        return below->ops->listxattr ? -LX_ENOMEM : -LX_EOPNOTSUPP;
    int64_t n = below->ops->listxattr(below, all, LX_XATTR_LIST_MAX), kept = 0;
    for (int64_t at = 0; at < n;) {
        size_t len = strnlen(all + at, (size_t)(n - at)) + 1;
        if (at + (int64_t)len > n)
            break;
        if (!is_private(all + at)) {
            memmove(all + kept, all + at, len);
            kept += (int64_t)len;
        }
        at += (int64_t)len;
    }
    if (n >= 0 && size && (uint64_t)kept > size)
        n = -LX_ERANGE;
    if (n >= 0 && size)
        memcpy(list, all, (size_t)kept);
    free(all);
    return n < 0 ? n : kept;
}

// --- files: the layer's own, opened for reading

static int op_open(struct inode *i, struct file *f)
{
    if (!LX_S_ISREG(i->attr.mode))
        return 0;
    if ((f->mode & FMODE_WRITE) || (f->flags & LX_O_TRUNC))
        return -LX_EROFS;
    const struct path p = merge_path(i, 0);
    struct file *below;
    int err = vfs_open_raw(&p, LX_O_RDONLY, &below);
    if (!err)
        f->priv = below;
    return err;
}

static int64_t op_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct file *below = f->priv;
    return below && below->ops->read ? below->ops->read(below, it, pos) : -LX_EIO;
}

static int64_t op_lseek(struct file *f, int64_t offset, int whence)
{
    struct file *below = f->priv;
    if ((whence != LX_SEEK_DATA && whence != LX_SEEK_HOLE) || !below->ops->lseek)
        return generic_lseek(f, offset, whence);
    int64_t to = below->ops->lseek(below, offset, whence);
    if (to >= 0)
        f->pos = to;
    return to;
}

static int op_fsync(struct file *f, bool datasync)
{
    return 0; // nothing was written
}

static int op_map(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out)
{
    struct file *below = f->priv;
    if (!below || !below->ops->map)
        return -LX_ENODEV;
    int err = below->ops->map(below, offset, len, prot, flags, out);
    out->shared_write_ok = false;
    return err;
}

static void op_release(struct file *f)
{
    file_put(f->priv);
}

static const struct file_ops file_ops = {
    .read = op_read, .lseek = op_lseek, .fsync = op_fsync, .map = op_map, .release = op_release};

#define COMMON_OPS                                                                                  \
    .getattr = op_getattr, .statfs = op_statfs, .getxattr = op_getxattr, .listxattr = op_listxattr, \
    .evict = op_evict

static const struct inode_ops dir_ops = {.lookup = op_lookup, .revalidate = op_revalidate, COMMON_OPS};
static const struct inode_ops file_inode_ops = {.open = op_open, COMMON_OPS};
static const struct inode_ops link_ops = {.readlink = op_readlink, COMMON_OPS};
