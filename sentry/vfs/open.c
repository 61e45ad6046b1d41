// Opening files (fs/namei.c path_openat and fs/open.c do_dentry_open).
#include "sentry/vfs/walk.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/chrdev.h"
#include "sentry/vfs/notify.h"
#include <stdio.h>
#include <stdlib.h>

int (*fifo_open_hook)(struct inode *inode, struct file *f);

static uint32_t open_fmode(uint32_t flags)
{
    switch (flags & LX_O_ACCMODE) {
    case LX_O_RDONLY:
        return FMODE_READ;
    case LX_O_WRONLY:
        return FMODE_WRITE;
    case LX_O_RDWR:
        return FMODE_READ | FMODE_WRITE;
    }
    return 0; // 3: ioctl only
}

// The permissions an open asks for (ACC_MODE and MAY_TRUNC).
static int open_mask(uint32_t flags)
{
    static const int masks[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    return masks[flags & LX_O_ACCMODE] | (flags & LX_O_TRUNC ? MAY_WRITE : 0);
}

static int may_open(const struct path *p, uint32_t flags)
{
    struct inode *i = p->dentry->inode;
    uint32_t type = i->attr.mode & LX_S_IFMT;
    int mask = open_mask(flags);
    if (type == LX_S_IFLNK)
        return -LX_ELOOP;
    if (type == LX_S_IFDIR && (mask & MAY_WRITE))
        return -LX_EISDIR;
    if ((type == LX_S_IFCHR || type == LX_S_IFBLK) &&
        ((i->sb->flags & SB_NODEV) || (p->mnt && (p->mnt->flags & MNT_NODEV))))
        return -LX_EACCES;
    int err = path_permission(p, mask);
    if (err)
        return err;
    if ((flags & LX_O_NOATIME) && !inode_owner_or_capable(i))
        return -LX_EPERM;
    return 0;
}

// Devices, fifos and filesystems bring their own operations.
static int open_by_type(struct inode *i, struct file *f)
{
    if ((i->sb->flags & SB_ANON) && i->ops && i->ops->open)
        return i->ops->open(i, f); // a host stream, opened again through proc
    switch (i->attr.mode & LX_S_IFMT) {
    case LX_S_IFIFO:
        return fifo_open_hook ? fifo_open_hook(i, f) : -LX_ENXIO;
    case LX_S_IFCHR:
        return chrdev_open(i, f);
    case LX_S_IFBLK:
    case LX_S_IFSOCK:
        return -LX_ENXIO;
    case 0: // anonymous files cannot be opened again through proc
        return i->sb->flags & SB_ANON ? -LX_ENXIO : 0;
    }
    return i->ops && i->ops->open ? i->ops->open(i, f) : 0;
}

static int open_truncate(const struct path *p, struct file *f)
{
    struct inode *i = f->inode;
    struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME, .mtime = vfs_now()};
    attr.ctime = attr.mtime;
    return vfs_setattr(p, i, &attr);
}

int open_resolved(const struct path *p, uint32_t flags, uint32_t mode, struct file **out)
{
    (void)mode;
    struct inode *i = p->dentry->inode;
    struct file *f = file_alloc();
    if (!f)
        return -LX_ENFILE;
    f->path = *p;
    path_get(&f->path);
    f->inode = i;
    if (flags & LX_O_PATH) {
        f->mode = FMODE_PATH;
        f->flags = flags & (LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW);
        *out = f;
        return 0;
    }
    f->mode = open_fmode(flags);
    f->flags = flags & ~(LX_O_CREAT | LX_O_EXCL | LX_O_CLOEXEC); // a terminal's open looks at O_NOCTTY
    f->ops = i->fops;
    uint32_t type = i->attr.mode & LX_S_IFMT;
    if (type == LX_S_IFREG || type == LX_S_IFDIR)
        f->mode |= FMODE_SEEKABLE;
    int err = 0;
    if (type == LX_S_IFREG && ((f->mode & FMODE_WRITE) || (flags & LX_O_TRUNC))) {
        if (i->write_count < 0) {
            err = -LX_ETXTBSY;
        } else {
            file_is_writer(f);
        }
    }
    if (err == 0)
        err = open_by_type(i, f);
    if (err) {
        f->ops = NULL; // nothing was opened: no release
        file_put(f);
        return err;
    }
    if ((flags & LX_O_TRUNC) && type == LX_S_IFREG)
        err = open_truncate(p, f);
    if ((flags & LX_O_TRUNC) && !(f->mode & FMODE_WRITE) && (f->mode & FMODE_WRITER)) {
        file_no_writer(f);
    }
    f->flags &= ~(LX_O_TRUNC | LX_O_NOCTTY);
    if (err) {
        file_put(f);
        return err;
    }
    f->mode |= FMODE_OPENED;
    notify_file(f, LX_IN_OPEN);
    *out = f;
    return 0;
}

