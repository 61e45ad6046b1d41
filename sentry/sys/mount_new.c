// The calls that make a mount step by step: fsopen(2), fsconfig(2), fsmount(2), fspick(2) (fs/fsopen.c of Linux).
#include "abi/linux/mount.h"
#include "sentry/sys/path.h"
#include "sentry/sys/mount.h"
#include "sentry/vfs/fs_context.h"
#include <stdlib.h>
#include <string.h>

// The file of an fsopen: what is configured, and how far that is.
struct context_file {
    struct fs_context fc;
    enum { PARAMETERS, CREATED, MOUNTED, RECONFIGURE, DONE } phase;
};

// Each keeps some KiB of parameters.
#define CONTEXTS_MAX 1024u
static unsigned nr_contexts;

static struct context_file *context_new(void)
{
    struct context_file *cf = nr_contexts < CONTEXTS_MAX ? calloc(1, sizeof(*cf)) : NULL;
    nr_contexts += cf != NULL;
    return cf;
}

static void context_free(struct context_file *cf)
{
    fs_context_free(&cf->fc);
    free(cf);
    nr_contexts--;
}

static void context_release(struct file *f)
{
    context_free(f->priv);
}

// The log of messages, of which there are none: the error number says it.
static int64_t context_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return -LX_ENODATA;
}

static const struct file_ops context_ops = {.read = context_read, .release = context_release};

