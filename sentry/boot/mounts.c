#include "sentry/boot/mounts.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/core/log.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/fs/pipefs/pipe.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include "sentry/trap/stats.h"
#include "sentry/net/host/broker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Type, source and options for mount, as mount(8) would have them.
struct recipe {
    const char *type, *source;
    char options[512];
};

static void recipe_of(const struct mount_config *m, struct recipe *r)
{
    static const char *const types[] = {
        [MOUNT_GOFER] = "9p",      [MOUNT_TMPFS] = "tmpfs",    [MOUNT_PROC] = "proc",
        [MOUNT_SYSFS] = "sysfs",   [MOUNT_DEV] = "devtmpfs",   [MOUNT_DEVPTS] = "devpts",
        [MOUNT_MQUEUE] = "mqueue", [MOUNT_CGROUP] = "cgroup2",
    };
    r->type = types[m->kind];
    r->source = m->kind == MOUNT_GOFER ? m->export_name : types[m->kind];
    r->options[0] = 0;
    size_t n = 0;
    if (m->kind == MOUNT_TMPFS && m->size)
        n += (size_t)snprintf(r->options, sizeof(r->options), "size=%llu,", (unsigned long long)m->size);
    if (m->kind == MOUNT_TMPFS && m->mode)
        n += (size_t)snprintf(r->options + n, sizeof(r->options) - n, "mode=%o,", m->mode);
    if (m->kind == MOUNT_GOFER && m->shared)
        n += (size_t)snprintf(r->options + n, sizeof(r->options) - n, "shared,");
    if (m->kind == MOUNT_GOFER && m->server)
        n += (size_t)snprintf(r->options + n, sizeof(r->options) - n, "server=%u,", m->server);
    if (m->options && *m->options && n < sizeof(r->options))
        n += (size_t)snprintf(r->options + n, sizeof(r->options) - n, "%s,", m->options);
    if (n > sizeof(r->options))
        n = sizeof(r->options);
    if (n)
        r->options[n - 1] = 0;
    if (m->overlay) {
        // An overlay in memory over the same export: its options are those of the lower filesystem.
        char lower[sizeof(r->options)];
        snprintf(lower, sizeof(lower), "%s", r->options);
        char size[48] = "";
        if (m->size)
            snprintf(size, sizeof(size), "upper_size=%llu,", (unsigned long long)m->size);
        snprintf(r->options, sizeof(r->options), "%s%slower=%s%s%.400s", m->store ? "store," : "", size,
                 r->type, *lower ? "," : "", lower);
        r->type = "overlay";
    }
}

static uint32_t flags_of(const struct mount_config *m)
{
    return (m->readonly ? MNT_RDONLY : 0) | (m->nosuid ? MNT_NOSUID : 0) | (m->nodev ? MNT_NODEV : 0) |
           (m->noexec ? MNT_NOEXEC : 0);
}

static struct mount *mount_root(const struct mount_config *m, int *err)
{
    struct recipe r;
    struct super_block *sb;
    struct dentry *root;
    recipe_of(m, &r);
    struct fs_type *type = fs_type_find(r.type);
    *err = type ? type->mount(type, r.source, r.options, &sb, &root) : -LX_ENODEV;
    if (*err)
        return NULL;
    struct mount *mount = mount_alloc(sb, root, mount_with_atime(flags_of(m)));
    if (mount) {
        mount->locked = true;
        mount->locked_flags = flags_of(m);
    }
    dentry_put(root);
    sb_put(sb);
    if (!mount)
        *err = -LX_ENOMEM;
    return mount;
}

// In the root that we compose ourselves; nobody is asked for permission at boot.
static int make_link(const struct path *root, const struct link_config *l)
{
    char parent[VFS_PATH_MAX];
    struct path at;
    struct dentry *d;
    snprintf(parent, sizeof(parent), "%s", l->path);
    char *slash = strrchr(parent, '/');
    if (!slash || !slash[1])
        return -LX_EINVAL;
    const char *name = l->path + (slash + 1 - parent);
    *slash = 0;
    int err = vfs_make_mountpoint(root, *parent ? parent : "/", true, &at);
    if (err)
        return err;
    err = dentry_lookup(at.dentry, name, strlen(name), &d);
    if (!err) {
        struct inode *dir = at.dentry->inode;
        err = d->inode            ? -LX_EEXIST
              : dir->ops->symlink ? dir->ops->symlink(dir, d, l->target, 0, 0)
                                  : -LX_EPERM;
        dentry_put(d);
    }
    path_put(&at);
    return err;
}

