// Extended attributes. What the Gofer would refuse anyway is answered here, without a message.
#include <string.h>

#include "sentry/fs/gofer/fs.h"

static bool may_exist(const struct inode *inode, const char *name)
{
    if (!strncmp(name, "user.", 5))
        return true;
    return gofer_fs_of(inode)->xattrs &&
           (!strcmp(name, "security.capability") || !strcmp(name, "system.posix_acl_access") ||
            !strcmp(name, "system.posix_acl_default"));
}

int64_t gofer_getxattr_op(struct inode *inode, const char *name, void *value, size_t size)
{
    if (gofer_inode(inode)->no_xattrs || !may_exist(inode, name))
        return -LX_ENODATA;
    int err = gofer_bind(inode);
    if (err)
        return err;
    int64_t got = GOFER_BLOCKING(
        gofer_getxattr(gofer_client_of(inode), gofer_inode(inode)->fid, np_string(name), value, size));
    gofer_unpin(inode);
    return got;
}

int64_t gofer_listxattr_op(struct inode *inode, char *list, size_t size)
{
    if (gofer_inode(inode)->no_xattrs)
        return 0;
    int err = gofer_bind(inode);
    if (err)
        return err;
    int64_t got = GOFER_BLOCKING(
        gofer_getxattr(gofer_client_of(inode), gofer_inode(inode)->fid, np_string(""), list, size));
    gofer_unpin(inode);
    if (got == -LX_EOPNOTSUPP)
        got = 0;
    if (got == 0 && !gofer_fs_of(inode)->shared)
        gofer_inode(inode)->no_xattrs = true;
    return got;
}

static int change(struct inode *inode, const char *name, const void *value, size_t size, uint32_t flags)
{
    if (gofer_fs_of(inode)->read_only)
        return -LX_EROFS;
    if (!may_exist(inode, name))
        return flags & NP_XATTR_REMOVE ? -LX_ENODATA : -LX_EOPNOTSUPP;
    int err = gofer_bind(inode);
    if (err)
        return err;
    gofer_inode(inode)->no_xattrs = false;
    err = GOFER_BLOCKING(
        gofer_setxattr(gofer_client_of(inode), gofer_inode(inode)->fid, np_string(name), value, size, flags));
    gofer_inode(inode)->no_xattrs = false;
    gofer_inode(inode)->stale = true; // ctime
    gofer_unpin(inode);
    return err;
}

int gofer_setxattr_op(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
    return change(inode, name, value, size, (uint32_t)flags & 3);
}

int gofer_removexattr_op(struct inode *inode, const char *name)
{
    return change(inode, name, NULL, 0, NP_XATTR_REMOVE);
}
