// Inodes of tmpfs: names, attributes, and their end.
#include "sentry/fs/tmpfs/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

#define DIR_ENTRY_SIZE 20 // what a name adds to st_size of its directory, as on Linux

static void changed(struct inode *i)
{
    i->attr.mtime = i->attr.ctime = vfs_now();
}

struct inode *tmpfs_new_inode(struct super_block *sb, uint32_t mode, uint64_t rdev, uint32_t uid,
                              uint32_t gid, int *err)
{
    struct tmpfs_super *super = sb->priv;
    if (super->account.inodes >= super->account.max_inodes) {
        *err = -LX_ENOSPC;
        return NULL;
    }
    struct tmpfs_node *node = calloc(1, sizeof(*node));
    struct inode *i = node ? inode_alloc(sb, &tmpfs_file_inode_ops, NULL) : NULL;
    if (!i) {
        free(node);
        *err = -LX_ENOMEM;
        return NULL;
    }
    super->account.inodes++;
    node->super = super;
    node->xattrs.account = &super->account;
    node->seals = LX_F_SEAL_SEAL;
    i->priv = node;
    i->attr.mode = mode;
    i->attr.uid = uid;
    i->attr.gid = gid;
    i->attr.rdev = rdev;
    i->attr.atime = i->attr.mtime = i->attr.ctime = i->attr.btime = vfs_now();
    switch (mode & LX_S_IFMT) {
    case LX_S_IFREG:
        mem_data_init(&node->data, &super->account);
        i->fops = &tmpfs_file_ops;
        break;
    case LX_S_IFDIR:
        mem_dir_init(&node->dir);
        i->ops = &tmpfs_dir_ops;
        i->fops = &tmpfs_dir_file_ops;
        i->attr.nlink = 2;
        i->attr.size = 40;
        break;
    case LX_S_IFLNK:
        i->ops = &tmpfs_link_ops;
        break;
    }
    return i;
}

static void evict(struct inode *i)
{
    struct tmpfs_node *node = tmpfs_node(i);
    if (LX_S_ISREG(i->attr.mode))
        mem_data_free(&node->data);
    else if (LX_S_ISLNK(i->attr.mode)) {
        if (node->target)
            mem_uncharge(&node->super->account, mem_target_pages(strlen(node->target)));
        free(node->target);
    } else if (LX_S_ISDIR(i->attr.mode))
        mem_dir_free(&node->dir);
    mem_xattr_free(&node->xattrs);
    node->super->account.inodes--;
    free(node);
}

static int attach_new(struct inode *dir, struct dentry *dentry, struct inode *i)
{
    struct tmpfs_node *node = tmpfs_node(dir);
    int err = mem_dir_add(&node->dir, dentry->name, dentry->name_len, inode_get(i));
    if (err) {
        inode_put(i);
        inode_put(i);
        return err;
    }
    if (LX_S_ISDIR(i->attr.mode)) {
        tmpfs_node(i)->parent = dir;
        dir->attr.nlink++;
    }
    dir->attr.size += DIR_ENTRY_SIZE;
    changed(dir);
    dentry_attach(dentry, i);
    return 0;
}

static int op_lookup(struct inode *dir, struct dentry *dentry)
{
    struct mem_entry *e = mem_dir_find(&tmpfs_node(dir)->dir, dentry->name, dentry->name_len);
    if (e)
        dentry_attach(dentry, inode_get(e->inode));
    return 0;
}

static int make(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, uint32_t uid,
                uint32_t gid)
{
    int err;
    struct inode *i = tmpfs_new_inode(dir->sb, mode, rdev, uid, gid, &err);
    return i ? attach_new(dir, dentry, i) : err;
}

static int op_create(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid,
                     bool excl)
{
    return make(dir, dentry, LX_S_IFREG | (mode & 07777), 0, uid, gid);
}
static int op_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid)
{
    return make(dir, dentry, LX_S_IFDIR | (mode & 07777), 0, uid, gid);
}
static int op_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, uint32_t uid,
                    uint32_t gid)
{
    return make(dir, dentry, mode, rdev, uid, gid);
}

