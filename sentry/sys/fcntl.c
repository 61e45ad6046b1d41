// fcntl, flock and the ioctls every file answers.
#include "sentry/sys/path.h"
#include "sentry/vfs/locks.h"

static int64_t dup_above(int fd, uint64_t min, bool cloexec)
{
    struct file *f = fd_lookup_path(current->files, fd);
    if (min > FD_TABLE_MAX)
        return -LX_EINVAL;
    int n = fd_install(current->files, file_get(f), (unsigned)min, cloexec);
    if (n < 0)
        file_put(f);
    return n;
}

#define SETFL_MASK (LX_O_APPEND | LX_O_NONBLOCK | LX_O_DIRECT | LX_O_NOATIME | LX_O_ASYNC)

static int64_t set_flags(struct file *f, uint32_t arg)
{
    uint32_t want = (f->flags & ~SETFL_MASK) | (arg & SETFL_MASK);
    if ((want & ~f->flags & LX_O_NOATIME) && !inode_owner_or_capable(f->inode))
        return -LX_EPERM;
    if (f->ops && f->ops->set_flags) {
        int err = f->ops->set_flags(f, want);
        if (err)
            return err;
    }
    f->flags = want;
    return 0;
}

// Byte range of a struct flock (flock_to_posix_lock).
static int range_of(struct file *f, const struct lx_flock *fl, struct lock_request *r)
{
    int64_t start = 0;
    switch (fl->whence) {
    case LX_SEEK_SET:
        break;
    case LX_SEEK_CUR:
        start = f->pos;
        break;
    case LX_SEEK_END:
        start = (int64_t)f->inode->attr.size;
        break;
    default:
        return -LX_EINVAL;
    }
    if (__builtin_add_overflow(start, fl->start, &start))
        return -LX_EOVERFLOW;
    if (start < 0)
        return -LX_EINVAL;
    r->start = start;
    r->end = INT64_MAX;
    if (fl->len > 0) {
        if (__builtin_add_overflow(start, fl->len - 1, &r->end))
            return -LX_EOVERFLOW;
    } else if (fl->len < 0) {
        if (start + fl->len < 0)
            return -LX_EINVAL;
        r->end = start - 1;
        r->start = start + fl->len;
    }
    if (fl->type != LX_F_RDLCK && fl->type != LX_F_WRLCK && fl->type != LX_F_UNLCK)
        return -LX_EINVAL;
    r->type = fl->type;
    return 0;
}

static int64_t get_lock(struct file *f, gaddr_t arg, const struct lock_request *r, struct lx_flock *fl)
{
    struct lock_request holder;
    if (fl->type == LX_F_UNLCK)
        return -LX_EINVAL;
    if (!lock_conflict(f->inode, r, &holder)) {
        fl->type = LX_F_UNLCK;
        return put_user(*fl, arg);
    }
    fl->type = (int16_t)holder.type;
    fl->whence = LX_SEEK_SET;
    fl->start = holder.start;
    fl->len = holder.end == INT64_MAX ? 0 : holder.end - holder.start + 1;
    fl->pid = holder.pid;
    return put_user(*fl, arg);
}

static void wait_ended(struct call *c)
{
    locks_wait_done(c->task->files);
}

static int64_t record_lock(struct call *c, struct file *f, int cmd, gaddr_t arg)
{
    bool ofd = cmd == LX_F_OFD_GETLK || cmd == LX_F_OFD_SETLK || cmd == LX_F_OFD_SETLKW;
    struct lx_flock fl;
    if (get_user(fl, arg))
        return -LX_EFAULT;
    struct lock_request r = {.class = ofd ? LOCK_OFD : LOCK_POSIX,
                             .owner = ofd ? (const void *)f : (const void *)current->files,
                             .pid = ofd ? -1 : current->tg->pid};
    int err = range_of(f, &fl, &r);
    if (err)
        return err;
    if (ofd && fl.pid)
        return -LX_EINVAL;
    if (cmd == LX_F_GETLK || cmd == LX_F_OFD_GETLK)
        return get_lock(f, arg, &r, &fl);
    if ((fl.type == LX_F_RDLCK && !(f->mode & FMODE_READ)) ||
        (fl.type == LX_F_WRLCK && !(f->mode & FMODE_WRITE)))
        return -LX_EBADF;
    err = lock_set(f->inode, &r);
    if (err != -LX_EAGAIN || cmd == LX_F_SETLK || cmd == LX_F_OFD_SETLK)
        return err;
    if (!ofd && lock_deadlock(f->inode, &r))
        return -LX_EDEADLK;
    c->release = wait_ended;
    return lock_wait(f->inode, &r);
}

