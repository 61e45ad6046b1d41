// Names in a directory that the kernel itself keeps, which calls name without a path (ipc/mqueue.c: prepare_open, mq_unlink).
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/vfs/notify.h"

// lookup_one_len
static int find(const struct path *dir, const char *name, struct dentry **out)
{
    size_t len = strlen(name);
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -LX_EACCES;
    return dentry_lookup(dir->dentry, name, len, out);
}

static int make(const struct path *at, struct dentry *d, uint32_t mode, vfs_make how, const void *arg)
{
    struct inode *dir = at->dentry->inode;
    uint32_t uid, gid, m = (mode & ~current->fs->umask & 07777) | LX_S_IFREG;
    int err = may_create(at);
    if (err)
        return err;
    new_object_owner(dir, &m, &uid, &gid);
    err = how(dir, d, m & 07777, uid, gid, arg);
    dir->dir_seq++;
    if (!err)
        notify_name(dir, LX_IN_CREATE, 0, d->name);
    return err;
}

static int allowed(const struct dentry *d, uint32_t flags)
{
    static const int masks[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE};
    if ((flags & (LX_O_CREAT | LX_O_EXCL)) == (LX_O_CREAT | LX_O_EXCL))
        return -LX_EEXIST;
    if ((flags & LX_O_ACCMODE) == LX_O_ACCMODE)
        return -LX_EINVAL;
    return inode_permission(d->inode, masks[flags & LX_O_ACCMODE]);
}

int vfs_open_in(const struct path *dir, const char *name, uint32_t flags, uint32_t mode, vfs_make how,
                const void *arg, struct file **out)
{
    struct dentry *d = NULL;
    struct vfs_mutex *lock = &dir->dentry->inode->lock;
    vfs_mutex_lock(lock);
    int err = find(dir, name, &d);
    if (!err && d->inode)
        err = allowed(d, flags);
    else if (!err)
        err = flags & LX_O_CREAT ? make(dir, d, mode, how, arg) : -LX_ENOENT;
    struct path p = {dir->mnt, d};
    if (!err)
        err = open_resolved(&p, flags & ~LX_O_TRUNC, mode, out);
    vfs_mutex_unlock(lock);
    dentry_put(d);
    return err;
}

int vfs_unlink_in(const struct path *at, const char *name)
{
    struct dentry *d = NULL;
    struct inode *dir = at->dentry->inode, *victim = NULL;
    vfs_mutex_lock(&dir->lock);
    int err = find(at, name, &d);
    if (!err)
        err = d->inode ? may_delete(at, d, false) : -LX_ENOENT;
    if (!err) {
        victim = inode_get(d->inode);
        err = dir->ops->unlink(dir, d);
    }
    if (victim && !err) {
        dir->dir_seq++;
        notify_inode(victim, LX_IN_ATTRIB);
        dentry_removed(d);
        notify_name(dir, LX_IN_DELETE, 0, d->name);
    }
    vfs_mutex_unlock(&dir->lock);
    dentry_put(d);
    inode_put(victim);
    return err;
}
