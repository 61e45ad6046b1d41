// name_to_handle_at(2) (fs/fhandle.c). A handle names a file among those of the sandbox, so that programs can tell files and
// mounts apart by it; open_by_handle_at(2) is refused by the guests' filter.
#include "sentry/sys/path.h"

struct lx_file_handle {
    uint32_t bytes;
    int32_t type;
};
#define FILEID_INO 1
struct handle_bytes {
    uint64_t ino;
    uint32_t dev;
} __attribute__((packed));
_Static_assert(sizeof(struct handle_bytes) == 12, "as tmpfs has it");

static bool has_handles(const struct super_block *sb)
{
    return !(sb->flags & (SB_ANON | SB_NODCACHE));
}

int64_t sys_name_to_handle_at(struct call *c)
{
    int flags = arg_int(c, 4);
    gaddr_t out = c->args[2];
    struct lx_file_handle h;
    if (flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH | LX_AT_HANDLE_FID))
        return -LX_EINVAL;
    struct path p;
    int err = lookup_user(arg_int(c, 0), c->args[1], flags & ~LX_AT_HANDLE_FID, false, &p);
    if (err)
        return err;
    const struct inode *i = p.dentry->inode;
    const struct handle_bytes bytes = {i->attr.ino, (uint32_t)i->attr.dev};
    bool known = has_handles(i->sb) || (flags & LX_AT_HANDLE_FID);
    int32_t mount_id = p.mnt ? p.mnt->id : 0;
    path_put(&p);
    if (!known)
        return -LX_EOPNOTSUPP;
    if (get_user(h, out))
        return -LX_EFAULT;
    if (h.bytes > LX_MAX_HANDLE_SZ)
        return -LX_EINVAL;
    bool fits = h.bytes >= sizeof(bytes);
    h = (struct lx_file_handle){sizeof(bytes), FILEID_INO};
    if (put_user(mount_id, c->args[3]) || put_user(h, out) || (fits && put_user(bytes, out + sizeof(h))))
        return -LX_EFAULT;
    return fits ? 0 : -LX_EOVERFLOW;
}