static int64_t set_owner(struct file *f, int type, int pid)
{
    if (pid == INT32_MIN)
        return -LX_EINVAL;
    if (pid > 0 && type != LX_F_OWNER_PGRP && !find_group(pid) && !find_task(pid))
        return -LX_ESRCH;
    if (pid > 0 && type == LX_F_OWNER_PGRP && !find_pgrp(pid))
        return -LX_ESRCH;
    f->owner = type == LX_F_OWNER_PGRP ? -pid : pid;
    f->owner_uid = current->cred->euid;
    return 0;
}

static int64_t owner_ex(struct file *f, int cmd, gaddr_t arg)
{
    struct lx_f_owner_ex o;
    if (cmd == LX_F_GETOWN_EX) {
        o.type = f->owner < 0 ? LX_F_OWNER_PGRP : LX_F_OWNER_PID;
        o.pid = f->owner < 0 ? -f->owner : f->owner;
        return put_user(o, arg);
    }
    if (get_user(o, arg))
        return -LX_EFAULT;
    if (o.type < LX_F_OWNER_TID || o.type > LX_F_OWNER_PGRP)
        return -LX_EINVAL;
    return set_owner(f, o.type, o.pid);
}

int64_t sys_fcntl(struct call *c)
{
    int fd = arg_int(c, 0), cmd = (int)arg_uint(c, 1);
    uint64_t arg = c->args[2];
    struct file *f = fd_lookup_path(current->files, fd);
    if (!f)
        return -LX_EBADF;
    if ((f->mode & FMODE_PATH) && cmd != LX_F_DUPFD && cmd != LX_F_DUPFD_CLOEXEC && cmd != LX_F_GETFD &&
        cmd != LX_F_SETFD && cmd != LX_F_GETFL)
        return -LX_EBADF;
    struct fd_slot *slot = &current->files->slots[fd];
    switch (cmd) {
    case LX_F_DUPFD:
    case LX_F_DUPFD_CLOEXEC:
        return dup_above(fd, (uint32_t)arg, cmd == LX_F_DUPFD_CLOEXEC);
    case LX_F_GETFD:
        return slot->flags & FD_CLOEXEC_BIT ? LX_FD_CLOEXEC : 0;
    case LX_F_SETFD:
        slot->flags = arg & LX_FD_CLOEXEC ? FD_CLOEXEC_BIT : 0;
        return 0;
    case LX_F_GETFL:
        return f->flags;
    case LX_F_SETFL:
        return set_flags(f, (uint32_t)arg);
    case LX_F_GETLK:
    case LX_F_SETLK:
    case LX_F_SETLKW:
    case LX_F_OFD_GETLK:
    case LX_F_OFD_SETLK:
    case LX_F_OFD_SETLKW:
        return record_lock(c, f, cmd, arg);
    case LX_F_GETOWN:
        return f->owner;
    case LX_F_SETOWN:
        return (int32_t)arg < 0 ? set_owner(f, LX_F_OWNER_PGRP, -(int32_t)arg)
                                : set_owner(f, LX_F_OWNER_PID, (int32_t)arg);
    case LX_F_GETOWN_EX:
    case LX_F_SETOWN_EX:
        return owner_ex(f, cmd, arg);
    case LX_F_GETSIG:
        return f->owner_sig;
    case LX_F_SETSIG:
        if (arg > 64)
            return -LX_EINVAL;
        f->owner_sig = (int)arg;
        return 0;
    case LX_F_DUPFD_QUERY:
        return fd_lookup_path(current->files, (int)(uint32_t)arg) == f;
    case LX_F_GETLEASE:
        return LX_F_UNLCK;
    case LX_F_SETLEASE:
        return (int32_t)arg == LX_F_UNLCK ? -LX_EAGAIN : -LX_EINVAL;
    case LX_F_NOTIFY: // no directory is watched, as in a kernel without dnotify: there is nothing to take away either
        if (((uint32_t)arg & ~LX_DN_MULTISHOT) == 0)
            return 0;
        return LX_S_ISDIR(f->inode->attr.mode) ? -LX_EINVAL : -LX_ENOTDIR;
    case LX_F_GETPIPE_SZ:
    case LX_F_SETPIPE_SZ:
        return f->ops && f->ops->fcntl && LX_S_ISFIFO(f->inode->attr.mode) ? f->ops->fcntl(f, cmd, arg)
                                                                           : -LX_EBADF;
    }
    if (!f->ops || !f->ops->fcntl)
        return -LX_EINVAL;
    return f->ops->fcntl(f, cmd, arg);
}