// Puts a mount onto a place that is there, for good.
static int attach_locked(struct mount *m, const struct path *at)
{
    if (!m)
        return -LX_ENOMEM;
    m->locked = m->hides = true;
    m->locked_flags = m->flags;
    int err = mount_attach(m, at);
    if (err)
        mount_put(m);
    return err;
}

static int mount_type_on(const char *type, const char *options, const char *child, uint32_t flags,
                         const struct path *at)
{
    struct super_block *sb;
    struct dentry *root, *shown = NULL;
    struct fs_type *t = fs_type_find(type);
    int err = t ? t->mount(t, type, options, &sb, &root) : -LX_ENODEV;
    if (err)
        return err;
    if (child)
        err = dentry_lookup(root, child, strlen(child), &shown);
    if (!err)
        err = attach_locked(mount_alloc(sb, shown ? shown : root, flags), at);
    dentry_put(shown);
    dentry_put(root);
    sb_put(sb);
    return err;
}

// Hides what is there: a directory behind an empty one, anything else behind /dev/null.
static int mask(const struct path *at)
{
    if (LX_S_ISDIR(at->dentry->inode->attr.mode))
        return mount_type_on("tmpfs", "size=4096,mode=755", NULL,
                             MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC, at);
    return mount_type_on("devtmpfs", "", "null", MNT_NOSUID | MNT_NOEXEC, at);
}

// Shows a place once more over itself, with further flags.
static int remount(const struct path *at, uint32_t flags)
{
    return attach_locked(mount_alloc(at->mnt->sb, at->dentry, at->mnt->flags | flags), at);
}

// tmpfs with "tmpcopyup": an overlay in memory over what the image has there. Where it has nothing, a plain tmpfs does.
static int copy_up(const struct path *root, const struct mount_config *m, bool *done)
{
    struct path at;
    struct super_block *sb;
    struct dentry *top;
    *done = false;
    if (path_lookup_from(root, m->destination, LOOKUP_FOLLOW | LOOKUP_IN_ROOT | LOOKUP_DIRECTORY, &at))
        return 0;
    *done = true;
    struct mount *lower = mount_alloc(at.mnt->sb, at.dentry, 0);
    int err = lower ? overlay_over(lower, m->size, false, &sb, &top) : -LX_ENOMEM;
    if (!err) {
        err = attach_locked(mount_alloc(sb, top, flags_of(m)), &at);
        dentry_put(top);
        sb_put(sb);
    }
    path_put(&at);
    return err;
}

// What a container's configuration changes about places that exist. A place that does not exist needs no hiding.
static int change_place(const struct path *root, const struct mount_config *m)
{
    struct path at;
    int err = path_lookup_from(root, m->destination, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &at);
    if (err == -LX_ENOENT || err == -LX_ENOTDIR)
        return 0;
    if (err)
        return err;
    err = m->kind == MOUNT_MASK ? mask(&at) : remount(&at, flags_of(m));
    path_put(&at);
    return err;
}

static int make_device(const struct path *root, const struct device_config *d)
{
    char parent[VFS_PATH_MAX];
    struct path at;
    struct dentry *node;
    snprintf(parent, sizeof(parent), "%s", d->path);
    char *slash = strrchr(parent, '/');
    if (!slash || !slash[1])
        return -LX_EINVAL;
    *slash = 0;
    int err = vfs_make_mountpoint(root, *parent ? parent : "/", true, &at);
    if (err)
        return err;
    err = dentry_lookup(at.dentry, slash + 1, strlen(slash + 1), &node);
    if (!err) {
        struct inode *dir = at.dentry->inode;
        if (!node->inode)
            err = dir->ops->mknod
                      ? dir->ops->mknod(dir, node, d->mode, lx_makedev(d->major, d->minor), d->uid, d->gid)
                      : -LX_EPERM;
        dentry_put(node);
    }
    path_put(&at);
    return err;
}

static int make_devices(const struct sentry_config *config, const struct path *root)
{
    for (size_t i = 0; i < config->nr_devices; i++) {
        int err = make_device(root, &config->devices[i]);
        if (err) {
            log_error("making the device %s: %s", config->devices[i].path, strerror(-err));
            return err;
        }
    }
    return 0;
}

