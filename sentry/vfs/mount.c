// Mounts, the trees they make, and mount namespaces (fs/namespace.c of Linux).
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

// Mounts of one namespace (fs.mount-max would allow 100,000), and of the whole sandbox, detached ones included.
#define NS_MOUNTS_MAX 10000u
#define MOUNTS_MAX 50000u
#define FIRST_MOUNT_NS 4026531841u // a copy gets another number

static int next_mount_id = 20;
static unsigned nr_mounts;

struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags)
{
    struct mount *m = nr_mounts < MOUNTS_MAX ? calloc(1, sizeof(*m)) : NULL;
    if (!m)
        return NULL;
    nr_mounts++;
    m->refs = 1;
    m->id = next_mount_id++;
    m->sb = sb;
    sb->refs++;
    m->root = dentry_get(root);
    m->flags = flags;
    list_init(&m->link);
    list_init(&m->children);
    list_init(&m->sibling);
    list_init(&m->peers);
    list_init(&m->slaves);
    list_init(&m->slave_link);
    return m;
}

struct mount *mount_get(struct mount *m)
{
    m->refs++;
    return m;
}

void mount_link(struct mount *m, struct mount *parent, struct dentry *at)
{
    m->parent = mount_get(parent);
    parent->nr_children++;
    list_add_tail(&m->sibling, &parent->children);
    m->mountpoint = dentry_get(at);
    at->mounts++;
}

// Takes a mount from its place. The reference to its parent, which is returned, and the tree's to itself are the caller's now.
static struct mount *detach(struct mount *m)
{
    struct mount *parent = m->parent;
    list_del(&m->sibling);
    parent->nr_children--;
    m->mountpoint->mounts--;
    dentry_put(m->mountpoint);
    m->mountpoint = NULL;
    m->parent = NULL;
    return parent;
}

void mount_unlink(struct mount *m)
{
    mount_put(detach(m));
    mount_put(m);
}

static void mount_free(struct mount *m)
{
    propagation_leave(m);
    list_del(&m->link);
    dentry_put(m->root);
    sb_put(m->sb);
    free(m->devname);
    free(m);
    nr_mounts--;
}

void mount_put(struct mount *m)
{
    if (!m || --m->refs > m->nr_children)
        return;
    // Only its children hold it. Without recursion: guests stack mounts by the thousand. The mounts on the way have a reference of
    // ours, and `parent` says where the way came from.
    m->refs++;
    for (struct mount *at = m; at;) {
        if (!list_empty(&at->children)) {
            struct mount *child = list_first(&at->children, struct mount, sibling);
            detach(child)->refs--; // not the last: ours
            if (--child->refs <= child->nr_children) {
                child->refs++;
                child->parent = at;
                at = child;
            }
            continue;
        }
        struct mount *up = at == m ? NULL : at->parent;
        at->parent = NULL;
        mount_free(at);
        at = up;
    }
}

struct mount *mount_next(const struct mount *m, const struct mount *top)
{
    if (!list_empty(&m->children))
        return list_first(&m->children, struct mount, sibling);
    for (; m != top; m = m->parent)
        if (m->sibling.next != &m->parent->children)
            return list_entry(m->sibling.next, struct mount, sibling);
    return NULL;
}

void mount_tree_set_ns(struct mount *m, struct mount_ns *ns)
{
    for (struct mount *at = m; at; at = mount_next(at, m)) {
        if (at->ns)
            at->ns->nr_mounts--;
        list_del(&at->link);
        at->ns = ns;
        if (ns) {
            list_add_tail(&at->link, &ns->mounts);
            ns->nr_mounts++;
        }
    }
}

struct mount_ns *mount_ns_alloc(struct mount *root)
{
    struct mount_ns *ns = calloc(1, sizeof(*ns));
    if (!ns)
        return NULL;
    ns->refs = 1;
    ns->ino = FIRST_MOUNT_NS;
    list_init(&ns->mounts);
    ns->root = root;
    mount_tree_set_ns(root, ns);
    return ns;
}

struct mount_ns *mount_ns_get(struct mount_ns *ns)
{
    ns->refs++;
    return ns;
}

// The whole tree leaves its namespace, and each mount its parent; only what is locked stays where it is, so that it goes
// on hiding what lies below (umount_tree). The caller holds `top`.
static void dissolve(struct mount *top)
{
    struct list_head gone = LIST_INIT(gone);
    mount_tree_set_ns(top, NULL);
    for (struct mount *m = top; m; m = mount_next(m, top)) {
        propagation_leave(m);
        if (m != top && !m->locked)
            list_add(&m->link, &gone); // children before their parents
    }
    while (!list_empty(&gone)) {
        struct mount *m = list_first(&gone, struct mount, link);
        list_del(&m->link);
        mount_unlink(m);
    }
}

void mount_ns_put(struct mount_ns *ns)
{
    if (!ns || --ns->refs > 0)
        return;
    struct mount *root = ns->root;
    dissolve(root);
    mount_put(root);
    if (ns->owner)
        ns_put(&ns->owner->ns);
    free(ns);
}

bool mount_is_ours(const struct mount *m)
{
    return m->ns && current && m->ns == current->fs->mnt_ns;
}

