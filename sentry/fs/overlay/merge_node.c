// Names and files of a merge: each is what the topmost layer has, and a directory shows those of the layers below too.
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

static const struct inode_ops file_inode_ops, link_ops;

uint64_t merge_ino(const struct super_block *sb, unsigned layer, uint64_t ino)
{
    const struct merge_super *s = sb->priv;
    unsigned first = 0;
    while (s->layers[first].mnt->sb != s->layers[layer].mnt->sb)
        first++;
    return ino ^ (uint64_t)first << 52;
}

struct path merge_path(const struct inode *i, unsigned part)
{
    const struct merge_part *p = &merge_node(i)->parts[part];
    return (struct path){merge_super(i)->layers[p->layer].mnt, p->dentry};
}

void merge_take_attr(struct inode *i, const struct kstat *from)
{
    uint64_t dev = i->sb->dev, ino = i->attr.ino;
    i->attr = *from;
    i->attr.dev = dev;
    i->attr.ino = ino;
    if (LX_S_ISDIR(from->mode) && merge_node(i)->count > 1)
        i->attr.nlink = 1; // not counted over the layers
}

static struct merge_node **bucket(struct merge_super *s, const struct inode *real)
{
    return &s->buckets[((uintptr_t)real >> 6) * 0x9E3779B97F4A7C15ull >> 56];
}
_Static_assert(MERGE_BUCKETS == 256, "eight bits");

static void hash(struct merge_node *node)
{
    struct merge_node **b = bucket(merge_super(node->inode), merge_top(node->inode));
    node->hash_next = *b;
    node->hashed = true;
    *b = node;
}

static void unhash(struct merge_node *node)
{
    if (!node->hashed)
        return;
    struct merge_node **p = bucket(merge_super(node->inode), merge_top(node->inode));
    while (*p != node)
        p = &(*p)->hash_next;
    *p = node->hash_next;
    node->hashed = false;
}

static struct inode *find(struct merge_super *s, const struct inode *real)
{
    for (struct merge_node *n = *bucket(s, real); n; n = n->hash_next)
        if (merge_top(n->inode) == real)
            return inode_get(n->inode);
    return NULL;
}

static void set_ops(struct inode *i)
{
    switch (i->attr.mode & LX_S_IFMT) {
    case LX_S_IFDIR:
        i->ops = &merge_dir_ops;
        i->fops = &merge_dir_file_ops;
        break;
    case LX_S_IFLNK:
        i->ops = &link_ops;
        break;
    case LX_S_IFREG:
        i->fops = &merge_file_ops;
        break;
    }
}

static void drop(const struct merge_part *parts, unsigned count)
{
    for (unsigned k = 0; k < count; k++)
        dentry_put(parts[k].dentry);
}

struct inode *merge_inode(struct super_block *sb, const struct merge_part *parts, unsigned count,
                          struct inode *parent, const char *name)
{
    struct merge_super *s = sb->priv;
    struct inode *real = parts[0].dentry->inode;
    bool shared = s->has_upper && parts[0].layer == 0 && !LX_S_ISDIR(real->attr.mode);
    struct inode *known = shared ? find(s, real) : NULL;
    if (known) {
        drop(parts, count);
        return known;
    }
    struct merge_node *node = calloc(1, sizeof(*node) + (count + 1) * sizeof(*parts));
    char *copy = strdup(name);
    struct inode *i = node && copy ? inode_alloc(sb, &file_inode_ops, NULL) : NULL;
    if (!i) {
        drop(parts, count);
        free(node);
        free(copy);
        return NULL;
    }
    node->inode = i;
    node->parent = parent ? inode_get(parent) : NULL;
    node->name = copy;
    node->count = count;
    memcpy(node->parts, parts, count * sizeof(*parts));
    i->priv = node;
    i->attr.ino = merge_ino(sb, parts[0].layer, real->attr.ino);
    merge_take_attr(i, &real->attr);
    set_ops(i);
    if (shared)
        hash(node);
    merge_note_acls(i);
    return i;
}

void merge_evict(struct inode *i)
{
    struct merge_node *node = merge_node(i);
    if (!node)
        return;
    unhash(node);
    drop(node->parts, node->count);
    struct inode *parent = node->parent;
    free(node->name);
    free(node);
    i->priv = NULL;
    inode_put(parent);
}

void merge_now_upper(struct inode *i, struct dentry *upper)
{
    struct merge_node *node = merge_node(i);
    if (LX_S_ISDIR(i->attr.mode)) {
        memmove(node->parts + 1, node->parts, node->count++ * sizeof(node->parts[0]));
        node->parts[0] = (struct merge_part){0, upper};
        return;
    }
    dentry_put(node->parts[0].dentry);
    node->parts[0] = (struct merge_part){0, upper};
    hash(node);
}

void merge_set_place(struct inode *i, struct inode *parent, const char *name)
{
    struct merge_node *node = merge_node(i);
    char *copy = strdup(name);
    if (!copy)
        return;
    struct inode *old = node->parent;
    free(node->name);
    node->name = copy;
    node->parent = inode_get(parent);
    node->orphan = false;
    inode_put(old);
}