static int op_symlink(struct inode *dir, struct dentry *dentry, const char *target, uint32_t uid,
                      uint32_t gid)
{
    int err;
    char *copy = strdup(target);
    if (!copy)
        return -LX_ENOMEM;
    struct inode *i = tmpfs_new_inode(dir->sb, LX_S_IFLNK | 0777, 0, uid, gid, &err);
    if (!i) {
        free(copy);
        return err;
    }
    i->attr.size = strlen(copy);
    if (!mem_charge(&tmpfs_node(i)->super->account, mem_target_pages(i->attr.size))) {
        free(copy);
        inode_put(i);
        return -LX_ENOSPC;
    }
    tmpfs_node(i)->target = copy;
    return attach_new(dir, dentry, i);
}

static int op_link(struct inode *dir, struct dentry *dentry, struct inode *target)
{
    // Every further name counts as an inode does: it costs as much (shmem_link).
    struct mem_account *a = &tmpfs_node(dir)->super->account;
    bool further = target->attr.nlink > 0;
    if (further && a->inodes >= a->max_inodes)
        return -LX_ENOSPC;
    int err = mem_dir_add(&tmpfs_node(dir)->dir, dentry->name, dentry->name_len, inode_get(target));
    if (err) {
        inode_put(target);
        return err;
    }
    a->inodes += further;
    target->attr.nlink++;
    target->attr.ctime = vfs_now();
    dir->attr.size += DIR_ENTRY_SIZE;
    changed(dir);
    dentry_attach(dentry, inode_get(target));
    return 0;
}

// Takes a name out of dir; its inode loses a link.
static void remove_name(struct inode *dir, const struct dentry *dentry)
{
    struct tmpfs_node *node = tmpfs_node(dir);
    struct mem_entry *e = mem_dir_find(&node->dir, dentry->name, dentry->name_len);
    if (!e)
        return;
    struct inode *i = mem_dir_remove(&node->dir, e);
    if (LX_S_ISDIR(i->attr.mode)) {
        dir->attr.nlink--;
        i->attr.nlink = 0;
        tmpfs_node(i)->parent = NULL;
    } else if (--i->attr.nlink > 0) {
        node->super->account.inodes--;
    }
    i->attr.ctime = vfs_now();
    dir->attr.size -= DIR_ENTRY_SIZE;
    inode_put(i);
}

static int op_unlink(struct inode *dir, struct dentry *dentry)
{
    remove_name(dir, dentry);
    changed(dir);
    return 0;
}

static int op_rmdir(struct inode *dir, struct dentry *dentry)
{
    if (tmpfs_node(dentry->inode)->dir.count)
        return -LX_ENOTEMPTY;
    return op_unlink(dir, dentry);
}

static int exchange(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n)
{
    struct mem_entry *a = mem_dir_find(&tmpfs_node(od)->dir, o->name, o->name_len);
    struct mem_entry *b = mem_dir_find(&tmpfs_node(nd)->dir, n->name, n->name_len);
    if (!a || !b)
        return -LX_ENOENT;
    struct inode *ia = a->inode, *ib = b->inode;
    a->inode = ib;
    b->inode = ia;
    if (LX_S_ISDIR(ia->attr.mode)) {
        tmpfs_node(ia)->parent = nd;
        od->attr.nlink--;
        nd->attr.nlink++;
    }
    if (LX_S_ISDIR(ib->attr.mode)) {
        tmpfs_node(ib)->parent = od;
        nd->attr.nlink--;
        od->attr.nlink++;
    }
    ia->attr.ctime = ib->attr.ctime = vfs_now();
    changed(od);
    changed(nd);
    return 0;
}

static int op_rename(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n, unsigned flags)
{
    if (flags & LX_RENAME_EXCHANGE)
        return exchange(od, o, nd, n);
    struct tmpfs_node *from = tmpfs_node(od), *to = tmpfs_node(nd);
    struct inode *i = o->inode;
    if (n->inode && LX_S_ISDIR(n->inode->attr.mode) && tmpfs_node(n->inode)->dir.count)
        return -LX_ENOTEMPTY;
    struct mem_entry *old = mem_dir_find(&from->dir, o->name, o->name_len);
    if (!old)
        return -LX_ENOENT;
    // The new name first: it is the only step that can fail.
    if (n->inode)
        remove_name(nd, n);
    int err = mem_dir_add(&to->dir, n->name, n->name_len, inode_get(i));
    if (err) {
        inode_put(i);
        return err;
    }
    old = mem_dir_find(&from->dir, o->name, o->name_len);
    inode_put(mem_dir_remove(&from->dir, old));
    if (LX_S_ISDIR(i->attr.mode)) {
        tmpfs_node(i)->parent = nd;
        od->attr.nlink--;
        nd->attr.nlink++;
    }
    od->attr.size -= DIR_ENTRY_SIZE;
    nd->attr.size += DIR_ENTRY_SIZE;
    i->attr.ctime = vfs_now();
    changed(od);
    changed(nd);
    return 0;
}

