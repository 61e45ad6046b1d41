// open and its relatives, close, and the dup family.
#include "sentry/sys/path.h"

static int64_t do_open(int dirfd, gaddr_t name, uint32_t flags, uint32_t mode, unsigned lookup)
{
    char path[VFS_PATH_MAX];
    int err = get_path(path, name);
    if (err)
        return err;
    err = fd_available(current->files);
    if (err)
        return err;
    struct file *f;
    err = vfs_open(dirfd, path, flags, mode, lookup, &f);
    if (err)
        return err;
    int fd = fd_install(current->files, f, 0, flags & LX_O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

// Unknown bits are ignored by open and openat, as on Linux.
static int64_t legacy_open(int dirfd, gaddr_t name, uint32_t flags, uint32_t mode)
{
    flags = (flags & LX_VALID_OPEN_FLAGS) | LX_O_LARGEFILE;
    return do_open(dirfd, name, flags, flags & (LX_O_CREAT | LX_O_TMPFILE_BIT) ? mode & 07777 : 0, 0);
}

int64_t sys_open(struct call *c)
{
    return legacy_open(LX_AT_FDCWD, c->args[0], arg_uint(c, 1), arg_uint(c, 2));
}

int64_t sys_openat(struct call *c)
{
    return legacy_open(arg_int(c, 0), c->args[1], arg_uint(c, 2), arg_uint(c, 3));
}

int64_t sys_creat(struct call *c)
{
    return legacy_open(LX_AT_FDCWD, c->args[0], LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, arg_uint(c, 1));
}

int64_t sys_openat2(struct call *c)
{
    static const struct {
        uint64_t resolve;
        unsigned lookup;
    } map[] = {
        {LX_RESOLVE_NO_XDEV, LOOKUP_NO_XDEV},         {LX_RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS},
        {LX_RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS}, {LX_RESOLVE_BENEATH, LOOKUP_BENEATH},
        {LX_RESOLVE_IN_ROOT, LOOKUP_IN_ROOT},
    };
    struct lx_open_how how;
    uint64_t size = c->args[3];
    if (size < sizeof(how))
        return -LX_EINVAL;
    if (size > 4096)
        return -LX_E2BIG;
    if (copy_in(&how, c->args[2], sizeof(how)))
        return -LX_EFAULT;
    for (uint64_t at = sizeof(how); at < size; at++) { // a newer struct is fine while its new fields are zero
        unsigned char b;
        if (copy_in(&b, c->args[2] + at, 1))
            return -LX_EFAULT;
        if (b)
            return -LX_E2BIG;
    }
    uint64_t known = LX_RESOLVE_NO_XDEV | LX_RESOLVE_NO_MAGICLINKS | LX_RESOLVE_NO_SYMLINKS |
                     LX_RESOLVE_BENEATH | LX_RESOLVE_IN_ROOT | LX_RESOLVE_CACHED;
    if ((how.flags & ~(uint64_t)LX_VALID_OPEN_FLAGS) || (how.resolve & ~known))
        return -LX_EINVAL;
    if ((how.resolve & LX_RESOLVE_BENEATH) && (how.resolve & LX_RESOLVE_IN_ROOT))
        return -LX_EINVAL;
    if (how.flags & (LX_O_CREAT | LX_O_TMPFILE_BIT)) {
        if (how.mode & ~07777ull)
            return -LX_EINVAL;
    } else if (how.mode) {
        return -LX_EINVAL;
    }
    const uint64_t path_only = LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC;
    if ((how.flags & LX_O_PATH) && (how.flags & ~path_only))
        return -LX_EINVAL;
    // Nothing is known to be cached without asking: the caller tries again without the flag.
    if (how.resolve & LX_RESOLVE_CACHED)
        return -LX_EAGAIN;
    unsigned lookup = 0;
    for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
        if (how.resolve & map[i].resolve)
            lookup |= map[i].lookup;
    return do_open(arg_int(c, 0), c->args[1], (uint32_t)how.flags | LX_O_LARGEFILE, (uint32_t)how.mode,
                   lookup);
}

int64_t sys_close(struct call *c)
{
    return fd_close(current->files, arg_int(c, 0));
}

int64_t sys_close_range(struct call *c)
{
    uint32_t first = arg_uint(c, 0), last = arg_uint(c, 1), flags = arg_uint(c, 2);
    if ((flags & ~(LX_CLOSE_RANGE_UNSHARE | LX_CLOSE_RANGE_CLOEXEC)) || first > last)
        return -LX_EINVAL;
    struct fdtable *t = current->files;
    if ((flags & LX_CLOSE_RANGE_UNSHARE) && t->refs > 1) {
        struct fdtable *own = fdtable_dup(t);
        if (!own)
            return -LX_ENOMEM;
        current->files = own;
        fdtable_put(t);
        t = own;
    }
    for (uint32_t fd = first; fd < t->size && fd <= last; fd++) {
        if (!t->slots[fd].file)
            continue;
        if (flags & LX_CLOSE_RANGE_CLOEXEC)
            t->slots[fd].flags |= FD_CLOEXEC_BIT;
        else
            fd_close(t, (int)fd);
    }
    return 0;
}

int64_t sys_dup(struct call *c)
{
    struct file *f = fd_lookup_path(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    int fd = fd_install(current->files, file_get(f), 0, false);
    if (fd < 0)
        file_put(f);
    return fd;
}

static int64_t dup_to(int oldfd, int newfd, bool cloexec)
{
    struct file *f = fd_lookup_path(current->files, oldfd);
    if (!f)
        return -LX_EBADF;
    int fd = fd_set_at(current->files, newfd, file_get(f), cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_dup2(struct call *c)
{
    int oldfd = arg_int(c, 0), newfd = arg_int(c, 1);
    if (oldfd == newfd)
        return fd_lookup_path(current->files, oldfd) ? newfd : -LX_EBADF;
    return dup_to(oldfd, newfd, false);
}

int64_t sys_dup3(struct call *c)
{
    int oldfd = arg_int(c, 0), newfd = arg_int(c, 1);
    uint32_t flags = arg_uint(c, 2);
    if ((flags & ~LX_O_CLOEXEC) || oldfd == newfd)
        return -LX_EINVAL;
    return dup_to(oldfd, newfd, flags & LX_O_CLOEXEC);
}