// What the layers of a directory from the part `from` on have of the name. Their count and references in `parts`, or -errno.
static int find_parts(const struct inode *dir, const char *name, unsigned from, struct merge_part *parts)
{
    const struct merge_super *s = merge_super(dir);
    const struct merge_node *node = merge_node(dir);
    unsigned found = 0;
    for (unsigned k = from; k < node->count; k++) {
        struct dentry *place = node->parts[k].dentry, *below = NULL;
        unsigned layer = node->parts[k].layer;
        int err = merge_mounter_may(s, place->inode, MAY_EXEC);
        if (!err)
            err = dentry_lookup(place, name, strlen(name), &below);
        if (err) {
            drop(parts, found);
            return err;
        }
        struct inode *i = below->inode;
        bool is_dir = i && LX_S_ISDIR(i->attr.mode);
        bool last = i && (!is_dir || merge_is_opaque(s, i));
        if (i && !merge_is_whiteout(i) && (is_dir || !found))
            parts[found++] = (struct merge_part){layer, below};
        else
            dentry_put(below);
        if (last)
            break;
    }
    return (int)found;
}

int merge_lookup(struct inode *dir, struct dentry *d)
{
    struct merge_part parts[MERGE_LAYERS_MAX + 1];
    int n = find_parts(dir, d->name, 0, parts);
    if (n <= 0)
        return n;
    struct inode *i = merge_inode(dir->sb, parts, (unsigned)n, dir, d->name);
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

int merge_lower_has(const struct inode *dir, const char *name)
{
    struct merge_part parts[MERGE_LAYERS_MAX + 1];
    int n = find_parts(dir, name, merge_in_upper(dir) ? 1 : 0, parts);
    if (n > 0)
        drop(parts, (unsigned)n);
    return n > 0 ? 1 : n;
}

// Layers that are changed while they are merged: what shows then is undefined, as Linux says. Those on shared exports are asked.
int merge_revalidate(struct inode *dir, struct dentry *d)
{
    const struct merge_node *node = merge_node(dir);
    for (unsigned k = 0; k < node->count; k++) {
        struct inode *below = node->parts[k].dentry->inode;
        if (!below->ops->revalidate)
            continue;
        if (!d->inode)
            return 0;
        const struct merge_node *child = merge_node(d->inode);
        for (unsigned c = 0; c < child->count; c++)
            if (child->parts[c].layer == node->parts[k].layer &&
                !below->ops->revalidate(below, child->parts[c].dentry))
                return 0;
    }
    return 1;
}

int merge_getattr(struct inode *i)
{
    struct dentry *top = dentry_get(merge_top_dentry(i));
    struct kstat st;
    int err = vfs_getattr(top->inode, &st);
    if (!err)
        merge_take_attr(i, &st);
    dentry_put(top);
    return err;
}

int merge_setattr(struct inode *i, const struct iattr *a)
{
    int err = merge_copy_up(i, a->valid & ATTR_SIZE ? a->size : UINT64_MAX);
    struct dentry *top = dentry_get(merge_top_dentry(i));
    const struct path p = {NULL, top};
    struct kstat st;
    if (!err)
        err = merge_mounter_may_set(merge_super(i), top->inode, a);
    if (!err)
        err = vfs_setattr(&p, top->inode, a);
    if (!err && !vfs_getattr(top->inode, &st))
        merge_take_attr(i, &st);
    dentry_put(top);
    return err;
}

int merge_statfs(struct inode *i, struct kstatfs *out)
{
    const struct merge_super *s = merge_super(i);
    const struct path p = {s->layers[0].mnt, s->layers[0].dir};
    int err = vfs_statfs(&p, out);
    out->type = LX_OVERLAYFS_SUPER_MAGIC;
    return err;
}

// ovl_permission: the caller, whose access control lists are those of the layer, and then the mounter, who reads where a write
// means a copy.
int merge_permission(struct inode *i, int mask)
{
    struct inode *real = merge_top(i);
    uint32_t type = i->attr.mode & LX_S_IFMT;
    int err = inode_permission(real, mask);
    if (err)
        return err;
    bool plain = type == LX_S_IFREG || type == LX_S_IFDIR || type == LX_S_IFLNK;
    if (plain && !merge_in_upper(i) && (mask & MAY_WRITE))
        mask = (mask & ~MAY_WRITE) | MAY_READ;
    err = merge_mounter_may(merge_super(i), real, mask);
    return err ? err : 1;
}

static int64_t op_readlink(struct inode *i, char *buf, size_t size)
{
    struct dentry *top = dentry_get(merge_top_dentry(i));
    struct inode *below = top->inode;
    int64_t n = below->ops->readlink ? below->ops->readlink(below, buf, size) : -LX_EINVAL;
    dentry_put(top);
    return n;
}

static const struct inode_ops file_inode_ops = {.open = merge_open, MERGE_COMMON_OPS};
static const struct inode_ops link_ops = {.readlink = op_readlink, MERGE_COMMON_OPS};
