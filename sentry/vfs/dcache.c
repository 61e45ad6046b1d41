// The cache of names. A name nobody uses stays on the LRU list, negative ones too, until there are more than
// DENTRY_UNUSED_MAX of them. Follows fs/dcache.c of Linux in what the words mean.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "sentry/vfs/notify.h"
#include <stdlib.h>

#define BUCKETS 8192u

// Zero-filled buckets are empty: the table costs memory only where it is used.
static struct list_head buckets[BUCKETS];
static struct list_head lru = LIST_INIT(lru);
static unsigned unused;

static uint64_t name_hash(const struct dentry *parent, const char *name, size_t len)
{
    uint64_t h = (uint64_t)(uintptr_t)parent * 0x9E3779B97F4A7C15ull;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull;
    return h ^ (h >> 29);
}

static struct list_head *bucket_of(uint64_t hash)
{
    struct list_head *b = &buckets[hash & (BUCKETS - 1)];
    if (!b->next)
        list_init(b);
    return b;
}

void dentry_cache_init(void)
{
    dentry_shrink(0);
}

// Takes the name over, unless it is static.
static struct dentry *alloc_named(struct dentry *parent, char *name, size_t len, bool is_static)
{
    struct dentry *d = name ? calloc(1, sizeof(*d)) : NULL;
    if (!d) {
        if (!is_static)
            free(name);
        return NULL;
    }
    d->refs = 1;
    d->name = name;
    d->name_static = is_static;
    d->name_len = (uint16_t)len;
    list_init(&d->children);
    list_init(&d->sibling);
    list_init(&d->hash_link);
    list_init(&d->lru_link);
    d->parent = parent ? dentry_get(parent) : d;
    return d;
}

struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len)
{
    if (len > VFS_NAME_MAX)
        return NULL;
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, name, len);
        copy[len] = 0;
    }
    return alloc_named(parent, copy, len, false);
}

struct dentry *dentry_alloc_static(const char *name)
{
    return alloc_named(NULL, (char *)(uintptr_t)name, strlen(name), true);
}

struct dentry *dentry_alloc_root(struct inode *root)
{
    struct dentry *d = dentry_alloc(NULL, "/", 1);
    if (!d) {
        inode_put(root);
        return NULL;
    }
    d->inode = root;
    return d;
}

void dentry_attach(struct dentry *d, struct inode *i)
{
    if (d->inode)
        inode_put(d->inode);
    d->inode = i;
}

void dentry_hash(struct dentry *d)
{
    d->hash = name_hash(d->parent, d->name, d->name_len);
    list_add(&d->hash_link, bucket_of(d->hash));
    if (list_empty(&d->sibling))
        list_add(&d->sibling, &d->parent->children);
    d->unhashed = false;
}

void dentry_unhash(struct dentry *d)
{
    list_del(&d->hash_link);
    list_del(&d->sibling);
}

// A name lets its inode go. The last one of a removed file is the end its watchers wait for.
static void inode_gone(struct inode *i)
{
    if (i->watches && (i->attr.nlink == 0 || i->dead))
        notify_inode(i, LX_IN_DELETE_SELF);
    inode_put(i);
}

// The cache no longer knows this name of its directory.
static void count_lost(const struct dentry *d)
{
    if (d->inode && d->parent->inode)
        d->parent->inode->names_lost++;
}

// Frees an unused name, then its parent if that was the last thing that held it, and so on.
static void dentry_free(struct dentry *d)
{
    while (d) {
        struct dentry *parent = d->parent != d ? d->parent : NULL;
        count_lost(d);
        dentry_unhash(d);
        if (!list_empty(&d->lru_link)) {
            list_del(&d->lru_link);
            unused--;
        }
        if (d->inode)
            inode_gone(d->inode);
        if (!d->name_static)
            free(d->name);
        free(d);
        if (!parent || --parent->refs > 0)
            return;
        if (!list_empty(&parent->hash_link)) {
            list_add_tail(&parent->lru_link, &lru);
            unused++;
            return;
        }
        d = parent;
    }
}

void dentry_shrink(unsigned keep)
{
    while (unused > keep && !list_empty(&lru))
        dentry_free(list_first(&lru, struct dentry, lru_link));
}

struct dentry *dentry_get(struct dentry *d)
{
    if (d->refs++ == 0 && !list_empty(&d->lru_link)) {
        list_del(&d->lru_link);
        unused--;
    }
    return d;
}

