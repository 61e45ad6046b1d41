// Who may do what with an inode (fs/namei.c and fs/inode.c of Linux), with the guest's virtual credentials.
#include "sentry/vfs/internal.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/vfs/acl.h"

bool vfs_capable(int cap)
{
    return !current || capable(cap);
}

// A capability of the caller's namespace counts for inodes whose owner and group have numbers in it.
bool inode_capable(const struct inode *i, int cap)
{
    if (!current)
        return true;
    const struct user_ns *ns = current->cred->user_ns;
    return ns_capable(ns, cap) && from_kuid(ns, i->attr.uid) != ID_NONE &&
           from_kgid(ns, i->attr.gid) != ID_NONE;
}

bool inode_owner_or_capable(const struct inode *i)
{
    if (!current || current->cred->fsuid == i->attr.uid)
        return true;
    const struct user_ns *ns = current->cred->user_ns;
    return from_kuid(ns, i->attr.uid) != ID_NONE && ns_capable(ns, LX_CAP_FOWNER);
}

static int mode_bits(const struct inode *i)
{
    const struct cred *c = current->cred;
    if (c->fsuid == i->attr.uid)
        return (int)(i->attr.mode >> 6) & 7;
    if (cred_in_group(c, i->attr.gid))
        return (int)(i->attr.mode >> 3) & 7;
    return (int)i->attr.mode & 7;
}

int inode_permission(struct inode *i, int mask)
{
    if (!current)
        return 0;
    if (i->ops && i->ops->permission) {
        int answer = i->ops->permission(i, mask);
        if (answer)
            return answer < 0 ? answer : 0;
    }
    bool by_list = i->acls && i->acls->access && (i->attr.mode & 0070) && current->cred->fsuid != i->attr.uid;
    if (by_list ? acl_allows(i, mask) : (mode_bits(i) & mask) == mask)
        return 0;
    if (LX_S_ISDIR(i->attr.mode)) {
        if (!(mask & MAY_WRITE) && inode_capable(i, LX_CAP_DAC_READ_SEARCH))
            return 0;
        return inode_capable(i, LX_CAP_DAC_OVERRIDE) ? 0 : -LX_EACCES;
    }
    if (mask == MAY_READ && inode_capable(i, LX_CAP_DAC_READ_SEARCH))
        return 0;
    if ((!(mask & MAY_EXEC) || (i->attr.mode & 0111)) && inode_capable(i, LX_CAP_DAC_OVERRIDE))
        return 0;
    return -LX_EACCES;
}

int path_permission(const struct path *p, int mask)
{
    struct inode *i = p->dentry->inode;
    uint32_t type = i->attr.mode & LX_S_IFMT;
    bool readonly = (i->sb->flags & SB_RDONLY) || (p->mnt && (p->mnt->flags & MNT_RDONLY));
    if ((mask & MAY_WRITE) && readonly && (type == LX_S_IFREG || type == LX_S_IFDIR || type == LX_S_IFLNK))
        return -LX_EROFS;
    if ((mask & MAY_EXEC) && type == LX_S_IFREG && p->mnt && (p->mnt->flags & MNT_NOEXEC))
        return -LX_EACCES;
    return inode_permission(i, mask);
}

int may_create(const struct path *dir)
{
    if (!dentry_is_dir(dir->dentry))
        return -LX_ENOTDIR;
    if (dir->dentry->inode->dead)
        return -LX_ENOENT;
    return path_permission(dir, MAY_WRITE | MAY_EXEC);
}

int may_delete(const struct path *dir, struct dentry *victim, bool is_dir)
{
    struct inode *d = dir->dentry->inode, *v = victim->inode;
    int err = path_permission(dir, MAY_WRITE | MAY_EXEC);
    if (err)
        return err;
    if ((d->attr.mode & LX_S_ISVTX) && current && current->cred->fsuid != v->attr.uid &&
        current->cred->fsuid != d->attr.uid && !inode_capable(v, LX_CAP_FOWNER))
        return -LX_EPERM;
    if (is_dir) {
        if (!LX_S_ISDIR(v->attr.mode))
            return -LX_ENOTDIR;
        if (victim->parent == victim)
            return -LX_EBUSY;
    } else if (LX_S_ISDIR(v->attr.mode)) {
        return -LX_EISDIR;
    }
    return d->dead ? -LX_ENOENT : 0;
}