// Takes over nothing on failure but frees *cf.
static int64_t context_fd(struct context_file *cf, bool cloexec)
{
    struct file *f = anon_file(&context_ops, cf, FMODE_READ, LX_O_RDWR, "anon_inode:[fscontext]", 0600);
    if (!f) {
        context_free(cf);
        return -LX_ENFILE;
    }
    int fd = fd_install(current->files, f, 0, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

static struct context_file *context_of(struct file *f)
{
    return f && f->ops == &context_ops ? f->priv : NULL;
}

int64_t sys_fsopen(struct call *c)
{
    uint32_t flags = arg_uint(c, 1);
    char name[64];
    int err = may_mount();
    if (err)
        return err;
    if (flags & ~LX_FSOPEN_CLOEXEC)
        return -LX_EINVAL;
    ssize_t n = copy_in_str(name, c->args[0], sizeof(name));
    if (n < 0)
        return n == -LX_ENAMETOOLONG ? -LX_ENODEV : n;
    struct fs_type *t = fs_type_find(name);
    if (!t || !t->guest_may_mount)
        return -LX_ENODEV;
    struct context_file *cf = context_new();
    if (!cf)
        return -LX_ENOMEM;
    fs_context_init(&cf->fc, t);
    return context_fd(cf, flags & LX_FSOPEN_CLOEXEC);
}

int64_t sys_fspick(struct call *c)
{
    uint32_t flags = arg_uint(c, 2);
    int err = may_mount();
    if (err)
        return err;
    if (flags &
        ~(LX_FSPICK_CLOEXEC | LX_FSPICK_SYMLINK_NOFOLLOW | LX_FSPICK_NO_AUTOMOUNT | LX_FSPICK_EMPTY_PATH))
        return -LX_EINVAL;
    struct path p;
    int at = flags & LX_FSPICK_EMPTY_PATH ? LX_AT_EMPTY_PATH : 0;
    err = lookup_user(arg_int(c, 0), c->args[1], at, !(flags & LX_FSPICK_SYMLINK_NOFOLLOW), &p);
    if (err)
        return err;
    struct context_file *cf = NULL;
    if (!path_is_mount_root(&p))
        err = -LX_EINVAL;
    else if (p.mnt->locked || !p.mnt->parent)
        err = -LX_EPERM; // the sandbox's own
    else if (!(cf = context_new()))
        err = -LX_ENOMEM;
    if (err) {
        path_put(&p);
        return err;
    }
    fs_context_init(&cf->fc, NULL);
    cf->fc.sb = p.mnt->sb;
    cf->fc.sb->refs++;
    cf->fc.root = dentry_get(p.dentry);
    cf->phase = RECONFIGURE;
    path_put(&p);
    return context_fd(cf, flags & LX_FSPICK_CLOEXEC);
}

static int parameter(struct context_file *cf, const char *key, const char *value)
{
    if (cf->phase != PARAMETERS && cf->phase != RECONFIGURE)
        return -LX_EBUSY;
    return fs_context_set(&cf->fc, key, value);
}

static int command(struct context_file *cf, uint32_t cmd)
{
    int err;
    if (cmd == LX_FSCONFIG_CMD_RECONFIGURE) {
        if (cf->phase != RECONFIGURE)
            return -LX_EBUSY;
        return fs_context_reconfigure(&cf->fc);
    }
    if (cf->phase != PARAMETERS)
        return -LX_EBUSY;
    err = fs_context_create(&cf->fc);
    if (!err && cmd == LX_FSCONFIG_CMD_CREATE_EXCL && sb_is_shared(cf->fc.sb))
        err = -LX_EBUSY;
    cf->phase = err ? DONE : CREATED;
    return err;
}

// What fsconfig(2) asks of its arguments, command by command.
static bool arguments_fit(uint32_t cmd, gaddr_t key, gaddr_t value, int aux)
{
    switch (cmd) {
    case LX_FSCONFIG_SET_FLAG:
        return key && !value && !aux;
    case LX_FSCONFIG_SET_STRING:
        return key && value && !aux;
    case LX_FSCONFIG_SET_BINARY:
        return key && value && aux > 0 && aux <= 1024 * 1024;
    case LX_FSCONFIG_SET_PATH:
    case LX_FSCONFIG_SET_PATH_EMPTY:
        return key && value && (aux == LX_AT_FDCWD || aux >= 0);
    case LX_FSCONFIG_SET_FD:
        return key && !value && aux >= 0;
    default:
        return !key && !value && !aux;
    }
}

int64_t sys_fsconfig(struct call *c)
{
    int fd = arg_int(c, 0), aux = arg_int(c, 4);
    uint32_t cmd = arg_uint(c, 1);
    char key[256], *value = NULL;
    if (fd < 0)
        return -LX_EINVAL;
    if (cmd > LX_FSCONFIG_CMD_CREATE_EXCL)
        return -LX_EOPNOTSUPP;
    if (!arguments_fit(cmd, c->args[2], c->args[3], aux))
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, fd);
    if (!f)
        return -LX_EBADF;
    struct context_file *cf = context_of(f);
    if (!cf)
        return -LX_EINVAL;
    if (cmd >= LX_FSCONFIG_CMD_CREATE) {
        int err = may_mount();
        if (err)
            return err;
        file_get(f); // making a superblock may drop the kernel lock
        err = command(cf, cmd);
        file_put(f);
        return err;
    }
    ssize_t n = copy_in_str(key, c->args[2], sizeof(key));
    if (n < 0)
        return n == -LX_ENAMETOOLONG ? -LX_EINVAL : n;
    if (cmd == LX_FSCONFIG_SET_FLAG)
        return parameter(cf, key, NULL);
    if (cmd != LX_FSCONFIG_SET_STRING)
        return -LX_EINVAL; // no filesystem here takes a parameter of such a type
    value = malloc(256);
    n = value ? copy_in_str(value, c->args[3], 256) : -LX_ENOMEM;
    int err = n < 0 ? n == -LX_ENAMETOOLONG ? -LX_EINVAL : (int)n : parameter(cf, key, value);
    free(value);
    return err;
}

// Per-mount flags of fsmount(2) and mount_setattr(2). False: not such flags.
static bool attributes(uint64_t attr, uint32_t *flags)
{
    *flags = 0;
    if (attr &
        ~(uint64_t)(LX_MOUNT_ATTR_RDONLY | LX_MOUNT_ATTR_NOSUID | LX_MOUNT_ATTR_NODEV | LX_MOUNT_ATTR_NOEXEC |
                    LX_MOUNT_ATTR__ATIME | LX_MOUNT_ATTR_NODIRATIME | LX_MOUNT_ATTR_NOSYMFOLLOW))
        return false;
    *flags = (uint32_t)attr & (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC);
    if (attr & LX_MOUNT_ATTR_NODIRATIME)
        *flags |= MNT_NODIRATIME;
    if (attr & LX_MOUNT_ATTR_NOSYMFOLLOW)
        *flags |= MNT_NOSYMFOLLOW;
    switch (attr & LX_MOUNT_ATTR__ATIME) {
    case LX_MOUNT_ATTR_RELATIME:
        *flags |= MNT_RELATIME;
        return true;
    case LX_MOUNT_ATTR_NOATIME:
        *flags |= MNT_NOATIME;
        return true;
    case LX_MOUNT_ATTR_STRICTATIME:
        return true;
    }
    return false;
}

// A descriptor of a detached mount, as O_PATH opens it. Takes over the reference of `m`.
static int64_t mount_fd(struct mount *m, struct dentry *at, bool cloexec)
{
    struct path p = {m, dentry_get(at)};
    struct file *f;
    int err = vfs_open_path(&p, LX_O_PATH, &f);
    path_put(&p);
    if (err)
        return err;
    int fd = fd_install(current->files, f, 0, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_fsmount(struct call *c)
{
    uint32_t flags = arg_uint(c, 1), mount_flags;
    int err = may_mount();
    if (err)
        return err;
    if ((flags & ~LX_FSMOUNT_CLOEXEC) || !attributes(arg_uint(c, 2), &mount_flags))
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f)
        return -LX_EBADF;
    struct context_file *cf = context_of(f);
    if (!cf || !cf->fc.root)
        return -LX_EINVAL;
    if (cf->phase != CREATED)
        return -LX_EBUSY;
    struct mount *m = fs_context_mount(&cf->fc, mount_flags);
    if (!m)
        return -LX_ENOSPC;
    int64_t fd = mount_fd(m, m->root, flags & LX_FSMOUNT_CLOEXEC);
    if (fd >= 0)
        cf->phase = MOUNTED;
    return fd;
}

int64_t sys_open_tree(struct call *c)
{
    uint32_t flags = arg_uint(c, 2);
    const uint32_t known = LX_OPEN_TREE_CLONE | LX_OPEN_TREE_CLOEXEC | LX_AT_RECURSIVE | LX_AT_EMPTY_PATH |
                           LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT;
    if ((flags & ~known) || (flags & (LX_AT_RECURSIVE | LX_OPEN_TREE_CLONE)) == LX_AT_RECURSIVE)
        return -LX_EINVAL;
    if ((flags & LX_OPEN_TREE_CLONE) && may_mount())
        return -LX_EPERM;
    struct path p;
    int err = lookup_user(arg_int(c, 0), c->args[1],
                          (int)(flags & (LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW)), true, &p);
    if (err)
        return err;
    struct mount *m = NULL;
    if (flags & LX_OPEN_TREE_CLONE)
        err = mount_bind_copy(&p, flags & LX_AT_RECURSIVE, &m);
    else
        m = mount_get(p.mnt);
    int64_t fd = err ? err : mount_fd(m, p.dentry, flags & LX_OPEN_TREE_CLOEXEC);
    path_put(&p);
    return fd;
}

// A place named by descriptor and path, where an empty path may stand for the descriptor alone.
static int place(int dirfd, gaddr_t name, bool follow, bool empty, struct path *out)
{
    return lookup_user(dirfd, name, empty ? LX_AT_EMPTY_PATH : 0, follow, out);
}

int64_t sys_move_mount(struct call *c)
{
    uint32_t flags = arg_uint(c, 4);
    const uint32_t known = LX_MOVE_MOUNT_F_SYMLINKS | LX_MOVE_MOUNT_F_AUTOMOUNTS |
                           LX_MOVE_MOUNT_F_EMPTY_PATH | LX_MOVE_MOUNT_T_SYMLINKS |
                           LX_MOVE_MOUNT_T_AUTOMOUNTS | LX_MOVE_MOUNT_T_EMPTY_PATH;
    int err = may_mount();
    if (err)
        return err;
    if (flags & ~known) // and neither groups nor mounts beneath others
        return -LX_EINVAL;
    struct path from, to;
    err = place(arg_int(c, 2), c->args[3], flags & LX_MOVE_MOUNT_T_SYMLINKS,
                flags & LX_MOVE_MOUNT_T_EMPTY_PATH, &to);
    if (err)
        return err;
    err = place(arg_int(c, 0), c->args[1], flags & LX_MOVE_MOUNT_F_SYMLINKS,
                flags & LX_MOVE_MOUNT_F_EMPTY_PATH, &from);
    if (!err) {
        err = mount_may_move(&from, &to);
        // A detached tree is held by its descriptor; in its place it holds itself.
        bool detached = !from.mnt->ns;
        if (!err && detached)
            mount_get(from.mnt);
        if (!err) {
            err = mount_move(from.mnt, &to);
            if (err && detached)
                mount_put(from.mnt);
        }
        path_put(&from);
    }
    path_put(&to);
    return err;
}

// struct mount_attr of any size: newer fields must be zero.
static int get_attributes(struct call *c, struct lx_mount_attr *attr)
{
    uint64_t size = c->args[4];
    if (size > 4096)
        return -LX_E2BIG;
    if (size < LX_MOUNT_ATTR_SIZE_VER0)
        return -LX_EINVAL;
    char rest[64];
    if (copy_in(attr, c->args[3], sizeof(*attr)))
        return -LX_EFAULT;
    for (uint64_t at = sizeof(*attr); at < size; at += sizeof(rest)) {
        size_t n = size - at < sizeof(rest) ? size - at : sizeof(rest);
        if (copy_in(rest, c->args[3] + at, n))
            return -LX_EFAULT;
        for (size_t i = 0; i < n; i++)
            if (rest[i])
                return -LX_E2BIG;
    }
    return 0;
}

struct change {
    uint32_t set, clear; // MNT_*
    uint32_t propagation;
};

static int change_of(const struct lx_mount_attr *attr, struct change *out)
{
    const uint64_t known = LX_MOUNT_ATTR_RDONLY | LX_MOUNT_ATTR_NOSUID | LX_MOUNT_ATTR_NODEV |
                           LX_MOUNT_ATTR_NOEXEC | LX_MOUNT_ATTR__ATIME | LX_MOUNT_ATTR_NODIRATIME |
                           LX_MOUNT_ATTR_NOSYMFOLLOW;
    uint32_t p = (uint32_t)attr->propagation;
    if (attr->propagation != p ||
        (p && p != LX_MS_SHARED && p != LX_MS_PRIVATE && p != LX_MS_SLAVE && p != LX_MS_UNBINDABLE))
        return -LX_EINVAL;
    if ((attr->attr_set | attr->attr_clr) & ~known) // MOUNT_ATTR_IDMAP: no filesystem here can be mapped
        return -LX_EINVAL;
    if (attr->userns_fd)
        return -LX_EINVAL;
    if (!attributes(attr->attr_set & ~(uint64_t)LX_MOUNT_ATTR__ATIME, &out->set) ||
        !attributes(attr->attr_clr & ~(uint64_t)LX_MOUNT_ATTR__ATIME, &out->clear))
        return -LX_EINVAL;
    out->set &= ~MNT_RELATIME;
    out->clear &= ~MNT_RELATIME;
    out->propagation = p;
    // The access time's rule is one field: it is cleared as a whole and set to one value.
    if (attr->attr_clr & LX_MOUNT_ATTR__ATIME) {
        uint32_t rule;
        if ((attr->attr_clr & LX_MOUNT_ATTR__ATIME) != LX_MOUNT_ATTR__ATIME)
            return -LX_EINVAL;
        if (!attributes(attr->attr_set & LX_MOUNT_ATTR__ATIME, &rule))
            return -LX_EINVAL;
        out->clear |= MNT_RELATIME | MNT_NOATIME;
        out->set |= rule;
    } else if (attr->attr_set & LX_MOUNT_ATTR__ATIME) {
        return -LX_EINVAL;
    }
    return 0;
}

static uint32_t changed_flags(const struct mount *m, const struct change *change)
{
    return (m->flags & ~change->clear) | change->set;
}

// All mounts or none: what may hinder one is looked at first.
static int change_tree(struct mount *top, const struct change *change, bool recursive)
{
    for (struct mount *m = top; m; m = recursive ? mount_next(m, top) : NULL) {
        uint32_t flags = changed_flags(m, change);
        if (m->locked_flags & ~flags & ~MNT_ATIME_FLAGS)
            return -LX_EPERM;
        if ((flags & MNT_RDONLY) && !(m->flags & MNT_RDONLY) && m->writers)
            return -LX_EBUSY;
    }
    for (struct mount *m = top; m; m = recursive ? mount_next(m, top) : NULL)
        (void)mount_set_flags(m, changed_flags(m, change));
    return change->propagation ? mount_set_propagation(top, change->propagation, recursive) : 0;
}

int64_t sys_mount_setattr(struct call *c)
{
    uint32_t flags = arg_uint(c, 2);
    struct lx_mount_attr attr;
    struct change change;
    if (flags & ~(uint32_t)(LX_AT_EMPTY_PATH | LX_AT_RECURSIVE | LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT))
        return -LX_EINVAL;
    int err = get_attributes(c, &attr);
    if (!err)
        err = may_mount();
    if (err)
        return err;
    if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
        return 0;
    err = change_of(&attr, &change);
    if (err)
        return err;
    struct path p;
    err = lookup_user(arg_int(c, 0), c->args[1], (int)(flags & (LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW)),
                      true, &p);
    if (err)
        return err;
    if (!path_is_mount_root(&p) || (p.mnt->ns && !mount_is_ours(p.mnt)))
        err = -LX_EINVAL;
    else
        err = change_tree(p.mnt, &change, flags & LX_AT_RECURSIVE);
    path_put(&p);
    return err;
}
