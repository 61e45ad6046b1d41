// mount(2) and umount2(2) inside the sandbox: memory filesystems, proc and bind mounts.
#include "abi/linux/mount.h"
#include "sentry/sys/path.h"
#include "abi/linux/capability.h"
#include <string.h>

#define FLAG_MASK (LX_MS_RDONLY | LX_MS_NOSUID | LX_MS_NODEV | LX_MS_NOEXEC)

// Other flags take a remount, as on Linux.
static int bind(const struct path *target, gaddr_t source)
{
    struct path from;
    int err = lookup_user(LX_AT_FDCWD, source, 0, true, &from);
    if (err)
        return err;
    struct mount *m = mount_alloc(from.mnt->sb, from.dentry, from.mnt->flags);
    if (m)
        m->locked_flags = from.mnt->locked_flags;
    err = m ? mount_attach(m, target) : -LX_ENOMEM;
    if (err)
        mount_put(m);
    path_put(&from);
    return err;
}

static int remount(const struct path *target, uint32_t flags)
{
    if (target->mnt->root != target->dentry)
        return -LX_EINVAL;
    // What the sandbox was started with stays locked, as in a user namespace.
    if (target->mnt->locked_flags & ~flags)
        return -LX_EPERM;
    target->mnt->flags = flags & FLAG_MASK;
    return 0;
}

static int fresh(const struct path *target, gaddr_t source, gaddr_t type, uint32_t flags, gaddr_t data)
{
    char fstype[64], name[64] = "none", options[VFS_PATH_MAX] = "";
    ssize_t n = copy_in_str(fstype, type, sizeof(fstype));
    if (n >= 0 && source)
        n = copy_in_str(name, source, sizeof(name));
    if (n >= 0 && data)
        n = copy_in_str(options, data, sizeof(options));
    if (n < 0)
        return n == -LX_ENAMETOOLONG ? -LX_EINVAL : (int)n;
    struct fs_type *t = fs_type_find(fstype);
    if (!t)
        return -LX_ENODEV;
    if (!t->guest_may_mount)
        return -LX_EPERM;
    struct super_block *sb;
    struct dentry *root;
    int err = t->mount(t, name, options, &sb, &root);
    if (err)
        return err;
    struct mount *m = mount_alloc(sb, root, flags & FLAG_MASK);
    err = m ? mount_attach(m, target) : -LX_ENOMEM;
    if (err)
        mount_put(m);
    dentry_put(root);
    sb_put(sb);
    return err;
}

int64_t sys_mount(struct call *c)
{
    uint32_t flags = (uint32_t)c->args[3];
    if ((flags & LX_MS_MGC_MSK) == LX_MS_MGC_VAL)
        flags &= ~LX_MS_MGC_MSK;
    struct path target;
    int err = lookup_user(LX_AT_FDCWD, c->args[1], 0, true, &target);
    if (err)
        return err;
    if (!capable(LX_CAP_SYS_ADMIN))
        err = -LX_EPERM;
    else if (flags & LX_MS_REMOUNT)
        err = remount(&target, flags);
    else if (flags & LX_MS_BIND)
        err = bind(&target, c->args[0]);
    else if (flags & (LX_MS_SHARED | LX_MS_PRIVATE | LX_MS_SLAVE | LX_MS_UNBINDABLE))
        err = target.mnt->root == target.dentry ? 0 : -LX_EINVAL; // one namespace: nothing propagates anyway
    else if (flags & LX_MS_MOVE)
        err = -LX_EPERM;
    else
        err = fresh(&target, c->args[0], c->args[2], flags, c->args[4]);
    path_put(&target);
    return err;
}

int64_t sys_umount2(struct call *c)
{
    uint32_t flags = arg_uint(c, 1);
    if (flags & ~(LX_MNT_FORCE | LX_MNT_DETACH | LX_MNT_EXPIRE | LX_UMOUNT_NOFOLLOW))
        return -LX_EINVAL;
    if (!capable(LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, !(flags & LX_UMOUNT_NOFOLLOW), &p);
    if (err)
        return err;
    struct mount *m = mount_get(p.mnt);
    bool is_root = p.dentry == m->root;
    path_put(&p);
    if (!is_root || m->locked)
        err = -LX_EINVAL;
    else
        err = mount_detach(m, flags & LX_MNT_DETACH);
    mount_put(m);
    return err;
}
