// Making, linking and removing names. The directory's lock is held from the last look at a name to the end of its change.
#include "sentry/vfs/walk.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/notify.h"

// A new name being made: its directory (locked) and the negative dentry.
struct new_name {
    struct path dir;
    struct dentry *dentry;
    bool locked;
};

static void new_name_end(struct new_name *n, int err)
{
    if (n->locked) {
        if (err == 0)
            notify_name(n->dir.dentry->inode, LX_IN_CREATE | notify_isdir(n->dentry->inode), 0,
                        n->dentry->name);
        n->dir.dentry->inode->dir_seq++;
        vfs_mutex_unlock(&n->dir.dentry->inode->lock);
    }
    dentry_put(n->dentry);
    path_put(&n->dir);
}

// filename_create: EEXIST wins over EROFS, which wins over EACCES.
static int new_name_begin(struct new_name *n, int dirfd, const char *name, bool is_dir)
{
    char last[VFS_NAME_MAX + 1];
    enum last_type type;
    bool slash;
    *n = (struct new_name){{NULL, NULL}, NULL, false};
    int err = path_parent(dirfd, name, 0, &n->dir, last, &type, &slash);
    if (err)
        return err;
    if (type != LAST_NORM)
        return -LX_EEXIST;
    struct inode *dir = n->dir.dentry->inode;
    if (dir->dead)
        return -LX_ENOENT;
    vfs_mutex_lock(&dir->lock);
    n->locked = true;
    err = dentry_lookup(n->dir.dentry, last, strlen(last), &n->dentry);
    if (err)
        return err;
    if (n->dentry->inode)
        return -LX_EEXIST;
    if (slash && !is_dir)
        return -LX_ENOENT;
    return may_create(&n->dir);
}

int vfs_mkdirat(int dirfd, const char *name, uint32_t mode)
{
    struct new_name n;
    int err = new_name_begin(&n, dirfd, name, true);
    if (err == 0) {
        struct inode *dir = n.dir.dentry->inode;
        uint32_t uid, gid, m = (acl_new_mode(dir, mode) & 01777) | LX_S_IFDIR;
        new_object_owner(dir, &m, &uid, &gid);
        err = dir->ops->mkdir ? dir->ops->mkdir(dir, n.dentry, m & 07777, uid, gid) : -LX_EPERM;
        if (!err)
            err = acl_inherit(dir, n.dentry->inode, mode);
    }
    new_name_end(&n, err);
    return err;
}

int vfs_mknod_path(int dirfd, const char *name, uint32_t mode, uint64_t rdev, struct path *out)
{
    switch (mode & LX_S_IFMT) {
    case 0:
        mode |= LX_S_IFREG;
        break;
    case LX_S_IFREG:
    case LX_S_IFIFO:
    case LX_S_IFSOCK:
    case LX_S_IFCHR:
    case LX_S_IFBLK:
        break;
    case LX_S_IFDIR:
        return -LX_EPERM;
    default:
        return -LX_EINVAL;
    }
    struct new_name n;
    int err = new_name_begin(&n, dirfd, name, false);
    bool device = LX_S_ISCHR(mode) || LX_S_ISBLK(mode);
    bool whiteout = LX_S_ISCHR(mode) && rdev == 0; // of overlays: no device
    if (err == 0 && device && !whiteout && !vfs_capable(LX_CAP_MKNOD))
        err = -LX_EPERM;
    if (err == 0) {
        struct inode *dir = n.dir.dentry->inode;
        uint32_t uid, gid, m = (acl_new_mode(dir, mode) & 07777) | (mode & LX_S_IFMT);
        new_object_owner(dir, &m, &uid, &gid);
        if (LX_S_ISREG(m))
            err = dir->ops->create ? dir->ops->create(dir, n.dentry, m & 07777, uid, gid, true) : -LX_EPERM;
        else
            err =
                dir->ops->mknod ? dir->ops->mknod(dir, n.dentry, m, device ? rdev : 0, uid, gid) : -LX_EPERM;
        if (!err)
            err = acl_inherit(dir, n.dentry->inode, mode);
    }
    if (err == 0 && out) {
        *out = (struct path){n.dir.mnt, n.dentry};
        path_get(out);
    }
    new_name_end(&n, err);
    return err;
}

int vfs_mknodat(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
    return vfs_mknod_path(dirfd, name, mode, rdev, NULL);
}

int vfs_symlinkat(const char *target, int dirfd, const char *name)
{
    if (*target == 0)
        return -LX_ENOENT;
    struct new_name n;
    int err = new_name_begin(&n, dirfd, name, false);
    if (err == 0) {
        struct inode *dir = n.dir.dentry->inode;
        uint32_t uid, gid, m = LX_S_IFLNK | 0777;
        new_object_owner(dir, &m, &uid, &gid);
        err = dir->ops->symlink ? dir->ops->symlink(dir, n.dentry, target, uid, gid) : -LX_EPERM;
    }
    new_name_end(&n, err);
    return err;
}