static int op_tmpfile(struct inode *dir, struct dentry *anon, uint32_t mode, uint32_t uid, uint32_t gid)
{
    int err;
    struct inode *i = tmpfs_new_inode(dir->sb, LX_S_IFREG | mode, 0, uid, gid, &err);
    if (!i)
        return err;
    i->attr.nlink = 0;
    dentry_attach(anon, i);
    return 0;
}

static int64_t op_readlink(struct inode *i, char *buf, size_t size)
{
    size_t n = i->attr.size < size ? i->attr.size : size;
    memcpy(buf, tmpfs_node(i)->target, n);
    return (int64_t)n;
}

static int op_getattr(struct inode *i)
{
    if (LX_S_ISREG(i->attr.mode)) {
        i->attr.size = tmpfs_node(i)->data.size;
        i->attr.blocks = mem_data_blocks(&tmpfs_node(i)->data);
    }
    return 0;
}

static int op_setattr(struct inode *i, const struct iattr *a)
{
    struct tmpfs_node *node = tmpfs_node(i);
    if (a->valid & ATTR_SIZE) {
        if (!LX_S_ISREG(i->attr.mode))
            return -LX_EINVAL;
        if ((a->size < node->data.size && (node->seals & LX_F_SEAL_SHRINK)) ||
            (a->size > node->data.size && (node->seals & LX_F_SEAL_GROW)))
            return -LX_EPERM;
        int err = mem_data_truncate(&node->data, a->size);
        if (err)
            return err;
        i->attr.size = a->size;
    }
    if ((a->valid & ATTR_MODE) && (node->seals & LX_F_SEAL_EXEC) && ((i->attr.mode ^ a->mode) & 0111))
        return -LX_EPERM;
    setattr_copy(i, a);
    return 0;
}

static int op_statfs(struct inode *i, struct kstatfs *out)
{
    const struct mem_account *a = &((struct tmpfs_super *)i->sb->priv)->account;
    *out = (struct kstatfs){
        .type = LX_TMPFS_MAGIC, .bsize = MEM_PAGE, .blocks = a->max_pages, .namelen = VFS_NAME_MAX};
    out->bfree = out->bavail = a->max_pages > a->pages ? a->max_pages - a->pages : 0;
    out->files = a->max_inodes;
    out->ffree = a->max_inodes - a->inodes;
    return 0;
}

static int64_t op_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
    return mem_xattr_get(&tmpfs_node(i)->xattrs, name, value, size);
}
static int op_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
    struct tmpfs_node *node = tmpfs_node(i);
    int err = mem_xattr_set(&node->xattrs, name, value, size, flags);
    if (err == 0)
        i->attr.ctime = vfs_now();
    return err;
}
static int64_t op_listxattr(struct inode *i, char *list, size_t size)
{
    return mem_xattr_list(&tmpfs_node(i)->xattrs, list, size);
}
static int op_removexattr(struct inode *i, const char *name)
{
    int err = mem_xattr_remove(&tmpfs_node(i)->xattrs, name);
    if (err == 0)
        i->attr.ctime = vfs_now();
    return err;
}

#define COMMON_OPS                                                                              \
    .getattr = op_getattr, .setattr = op_setattr, .statfs = op_statfs, .getxattr = op_getxattr, \
    .setxattr = op_setxattr, .listxattr = op_listxattr, .removexattr = op_removexattr, .evict = evict

const struct inode_ops tmpfs_dir_ops = {
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
    COMMON_OPS,
};
const struct inode_ops tmpfs_file_inode_ops = {COMMON_OPS};
const struct inode_ops tmpfs_link_ops = {.readlink = op_readlink, COMMON_OPS};