int vfs_open_raw(const struct path *p, uint32_t flags, struct file **out)
{
    return open_resolved(p, flags, 0, out);
}

int vfs_open_path(const struct path *p, uint32_t flags, struct file **out)
{
    if (!(flags & LX_O_PATH)) {
        int err = may_open(p, flags);
        if (err)
            return err;
    }
    if ((flags & LX_O_DIRECTORY) && !dentry_is_dir(p->dentry))
        return -LX_ENOTDIR;
    return open_resolved(p, flags, 0, out);
}

void new_object_owner(const struct inode *dir, uint32_t *mode, uint32_t *uid, uint32_t *gid)
{
    *uid = current ? current->cred->fsuid : 0;
    *gid = current ? current->cred->fsgid : 0;
    if (!(dir->attr.mode & LX_S_ISGID))
        return;
    *gid = dir->attr.gid;
    if (LX_S_ISDIR(*mode))
        *mode |= LX_S_ISGID;
    else if ((*mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP) && current &&
             !cred_in_group(current->cred, *gid) && !capable(LX_CAP_FSETID))
        *mode &= ~LX_S_ISGID;
}

// Makes the regular file `d` names if it is still missing. *created tells who made it.
static int create_file(struct walk *w, struct dentry **d, uint32_t flags, uint32_t mode, bool *created)
{
    struct inode *dir = w->at.dentry->inode;
    int err = 0;
    vfs_mutex_lock(&dir->lock);
    if (list_empty(&(*d)->hash_link)) { // dropped, or not cached, while we waited
        dentry_put(*d);
        *d = NULL;
        err = dentry_lookup(w->at.dentry, w->name, w->len, d);
    }
    if (err == 0 && !(*d)->inode) {
        err = may_create(&w->at);
        if (err == 0 && !dir->ops->create)
            err = -LX_EACCES;
        if (err == 0) {
            uint32_t uid, gid;
            uint32_t m = (acl_new_mode(dir, mode) & 07777) | LX_S_IFREG;
            new_object_owner(dir, &m, &uid, &gid);
            err = dir->ops->create(dir, *d, m & 07777, uid, gid, flags & LX_O_EXCL);
            dir->dir_seq++;
            *created = err == 0;
            if (*created)
                err = acl_inherit(dir, (*d)->inode, mode);
            if (*created)
                notify_name(dir, LX_IN_CREATE, 0, (*d)->name);
        }
    }
    vfs_mutex_unlock(&dir->lock);
    if (err == 0 && !(*d)->inode)
        err = -LX_ENOENT;
    return err;
}

// The last component of an open. *again: a symlink was followed, walk on.
static int open_last(struct walk *w, uint32_t flags, uint32_t mode, bool *again, bool *created)
{
    bool create = flags & LX_O_CREAT;
    if (w->type != LAST_NORM) {
        int err = w->type == LAST_DOTDOT ? walk_dotdot(w) : 0;
        // After a magic link this is the place itself, and need not be a directory.
        return err ? err : create && dentry_is_dir(w->at.dentry) ? -LX_EISDIR : 0;
    }
    if (create && w->slash)
        return -LX_EISDIR;
    struct dentry *d = NULL;
    int err = walk_last(w, &d);
    if (err)
        return err;
    if (!d->inode) {
        err = create ? create_file(w, &d, flags, mode, created) : -LX_ENOENT;
        if (err) {
            dentry_put(d);
            return err;
        }
    }
    if (!*created && (flags & (LX_O_CREAT | LX_O_EXCL)) == (LX_O_CREAT | LX_O_EXCL)) {
        dentry_put(d);
        return -LX_EEXIST;
    }
    if (LX_S_ISLNK(d->inode->attr.mode) && ((w->flags & LOOKUP_FOLLOW) || w->slash)) {
        err = walk_follow(w, d);
        dentry_put(d);
        *again = true;
        return err;
    }
    err = walk_step(w, d);
    if (err)
        return err;
    if (create && dentry_is_dir(w->at.dentry))
        return -LX_EISDIR;
    return 0;
}

