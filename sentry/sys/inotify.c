// inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).
#include "abi/linux/inotify.h"
#include "sentry/fs/inotify/inotify.h"
#include "sentry/sys/path.h"

static int64_t create(uint32_t flags)
{
    struct file *f;
    if (flags & ~(LX_O_CLOEXEC | LX_O_NONBLOCK))
        return -LX_EINVAL;
    int err = fd_available(current->files);
    if (err == 0)
        err = inotify_create(flags, &f);
    if (err)
        return err;
    int fd = fd_install(current->files, f, 0, flags & LX_O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_inotify_init(struct call *c)
{
    return create(0);
}

int64_t sys_inotify_init1(struct call *c)
{
    return create(arg_uint(c, 0));
}

int64_t sys_inotify_add_watch(struct call *c)
{
    uint32_t mask = arg_uint(c, 2);
    if (!(mask & LX_IN_VALID_FLAGS))
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    if ((mask & LX_IN_MASK_ADD) && (mask & LX_IN_MASK_CREATE))
        return -LX_EINVAL;
    char name[VFS_PATH_MAX];
    struct path p;
    unsigned lookup =
        (mask & LX_IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & LX_IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
    int err = get_path(name, c->args[1]);
    if (err)
        return err;
    file_get(f);
    err = path_lookup(LX_AT_FDCWD, name, lookup, &p);
    if (err == 0) {
        err = inode_permission(p.dentry->inode, MAY_READ);
        if (err == 0)
            err = inotify_add(f, p.dentry->inode, mask);
        path_put(&p);
    }
    file_put(f);
    return err;
}

int64_t sys_inotify_rm_watch(struct call *c)
{
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    return f ? inotify_remove(f, arg_int(c, 1)) : -LX_EBADF;
}
