// chmod, chown, truncate, times and what else changes an inode.
#include "sentry/sys/path.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"

static int check_writable(const struct path *p)
{
    return (p->dentry->inode->sb->flags & SB_RDONLY) || (p->mnt && (p->mnt->flags & MNT_RDONLY)) ? -LX_EROFS
                                                                                                 : 0;
}

static int chmod_place(const struct path *p, uint32_t mode)
{
    struct inode *i = p->dentry->inode;
    int err = check_writable(p);
    if (err)
        return err;
    if (LX_S_ISLNK(i->attr.mode))
        return -LX_EOPNOTSUPP;
    if (!inode_owner_or_capable(i))
        return -LX_EPERM;
    struct iattr a = {.valid = ATTR_MODE | ATTR_CTIME, .mode = mode & 07777, .ctime = vfs_now()};
    // Setgid needs membership of the group.
    if ((a.mode & LX_S_ISGID) && !cred_in_group(current->cred, i->attr.gid) &&
        !inode_capable(i, LX_CAP_FSETID))
        a.mode &= ~LX_S_ISGID;
    return vfs_setattr(p, i, &a);
}

static int64_t chmod_user(int dirfd, gaddr_t name, uint32_t mode, int at_flags)
{
    struct path p;
    int err = lookup_user(dirfd, name, at_flags, true, &p);
    if (err)
        return err;
    err = chmod_place(&p, mode);
    path_put(&p);
    return err;
}

int64_t sys_chmod(struct call *c)
{
    return chmod_user(LX_AT_FDCWD, c->args[0], arg_uint(c, 1), 0);
}

int64_t sys_fchmodat(struct call *c)
{
    return chmod_user(arg_int(c, 0), c->args[1], arg_uint(c, 2), 0);
}

int64_t sys_fchmodat2(struct call *c)
{
    int flags = arg_int(c, 3);
    if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
        return -LX_EINVAL;
    return chmod_user(arg_int(c, 0), c->args[1], arg_uint(c, 2), flags);
}

int64_t sys_fchmod(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    file_get(f);
    int err = chmod_place(&f->path, arg_uint(c, 1));
    file_put(f);
    return err;
}

static bool may_chown(const struct inode *i, uint32_t uid, uint32_t gid)
{
    const struct cred *c = current->cred;
    if (uid != UINT32_MAX && !(c->fsuid == i->attr.uid && uid == i->attr.uid) &&
        !inode_capable(i, LX_CAP_CHOWN))
        return false;
    if (gid != UINT32_MAX && !(c->fsuid == i->attr.uid && (cred_in_group(c, gid) || gid == i->attr.gid)) &&
        !inode_capable(i, LX_CAP_CHOWN))
        return false;
    return true;
}

// `user` and `group` as the caller's namespace numbers them, -1: keep.
static int chown_place(const struct path *p, uint32_t user, uint32_t group)
{
    struct inode *i = p->dentry->inode;
    uint32_t uid = make_kuid(current->cred->user_ns, user), gid = make_kgid(current->cred->user_ns, group);
    int err = check_writable(p);
    if (err)
        return err;
    if ((user != UINT32_MAX && uid == ID_NONE) || (group != UINT32_MAX && gid == ID_NONE))
        return -LX_EINVAL;
    if (!may_chown(i, uid, gid))
        return -LX_EPERM;
    struct iattr a = {.valid = ATTR_CTIME, .uid = uid, .gid = gid, .ctime = vfs_now()};
    if (uid != UINT32_MAX)
        a.valid |= ATTR_UID;
    if (gid != UINT32_MAX)
        a.valid |= ATTR_GID;
    // A new owner gets no set-user-ID program.
    if (!LX_S_ISDIR(i->attr.mode) && (i->attr.mode & (LX_S_ISUID | LX_S_ISGID))) {
        a.mode = i->attr.mode & 07777 & ~LX_S_ISUID;
        if (a.mode & LX_S_IXGRP)
            a.mode &= ~LX_S_ISGID;
        a.valid |= ATTR_MODE;
    }
    return vfs_setattr(p, i, &a);
}