// may_linkat of Linux with fs.protected_hardlinks = 1.
static int may_link_source(struct inode *i)
{
    if (inode_owner_or_capable(i))
        return 0;
    if (!LX_S_ISREG(i->attr.mode) || (i->attr.mode & LX_S_ISUID) ||
        (i->attr.mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP))
        return -LX_EPERM;
    return inode_permission(i, MAY_READ | MAY_WRITE) ? -LX_EPERM : 0;
}

int vfs_linkat(int olddirfd, const char *oldname, int newdirfd, const char *newname, int at_flags)
{
    if (at_flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
        return -LX_EINVAL;
    unsigned lookup = at_flags & LX_AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
    if (at_flags & LX_AT_EMPTY_PATH) {
        if (*oldname == 0 && !vfs_capable(LX_CAP_DAC_READ_SEARCH))
            return -LX_ENOENT;
        lookup |= LOOKUP_EMPTY;
    }
    struct path old;
    int err = path_lookup(olddirfd, oldname, lookup, &old);
    if (err)
        return err;
    struct new_name n;
    struct inode *i = old.dentry->inode;
    err = new_name_begin(&n, newdirfd, newname, false);
    if (err == 0 && old.mnt != n.dir.mnt)
        err = -LX_EXDEV;
    if (err == 0)
        err = may_link_source(i);
    if (err == 0 && i->sb != n.dir.dentry->inode->sb)
        err = -LX_EXDEV;
    if (err == 0 && LX_S_ISDIR(i->attr.mode))
        err = -LX_EPERM;
    if (err == 0) {
        struct inode *dir = n.dir.dentry->inode;
        if (i->attr.nlink == 0 && !i->linkable)
            err = -LX_ENOENT; // whose last name is gone stays gone
        else
            err = dir->ops->link ? dir->ops->link(dir, n.dentry, i) : -LX_EPERM;
        if (err == 0)
            notify_inode(i, LX_IN_ATTRIB);
        if (err == 0)
            old.dentry->unhashed = old.dentry->unhashed && old.dentry->name[0] != '#';
    }
    new_name_end(&n, err);
    path_put(&old);
    return err;
}

int vfs_unlinkat(int dirfd, const char *name, bool rmdir)
{
    struct path parent;
    char last[VFS_NAME_MAX + 1];
    enum last_type type;
    bool slash;
    int err = path_parent(dirfd, name, 0, &parent, last, &type, &slash);
    if (err)
        return err;
    struct inode *dir = parent.dentry->inode;
    if (type != LAST_NORM) {
        path_put(&parent);
        if (!rmdir)
            return -LX_EISDIR;
        return type == LAST_DOT ? -LX_EINVAL : type == LAST_DOTDOT ? -LX_ENOTEMPTY : -LX_EBUSY;
    }
    vfs_mutex_lock(&dir->lock);
    struct dentry *d = NULL;
    err = dir->dead ? -LX_ENOENT : dentry_lookup(parent.dentry, last, strlen(last), &d);
    if (err == 0 && !d->inode)
        err = -LX_ENOENT;
    if (err == 0 && slash && !rmdir)
        err = LX_S_ISDIR(d->inode->attr.mode) ? -LX_EISDIR : -LX_ENOTDIR;
    if (err == 0 && slash && rmdir && !LX_S_ISDIR(d->inode->attr.mode))
        err = -LX_ENOTDIR;
    if (err == 0)
        err = may_delete(&parent, d, rmdir);
    if (err == 0 && d->mounts)
        err = -LX_EBUSY;
    if (err == 0) {
        struct inode *victim = inode_get(d->inode);
        int (*op)(struct inode *, struct dentry *) = rmdir ? dir->ops->rmdir : dir->ops->unlink;
        err = op ? op(dir, d) : -LX_EPERM;
        if (err == 0) {
            if (rmdir)
                victim->dead = true;
            dir->dir_seq++;
            if (!rmdir)
                notify_inode(victim, LX_IN_ATTRIB);
            dentry_removed(d);
            notify_name(dir, LX_IN_DELETE | notify_isdir(victim), 0, d->name);
        }
        vfs_mutex_unlock(&dir->lock);
        dentry_put(d);
        path_put(&parent);
        inode_put(victim); // the file's blocks may go here, outside the directory's lock
        return err;
    }
    vfs_mutex_unlock(&dir->lock);
    dentry_put(d);
    path_put(&parent);
    return err;
}
