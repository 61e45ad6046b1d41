// Extended attributes (fs/xattr.c).
#include "sentry/sys/path.h"
#include "abi/linux/capability.h"
#include "sentry/vfs/acl.h"
#include "sentry/vfs/notify.h"
#include <stdlib.h>
#include <string.h>

static int get_name(char name[LX_XATTR_NAME_MAX + 1], gaddr_t from)
{
    ssize_t n = copy_in_str(name, from, LX_XATTR_NAME_MAX + 1);
    if (n == 0 || n == -LX_ENAMETOOLONG)
        return -LX_ERANGE;
    return n < 0 ? (int)n : 0;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int permission(const struct path *p, const char *name, bool write)
{
    struct inode *i = p->dentry->inode;
    if (write && ((i->sb->flags & SB_RDONLY) || (p->mnt && (p->mnt->flags & MNT_RDONLY))))
        return -LX_EROFS;
    if (has_prefix(name, "trusted."))
        return capable(LX_CAP_SYS_ADMIN) ? 0 : write ? -LX_EPERM : -LX_ENODATA;
    if (has_prefix(name, "user.")) {
        if (!LX_S_ISREG(i->attr.mode) && !LX_S_ISDIR(i->attr.mode))
            return write ? -LX_EPERM : -LX_ENODATA;
        if (write && LX_S_ISDIR(i->attr.mode) && (i->attr.mode & LX_S_ISVTX) && !inode_owner_or_capable(i))
            return -LX_EPERM;
        return inode_permission(i, write ? MAY_WRITE : MAY_READ);
    }
    if (has_prefix(name, "security."))
        return write && !capable(LX_CAP_SYS_ADMIN) && strcmp(name, "security.capability") != 0 ? -LX_EPERM
                                                                                               : 0;
    if (acl_is_name(name) && (i->sb->flags & SB_ACL) && !LX_S_ISLNK(i->attr.mode))
        return 0;
    return -LX_EOPNOTSUPP;
}

static int64_t do_set(const struct path *p, struct call *c)
{
    char name[LX_XATTR_NAME_MAX + 1];
    uint64_t size = c->args[3];
    int flags = arg_int(c, 4);
    if (flags & ~(LX_XATTR_CREATE | LX_XATTR_REPLACE))
        return -LX_EINVAL;
    int err = get_name(name, c->args[1]);
    if (err)
        return err;
    if (size > LX_XATTR_SIZE_MAX)
        return -LX_E2BIG;
    void *value = malloc(size ? size : 1);
    if (!value)
        return -LX_ENOMEM;
    if (copy_in(value, c->args[2], size))
        err = -LX_EFAULT;
    if (err == 0)
        err = permission(p, name, true);
    if (err == 0 && strcmp(name, "security.capability") == 0 && !capable(LX_CAP_SETFCAP))
        err = -LX_EPERM;
    struct inode *i = p->dentry->inode;
    if (err == 0 && acl_is_name(name))
        err = acl_set(p, name, value, size);
    else if (err == 0)
        err = i->ops && i->ops->setxattr ? i->ops->setxattr(i, name, value, size, flags) : -LX_EOPNOTSUPP;
    if (err == 0)
        notify_dentry(p->dentry, LX_IN_ATTRIB);
    free(value);
    return err;
}

static int64_t do_get(const struct path *p, struct call *c)
{
    char name[LX_XATTR_NAME_MAX + 1];
    int err = get_name(name, c->args[1]);
    if (err)
        return err;
    err = permission(p, name, false);
    if (err)
        return err;
    struct inode *i = p->dentry->inode;
    if (!i->ops || !i->ops->getxattr)
        return -LX_EOPNOTSUPP;
    size_t size = c->args[3] < LX_XATTR_SIZE_MAX ? c->args[3] : LX_XATTR_SIZE_MAX;
    void *value = malloc(size ? size : 1);
    if (!value)
        return -LX_ENOMEM;
    int64_t n = i->ops->getxattr(i, name, value, size);
    if (n > 0 && size)
        acl_note(i, name, value, (size_t)n);
    if (n > 0 && size && copy_out(c->args[2], value, (size_t)n))
        n = -LX_EFAULT;
    free(value);
    return n;
}

// Names that the caller may not know of are left out.
static size_t visible_names(char *list, size_t n)
{
    size_t to = 0;
    bool all = capable(LX_CAP_SYS_ADMIN);
    for (size_t at = 0; at < n;) {
        size_t len = strnlen(list + at, n - at) + 1;
        if (all || !has_prefix(list + at, "trusted.")) {
            memmove(list + to, list + at, len);
            to += len;
        }
        at += len;
    }
    return to;
}

static int64_t do_list(const struct path *p, struct call *c)
{
    struct inode *i = p->dentry->inode;
    if (!i->ops || !i->ops->listxattr)
        return 0;
    char *list = malloc(LX_XATTR_LIST_MAX);
    if (!list)
        return -LX_ENOMEM;
    int64_t n = i->ops->listxattr(i, list, LX_XATTR_LIST_MAX);
    if (n == -LX_ERANGE)
        n = -LX_E2BIG;
    if (n > 0)
        n = (int64_t)visible_names(list, (size_t)n);
    if (n > 0 && c->args[2]) {
        if ((uint64_t)n > c->args[2])
            n = -LX_ERANGE;
        else if (copy_out(c->args[1], list, (size_t)n))
            n = -LX_EFAULT;
    }
    free(list);
    return n;
}

static int64_t do_remove(const struct path *p, struct call *c)
{
    char name[LX_XATTR_NAME_MAX + 1];
    int err = get_name(name, c->args[1]);
    if (err == 0)
        err = permission(p, name, true);
    if (err)
        return err;
    struct inode *i = p->dentry->inode;
    if (acl_is_name(name))
        err = acl_set(p, name, NULL, 0);
    else
        err = i->ops && i->ops->removexattr ? i->ops->removexattr(i, name) : -LX_EOPNOTSUPP;
    if (err == 0)
        notify_dentry(p->dentry, LX_IN_ATTRIB);
    return err;
}

typedef int64_t (*xattr_fn)(const struct path *p, struct call *c);

static int64_t by_path(struct call *c, bool follow, xattr_fn fn)
{
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, follow, &p);
    if (err)
        return err;
    int64_t r = fn(&p, c);
    path_put(&p);
    return r;
}

