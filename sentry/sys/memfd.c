// memfd_create(2).
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/sys/path.h"
#include <string.h>

#define NAME_MAX_LEN 249 // NAME_MAX without "memfd:"

int64_t sys_memfd_create(struct call *c)
{
    uint32_t flags = arg_uint(c, 1);
    char name[8 + NAME_MAX_LEN + 2] = "memfd:";
    if (flags & LX_MFD_HUGETLB)
        return -LX_ENOSYS; // as a kernel without hugetlbfs
    if (flags & ~(LX_MFD_CLOEXEC | LX_MFD_ALLOW_SEALING | LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC))
        return -LX_EINVAL;
    if ((flags & LX_MFD_EXEC) && (flags & LX_MFD_NOEXEC_SEAL))
        return -LX_EINVAL;
    ssize_t n = copy_in_str(name + 6, c->args[0], NAME_MAX_LEN + 1);
    if (n < 0)
        return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
    uint32_t seals = LX_F_SEAL_SEAL, mode = 0777;
    if (flags & LX_MFD_NOEXEC_SEAL) {
        mode = 0666;
        seals = LX_F_SEAL_EXEC;
    } else if (flags & LX_MFD_ALLOW_SEALING) {
        seals = 0;
    }
    struct file *f = tmpfs_memfd(name, seals, mode);
    if (!f)
        return -LX_ENOMEM;
    f->flags |= LX_O_LARGEFILE;
    int fd = fd_install(current->files, f, 0, flags & LX_MFD_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}