void dentry_put(struct dentry *d)
{
    if (!d || --d->refs > 0)
        return;
    if (list_empty(&d->hash_link)) {
        dentry_free(d);
        return;
    }
    list_add_tail(&d->lru_link, &lru);
    if (++unused > DENTRY_UNUSED_MAX)
        dentry_shrink(DENTRY_UNUSED_MAX - DENTRY_UNUSED_MAX / 16);
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len)
{
    uint64_t hash = name_hash(parent, name, len);
    list_for_each(d, bucket_of(hash), struct dentry,
                  hash_link) if (d->hash == hash && d->parent == parent && d->name_len == len &&
                                 memcmp(d->name, name, len) == 0) return dentry_get(d);
    return NULL;
}

struct dentry *dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode)
{
    struct dentry *d = dentry_find(parent, name, len);
    if (!d) {
        d = dentry_alloc(parent, name, len);
        if (d) {
            d->inode = inode;
            inode = NULL;
            dentry_hash(d);
        }
    }
    if (inode)
        inode_put(inode);
    return d;
}

void dentry_drop(struct dentry *d)
{
    if (list_empty(&d->hash_link))
        return;
    count_lost(d);
    list_del(&d->hash_link);
    list_del(&d->sibling);
    if (d->refs == 0)
        dentry_free(d);
}

// Answers that were cached below a directory hold it; once it is gone nobody asks for them again.
static void forget_children(struct dentry *d)
{
    list_for_each_safe(child, &d->children, struct dentry, sibling) if (child->refs == 0) dentry_free(child);
}

void dentry_removed(struct dentry *d)
{
    forget_children(d);
    if (d->refs == 1) { // ours: keep the name as a negative answer
        if (d->inode)
            inode_gone(d->inode);
        d->inode = NULL;
        return;
    }
    dentry_drop(d);
    d->unhashed = true;
}

static void set_place(struct dentry *d, struct dentry *parent, char *name, uint16_t len)
{
    struct dentry *old = d->parent;
    d->parent = dentry_get(parent);
    d->name = name;
    d->name_len = len;
    dentry_put(old);
}

void dentry_move(struct dentry *d, struct dentry *target)
{
    char *old_name = d->name;
    uint16_t old_len = d->name_len;
    struct dentry *old_parent = dentry_get(d->parent);
    bool hashed = !list_empty(&d->hash_link);
    dentry_unhash(d);
    dentry_drop(target);
    forget_children(target);
    // The replaced name lives on, as it was, for those who hold it; without memory it takes the old one.
    char *copy = strdup(target->name);
    set_place(d, target->parent, copy ? copy : target->name, target->name_len);
    if (copy)
        free(old_name);
    else
        set_place(target, old_parent, old_name, old_len);
    target->unhashed = true;
    if (hashed)
        dentry_hash(d);
    dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
    char *name = a->name;
    uint16_t len = a->name_len;
    struct dentry *parent = dentry_get(a->parent);
    dentry_unhash(a);
    dentry_unhash(b);
    set_place(a, b->parent, b->name, b->name_len);
    set_place(b, parent, name, len);
    dentry_hash(a);
    dentry_hash(b);
    dentry_put(parent);
}

bool dentry_is_ancestor(const struct dentry *ancestor, const struct dentry *d)
{
    for (;;) {
        if (d == ancestor)
            return true;
        if (d->parent == d)
            return false;
        d = d->parent;
    }
}

// One directory entry asked of its filesystem. The answer is thrown away when the directory changed meanwhile.
static int lookup_slow(struct dentry *parent, const char *name, size_t len, struct dentry **out)
{
    struct inode *dir = parent->inode;
    if (!dir->ops->lookup)
        return -LX_ENOTDIR;
    for (;;) {
        struct dentry *d = dentry_alloc(parent, name, len);
        if (!d)
            return -LX_ENOMEM;
        uint32_t seq = dir->dir_seq;
        int err = dir->ops->lookup(dir, d);
        if (err) {
            dentry_put(d);
            return err;
        }
        struct dentry *won = dentry_find(parent, name, len);
        if (won) { // somebody else was faster, or the filesystem itself added it
            dentry_put(d);
            *out = won;
            return 0;
        }
        if (seq != dir->dir_seq) {
            dentry_put(d);
            continue;
        }
        if (d->inode || !(dir->sb->flags & SB_NODCACHE))
            dentry_hash(d);
        *out = d;
        return 0;
    }
}

int dentry_lookup(struct dentry *parent, const char *name, size_t len, struct dentry **out)
{
    if (len > VFS_NAME_MAX)
        return -LX_ENAMETOOLONG;
    struct dentry *d = dentry_find(parent, name, len);
    if (d && parent->inode->ops->revalidate) {
        int ok = parent->inode->ops->revalidate(parent->inode, d);
        if (ok < 0) {
            dentry_put(d);
            return ok;
        }
        if (ok == 0 && d->mounts == 0) {
            dentry_drop(d);
            dentry_put(d);
            d = NULL;
        }
    }
    if (d) {
        *out = d;
        return 0;
    }
    return lookup_slow(parent, name, len, out);
}
