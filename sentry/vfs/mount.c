// Mounts and mount namespaces.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include <stdlib.h>

static int next_mount_id = 20;

struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags)
{
    struct mount *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->refs = 1;
    m->id = next_mount_id++;
    m->sb = sb;
    sb->refs++;
    m->root = dentry_get(root);
    m->flags = flags;
    list_init(&m->link);
    return m;
}

struct mount *mount_get(struct mount *m)
{
    m->refs++;
    return m;
}

void mount_put(struct mount *m)
{
    while (m && --m->refs == 0) {
        struct mount *parent = m->parent;
        list_del(&m->link);
        if (m->mountpoint) {
            m->mountpoint->mounts--;
            dentry_put(m->mountpoint);
        }
        dentry_put(m->root);
        sb_put(m->sb);
        free(m);
        m = parent;
    }
}

struct mount_ns *mount_ns_alloc(struct mount *root)
{
    struct mount_ns *ns = calloc(1, sizeof(*ns));
    if (!ns)
        return NULL;
    ns->refs = 1;
    list_init(&ns->mounts);
    ns->root = root;
    root->ns = ns;
    list_add_tail(&root->link, &ns->mounts);
    return ns;
}

struct mount_ns *mount_ns_get(struct mount_ns *ns)
{
    ns->refs++;
    return ns;
}

void mount_ns_put(struct mount_ns *ns)
{
    if (!ns || --ns->refs > 0)
        return;
    while (!list_empty(&ns->mounts)) {
        struct mount *m = list_entry(ns->mounts.prev, struct mount, link);
        list_del(&m->link);
        m->ns = NULL;
        mount_put(m);
    }
    free(ns);
}

struct mount *mount_find(const struct mount *parent, const struct dentry *at)
{
    if (!parent->ns)
        return NULL;
    list_for_each(m, &parent->ns->mounts, struct mount,
                  link) if (m->parent == parent && m->mountpoint == at) return m;
    return NULL;
}

void path_get(const struct path *p)
{
    if (p->mnt)
        mount_get(p->mnt);
    if (p->dentry)
        dentry_get(p->dentry);
}

void path_put(struct path *p)
{
    dentry_put(p->dentry);
    mount_put(p->mnt);
    p->dentry = NULL;
    p->mnt = NULL;
}

void path_follow_mounts(struct path *p)
{
    while (p->dentry->mounts) {
        struct mount *m = mount_find(p->mnt, p->dentry);
        if (!m)
            return;
        struct path next = {mount_get(m), dentry_get(m->root)};
        path_put(p);
        *p = next;
    }
}

bool path_follow_up(struct path *p)
{
    struct mount *m = p->mnt;
    if (!m->parent)
        return false;
    struct path up = {mount_get(m->parent), dentry_get(m->mountpoint)};
    path_put(p);
    *p = up;
    return true;
}

int mount_attach(struct mount *m, const struct path *at)
{
    if (!at->mnt->ns)
        return -LX_EINVAL;
    if (!at->dentry->inode)
        return -LX_ENOENT;
    if (dentry_is_dir(m->root) != dentry_is_dir(at->dentry))
        return -LX_ENOTDIR;
    unsigned count = 0;
    list_for_each(other, &at->mnt->ns->mounts, struct mount, link) count++;
    if (count >= 10000)
        return -LX_ENOSPC;
    m->parent = mount_get(at->mnt);
    m->mountpoint = dentry_get(at->dentry);
    m->mountpoint->mounts++;
    m->ns = at->mnt->ns;
    list_add_tail(&m->link, &m->ns->mounts);
    return 0;
}

static bool has_children(const struct mount *m)
{
    list_for_each(other, &m->ns->mounts, struct mount, link) if (other->parent == m) return true;
    return false;
}

static void detach_one(struct mount *m)
{
    list_del(&m->link);
    m->ns = NULL;
    m->mountpoint->mounts--;
    dentry_put(m->mountpoint);
    m->mountpoint = NULL;
    struct mount *parent = m->parent;
    m->parent = NULL;
    mount_put(parent);
    mount_put(m);
}

int mount_detach(struct mount *m, bool lazy)
{
    if (!m->ns || !m->parent)
        return -LX_EINVAL;
    if (!lazy) {
        if (has_children(m) || m->refs > 2) // the namespace's and the caller's
            return -LX_EBUSY;
        detach_one(m);
        return 0;
    }
    for (bool again = true; again;) {
        again = false;
        list_for_each(other, &m->ns->mounts, struct mount, link) if (other->parent == m)
        {
            again = mount_detach(other, true) == 0;
            break;
        }
    }
    detach_one(m);
    return 0;
}

// Walks `dest` below root through mounts and symlinks that stay inside, making what is missing.
int vfs_make_mountpoint(const struct path *root, const char *dest, bool directory, struct path *out)
{
    struct path at = *root;
    path_get(&at);
    path_follow_mounts(&at);
    while (*dest == '/')
        dest++;
    while (*dest) {
        size_t len = strcspn(dest, "/");
        const char *next = dest + len;
        while (*next == '/')
            next++;
        struct dentry *child;
        int err = dentry_lookup(at.dentry, dest, len, &child);
        if (err == 0 && !child->inode) {
            struct inode *dir = at.dentry->inode;
            vfs_mutex_lock(&dir->lock);
            if (*next || directory)
                err = dir->ops->mkdir ? dir->ops->mkdir(dir, child, 0755, 0, 0) : -LX_EROFS;
            else
                err = dir->ops->create ? dir->ops->create(dir, child, 0644, 0, 0, true) : -LX_EROFS;
            dir->dir_seq++;
            vfs_mutex_unlock(&dir->lock);
            if (err)
                dentry_put(child);
        }
        if (err == 0 && child->inode && LX_S_ISLNK(child->inode->attr.mode)) {
            struct path link_start = at, target;
            char name[VFS_NAME_MAX + 1];
            memcpy(name, dest, len);
            name[len] = 0;
            err = path_lookup_from(&link_start, name, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &target);
            dentry_put(child);
            if (err == 0) {
                path_put(&at);
                at = target;
                dest = next;
                continue;
            }
        }
        if (err) {
            path_put(&at);
            return err;
        }
        dentry_put(at.dentry);
        at.dentry = child;
        path_follow_mounts(&at);
        dest = next;
    }
    *out = at;
    return 0;
}

int vfs_mount_at(const struct path *root, const char *fstype, const char *source, const char *options,
                 uint32_t flags, const char *dest)
{
    struct fs_type *t = fs_type_find(fstype);
    if (!t)
        return -LX_ENODEV;
    struct super_block *sb;
    struct dentry *top;
    int err = t->mount(t, source, options, &sb, &top);
    if (err)
        return err;
    struct path at = {NULL, NULL};
    struct mount *m = mount_alloc(sb, top, flags);
    err = m ? vfs_make_mountpoint(root, dest, dentry_is_dir(top), &at) : -LX_ENOMEM;
    if (err == 0) {
        m->locked = true;
        m->locked_flags = flags;
        err = mount_attach(m, &at);
    }
    if (err)
        mount_put(m);
    path_put(&at);
    dentry_put(top);
    sb_put(sb);
    return err;
}