static int64_t chown_user(int dirfd, gaddr_t name, uint32_t uid, uint32_t gid, int at_flags)
{
    struct path p;
    int err = lookup_user(dirfd, name, at_flags, true, &p);
    if (err)
        return err;
    err = chown_place(&p, uid, gid);
    path_put(&p);
    return err;
}

int64_t sys_chown(struct call *c)
{
    return chown_user(LX_AT_FDCWD, c->args[0], arg_uint(c, 1), arg_uint(c, 2), 0);
}

int64_t sys_lchown(struct call *c)
{
    return chown_user(LX_AT_FDCWD, c->args[0], arg_uint(c, 1), arg_uint(c, 2), LX_AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchownat(struct call *c)
{
    int flags = arg_int(c, 4);
    if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
        return -LX_EINVAL;
    return chown_user(arg_int(c, 0), c->args[1], arg_uint(c, 2), arg_uint(c, 3), flags);
}

int64_t sys_fchown(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    file_get(f);
    int err = chown_place(&f->path, arg_uint(c, 1), arg_uint(c, 2));
    file_put(f);
    return err;
}

int64_t sys_umask(struct call *c)
{
    uint32_t old = current->fs->umask;
    current->fs->umask = arg_uint(c, 0) & 0777;
    return old;
}

int64_t sys_truncate(struct call *c)
{
    struct path p;
    int64_t size = (int64_t)c->args[1];
    if (size < 0)
        return -LX_EINVAL;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, true, &p);
    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if (LX_S_ISDIR(i->attr.mode))
        err = -LX_EISDIR;
    else if (!LX_S_ISREG(i->attr.mode))
        err = -LX_EINVAL;
    else
        err = path_permission(&p, MAY_WRITE);
    if (err == 0 && i->write_count < 0)
        err = -LX_ETXTBSY;
    if (err == 0)
        err = vfs_truncate(&p, i, (uint64_t)size);
    path_put(&p);
    return err;
}

int64_t sys_ftruncate(struct call *c)
{
    int64_t size = (int64_t)c->args[1];
    if (size < 0)
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if (!LX_S_ISREG(f->inode->attr.mode) || !(f->mode & FMODE_WRITE))
        return -LX_EINVAL;
    file_get(f);
    struct path place = {NULL, f->path.dentry}; // opened for writing: the mount has been asked
    int err = vfs_truncate(&place, f->inode, (uint64_t)size);
    file_put(f);
    return err;
}

int64_t sys_fallocate(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    int mode = arg_int(c, 1);
    int64_t offset = (int64_t)c->args[2], len = (int64_t)c->args[3], end;
    if (!f)
        return -LX_EBADF;
    if (offset < 0 || len <= 0)
        return -LX_EINVAL;
    if (!(f->mode & FMODE_WRITE))
        return -LX_EBADF;
    if (LX_S_ISFIFO(f->inode->attr.mode))
        return -LX_ESPIPE;
    if (LX_S_ISDIR(f->inode->attr.mode))
        return -LX_EISDIR;
    if (!LX_S_ISREG(f->inode->attr.mode))
        return -LX_ENODEV;
    if (__builtin_add_overflow(offset, len, &end))
        return -LX_EFBIG;
    if (!f->ops->fallocate)
        return -LX_EOPNOTSUPP;
    if (!(mode & LX_FALLOC_FL_KEEP_SIZE) && (uint64_t)end > f->inode->attr.size &&
        (uint64_t)end > current->tg->rlim[1].cur)
        return file_size_exceeded();
    file_get(f);
    int64_t r = f->ops->fallocate(f, mode, offset, len);
    file_put(f);
    return r;
}

// --- times

struct times {
    struct lx_timespec t[2];
    bool given;
};

static int times_place(const struct path *p, const struct times *want)
{
    struct inode *i = p->dentry->inode;
    struct timespec64 now = vfs_now();
    struct iattr a = {
        .valid = ATTR_CTIME | ATTR_ATIME | ATTR_MTIME, .atime = now, .mtime = now, .ctime = now};
    bool explicit_time = false;
    int err = check_writable(p);
    if (err)
        return err;
    if (want->given) {
        if (want->t[0].nsec == LX_UTIME_OMIT && want->t[1].nsec == LX_UTIME_OMIT)
            return 0;
        struct timespec64 *to[2] = {&a.atime, &a.mtime};
        static const uint32_t bits[2] = {ATTR_ATIME, ATTR_MTIME};
        for (int k = 0; k < 2; k++) {
            if (want->t[k].nsec == LX_UTIME_OMIT) {
                a.valid &= ~bits[k];
                explicit_time = true;
            } else if (want->t[k].nsec != LX_UTIME_NOW) {
                *to[k] = (struct timespec64){want->t[k].sec, (uint32_t)want->t[k].nsec};
                explicit_time = true;
            }
        }
    }
    if (!inode_owner_or_capable(i)) {
        if (explicit_time)
            return -LX_EPERM;
        err = inode_permission(i, MAY_WRITE);
        if (err)
            return err;
    }
    return vfs_setattr(p, i, &a);
}

static int64_t set_times(int dirfd, gaddr_t name, const struct times *want, int flags)
{
    if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
        return -LX_EINVAL;
    struct path p;
    int err;
    if (!name && dirfd != LX_AT_FDCWD) {
        if (flags & LX_AT_SYMLINK_NOFOLLOW)
            return -LX_EINVAL;
        struct file *f = fd_lookup(current->files, dirfd);
        if (!f)
            return -LX_EBADF;
        p = f->path;
        path_get(&p);
    } else {
        err = lookup_user(dirfd, name, flags, true, &p);
        if (err)
            return err;
    }
    err = times_place(&p, want);
    path_put(&p);
    return err;
}

static bool nsec_good(int64_t nsec)
{
    return nsec == LX_UTIME_NOW || nsec == LX_UTIME_OMIT || (nsec >= 0 && nsec < 1000000000);
}

int64_t sys_utimensat(struct call *c)
{
    struct times want = {.given = c->args[2] != 0};
    if (want.given) {
        if (get_user(want.t, c->args[2]))
            return -LX_EFAULT;
        if (!nsec_good(want.t[0].nsec) || !nsec_good(want.t[1].nsec))
            return -LX_EINVAL;
        if (want.t[0].nsec == LX_UTIME_OMIT && want.t[1].nsec == LX_UTIME_OMIT)
            return 0;
    }
    return set_times(arg_int(c, 0), c->args[1], &want, arg_int(c, 3));
}

static int64_t timeval_times(int dirfd, gaddr_t name, gaddr_t times)
{
    struct times want = {.given = times != 0};
    int64_t tv[4];
    if (times) {
        if (get_user(tv, times))
            return -LX_EFAULT;
        if (tv[1] < 0 || tv[1] >= 1000000 || tv[3] < 0 || tv[3] >= 1000000)
            return -LX_EINVAL;
        want.t[0] = (struct lx_timespec){tv[0], tv[1] * 1000};
        want.t[1] = (struct lx_timespec){tv[2], tv[3] * 1000};
    }
    return set_times(dirfd, name, &want, 0);
}

int64_t sys_utimes(struct call *c)
{
    return timeval_times(LX_AT_FDCWD, c->args[0], c->args[1]);
}

int64_t sys_futimesat(struct call *c)
{
    return timeval_times(arg_int(c, 0), c->args[1], c->args[2]);
}

int64_t sys_utime(struct call *c)
{
    struct times want = {.given = c->args[1] != 0};
    int64_t t[2];
    if (want.given) {
        if (get_user(t, c->args[1]))
            return -LX_EFAULT;
        want.t[0] = (struct lx_timespec){t[0], 0};
        want.t[1] = (struct lx_timespec){t[1], 0};
    }
    return set_times(LX_AT_FDCWD, c->args[0], &want, 0);
}
