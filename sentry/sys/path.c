// Calls that make, remove and rename names, and those that read links.
#include "sentry/sys/path.h"
#include <stdlib.h>

int lookup_name(int dirfd, const char *path, int at_flags, bool follow, struct path *out)
{
    unsigned lookup = 0;
    if (at_flags & LX_AT_EMPTY_PATH)
        lookup |= LOOKUP_EMPTY;
    if ((follow && !(at_flags & LX_AT_SYMLINK_NOFOLLOW)) || (at_flags & LX_AT_SYMLINK_FOLLOW))
        lookup |= LOOKUP_FOLLOW;
    return path_lookup(dirfd, path, lookup, out);
}

int lookup_user(int dirfd, gaddr_t name, int at_flags, bool follow, struct path *out)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, name);
    return err ? err : lookup_name(dirfd, path, at_flags, follow, out);
}

int64_t sys_mkdirat(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[1]);
    return err ? err : vfs_mkdirat(arg_int(c, 0), path, arg_uint(c, 2));
}

int64_t sys_mkdir(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[0]);
    return err ? err : vfs_mkdirat(LX_AT_FDCWD, path, arg_uint(c, 1));
}

int64_t sys_mknodat(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[1]);
    return err ? err : vfs_mknodat(arg_int(c, 0), path, arg_uint(c, 2), arg_uint(c, 3));
}

int64_t sys_mknod(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[0]);
    return err ? err : vfs_mknodat(LX_AT_FDCWD, path, arg_uint(c, 1), arg_uint(c, 2));
}

int64_t sys_rmdir(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[0]);
    return err ? err : vfs_unlinkat(LX_AT_FDCWD, path, true);
}

int64_t sys_unlink(struct call *c)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, c->args[0]);
    return err ? err : vfs_unlinkat(LX_AT_FDCWD, path, false);
}

int64_t sys_unlinkat(struct call *c)
{
    char path[VFS_PATH_MAX];
    int flags = arg_int(c, 2);
    if (flags & ~LX_AT_REMOVEDIR)
        return -LX_EINVAL;
    int err = get_path(path, c->args[1]);
    return err ? err : vfs_unlinkat(arg_int(c, 0), path, flags & LX_AT_REMOVEDIR);
}

static int64_t symlink_user(gaddr_t target, int dirfd, gaddr_t name)
{
    char text[VFS_PATH_MAX], path[VFS_PATH_MAX];
    int err = get_path(text, target);
    if (err == 0)
        err = get_path(path, name);
    return err ? err : vfs_symlinkat(text, dirfd, path);
}

int64_t sys_symlink(struct call *c)
{
    return symlink_user(c->args[0], LX_AT_FDCWD, c->args[1]);
}

int64_t sys_symlinkat(struct call *c)
{
    return symlink_user(c->args[0], arg_int(c, 1), c->args[2]);
}

static int64_t two_paths(int olddirfd, gaddr_t oldname, int newdirfd, gaddr_t newname, bool rename,
                         unsigned flags)
{
    char from[VFS_PATH_MAX], to[VFS_PATH_MAX];
    int err = get_path(from, oldname);
    if (err == 0)
        err = get_path(to, newname);
    if (err)
        return err;
    return rename ? vfs_renameat(olddirfd, from, newdirfd, to, flags)
                  : vfs_linkat(olddirfd, from, newdirfd, to, (int)flags);
}

int64_t sys_link(struct call *c)
{
    return two_paths(LX_AT_FDCWD, c->args[0], LX_AT_FDCWD, c->args[1], false, 0);
}

int64_t sys_linkat(struct call *c)
{
    return two_paths(arg_int(c, 0), c->args[1], arg_int(c, 2), c->args[3], false, arg_uint(c, 4));
}

int64_t sys_rename(struct call *c)
{
    return two_paths(LX_AT_FDCWD, c->args[0], LX_AT_FDCWD, c->args[1], true, 0);
}

int64_t sys_renameat(struct call *c)
{
    return two_paths(arg_int(c, 0), c->args[1], arg_int(c, 2), c->args[3], true, 0);
}

int64_t sys_renameat2(struct call *c)
{
    return two_paths(arg_int(c, 0), c->args[1], arg_int(c, 2), c->args[3], true, arg_uint(c, 4));
}

static int64_t readlink_user(int dirfd, gaddr_t name, gaddr_t buf, int size, bool empty_allowed)
{
    if (size <= 0)
        return -LX_EINVAL;
    char text[VFS_PATH_MAX];
    struct path p;
    int err = get_path(text, name);
    if (err)
        return err;
    // "" means the link that dirfd itself names (O_PATH | O_NOFOLLOW).
    bool empty = *text == 0;
    if (empty && !empty_allowed)
        return -LX_ENOENT;
    err = lookup_name(dirfd, text, LX_AT_EMPTY_PATH, false, &p);
    if (err)
        return err;
    int64_t n = vfs_readlink(&p, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text));
    path_put(&p);
    if (n == -LX_EINVAL && empty)
        return -LX_ENOENT;
    if (n > 0 && copy_out(buf, text, (size_t)n))
        return -LX_EFAULT;
    return n;
}

int64_t sys_readlink(struct call *c)
{
    return readlink_user(LX_AT_FDCWD, c->args[0], c->args[1], arg_int(c, 2), false);
}

int64_t sys_readlinkat(struct call *c)
{
    int dirfd = arg_int(c, 0);
    return readlink_user(dirfd, c->args[1], c->args[2], arg_int(c, 3), dirfd != LX_AT_FDCWD);
}
