// Changing attributes whose change has been permitted.
#include "sentry/vfs/internal.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/notify.h"

int vfs_setattr(const struct path *p, struct inode *i, const struct iattr *attr)
{
    if ((i->sb->flags & SB_RDONLY) || (p && p->mnt && (p->mnt->flags & MNT_RDONLY)))
        return -LX_EROFS;
    if (!i->ops || !i->ops->setattr)
        return -LX_EPERM;
    int err = i->ops->setattr(i, attr);
    if (!err && (attr->valid & ATTR_MODE) && i->acls)
        err = acl_chmod(i);
    if (err || !notify_watches)
        return err;
    uint32_t mask = 0;
    if (attr->valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
        mask |= LX_IN_ATTRIB;
    if (attr->valid & ATTR_SIZE)
        mask |= LX_IN_MODIFY;
    else if (attr->valid & (ATTR_ATIME | ATTR_MTIME))
        mask |= LX_IN_ATTRIB;
    if (mask && p && p->dentry)
        notify_dentry(p->dentry, mask);
    else if (mask)
        notify_inode(i, mask);
    return 0;
}

void setattr_copy(struct inode *i, const struct iattr *attr)
{
    if (attr->valid & ATTR_MODE)
        i->attr.mode = (i->attr.mode & LX_S_IFMT) | (attr->mode & 07777);
    if (attr->valid & ATTR_UID)
        i->attr.uid = attr->uid;
    if (attr->valid & ATTR_GID)
        i->attr.gid = attr->gid;
    if (attr->valid & ATTR_ATIME)
        i->attr.atime = attr->atime;
    if (attr->valid & ATTR_MTIME)
        i->attr.mtime = attr->mtime;
    i->attr.ctime = attr->valid & ATTR_CTIME ? attr->ctime : vfs_now();
}

int vfs_truncate(const struct path *p, struct inode *i, uint64_t size)
{
    if (LX_S_ISDIR(i->attr.mode))
        return -LX_EISDIR;
    if (!LX_S_ISREG(i->attr.mode))
        return -LX_EINVAL;
    if (current && size > current->tg->rlim[1].cur && size > i->attr.size) // RLIMIT_FSIZE
        return file_size_exceeded();
    struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME, .size = size, .mtime = vfs_now()};
    attr.ctime = attr.mtime;
    if ((i->attr.mode & (LX_S_ISUID | LX_S_ISGID)) && !vfs_capable(LX_CAP_FSETID)) {
        attr.mode = i->attr.mode & ~LX_S_ISUID;
        if (attr.mode & LX_S_IXGRP)
            attr.mode &= ~LX_S_ISGID;
        attr.valid |= ATTR_MODE;
    }
    return vfs_setattr(p, i, &attr);
}
