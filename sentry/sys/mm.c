// Memory calls that the filter does not let through: mappings of files and flags of note.
#include "abi/linux/fcntl.h"
#include "abi/linux/mman.h"
#include "sentry/trap/trap.h"
#include "syscall_handlers.h"

#define PAGE 4096u
#define TASK_SIZE 0x7ffffffff000ull

static int map_permission(const struct file *f, int prot, int flags)
{
    int type = flags & LX_MAP_TYPE;
    if (!(f->mode & FMODE_READ))
        return -LX_EACCES;
    if (type != LX_MAP_PRIVATE && (prot & LX_PROT_WRITE) && !(f->mode & FMODE_WRITE))
        return -LX_EACCES;
    if ((prot & LX_PROT_EXEC) && f->path.mnt && (f->path.mnt->flags & MNT_NOEXEC))
        return -LX_EPERM;
    return f->ops->map ? 0 : -LX_ENODEV;
}

int64_t sys_mmap(struct call *call)
{
    uint64_t addr = call->args[0], len = call->args[1], offset = call->args[5];
    int prot = arg_int(call, 2), flags = arg_int(call, 3), type = flags & LX_MAP_TYPE;
    if (offset % PAGE)
        return -LX_EINVAL;
    if (flags & LX_MAP_ANONYMOUS) {
        // What the filter did not let run natively.
        if (flags & LX_MAP_HUGETLB)
            return -LX_ENOMEM; // no huge pages are set aside
        if (type != LX_MAP_PRIVATE && type != LX_MAP_SHARED)
            return -LX_EINVAL;
        return trap_map(call, NULL, -1, addr, len, prot, flags & ~LX_MAP_LOCKED, 0);
    }
    struct file *f = fd_lookup(current->files, arg_int(call, 4));
    if (!f)
        return -LX_EBADF;
    if (len == 0)
        return -LX_EINVAL;
    uint64_t size = (len + PAGE - 1) & ~(uint64_t)(PAGE - 1), end;
    if (size == 0 || size > TASK_SIZE)
        return -LX_ENOMEM;
    if (__builtin_add_overflow(offset, size, &end) || end > INT64_MAX)
        return -LX_EOVERFLOW;
    if (type == LX_MAP_SHARED_VALIDATE) {
        if (flags & LX_MAP_SYNC)
            return -LX_EOPNOTSUPP;
    } else if (type != LX_MAP_PRIVATE && type != LX_MAP_SHARED) {
        return -LX_EINVAL;
    }
    int err = map_permission(f, prot, flags);
    if (err)
        return err;
    struct host_map hm;
    f = file_get(f);
    err = f->ops->map(f, offset, size, prot, flags, &hm);
    int64_t r = err;
    if (!err && hm.fd < 0)
        r = trap_map(call, NULL, -1, addr, len, prot, (flags & ~LX_MAP_LOCKED) | LX_MAP_ANONYMOUS, 0);
    else if (!err && type != LX_MAP_PRIVATE && (prot & LX_PROT_WRITE) && !hm.shared_write_ok)
        r = -LX_EACCES;
    else if (!err)
        r = trap_map(call, f, hm.fd, addr, len, prot, flags & ~LX_MAP_LOCKED, hm.offset);
    file_put(f);
    return r;
}
