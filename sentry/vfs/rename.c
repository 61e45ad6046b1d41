// rename(2) and renameat2(2) (do_renameat2 and vfs_rename).
#include "sentry/vfs/walk.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/vfs/notify.h"

struct side {
    struct path dir;
    char last[VFS_NAME_MAX + 1];
    enum last_type type;
    bool slash;
    struct dentry *dentry;
};

void dirs_lock(struct inode *a, struct inode *b)
{
    if (a == b) {
        vfs_mutex_lock(&a->lock);
        return;
    }
    vfs_mutex_lock(&a->sb->rename_lock);
    vfs_mutex_lock(a < b ? &a->lock : &b->lock);
    vfs_mutex_lock(a < b ? &b->lock : &a->lock);
}

void dirs_unlock(struct inode *a, struct inode *b)
{
    a->dir_seq++;
    vfs_mutex_unlock(&a->lock);
    if (a != b) {
        b->dir_seq++;
        vfs_mutex_unlock(&b->lock);
        vfs_mutex_unlock(&a->sb->rename_lock);
    }
}

static int check_names(const struct side *o, const struct side *n, unsigned flags)
{
    struct dentry *od = o->dentry, *nd = n->dentry;
    if (!od->inode)
        return -LX_ENOENT;
    if ((flags & LX_RENAME_NOREPLACE) && nd->inode)
        return -LX_EEXIST;
    if ((flags & LX_RENAME_EXCHANGE) && !nd->inode)
        return -LX_ENOENT;
    if ((flags & LX_RENAME_EXCHANGE) && !LX_S_ISDIR(nd->inode->attr.mode) && n->slash)
        return -LX_ENOTDIR;
    if (!LX_S_ISDIR(od->inode->attr.mode)) {
        if (o->slash)
            return -LX_ENOTDIR;
        if (!(flags & LX_RENAME_EXCHANGE) && n->slash)
            return -LX_ENOTDIR;
    }
    if (dentry_is_ancestor(od, n->dir.dentry))
        return -LX_EINVAL;
    if (dentry_is_ancestor(nd, o->dir.dentry))
        return flags & LX_RENAME_EXCHANGE ? -LX_EINVAL : -LX_ENOTEMPTY;
    return 0;
}

static int check_permissions(const struct side *o, const struct side *n, unsigned flags)
{
    struct inode *source = o->dentry->inode, *target = n->dentry->inode;
    bool is_dir = LX_S_ISDIR(source->attr.mode);
    int err = may_delete(&o->dir, o->dentry, is_dir);
    if (err)
        return err;
    bool exchange = flags & LX_RENAME_EXCHANGE;
    if (!target)
        err = may_create(&n->dir);
    else
        err = may_delete(&n->dir, n->dentry, exchange ? LX_S_ISDIR(target->attr.mode) : is_dir);
    if (err)
        return err;
    // A directory that gets another parent has its ".." rewritten.
    if (o->dir.dentry != n->dir.dentry) {
        if (is_dir && (err = inode_permission(source, MAY_WRITE)) != 0)
            return err;
        if (exchange && LX_S_ISDIR(target->attr.mode) && (err = inode_permission(target, MAY_WRITE)) != 0)
            return err;
    }
    return 0;
}

static void tell(const struct side *o, const struct side *n, unsigned flags)
{
    struct inode *od = o->dir.dentry->inode, *nd = n->dir.dentry->inode;
    if (!notify_watches)
        return;
    uint32_t cookie = notify_cookie(), dir = notify_isdir(o->dentry->inode);
    notify_name(od, LX_IN_MOVED_FROM | dir, cookie, o->dentry->name);
    notify_name(nd, LX_IN_MOVED_TO | dir, cookie, n->dentry->name);
    notify_inode(o->dentry->inode, LX_IN_MOVE_SELF | dir);
    if (!n->dentry->inode)
        return;
    if (!(flags & LX_RENAME_EXCHANGE)) {
        if (!dir)
            notify_inode(n->dentry->inode, LX_IN_ATTRIB);
        return;
    }
    cookie = notify_cookie();
    dir = notify_isdir(n->dentry->inode);
    notify_name(nd, LX_IN_MOVED_FROM | dir, cookie, n->dentry->name);
    notify_name(od, LX_IN_MOVED_TO | dir, cookie, o->dentry->name);
    notify_inode(n->dentry->inode, LX_IN_MOVE_SELF | dir);
}

static int rename_locked(struct side *o, struct side *n, unsigned flags)
{
    struct inode *od = o->dir.dentry->inode, *nd = n->dir.dentry->inode;
    if (od->dead || nd->dead)
        return -LX_ENOENT;
    int err = dentry_lookup(o->dir.dentry, o->last, strlen(o->last), &o->dentry);
    if (err)
        return err;
    err = dentry_lookup(n->dir.dentry, n->last, strlen(n->last), &n->dentry);
    if (err)
        return err;
    err = check_names(o, n, flags);
    if (err)
        return err;
    if (o->dentry->inode == n->dentry->inode) // two names of one file: nothing happens
        return 0;
    err = check_permissions(o, n, flags);
    if (err)
        return err;
    if (o->dentry->mounts || n->dentry->mounts)
        return -LX_EBUSY;
    if (!od->ops->rename)
        return -LX_EPERM;
    struct inode *gone =
        n->dentry->inode && !(flags & LX_RENAME_EXCHANGE) ? inode_get(n->dentry->inode) : NULL;
    err = od->ops->rename(od, o->dentry, nd, n->dentry, flags);
    if (err == 0) {
        tell(o, n, flags);
        if (gone && LX_S_ISDIR(gone->attr.mode))
            gone->dead = true;
        if (flags & LX_RENAME_EXCHANGE)
            dentry_exchange(o->dentry, n->dentry);
        else
            dentry_move(o->dentry, n->dentry);
    }
    if (gone)
        inode_put(gone);
    return err;
}

int vfs_renameat(int olddirfd, const char *oldname, int newdirfd, const char *newname, unsigned flags)
{
    if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT))
        return -LX_EINVAL;
    if ((flags & LX_RENAME_WHITEOUT) ||
        (flags & (LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE)) == (LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE))
        return -LX_EINVAL;
    struct side o = {.dentry = NULL}, n = {.dentry = NULL};
    int err = path_parent(olddirfd, oldname, 0, &o.dir, o.last, &o.type, &o.slash);
    if (err)
        return err;
    err = path_parent(newdirfd, newname, 0, &n.dir, n.last, &n.type, &n.slash);
    if (err) {
        path_put(&o.dir);
        return err;
    }
    if (o.dir.mnt != n.dir.mnt)
        err = -LX_EXDEV;
    else if (o.type != LAST_NORM)
        err = -LX_EBUSY;
    else if (n.type != LAST_NORM)
        err = flags & LX_RENAME_NOREPLACE ? -LX_EEXIST : -LX_EBUSY;
    if (err == 0) {
        struct inode *od = inode_get(o.dir.dentry->inode), *nd = inode_get(n.dir.dentry->inode);
        dirs_lock(od, nd);
        err = rename_locked(&o, &n, flags);
        dirs_unlock(od, nd);
        inode_put(od);
        inode_put(nd);
    }
    dentry_put(o.dentry);
    dentry_put(n.dentry);
    path_put(&o.dir);
    path_put(&n.dir);
    return err;
}
