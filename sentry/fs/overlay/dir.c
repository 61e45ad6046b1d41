// Names of overlay directories.
#include "sentry/fs/overlay/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

static void changed(struct inode *dir)
{
    dir->attr.mtime = dir->attr.ctime = vfs_now();
}

static struct mem_entry *find(const struct inode *dir, const struct dentry *d)
{
    return mem_dir_find(&ovl_node(dir)->names, d->name, d->name_len);
}

static int op_lookup(struct inode *dir, struct dentry *d)
{
    struct ovl_node *node = ovl_node(dir);
    struct mem_entry *e = find(dir, d);
    if (e) {
        if (e->inode)
            dentry_attach(d, inode_get(e->inode));
        return 0;
    }
    if (!node->lower || node->opaque)
        return 0;
    struct dentry *below;
    int err = dentry_lookup(node->lower, d->name, d->name_len, &below);
    if (err)
        return err;
    struct inode *i = NULL;
    if (below->inode) {
        i = ovl_get(dir->sb, below, dir->attr.ino);
        if (!i)
            err = -LX_ENOMEM;
    } else {
        dentry_drop(below); // the answer is kept here, once is enough
    }
    dentry_put(below);
    if (i)
        dentry_attach(d, i);
    return err;
}

// Makes `i` show under the name, over whatever it hides. Takes over the inode reference on success.
static int put_name(struct inode *dir, const struct dentry *d, struct inode *i, bool covers)
{
    struct mem_entry *e = find(dir, d);
    if (e) {
        struct inode *old = e->inode;
        e->inode = i;
        e->covers |= covers;
        inode_put(old);
        return 0;
    }
    int err = mem_dir_add(&ovl_node(dir)->names, d->name, d->name_len, i);
    if (err == 0 && covers)
        find(dir, d)->covers = true;
    return err;
}

// Takes a name away: a whiteout where the lower has it too. The directory's attributes are ours already.
static int drop_name(struct inode *dir, const struct dentry *d)
{
    struct mem_entry *e = find(dir, d);
    if (!e)
        return put_name(dir, d, NULL, true);
    if (!e->covers) {
        inode_put(mem_dir_remove(&ovl_node(dir)->names, e));
        return 0;
    }
    struct inode *old = e->inode;
    e->inode = NULL;
    inode_put(old);
    return 0;
}

// Takes over the reference of i.
static int attach_new(struct inode *dir, struct dentry *d, struct inode *i)
{
    int err = ovl_own_attr(dir);
    if (err == 0)
        err = put_name(dir, d, inode_get(i), false);
    if (err) {
        if (i->refs > 1)
            inode_put(i);
        inode_put(i);
        return err;
    }
    if (LX_S_ISDIR(i->attr.mode)) {
        ovl_node(i)->parent_ino = dir->attr.ino;
        dir->attr.nlink++;
    }
    changed(dir);
    dentry_attach(d, i);
    return 0;
}

static int make(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid)
{
    int err;
    struct inode *i = ovl_new(dir->sb, mode, rdev, uid, gid, &err);
    return i ? attach_new(dir, d, i) : err;
}

static int op_create(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                     bool excl)
{
    return make(dir, d, LX_S_IFREG | (mode & 07777), 0, uid, gid);
}
static int op_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid)
{
    return make(dir, d, LX_S_IFDIR | (mode & 07777), 0, uid, gid);
}
static int op_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev, uint32_t uid,
                    uint32_t gid)
{
    return make(dir, d, mode, rdev, uid, gid);
}

static int op_symlink(struct inode *dir, struct dentry *d, const char *target, uint32_t uid, uint32_t gid)
{
    int err;
    char *copy = strdup(target);
    struct inode *i = copy ? ovl_new(dir->sb, LX_S_IFLNK | 0777, 0, uid, gid, &err) : NULL;
    if (!i) {
        free(copy);
        return copy ? err : -LX_ENOMEM;
    }
    i->attr.size = strlen(copy);
    if (!mem_charge(&ovl_node(i)->super->account, mem_target_pages(i->attr.size))) {
        free(copy);
        inode_put(i);
        return -LX_ENOSPC;
    }
    ovl_node(i)->target = copy;
    return attach_new(dir, d, i);
}

static int op_tmpfile(struct inode *dir, struct dentry *anon, uint32_t mode, uint32_t uid, uint32_t gid)
{
    int err;
    struct inode *i = ovl_new(dir->sb, LX_S_IFREG | mode, 0, uid, gid, &err);
    if (!i)
        return err;
    i->attr.nlink = 0;
    dentry_attach(anon, i);
    return 0;
}