struct mount *mount_find(const struct mount *parent, const struct dentry *at)
{
    list_for_each(m, &parent->children, struct mount, sibling) if (m->mountpoint == at) return m;
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

static unsigned tree_size(const struct mount *top)
{
    unsigned n = 0;
    for (const struct mount *m = top; m; m = mount_next(m, top))
        n++;
    return n;
}

// What attaching and moving share. `m` stands in no tree, or is about to leave its place.
static int place(struct mount *m, const struct path *at)
{
    if (!at->mnt->ns)
        return -LX_EINVAL;
    if (!at->dentry->inode || at->dentry->inode->dead)
        return -LX_ENOENT;
    if (dentry_is_dir(m->root) != dentry_is_dir(at->dentry))
        return -LX_ENOTDIR;
    if (!m->ns && at->mnt->ns->nr_mounts + tree_size(m) > NS_MOUNTS_MAX)
        return -LX_ENOSPC;
    struct mount_copies copies;
    int err = propagate_prepare(m, at, &copies);
    if (err)
        return err;
    if (m->parent) {
        mount_get(m);
        mount_unlink(m);
    }
    mount_link(m, at->mnt, at->dentry);
    if (m->ns != at->mnt->ns)
        mount_tree_set_ns(m, at->mnt->ns);
    propagate_attach(&copies, at->dentry);
    return 0;
}

int mount_attach(struct mount *m, const struct path *at)
{
    return place(m, at);
}

int mount_move(struct mount *m, const struct path *at)
{
    for (const struct mount *up = at->mnt; up; up = up->parent)
        if (up == m)
            return -LX_ELOOP;
    return place(m, at);
}

int mount_detach(struct mount *m, bool lazy)
{
    if (!m->ns || !m->parent)
        return -LX_EINVAL;
    // The tree's and the caller's references are no use of it.
    if (!lazy && (m->nr_children || m->refs > 2 || propagate_busy(m)))
        return -LX_EBUSY;
    // Innermost first, so that the copies elsewhere are empty when their turn comes.
    unsigned n = 0, count = tree_size(m);
    struct mount **all = malloc(count * sizeof(struct mount *));
    if (!all)
        return -LX_ENOMEM;
    for (struct mount *at = m; at; at = mount_next(at, m))
        all[n++] = mount_get(at);
    while (n--) {
        if (all[n]->parent)
            propagate_detach(all[n]->parent, all[n]->mountpoint);
        mount_put(all[n]);
    }
    free(all);
    if (m->parent) {
        dissolve(m);
        mount_unlink(m);
    }
    return 0;
}

// Does a locked mount that a copy from `root` on would leave out hide anything?
static bool leaves_out_locked(const struct mount *m, const struct dentry *root)
{
    list_for_each(child, &m->children, struct mount,
                  sibling) if (child->hides && dentry_is_ancestor(root, child->mountpoint)) return true;
    return false;
}

static struct mount *copy_one(struct mount *m, struct dentry *root, unsigned flags)
{
    struct mount *c = mount_alloc(m->sb, root, m->flags);
    if (!c)
        return NULL;
    c->locked_flags = m->locked_flags;
    if (m->devname)
        c->devname = strdup(m->devname);
    propagation_copy(c, m, flags);
    return c;
}

int mount_copy(struct mount *m, struct dentry *root, unsigned flags, struct mount **out)
{
    if (!(flags & COPY_ALL) && m->unbindable)
        return -LX_EINVAL;
    if (!(flags & COPY_RECURSIVE) && leaves_out_locked(m, root))
        return -LX_EINVAL;
    struct mount *top = copy_one(m, root, flags);
    if (!top)
        return -LX_ENOSPC;
    // Two walks in step: `to` is the copy of from's parent.
    struct mount *to = top;
    for (struct mount *from = flags & COPY_RECURSIVE ? mount_next(m, m) : NULL; from;) {
        bool skip = from->parent == m && !dentry_is_ancestor(root, from->mountpoint);
        if (!(flags & COPY_ALL) && from->unbindable)
            skip = true;
        struct mount *c = skip ? NULL : copy_one(from, from->root, flags);
        if (!skip && !c) {
            mount_put(top);
            return -LX_ENOSPC;
        }
        if (c) {
            c->locked = from->locked;
            c->hides = from->hides;
            mount_link(c, to, from->mountpoint);
        }
        // Down into what was copied, else beside it, else up.
        if (c && !list_empty(&from->children)) {
            from = list_first(&from->children, struct mount, sibling);
            to = c;
            continue;
        }
        while (from != m && from->sibling.next == &from->parent->children) {
            from = from->parent;
            if (from != m)
                to = to->parent;
        }
        from = from == m ? NULL : list_entry(from->sibling.next, struct mount, sibling);
    }
    *out = top;
    return 0;
}

struct mount *mount_counterpart(struct mount *tree, struct mount *copy, struct mount *m)
{
    struct mount *to = copy;
    for (struct mount *from = tree; from && to; from = mount_next(from, tree), to = mount_next(to, copy))
        if (from == m)
            return to;
    return NULL;
}

int mount_set_flags(struct mount *m, uint32_t flags)
{
    if (m->locked_flags & ~flags & ~MNT_ATIME_FLAGS)
        return -LX_EPERM;
    if ((flags & MNT_RDONLY) && !(m->flags & MNT_RDONLY) && m->writers)
        return -LX_EBUSY;
    m->flags = flags & MNT_FLAGS_ALL;
    return 0;
}
