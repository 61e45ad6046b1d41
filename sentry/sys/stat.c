// stat, statx, statfs, access.
#include "sentry/sys/path.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include <string.h>

static void fill_stat(struct lx_stat *s, const struct kstat *k)
{
    memset(s, 0, sizeof(*s));
    s->dev = k->dev;
    s->ino = k->ino;
    s->nlink = k->nlink;
    s->mode = k->mode;
    s->uid = show_uid(k->uid);
    s->gid = show_gid(k->gid);
    s->rdev = k->rdev;
    s->size = (int64_t)k->size;
    s->blksize = k->blksize;
    s->blocks = (int64_t)k->blocks;
    s->atime = (uint64_t)k->atime.sec;
    s->atime_nsec = k->atime.nsec;
    s->mtime = (uint64_t)k->mtime.sec;
    s->mtime_nsec = k->mtime.nsec;
    s->ctime = (uint64_t)k->ctime.sec;
    s->ctime_nsec = k->ctime.nsec;
}

static int64_t stat_inode(struct inode *i, gaddr_t out)
{
    struct kstat k;
    struct lx_stat s;
    int err = vfs_getattr(i, &k);
    if (err)
        return err;
    fill_stat(&s, &k);
    return put_user(s, out);
}

static int64_t stat_path(int dirfd, gaddr_t name, int at_flags, gaddr_t out)
{
    struct path p;
    int err = lookup_user(dirfd, name, at_flags, true, &p);
    if (err)
        return err;
    int64_t r = stat_inode(p.dentry->inode, out);
    path_put(&p);
    return r;
}

int64_t sys_stat(struct call *c)
{
    return stat_path(LX_AT_FDCWD, c->args[0], 0, c->args[1]);
}

int64_t sys_lstat(struct call *c)
{
    return stat_path(LX_AT_FDCWD, c->args[0], LX_AT_SYMLINK_NOFOLLOW, c->args[1]);
}

static int64_t stat_fd(int fd, gaddr_t out)
{
    struct file *f = fd_lookup_path(current->files, fd);
    if (!f)
        return -LX_EBADF;
    file_get(f);
    int64_t r = stat_inode(f->inode, out);
    file_put(f);
    return r;
}

int64_t sys_fstat(struct call *c)
{
    return stat_fd(arg_int(c, 0), c->args[1]);
}

// Copies the name in. 1 when AT_EMPTY_PATH makes it the descriptor itself (an empty one, or since 6.11 none), 0 when not,
// or -errno. One copy: the C library's fstat() comes this way.
static int get_name(char path[VFS_PATH_MAX], gaddr_t name, int at_flags)
{
    if (!name && (at_flags & LX_AT_EMPTY_PATH)) {
        *path = 0;
        return 1;
    }
    int err = get_path(path, name);
    return err ? err : *path == 0 && (at_flags & LX_AT_EMPTY_PATH);
}

int64_t sys_newfstatat(struct call *c)
{
    int dirfd = arg_int(c, 0), flags = arg_int(c, 3);
    if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH))
        return -LX_EINVAL;
    char path[VFS_PATH_MAX];
    int empty = get_name(path, c->args[1], flags);
    if (empty < 0)
        return empty;
    if (empty && dirfd >= 0)
        return stat_fd(dirfd, c->args[2]);
    struct path p;
    int err = lookup_name(dirfd, path, flags, true, &p);
    if (err)
        return err;
    int64_t r = stat_inode(p.dentry->inode, c->args[2]);
    path_put(&p);
    return r;
}

static struct lx_statx_timestamp stamp(struct timespec64 t)
{
    return (struct lx_statx_timestamp){.sec = t.sec, .nsec = t.nsec};
}

int64_t sys_statx(struct call *c)
{
    int dirfd = arg_int(c, 0), flags = arg_int(c, 2);
    uint32_t mask = arg_uint(c, 3);
    if (mask & LX_STATX_RESERVED)
        return -LX_EINVAL;
    if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH | LX_AT_STATX_SYNC_TYPE))
        return -LX_EINVAL;
    if ((flags & LX_AT_STATX_SYNC_TYPE) == LX_AT_STATX_SYNC_TYPE)
        return -LX_EINVAL;
    struct path p;
    char path[VFS_PATH_MAX];
    int empty = get_name(path, c->args[1], flags);
    if (empty < 0)
        return empty;
    if (empty && dirfd >= 0) {
        struct file *f = fd_lookup_path(current->files, dirfd);
        if (!f)
            return -LX_EBADF;
        p = f->path;
        path_get(&p);
    } else {
        int err = lookup_name(dirfd, path, flags, true, &p);
        if (err)
            return err;
    }
    struct kstat k;
    struct lx_statx s = {0};
    int err = vfs_getattr(p.dentry->inode, &k);
    s.mnt_id = p.mnt ? (uint64_t)p.mnt->id : 0;
    bool is_root = p.mnt && p.mnt->root == p.dentry;
    path_put(&p);
    if (err)
        return err;
    s.mask = LX_STATX_BASIC_STATS | LX_STATX_MNT_ID;
    if (k.btime.sec || k.btime.nsec)
        s.mask |= LX_STATX_BTIME;
    s.blksize = k.blksize;
    s.attributes = k.attributes | (is_root ? LX_STATX_ATTR_MOUNT_ROOT : 0);
    s.attributes_mask = LX_STATX_ATTR_MOUNT_ROOT | LX_STATX_ATTR_IMMUTABLE | LX_STATX_ATTR_APPEND;
    s.nlink = k.nlink;
    s.uid = show_uid(k.uid);
    s.gid = show_gid(k.gid);
    s.mode = (uint16_t)k.mode;
    s.ino = k.ino;
    s.size = k.size;
    s.blocks = k.blocks;
    s.atime = stamp(k.atime);
    s.btime = stamp(k.btime);
    s.ctime = stamp(k.ctime);
    s.mtime = stamp(k.mtime);
    s.rdev_major = lx_major(k.rdev);
    s.rdev_minor = lx_minor(k.rdev);
    s.dev_major = lx_major(k.dev);
    s.dev_minor = lx_minor(k.dev);
    return put_user(s, c->args[4]);
}

