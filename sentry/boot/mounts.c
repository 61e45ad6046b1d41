#include "sentry/boot/mounts.h"
#include "abi/linux/errno.h"
#include "sentry/core/log.h"
#include "sentry/fs/devpts/devpts.h"
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
    char options[160];
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
    if (n)
        r->options[n - 1] = 0;
    if (m->overlay) {
        // An overlay in memory over the same export: its options are those of the lower filesystem.
        char lower[sizeof(r->options)];
        snprintf(lower, sizeof(lower), "%s", r->options);
        snprintf(r->options, sizeof(r->options), "lower=%s%s%.100s", r->type, *lower ? "," : "", lower);
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
        err = net_broker_connect(fds->gofer_net);
    if (!err && fds->gofer_proc >= 0)
        err = proc_host_connect(fds->gofer_proc);
    pipe_init();
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
        recipe_of(m, &r);
        *err = vfs_mount_at(&f->root, r.type, r.source, r.options, flags_of(m), m->destination);
        if (*err == -LX_ENODEV && m->kind != MOUNT_GOFER && m->kind != MOUNT_TMPFS) {
            log_info("there is no filesystem %s for %s", r.type, m->destination); // not built in
            *err = 0;
        }
        if (*err)
            log_error("mounting %s on %s: %s", r.type, m->destination, strerror(-*err));
    }
    return *err ? NULL : f;
}