static int op_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    int err = ovl_own_attr(dir);
    if (err == 0)
        err = ovl_own_attr(target);
    if (err)
        return err;
    struct mem_account *a = &ovl_node(dir)->super->account;
    bool further = target->attr.nlink > 0;
    if (further && a->inodes >= a->max_inodes)
        return -LX_ENOSPC;
    err = put_name(dir, d, inode_get(target), false);
    if (err) {
        inode_put(target);
        return err;
    }
    a->inodes += further;
    ovl_node(target)->extra_names += further;
    target->attr.nlink++;
    target->attr.ctime = vfs_now();
    changed(dir);
    dentry_attach(d, inode_get(target));
    return 0;
}

static int op_unlink(struct inode *dir, struct dentry *d)
{
    int err = ovl_own_attr(dir);
    if (err == 0)
        err = ovl_own_attr(d->inode);
    if (err == 0)
        err = drop_name(dir, d);
    if (err)
        return err;
    if (LX_S_ISDIR(d->inode->attr.mode))
        dir->attr.nlink--;
    ovl_unlinked(d->inode);
    changed(dir);
    return 0;
}

static int op_rmdir(struct inode *dir, struct dentry *d)
{
    int err = ovl_check_empty(d->inode);
    return err ? err : op_unlink(dir, d);
}

static void moved_dir(struct inode *i, struct inode *from, struct inode *to)
{
    if (!LX_S_ISDIR(i->attr.mode))
        return;
    ovl_node(i)->parent_ino = to->attr.ino;
    from->attr.nlink--;
    to->attr.nlink++;
}

static int exchange(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n)
{
    struct inode *a = o->inode, *b = n->inode;
    bool o_covers = !find(od, o), n_covers = !find(nd, n);
    int err = put_name(od, o, inode_get(b), o_covers);
    if (err) {
        inode_put(b);
        return err;
    }
    err = put_name(nd, n, inode_get(a), n_covers);
    if (err) { // back to what it was: an entry for the old name shows the same as none
        inode_put(a);
        struct mem_entry *e = find(od, o);
        inode_put(e->inode);
        e->inode = inode_get(a);
        return err;
    }
    moved_dir(a, od, nd);
    moved_dir(b, nd, od);
    return 0;
}

static int op_rename(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n, unsigned flags)
{
    struct inode *i = o->inode, *gone = flags & LX_RENAME_EXCHANGE ? NULL : n->inode;
    int err = gone && LX_S_ISDIR(gone->attr.mode) ? ovl_check_empty(gone) : 0;
    if (err == 0)
        err = ovl_own_attr(od);
    if (err == 0)
        err = ovl_own_attr(nd);
    if (err == 0)
        err = ovl_own_attr(i);
    if (err == 0 && n->inode)
        err = ovl_own_attr(n->inode);
    if (err)
        return err;
    if (flags & LX_RENAME_EXCHANGE) {
        err = exchange(od, o, nd, n);
        if (err)
            return err;
    } else {
        // A name that shows a file without an entry of ours comes from below.
        bool covers = gone && !find(nd, n);
        err = put_name(nd, n, inode_get(i), covers);
        if (err) {
            inode_put(i);
            return err;
        }
        err = drop_name(od, o);
        if (err) {
            (void)drop_name(nd, n);
            return err;
        }
        if (gone) {
            if (LX_S_ISDIR(gone->attr.mode))
                nd->attr.nlink--;
            ovl_unlinked(gone);
        }
        moved_dir(i, od, nd);
    }
    i->attr.ctime = vfs_now();
    changed(od);
    changed(nd);
    return 0;
}

static int op_statfs(struct inode *i, struct kstatfs *out)
{
    const struct mem_account *a = &((struct ovl_super *)i->sb->priv)->account;
    *out = (struct kstatfs){.type = LX_OVERLAYFS_SUPER_MAGIC, .bsize = MEM_PAGE, .blocks = a->max_pages};
    out->bfree = out->bavail = a->max_pages > a->pages ? a->max_pages - a->pages : 0;
    out->files = a->max_inodes;
    out->ffree = a->max_inodes - a->inodes;
    out->namelen = VFS_NAME_MAX;
    return 0;
}

static int op_getattr(struct inode *i)
{
    struct ovl_node *node = ovl_node(i);
    int err = ovl_refresh(i);
    if (err == 0 && LX_S_ISREG(i->attr.mode) && node->own_data) {
        i->attr.size = node->data.size;
        i->attr.blocks = mem_data_blocks(&node->data);
    }
    return err;
}

