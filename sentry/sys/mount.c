// mount(2) and umount2(2) (fs/namespace.c of Linux).
#include "abi/linux/mount.h"
#include "sentry/sys/path.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "sentry/sys/mount.h"
#include "sentry/vfs/fs_context.h"
#include <stdlib.h>
#include <string.h>

int may_mount(void)
{
    return ns_capable(mount_ns_owner(current->fs->mnt_ns), LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
}

bool path_is_mount_root(const struct path *p)
{
    return p->mnt && p->mnt->root == p->dentry;
}

static uint32_t mount_flags_of(uint32_t flags)
{
    uint32_t out =
        flags & (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOSYMFOLLOW | MNT_NODIRATIME);
    if (flags & LX_MS_STRICTATIME)
        return out;
    return out | (flags & LX_MS_NOATIME ? MNT_NOATIME : MNT_RELATIME);
}

int mount_bind_copy(const struct path *from, bool recursive, struct mount **out)
{
    if (!mount_is_ours(from->mnt))
        return -LX_EINVAL;
    return mount_copy(from->mnt, from->dentry, recursive ? COPY_RECURSIVE : 0, out);
}

static int bind(const struct path *target, const char *source, bool recursive)
{
    struct path from;
    struct mount *m;
    int err = lookup_name(LX_AT_FDCWD, source, 0, true, &from);
    if (err)
        return err;
    err = mount_is_ours(target->mnt) ? mount_bind_copy(&from, recursive, &m) : -LX_EINVAL;
    if (!err) {
        err = mount_attach(m, target);
        if (err)
            mount_put(m);
    }
    path_put(&from);
    return err;
}

static int change_propagation(const struct path *target, uint32_t flags)
{
    uint32_t type = flags & ~(LX_MS_REC | LX_MS_SILENT);
    if (type != LX_MS_SHARED && type != LX_MS_PRIVATE && type != LX_MS_SLAVE && type != LX_MS_UNBINDABLE)
        return -LX_EINVAL;
    if (!path_is_mount_root(target) || !mount_is_ours(target->mnt))
        return -LX_EINVAL;
    return mount_set_propagation(target->mnt, type, flags & LX_MS_REC);
}

int mount_may_move(const struct path *from, const struct path *to)
{
    struct mount *m = from->mnt;
    if (!path_is_mount_root(from) || !mount_is_ours(to->mnt))
        return -LX_EINVAL;
    if (m->ns) {
        if (!mount_is_ours(m) || !m->parent || m->locked || m->parent->peer_group)
            return -LX_EINVAL;
    } else if (m->parent) {
        return -LX_EINVAL;
    }
    if ((from->dentry->inode->attr.mode ^ to->dentry->inode->attr.mode) & LX_S_IFDIR)
        return -LX_EINVAL;
    return 0;
}

static int move(const struct path *target, const char *source)
{
    struct path from;
    int err = lookup_name(LX_AT_FDCWD, source, 0, true, &from);
    if (err)
        return err;
    err = mount_may_move(&from, target);
    if (!err)
        err = mount_move(from.mnt, target);
    path_put(&from);
    return err;
}

static int remount(const struct path *target, uint32_t flags, const char *options)
{
    struct mount *m = target->mnt;
    if (!path_is_mount_root(target) || !mount_is_ours(m))
        return -LX_EINVAL;
    uint32_t want = mount_flags_of(flags);
    if (!(flags & (LX_MS_NOATIME | LX_MS_NODIRATIME | LX_MS_RELATIME | LX_MS_STRICTATIME)))
        want = (want & ~MNT_ATIME_FLAGS) | (m->flags & MNT_ATIME_FLAGS);
    // A superblock of the sandbox itself is not the guest's to change: its mount is.
    if ((flags & LX_MS_BIND) || m->locked || !m->parent) {
        if (!(flags & LX_MS_BIND) && *options)
            return -LX_EINVAL;
        return mount_set_flags(m, want);
    }
    if (m->locked_flags & ~want & ~MNT_ATIME_FLAGS)
        return -LX_EPERM;
    struct fs_context fc;
    fs_context_init(&fc, NULL);
    fc.sb = m->sb;
    fc.sb->refs++;
    int err = fs_context_parse(&fc, options);
    fc.sb_flags_mask |= SB_RDONLY;
    fc.sb_flags |= flags & LX_MS_RDONLY ? SB_RDONLY : 0;
    if (!err)
        err = fs_context_reconfigure(&fc);
    if (!err)
        err = mount_set_flags(m, (want & ~MNT_RDONLY) | (flags & MNT_RDONLY));
    fs_context_free(&fc);
    return err;
}

static int fresh(const struct path *target, const char *source, const char *fstype, uint32_t flags,
                 const char *options)
{
    if (!fstype)
        return -LX_EINVAL;
    struct fs_type *t = fs_type_find(fstype);
    if (!t || !t->guest_may_mount)
        return -LX_ENODEV;
    if (!mount_is_ours(target->mnt))
        return -LX_EINVAL;
    struct fs_context fc;
    fs_context_init(&fc, t);
    fc.sb_flags = flags & LX_MS_RDONLY ? SB_RDONLY : 0;
    int err = source ? fs_context_set(&fc, "source", source) : 0;
    if (!err)
        err = fs_context_parse(&fc, options);
    if (!err)
        err = fs_context_create(&fc);
    if (!err && path_is_mount_root(target) && target->mnt->sb == fc.sb && sb_is_shared(fc.sb))
        err = -LX_EBUSY;
    struct mount *m = NULL;
    if (!err && !(m = fs_context_mount(&fc, mount_flags_of(flags))))
        err = -LX_ENOSPC;
    if (!err)
        err = mount_attach(m, target);
    if (err)
        mount_put(m);
    fs_context_free(&fc);
    return err;
}

// A string argument that may be NULL. *out: malloc'ed or NULL.
static int optional_string(gaddr_t from, size_t size, char **out)
{
    *out = NULL;
    if (!from)
        return 0;
    char *text = malloc(size);
    ssize_t n = text ? copy_in_str(text, from, size) : -LX_ENOMEM;
    if (n < 0) {
        free(text);
        return n == -LX_ENAMETOOLONG ? -LX_EINVAL : (int)n;
    }
    *out = text;
    return 0;
}

// The data of mount(2) is a page of which as much is taken as can be read.
static int page_of_options(gaddr_t from, char page[VFS_PATH_MAX])
{
    page[0] = 0;
    if (!from)
        return 0;
    ssize_t n = copy_in_part(page, from, VFS_PATH_MAX - 1);
    if (n <= 0)
        return -LX_EFAULT;
    page[n] = 0;
    return 0;
}

int64_t sys_mount(struct call *c)
{
    uint32_t flags = (uint32_t)c->args[3];
    char *type = NULL, *source = NULL, options[VFS_PATH_MAX];
    struct path target = {NULL, NULL};
    int err = optional_string(c->args[2], VFS_PATH_MAX, &type);
    if (!err)
        err = optional_string(c->args[0], VFS_PATH_MAX, &source);
    if (!err)
        err = page_of_options(c->args[4], options);
    if (!err)
        err = lookup_user(LX_AT_FDCWD, c->args[1], 0, true, &target);
    if ((flags & LX_MS_MGC_MSK) == LX_MS_MGC_VAL)
        flags &= ~LX_MS_MGC_MSK;
    if (!err && (flags & LX_MS_NOUSER))
        err = -LX_EINVAL;
    if (!err)
        err = may_mount();
    bool no_source = !source || !*source;
    if (err)
        ;
    else if (flags & LX_MS_REMOUNT)
        err = remount(&target, flags, options);
    else if (flags & LX_MS_BIND)
        err = no_source ? -LX_EINVAL : bind(&target, source, flags & LX_MS_REC);
    else if (flags & (LX_MS_SHARED | LX_MS_PRIVATE | LX_MS_SLAVE | LX_MS_UNBINDABLE))
        err = change_propagation(&target, flags);
    else if (flags & LX_MS_MOVE)
        err = no_source ? -LX_EINVAL : move(&target, source);
    else
        err = fresh(&target, source, type, flags, options);
    path_put(&target);
    free(type);
    free(source);
    return err;
}

// The root cannot go: it becomes read-only instead.
static int umount_root(struct mount *m)
{
    return mount_set_flags(m, m->flags | MNT_RDONLY);
}

int64_t sys_umount2(struct call *c)
{
    uint32_t flags = arg_uint(c, 1);
    if (flags & ~(LX_MNT_FORCE | LX_MNT_DETACH | LX_MNT_EXPIRE | LX_UMOUNT_NOFOLLOW))
        return -LX_EINVAL;
    struct path p;
    int err = lookup_user(LX_AT_FDCWD, c->args[0], 0, !(flags & LX_UMOUNT_NOFOLLOW), &p);
    if (err)
        return err;
    struct mount *m = mount_get(p.mnt);
    bool is_root = path_is_mount_root(&p);
    path_put(&p);
    bool expire = flags & LX_MNT_EXPIRE, was_expiring = m->expiring;
    m->expiring = false;
    err = may_mount();
    if (!err && (!is_root || !mount_is_ours(m) || m->locked))
        err = -LX_EINVAL;
    if (!err && expire) {
        if (m == current->fs->root.mnt || (flags & (LX_MNT_FORCE | LX_MNT_DETACH)))
            err = -LX_EINVAL;
        else if (m->refs > 2)
            err = -LX_EBUSY;
        else if (!was_expiring) {
            m->expiring = true;
            err = -LX_EAGAIN;
        }
    }
    if (!err && m == current->fs->root.mnt && !(flags & LX_MNT_DETACH))
        err = umount_root(m);
    else if (!err)
        err = mount_detach(m, flags & LX_MNT_DETACH);
    mount_put(m);
    return err;
}

int64_t sys_pivot_root(struct call *c)
{
    struct path new, old;
    int err = may_mount();
    if (err)
        return err;
    err = lookup_user(LX_AT_FDCWD, c->args[0], 0, true, &new);
    if (err)
        return err;
    err = lookup_user(LX_AT_FDCWD, c->args[1], 0, true, &old);
    if (!err) {
        bool directories = new.dentry->inode &&old.dentry->inode &&LX_S_ISDIR(new.dentry->inode->attr.mode) &&
                           LX_S_ISDIR(old.dentry->inode->attr.mode);
        err = directories ? mount_pivot(&new, &old) : -LX_ENOTDIR;
        path_put(&old);
    }
    path_put(&new);
    return err;
}
