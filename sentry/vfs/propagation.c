// Propagation of mounts among peers and slaves (fs/pnode.c of Linux, Documentation/filesystems/sharedsubtree.rst).
//
// A shared mount is in the ring of its peer group; a slave names one mount of another group as its master. What is mounted
// on a place of a mount appears on the same place of its peers, of its slaves, of their peers and so on.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/mount.h"
#include "sentry/task/task.h"
#include <stdlib.h>

static int last_group;
static uint64_t last_visit;

static bool is_shared(const struct mount *m)
{
    return m->peer_group != 0;
}

static struct mount *next_peer(const struct mount *m)
{
    return list_entry(m->peers.next, struct mount, peers);
}

static void set_master(struct mount *m, struct mount *master)
{
    list_del(&m->slave_link);
    m->master = master;
    if (master)
        list_add_tail(&m->slave_link, &master->slaves);
}

static void make_shared(struct mount *m)
{
    if (!is_shared(m))
        m->peer_group = ++last_group;
}

// Out of its group; what received through it receives from a peer, or from its master. Returns that mount, or NULL.
static struct mount *leave_group(struct mount *m)
{
    struct mount *heir = m->master;
    if (!list_empty(&m->peers)) {
        heir = next_peer(m);
        for (struct mount *p = heir; p != m; p = next_peer(p))
            if (p->root == m->root) {
                heir = p;
                break;
            }
    }
    list_del(&m->peers);
    m->peer_group = 0;
    while (!list_empty(&m->slaves))
        set_master(list_first(&m->slaves, struct mount, slave_link), heir);
    return heir;
}

void propagation_leave(struct mount *m)
{
    leave_group(m);
    set_master(m, NULL);
}

void propagation_copy(struct mount *copy, struct mount *of, unsigned flags)
{
    copy->unbindable = of->unbindable && (flags & COPY_ALL);
    if (flags & COPY_PRIVATE)
        return;
    if (flags & COPY_SLAVE) {
        if (is_shared(of))
            set_master(copy, of);
        else if (of->master)
            set_master(copy, of->master);
        return;
    }
    if (is_shared(of)) {
        copy->peer_group = of->peer_group;
        list_add(&copy->peers, &of->peers);
    }
    if (of->master)
        set_master(copy, of->master);
}

static void set_one(struct mount *m, uint32_t type)
{
    if (type == LX_MS_SHARED) {
        m->unbindable = false;
        make_shared(m);
        return;
    }
    if (is_shared(m))
        set_master(m, leave_group(m));
    if (type == LX_MS_SLAVE)
        return;
    set_master(m, NULL);
    m->unbindable = type == LX_MS_UNBINDABLE;
}

int mount_set_propagation(struct mount *m, uint32_t type, bool recursive)
{
    if (!recursive) {
        set_one(m, type);
        return 0;
    }
    for (struct mount *at = m; at; at = mount_next(at, m))
        set_one(at, type);
    return 0;
}

int propagation_dominator(const struct mount *m, const struct mount_ns *ns)
{
    for (const struct mount *master = m->master; master; master = master->master)
        for (const struct mount *p = master;;) {
            if (p->ns == ns)
                return p->peer_group;
            p = next_peer(p);
            if (p == master)
                break;
        }
    return 0;
}

// --- new mounts

static int add_copy(struct mount_copies *out, struct mount *source, struct mount *to, unsigned flags,
                    struct mount **copy)
{
    if ((out->count & (out->count - 1)) == 0) { // full at every power of two
        size_t room = out->count ? out->count * 2 : 1;
        void *grown = realloc(out->list, room * sizeof(*out->list));
        if (!grown)
            return -LX_ENOMEM;
        out->list = grown;
    }
    int err = mount_copy(source, source->root, flags | COPY_RECURSIVE | COPY_ALL, copy);
    if (err)
        return err;
    out->list[out->count++] = (struct mount_copy_to){*copy, mount_get(to)};
    return 0;
}

static bool shows(const struct mount *m, const struct dentry *place)
{
    return m->ns && dentry_is_ancestor(m->root, place);
}

// A mount of the closure with the tree that its own place gets. A work list instead of a recursion: chains of slaves are as long
// as the guest makes them.
struct source_of {
    struct mount *at, *tree;
};
struct work {
    struct source_of *list;
    unsigned count, room;
};

static int push(struct work *w, struct mount *at, struct mount *tree)
{
    if (w->count == w->room) {
        unsigned room = w->room ? w->room * 2 : 16;
        void *grown = realloc(w->list, room * sizeof(*w->list));
        if (!grown)
            return -LX_ENOMEM;
        w->list = grown;
        w->room = room;
    }
    w->list[w->count++] = (struct source_of){at, tree};
    return 0;
}