static int op_setattr(struct inode *i, const struct iattr *a)
{
    struct ovl_node *node = ovl_node(i);
    if ((a->valid & ATTR_SIZE) && !LX_S_ISREG(i->attr.mode))
        return -LX_EINVAL;
    int err = ovl_own_attr(i);
    if (err == 0 && (a->valid & ATTR_SIZE)) {
        err = ovl_own_data(i, a->size);
        if (err == 0 && a->size > node->data.size)
            err = mem_data_clear_tail(&node->data); // as filesystems on disks do
        if (err == 0)
            err = mem_data_truncate(&node->data, a->size);
        if (err == 0)
            i->attr.size = a->size;
    }
    if (err)
        return err;
    setattr_copy(i, a);
    return 0;
}

// A link's text is asked for once.
static int64_t op_readlink(struct inode *i, char *buf, size_t size)
{
    struct ovl_node *node = ovl_node(i);
    if (!node->target) {
        struct inode *lower = node->lower->inode;
        char text[VFS_PATH_MAX];
        int64_t n = lower->ops->readlink ? lower->ops->readlink(lower, text, sizeof(text) - 1) : -LX_EINVAL;
        if (n < 0)
            return n;
        text[n] = 0;
        char *copy = strdup(text);
        if (!copy)
            return -LX_ENOMEM;
        if (node->target) // somebody else was faster
            free(copy);
        else
            node->target = copy;
    }
    size_t n = strlen(node->target);
    if (n > size)
        n = size;
    memcpy(buf, node->target, n);
    return (int64_t)n;
}

static int64_t op_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
    int err = ovl_own_xattrs(i);
    return err ? err : mem_xattr_get(&ovl_node(i)->xattrs, name, value, size);
}
static int64_t op_listxattr(struct inode *i, char *list, size_t size)
{
    int err = ovl_own_xattrs(i);
    return err ? err : mem_xattr_list(&ovl_node(i)->xattrs, list, size);
}
static int op_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
    int err = ovl_own_attr(i);
    if (err == 0)
        err = ovl_own_xattrs(i);
    if (err == 0)
        err = mem_xattr_set(&ovl_node(i)->xattrs, name, value, size, flags);
    if (err == 0)
        i->attr.ctime = vfs_now();
    return err;
}
static int op_removexattr(struct inode *i, const char *name)
{
    int err = ovl_own_attr(i);
    if (err == 0)
        err = ovl_own_xattrs(i);
    if (err == 0)
        err = mem_xattr_remove(&ovl_node(i)->xattrs, name);
    if (err == 0)
        i->attr.ctime = vfs_now();
    return err;
}

// What the running walk found may have changed below on a shared mount.
static int op_revalidate(struct inode *dir, struct dentry *d)
{
    const struct ovl_node *node = ovl_node(dir);
    if (!node->lower || node->opaque || find(dir, d))
        return 1;
    struct inode *lower_dir = node->lower->inode;
    if (!lower_dir->ops->revalidate)
        return 1;
    if (!d->inode)
        return 0;
    const struct ovl_node *child = ovl_node(d->inode);
    return child->lower && !child->own_attr ? lower_dir->ops->revalidate(lower_dir, child->lower) : 1;
}

static int op_open(struct inode *i, struct file *f)
{
    struct ovl_node *node = ovl_node(i);
    if (!LX_S_ISREG(i->attr.mode))
        return 0;
    if ((f->mode & FMODE_WRITE) || (f->flags & LX_O_TRUNC))
        return ovl_own_data(i, f->flags & LX_O_TRUNC ? 0 : UINT64_MAX);
    if (node->own_data)
        return 0;
    struct path below = {node->super->lower, node->lower};
    struct file *lower;
    int err = vfs_open_raw(&below, LX_O_RDONLY, &lower);
    if (err == 0)
        f->priv = lower;
    return err;
}

#define COMMON_OPS                                                                              \
    .getattr = op_getattr, .setattr = op_setattr, .statfs = op_statfs, .getxattr = op_getxattr, \
    .setxattr = op_setxattr, .listxattr = op_listxattr, .removexattr = op_removexattr, .evict = ovl_evict

const struct inode_ops ovl_dir_ops = {
    .lookup = op_lookup,
    .create = op_create,
    .mkdir = op_mkdir,
    .mknod = op_mknod,
    .symlink = op_symlink,
    .link = op_link,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .tmpfile = op_tmpfile,
    .revalidate = op_revalidate,
    COMMON_OPS,
};
const struct inode_ops ovl_file_inode_ops = {.open = op_open, COMMON_OPS};
const struct inode_ops ovl_link_ops = {.readlink = op_readlink, COMMON_OPS};
