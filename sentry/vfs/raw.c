// What a filesystem does with the names of the one below it. Nobody is asked for permission, mounts are not looked at.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/vfs/notify.h"

static int check_dir(const struct inode *dir)
{
    if (dir->sb->flags & SB_RDONLY)
        return -LX_EROFS;
    return dir->dead ? -LX_ENOENT : 0;
}

static int call_op(struct inode *dir, struct dentry *d, const struct raw_new *new)
{
    const struct inode_ops *ops = dir->ops;
    uint32_t mode = new->mode & 07777;
    switch (new->mode &LX_S_IFMT) {
    case LX_S_IFREG:
        return ops->create ? ops->create(dir, d, mode, new->uid, new->gid, true) : -LX_EPERM;
    case LX_S_IFDIR:
        return ops->mkdir ? ops->mkdir(dir, d, mode, new->uid, new->gid) : -LX_EPERM;
    case LX_S_IFLNK:
        return ops->symlink ? ops->symlink(dir, d, new->target, new->uid, new->gid) : -LX_EPERM;
    default:
        return ops->mknod ? ops->mknod(dir, d, new->mode, new->rdev, new->uid, new->gid) : -LX_EPERM;
    }
}

int vfs_make_raw(struct dentry *parent, const char *name, const struct raw_new *new, struct dentry **out)
{
    struct inode *dir = parent->inode;
    struct dentry *d = NULL;
    vfs_mutex_lock(&dir->lock);
    int err = check_dir(dir);
    if (!err)
        err = dentry_lookup(parent, name, strlen(name), &d);
    if (!err && d->inode)
        err = -LX_EEXIST;
    if (!err)
        err = new->link ? (dir->ops->link ? dir->ops->link(dir, d, new->link) : -LX_EPERM)
                        : call_op(dir, d, new);
    if (!err)
        notify_name(dir, LX_IN_CREATE | notify_isdir(d->inode), 0, d->name);
    dir->dir_seq++;
    vfs_mutex_unlock(&dir->lock);
    if (err)
        dentry_put(d);
    else
        *out = d;
    return err;
}

// The name of a held dentry in its directory, which is locked, as it is cached now: on a shared mount it may have been dropped and
// found again, and until the lock was there somebody may have moved it.
static int same_again(struct dentry *d, struct dentry *parent, struct dentry **out)
{
    if (d->parent != parent)
        return -LX_ESTALE;
    int err = dentry_lookup(parent, d->name, d->name_len, out);
    if (err || (*out)->inode == d->inode)
        return err;
    dentry_put(*out);
    return -LX_ESTALE;
}

int vfs_remove_raw(struct dentry *victim)
{
    struct dentry *parent = dentry_get(victim->parent), *d = NULL;
    struct inode *dir = parent->inode, *gone = inode_get(victim->inode);
    bool rmdir = LX_S_ISDIR(gone->attr.mode);
    vfs_mutex_lock(&dir->lock);
    int err = check_dir(dir);
    if (!err)
        err = same_again(victim, parent, &d);
    if (!err && d->mounts)
        err = -LX_EBUSY;
    if (!err) {
        int (*op)(struct inode *, struct dentry *) = rmdir ? dir->ops->rmdir : dir->ops->unlink;
        err = op ? op(dir, d) : -LX_EPERM;
    }
    if (!err) {
        gone->dead |= rmdir;
        dir->dir_seq++;
        dentry_removed(d);
        notify_name(dir, LX_IN_DELETE | notify_isdir(gone), 0, d->name);
    }
    vfs_mutex_unlock(&dir->lock);
    dentry_put(d);
    dentry_put(parent);
    inode_put(gone);
    return err;
}

int vfs_rename_raw(struct dentry *victim, struct dentry *to, const char *name, unsigned flags)
{
    struct dentry *from = dentry_get(victim->parent), *o = NULL, *n = NULL;
    struct inode *od = from->inode, *nd = to->inode, *gone = NULL;
    dirs_lock(od, nd);
    int err = check_dir(od);
    if (!err)
        err = check_dir(nd);
    if (!err)
        err = same_again(victim, from, &o);
    if (!err)
        err = dentry_lookup(to, name, strlen(name), &n);
    // Who calls has another tree before his eyes, and this one may have changed below it (ovl_rename).
    if (!err && (dentry_is_ancestor(o, to) || dentry_is_ancestor(n, from)))
        err = -LX_ESTALE;
    if (!err && (o->mounts || n->mounts))
        err = -LX_EBUSY;
    if (!err && !(flags & LX_RENAME_EXCHANGE) && n->inode)
        gone = inode_get(n->inode);
    if (!err)
        err = od->ops->rename ? od->ops->rename(od, o, nd, n, flags) : -LX_EPERM;
    if (!err && gone)
        gone->dead |= LX_S_ISDIR(gone->attr.mode);
    if (!err && (flags & LX_RENAME_EXCHANGE))
        dentry_exchange(o, n);
    else if (!err)
        dentry_move(o, n);
    dirs_unlock(od, nd);
    dentry_put(o);
    dentry_put(n);
    dentry_put(from);
    inode_put(gone);
    return err;
}

int vfs_iterate_raw(const struct path *dir, struct dir_context *ctx)
{
    struct file *f;
    int err = vfs_open_raw(dir, LX_O_RDONLY | LX_O_DIRECTORY, &f);
    if (err)
        return err;
    if (!f->ops || !f->ops->iterate)
        err = -LX_ENOTDIR;
    for (int64_t before = -1; !err && ctx->pos != before;) {
        before = ctx->pos;
        err = f->ops->iterate(f, ctx);
        f->pos = ctx->pos;
    }
    file_put(f);
    return err;
}