static int64_t by_fd(struct call *c, xattr_fn fn)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    file_get(f);
    int64_t r = fn(&f->path, c);
    file_put(f);
    return r;
}

int64_t sys_setxattr(struct call *c)
{
    return by_path(c, true, do_set);
}
int64_t sys_lsetxattr(struct call *c)
{
    return by_path(c, false, do_set);
}
int64_t sys_fsetxattr(struct call *c)
{
    return by_fd(c, do_set);
}
int64_t sys_getxattr(struct call *c)
{
    return by_path(c, true, do_get);
}
int64_t sys_lgetxattr(struct call *c)
{
    return by_path(c, false, do_get);
}
int64_t sys_fgetxattr(struct call *c)
{
    return by_fd(c, do_get);
}
int64_t sys_listxattr(struct call *c)
{
    return by_path(c, true, do_list);
}
int64_t sys_llistxattr(struct call *c)
{
    return by_path(c, false, do_list);
}
int64_t sys_flistxattr(struct call *c)
{
    return by_fd(c, do_list);
}
int64_t sys_removexattr(struct call *c)
{
    return by_path(c, true, do_remove);
}
int64_t sys_lremovexattr(struct call *c)
{
    return by_path(c, false, do_remove);
}
int64_t sys_fremovexattr(struct call *c)
{
    return by_fd(c, do_remove);
}
