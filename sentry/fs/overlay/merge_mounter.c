// What whoever mounted a merge may do to its layers. Their filesystems are asked without a permission check, so it is made here, with
// the mounter's credentials (ovl_override_creds of Linux).
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"

// Nothing between these two drops the kernel lock: nobody else sees the task with other credentials.
static struct cred *become(const struct merge_super *s)
{
    struct cred *own = current->cred;
    current->cred = s->mounter;
    return own;
}

int merge_mounter_may(const struct merge_super *s, struct inode *real, int mask)
{
    if (!current)
        return 0;
    struct cred *own = become(s);
    int err = inode_permission(real, mask);
    current->cred = own;
    return err;
}

int merge_mounter_may_set(const struct merge_super *s, struct inode *real, const struct iattr *attr)
{
    const struct user_ns *ns = s->mounter->user_ns;
    if (((attr->valid & ATTR_UID) && from_kuid(ns, attr->uid) == ID_NONE) ||
        ((attr->valid & ATTR_GID) && from_kgid(ns, attr->gid) == ID_NONE))
        return -LX_EOVERFLOW;
    if (!current)
        return 0;
    struct cred *own = become(s);
    int err = 0;
    if ((attr->valid & (ATTR_UID | ATTR_GID)) && !inode_capable(real, LX_CAP_CHOWN))
        err = -LX_EPERM;
    if ((attr->valid & (ATTR_MODE | ATTR_ATIME)) && !inode_owner_or_capable(real))
        err = -LX_EPERM;
    current->cred = own;
    return err;
}

uint32_t merge_mounter_fsuid(const struct merge_super *s)
{
    return s->mounter->fsuid;
}

uint32_t merge_mounter_fsgid(const struct merge_super *s)
{
    return s->mounter->fsgid;
}