int64_t sys_flock(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    uint32_t op = arg_uint(c, 1);
    struct lock_request r = {
        .class = LOCK_FLOCK, .owner = f, .start = 0, .end = INT64_MAX, .pid = current->tg->pid};
    switch (op & ~(uint32_t)LX_LOCK_NB) {
    case LX_LOCK_SH:
        r.type = LX_F_RDLCK;
        break;
    case LX_LOCK_EX:
        r.type = LX_F_WRLCK;
        break;
    case LX_LOCK_UN:
        r.type = LX_F_UNLCK;
        break;
    default:
        return -LX_EINVAL;
    }
    if (!f)
        return -LX_EBADF;
    int err = lock_set(f->inode, &r);
    if (err != -LX_EAGAIN || (op & LX_LOCK_NB))
        return err;
    return lock_wait(f->inode, &r);
}

int64_t sys_ioctl(struct call *c)
{
    int fd = arg_int(c, 0);
    uint32_t cmd = arg_uint(c, 1);
    struct file *f = fd_lookup(current->files, fd);
    int32_t value;
    if (!f)
        return -LX_EBADF;
    switch (cmd) {
    case LX_FIOCLEX:
        current->files->slots[fd].flags |= FD_CLOEXEC_BIT;
        return 0;
    case LX_FIONCLEX:
        current->files->slots[fd].flags &= ~FD_CLOEXEC_BIT;
        return 0;
    case LX_FIONBIO:
    case LX_FIOASYNC: {
        uint32_t bit = cmd == LX_FIONBIO ? LX_O_NONBLOCK : LX_O_ASYNC;
        if (get_user(value, c->args[2]))
            return -LX_EFAULT;
        return set_flags(f, value ? f->flags | bit : f->flags & ~bit);
    }
    case LX_FIOQSIZE:
        if (!LX_S_ISREG(f->inode->attr.mode) && !LX_S_ISDIR(f->inode->attr.mode))
            return -LX_ENOTTY;
        return put_user(f->inode->attr.size, c->args[2]);
    case LX_FIGETBSZ:
        value = (int32_t)f->inode->attr.blksize;
        return put_user(value, c->args[2]);
    case LX_FICLONE:
    case LX_FICLONERANGE:
    case LX_FIDEDUPERANGE:
        return -LX_EOPNOTSUPP;
    case LX_FIONREAD:
        if (!LX_S_ISREG(f->inode->attr.mode))
            break;
        struct kstat st;
        int err = vfs_getattr(f->inode, &st);
        if (err)
            return err;
        value = (int32_t)((int64_t)st.size - f->pos);
        return put_user(value, c->args[2]);
    }
    if (!f->ops || !f->ops->ioctl)
        return -LX_ENOTTY;
    file_get(f);
    int64_t n = f->ops->ioctl(f, cmd, c->args[2]);
    file_put(f);
    return n;
}