// The group of `first`, whose own place gets `tree`: peers get peers of it, slaves are put on the work list.
static int copy_to_group(struct mount *first, struct mount *tree, struct dentry *place,
                         struct mount_copies *out, struct work *work)
{
    int err = 0;
    struct mount *m = first;
    do {
        struct mount *copy = tree;
        m->visited = last_visit;
        if (m != first && shows(m, place))
            err = add_copy(out, tree, m, 0, &copy);
        list_for_each(s, &m->slaves, struct mount, slave_link) if (!err) err = push(work, s, copy);
        m = next_peer(m);
    } while (!err && m != first);
    return err;
}

int propagate_prepare(struct mount *m, const struct path *at, struct mount_copies *out)
{
    *out = (struct mount_copies){NULL, 0};
    if (!is_shared(at->mnt))
        return 0;
    for (struct mount *t = m; t; t = mount_next(t, m))
        if (t->unbindable)
            return -LX_EINVAL;
    for (struct mount *t = m; t; t = mount_next(t, m))
        make_shared(t);
    struct work work = {0};
    last_visit++;
    int err = copy_to_group(at->mnt, m, at->dentry, out, &work);
    for (unsigned i = 0; !err && i < work.count; i++) {
        struct mount *s = work.list[i].at, *tree = work.list[i].tree;
        if (s->visited == last_visit)
            continue;
        s->visited = last_visit;
        if (shows(s, at->dentry)) {
            err = add_copy(out, tree, s, COPY_SLAVE, &tree);
            if (!err && is_shared(s))
                for (struct mount *t = tree; t; t = mount_next(t, tree))
                    make_shared(t);
        }
        if (!err)
            err = copy_to_group(s, tree, at->dentry, out, &work);
    }
    free(work.list);
    if (err)
        propagate_drop(out);
    return err;
}

void propagate_drop(struct mount_copies *copies)
{
    while (copies->count) {
        struct mount_copy_to *c = &copies->list[--copies->count];
        mount_put(c->copy);
        mount_put(c->to);
    }
    free(copies->list);
    copies->list = NULL;
}

void propagate_attach(struct mount_copies *copies, struct dentry *mountpoint)
{
    while (copies->count) {
        struct mount_copy_to *c = &copies->list[--copies->count];
        struct mount *covered = mount_find(c->to, mountpoint);
        mount_link(c->copy, c->to, mountpoint);
        mount_tree_set_ns(c->copy, c->to->ns);
        if (covered) { // what is there already stays on top
            mount_get(covered);
            mount_unlink(covered);
            mount_link(covered, c->copy, c->copy->root);
        }
        mount_put(c->to);
    }
    free(copies->list);
    copies->list = NULL;
}

// --- mounts that go

// What is mounted at `place` of every other mount that hears of `parent`: references, in out->list[].at. False: no memory.
static bool collect_copies(struct mount *parent, struct dentry *place, struct work *out)
{
    struct work work = {0};
    *out = (struct work){0};
    int err = push(&work, parent, NULL);
    last_visit++;
    for (unsigned i = 0; !err && i < work.count; i++) {
        struct mount *m = work.list[i].at;
        for (; !err && m->visited != last_visit; m = next_peer(m)) {
            m->visited = last_visit;
            struct mount *child = m != parent ? mount_find(m, place) : NULL;
            if (child && !(err = push(out, child, NULL)))
                mount_get(child);
            list_for_each(s, &m->slaves, struct mount, slave_link) if (!err) err = push(&work, s, NULL);
        }
    }
    free(work.list);
    return !err;
}

static void drop_copies(struct work *copies)
{
    while (copies->count)
        mount_put(copies->list[--copies->count].at);
    free(copies->list);
}

bool propagate_busy(struct mount *m)
{
    struct work copies;
    bool busy = !collect_copies(m->parent, m->mountpoint, &copies);
    for (unsigned i = 0; i < copies.count; i++)
        busy |= copies.list[i].at->nr_children == 0 && copies.list[i].at->refs > 2; // the tree's and ours
    drop_copies(&copies);
    return busy;
}

void propagate_detach(struct mount *parent, struct dentry *mountpoint)
{
    struct work copies;
    (void)collect_copies(parent, mountpoint, &copies); // without memory some stay
    for (unsigned i = 0; i < copies.count; i++) {
        struct mount *m = copies.list[i].at;
        if (m->nr_children || m->locked || !m->parent)
            continue;
        mount_tree_set_ns(m, NULL);
        propagation_leave(m);
        mount_unlink(m);
    }
    drop_copies(&copies);
}