static int open_tmpfile(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
    struct path dir;
    for (bool again = true; again;) {
        again = false;
        int err = walk_parent(w);
        bool created = false;
        if (err == 0)
            err = open_last(w, flags & ~LX_O_CREAT, 0, &again, &created);
        if (err)
            return err;
    }
    dir = w->at;
    if (!dentry_is_dir(dir.dentry))
        return -LX_ENOTDIR;
    int err = path_permission(&dir, MAY_WRITE | MAY_EXEC);
    if (err)
        return err;
    struct inode *i = dir.dentry->inode;
    if (!i->ops->tmpfile)
        return -LX_EOPNOTSUPP;
    struct dentry *d = dentry_alloc(dir.dentry, "", 0);
    if (!d)
        return -LX_ENOMEM;
    d->unhashed = true;
    uint32_t uid, gid, m = (acl_new_mode(i, mode) & 07777) | LX_S_IFREG;
    new_object_owner(i, &m, &uid, &gid);
    err = i->ops->tmpfile(i, d, m & 07777, uid, gid);
    if (err == 0)
        err = acl_inherit(i, d->inode, mode);
    if (err == 0) {
        d->inode->linkable = !(flags & LX_O_EXCL);
        char *name = NULL;
        int n = asprintf(&name, "#%llu", (unsigned long long)d->inode->attr.ino);
        if (n > 0) { // what /proc/self/fd shows
            free(d->name);
            d->name = name;
            d->name_len = (uint16_t)n;
        }
        struct path p = {dir.mnt, d};
        err = open_resolved(&p, flags & ~(LX_O_TMPFILE_BIT | LX_O_DIRECTORY), m, out);
        if (err == 0)
            (*out)->flags |= LX_O_TMPFILE;
    }
    dentry_put(d);
    return err;
}

static int check_flags(uint32_t *flags)
{
    if (*flags & LX_O_PATH) {
        *flags &= LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC;
        return 0;
    }
    if (*flags & LX_O_TMPFILE_BIT) {
        if (!(*flags & LX_O_DIRECTORY) || (*flags & LX_O_CREAT) || !(open_mask(*flags) & MAY_WRITE))
            return -LX_EINVAL;
        return 0;
    }
    if ((*flags & (LX_O_CREAT | LX_O_DIRECTORY)) == (LX_O_CREAT | LX_O_DIRECTORY))
        return -LX_EINVAL;
    return 0;
}

static int do_open(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
    bool created = false;
    for (bool again = true; again;) {
        again = false;
        int err = walk_parent(w);
        if (err == 0)
            err = open_last(w, flags, mode, &again, &created);
        if (err)
            return err;
        if (w->slash && !again && !dentry_is_dir(w->at.dentry))
            return -LX_ENOTDIR;
        if (w->slash)
            flags |= LX_O_DIRECTORY;
    }
    if ((flags & LX_O_DIRECTORY) && !dentry_is_dir(w->at.dentry))
        return -LX_ENOTDIR;
    if (created)
        return open_resolved(&w->at, flags & ~LX_O_TRUNC, mode, out);
    if (!(flags & LX_O_PATH)) {
        int err = may_open(&w->at, flags);
        if (err)
            return err;
    }
    return open_resolved(&w->at, flags, mode, out);
}

int vfs_open(int dirfd, const char *name, uint32_t flags, uint32_t mode, unsigned lookup, struct file **out)
{
    int err = check_flags(&flags);
    if (err)
        return err;
    lookup &= ~LOOKUP_FOLLOW;
    bool exclusive = (flags & (LX_O_CREAT | LX_O_EXCL)) == (LX_O_CREAT | LX_O_EXCL);
    if (!(flags & LX_O_NOFOLLOW) && !exclusive)
        lookup |= LOOKUP_FOLLOW;
    struct walk w;
    err = walk_begin(&w, dirfd, name, lookup);
    if (err == 0)
        err = (flags & LX_O_TMPFILE_BIT) && !(flags & LX_O_PATH) ? open_tmpfile(&w, flags, mode, out)
                                                                 : do_open(&w, flags, mode, out);
    walk_end(&w);
    return err;
}