// Names of the network that we do not show have their effect in the engine's namespace alone.
static int write_sysctls(const struct sentry_config *config, const struct path *root)
{
    for (size_t i = 0; i < config->nr_sysctls; i++) {
        const struct sysctl_config *s = &config->sysctls[i];
        char name[256];
        struct path at;
        struct file *f = NULL;
        snprintf(name, sizeof(name), "/proc/sys/%s", s->name);
        int err = path_lookup_from(root, name, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &at);
        if (err == -LX_ENOENT && strncmp(s->name, "net/", 4) == 0)
            continue;
        if (!err) {
            err = vfs_open_raw(&at, LX_O_WRONLY, &f);
            path_put(&at);
        }
        if (!err) {
            int64_t n = kernel_write(f, s->value, strlen(s->value));
            file_put(f);
            err = n < 0 ? (int)n : 0;
        }
        if (err) {
            log_error("setting %s: %s", name, strerror(-err));
            return err;
        }
    }
    return 0;
}

int filesystems_init(const struct sentry_config *config, const struct boot_fds *fds)
{
    int err = vfs_init();
    if (!err && fds->gofer >= 0)
        err = gofer_fs_init(fds->gofer); // waits for the Gofer's start
    for (unsigned i = 0; !err && i < FILE_SERVERS_MAX && fds->servers[i] >= 0; i++)
        err = gofer_fs_add_server(i, fds->servers[i], config->server_uid);
    stats_gofer_messages = gofer_fs_messages;
    if (!err)
        err = devpts_init();
    if (!err)
        err = proc_init(config);
    if (!err && fds->gofer_net >= 0)
        err = net_broker_connect(fds->gofer_net, config->network_policy);
    if (!err && fds->gofer_proc >= 0)
        err = proc_host_connect(fds->gofer_proc);
    pipe_init();
    return err;
}

// A container's working directory is made where the image has none.
static int make_directory(const struct path *root, const char *name)
{
    struct path at;
    int err = vfs_make_mountpoint(root, name, true, &at);
    if (err)
        log_error("making the working directory %s: %s", name, strerror(-err));
    else
        path_put(&at);
    return err;
}

struct fs_struct *boot_mounts(const struct sentry_config *config, int *err)
{
    struct mount *root = mount_root(&config->mounts[0], err);
    if (!root)
        return NULL;
    struct fs_struct *f = calloc(1, sizeof(*f));
    struct mount_ns *ns = mount_ns_alloc(root);
    if (!f || !ns) {
        *err = -LX_ENOMEM;
        return NULL;
    }
    f->refs = 1;
    f->umask = config->umask;
    f->mnt_ns = ns;
    f->root = (struct path){root, root->root};
    f->pwd = f->root;
    path_get(&f->root);
    path_get(&f->pwd);
    for (size_t i = 0; i < config->nr_links && !*err; i++)
        *err = make_link(&f->root, &config->links[i]);
    for (size_t i = 1; i < config->nr_mounts && !*err; i++) {
        const struct mount_config *m = &config->mounts[i];
        struct recipe r;
        if (m->kind == MOUNT_MASK || m->kind == MOUNT_REMOUNT) {
            *err = change_place(&f->root, m);
            if (*err)
                log_error("hiding %s: %s", m->destination, strerror(-*err));
            continue;
        }
        bool done = false;
        if (m->copy_up && (*err = copy_up(&f->root, m, &done)) == 0 && done)
            continue;
        if (*err)
            break;
        recipe_of(m, &r);
        *err = vfs_mount_at(&f->root, r.type, r.source, r.options, flags_of(m), m->destination);
        if (*err == -LX_ENODEV && m->kind != MOUNT_GOFER && m->kind != MOUNT_TMPFS) {
            log_info("there is no filesystem %s for %s", r.type, m->destination); // not built in
            *err = 0;
        }
        if (*err)
            log_error(
                "mounting %s on %s: %s; the place must be there, or in a filesystem where it can be made",
                r.type, m->destination, strerror(-*err));
    }
    if (!*err)
        *err = make_devices(config, &f->root);
    if (!*err)
        *err = write_sysctls(config, &f->root);
    if (!*err && config->container)
        *err = make_directory(&f->root, config->cwd);
    return *err ? NULL : f;
}