static int64_t statfs_path(const struct path *p, gaddr_t out)
{
    struct kstatfs k;
    int err = vfs_statfs(p, &k);
    if (err)
        return err;
    struct lx_statfs s = {.type = (int64_t)k.type,
                          .bsize = (int64_t)k.bsize,
                          .blocks = k.blocks,
                          .bfree = k.bfree,
                          .bavail = k.bavail,
                          .files = k.files,
                          .ffree = k.ffree,
                          .namelen = k.namelen ? (int64_t)k.namelen : VFS_NAME_MAX,
                          .frsize = (int64_t)k.bsize,
                          .flags = (int64_t)k.flags};
    s.fsid[0] = (int32_t)p->dentry->inode->sb->dev;
    return put_user(s, out);
}

int64_t sys_statfs(struct call *c)
{
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, true, &p);
    if (err)
        return err;
    int64_t r = statfs_path(&p, c->args[1]);
    path_put(&p);
    return r;
}

int64_t sys_fstatfs(struct call *c)
{
    struct file *f = fd_lookup_path(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    file_get(f);
    int64_t r = statfs_path(&f->path, c->args[1]);
    file_put(f);
    return r;
}

// access(2) asks with the real ids, and with the capabilities such a user would have.
static struct cred *real_cred(void)
{
    const struct cred *c = current->cred;
    if (c->uid == c->fsuid && c->gid == c->fsgid &&
        (c->uid == make_kuid(c->user_ns, 0) ? c->cap_effective == c->cap_permitted : c->cap_effective == 0))
        return cred_get(current->cred);
    struct cred *n = cred_dup(c);
    if (n) {
        n->fsuid = c->uid;
        n->fsgid = c->gid;
        n->cap_effective = c->uid == make_kuid(c->user_ns, 0) ? c->cap_permitted : 0;
    }
    return n;
}

static int64_t do_access(int dirfd, gaddr_t name, uint32_t mode, int flags)
{
    if ((mode & ~7u) || (flags & ~(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH)))
        return -LX_EINVAL;
    struct cred *saved = current->cred;
    struct cred *asked = flags & LX_AT_EACCESS ? cred_get(saved) : real_cred();
    if (!asked)
        return -LX_ENOMEM;
    current->cred = asked;
    struct path p;
    int err = lookup_user(dirfd, name, flags & ~LX_AT_EACCESS, true, &p);
    if (err == 0) {
        struct inode *i = p.dentry->inode;
        if ((mode & MAY_EXEC) && LX_S_ISREG(i->attr.mode) && (p.mnt->flags & MNT_NOEXEC))
            err = -LX_EACCES;
        if (err == 0 && mode)
            err = inode_permission(i, (int)mode);
        if (err == 0 && (mode & MAY_WRITE) && !LX_S_ISCHR(i->attr.mode) && !LX_S_ISBLK(i->attr.mode) &&
            !LX_S_ISFIFO(i->attr.mode) && !LX_S_ISSOCK(i->attr.mode) &&
            ((i->sb->flags & SB_RDONLY) || (p.mnt->flags & MNT_RDONLY)))
            err = -LX_EROFS;
        path_put(&p);
    }
    current->cred = saved;
    cred_put(asked);
    return err;
}

int64_t sys_access(struct call *c)
{
    return do_access(LX_AT_FDCWD, c->args[0], arg_uint(c, 1), 0);
}

int64_t sys_faccessat(struct call *c)
{
    return do_access(arg_int(c, 0), c->args[1], arg_uint(c, 2), 0);
}

int64_t sys_faccessat2(struct call *c)
{
    return do_access(arg_int(c, 0), c->args[1], arg_uint(c, 2), arg_int(c, 3));
}
