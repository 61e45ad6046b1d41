// Mount namespaces of the guest's own, and pivot_root(2) (fs/namespace.c of Linux).
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"

struct user_ns *mount_ns_owner(const struct mount_ns *ns)
{
    return ns->owner ? ns->owner : &init_user_ns;
}

// lock_mnt_tree: who has power only over the copy may not look under a mount of it, nor take a restriction away.
static void lock_tree(struct mount *top)
{
    for (struct mount *m = top; m; m = mount_next(m, top)) {
        m->locked_flags |= m->flags & (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_ATIME_FLAGS);
        if (m != top)
            m->locked = m->hides = true;
    }
}

struct mount_ns *mount_ns_copy(struct mount_ns *from, struct user_ns *owner, int *err)
{
    bool other = owner != mount_ns_owner(from);
    struct mount *top;
    *err =
        mount_copy(from->root, from->root->root, COPY_RECURSIVE | COPY_ALL | (other ? COPY_SLAVE : 0), &top);
    if (*err)
        return NULL;
    struct mount_ns *ns = mount_ns_alloc(top);
    if (!ns) {
        mount_put(top);
        *err = -LX_ENOMEM;
        return NULL;
    }
    if (other)
        lock_tree(top);
    ns->owner = owner;
    ns_get(&owner->ns);
    ns->ino = ns_next_ino();
    return ns;
}

static void set_place(struct path *p, struct mount *m, struct dentry *d)
{
    struct path old = *p;
    *p = (struct path){mount_get(m), dentry_get(d)};
    path_put(&old);
}

void mount_ns_enter_copy(struct fs_struct *fs, struct mount_ns *copy)
{
    struct mount_ns *old = fs->mnt_ns;
    struct path *places[] = {&fs->root, &fs->pwd};
    for (int i = 0; i < 2; i++) {
        struct mount *m = mount_counterpart(old->root, copy->root, places[i]->mnt);
        if (m)
            set_place(places[i], m, places[i]->dentry);
    }
    fs->mnt_ns = copy;
    mount_ns_put(old);
}

void mount_ns_enter(struct fs_struct *fs, struct mount_ns *ns)
{
    struct mount_ns *old = fs->mnt_ns;
    struct path top = {mount_get(ns->root), dentry_get(ns->root->root)};
    path_follow_mounts(&top);
    set_place(&fs->root, top.mnt, top.dentry);
    set_place(&fs->pwd, top.mnt, top.dentry);
    path_put(&top);
    fs->mnt_ns = ns;
    mount_ns_put(old);
}

// current_chrooted: such a program must not get a mount namespace with the whole tree.
bool mount_ns_chrooted(const struct fs_struct *f)
{
    struct path top = {mount_get(f->mnt_ns->root), dentry_get(f->mnt_ns->root->root)};
    path_follow_mounts(&top);
    bool is = f->root.mnt != top.mnt || f->root.dentry != top.dentry;
    path_put(&top);
    return is;
}

static bool is_shared(const struct mount *m)
{
    return m && m->peer_group;
}

// Can `p` be reached from `root` (is_path_reachable)?
static bool reachable(const struct path *p, const struct path *root)
{
    const struct mount *m = p->mnt;
    const struct dentry *d = p->dentry;
    while (m != root->mnt) {
        if (!m->parent)
            return false;
        d = m->mountpoint;
        m = m->parent;
    }
    while (d != root->dentry) {
        if (d == m->root || d->parent == d)
            return false;
        d = d->parent;
    }
    return true;
}

static int may_pivot(const struct path *new, const struct path *old, const struct path *root)
{
    const struct mount *n = new->mnt, *r = root->mnt;
    if (is_shared(old->mnt) || is_shared(n->parent) || is_shared(r->parent) || !mount_is_ours(r) ||
        !mount_is_ours(n) || !mount_is_ours(old->mnt) || n->locked)
        return -LX_EINVAL;
    if (new->dentry->unhashed)
        return -LX_ENOENT;
    if (n == r || old->mnt == r)
        return -LX_EBUSY;
    if (r->root != root->dentry || n->root != new->dentry || !n->parent || !reachable(old, new) ||
        !reachable(new, root))
        return -LX_EINVAL;
    return 0;
}

// chroot_fs_refs: whoever stands at the old root stands at the new one.
static void move_everybody(const struct path *from, const struct path *to)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link)
        list_for_each(t, &tg->threads, struct task, thread_link)
    {
        struct fs_struct *fs = t->fs;
        if (!fs)
            continue;
        if (fs->root.mnt == from->mnt && fs->root.dentry == from->dentry)
            set_place(&fs->root, to->mnt, to->dentry);
        if (fs->pwd.mnt == from->mnt && fs->pwd.dentry == from->dentry)
            set_place(&fs->pwd, to->mnt, to->dentry);
    }
}

int mount_pivot(const struct path *new, const struct path *old)
{
    struct path root = current->fs->root;
    int err = may_pivot(new, old, &root);
    if (err)
        return err;
    path_get(&root);
    struct mount *r = root.mnt, *n = mount_get(new->mnt), *parent = r->parent;
    struct dentry *at = parent ? dentry_get(r->mountpoint) : NULL;
    if (parent)
        mount_get(parent);
    n->locked = r->locked;
    r->locked = false;
    mount_unlink(n); // drops the tree's reference
    if (parent) {
        mount_get(r);
        mount_unlink(r);
        mount_link(mount_get(n), parent, at);
        mount_link(r, old->mnt, old->dentry);
        mount_put(r); // as mount_link() took over what the tree had
    } else {
        n->ns->root = mount_get(n);
        mount_link(r, old->mnt, old->dentry); // the namespace's reference becomes the tree's
    }
    dentry_put(at);
    mount_put(parent);
    move_everybody(&root, new);
    path_put(&root);
    mount_put(n);
    return 0;
}
