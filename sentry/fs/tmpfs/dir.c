#include "sentry/fs/tmpfs/dir.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

static uint64_t hash_name(const char *name, size_t len)
{
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull;
    return h ^ (h >> 32);
}

void mem_dir_init(struct mem_dir *d)
{
    memset(d, 0, sizeof(*d));
    d->next_cookie = MEM_DIR_FIRST;
}

// Slots of directories that are being taken apart; the outermost mem_dir_free() works them off.
struct remains {
    struct remains *next;
    struct mem_slot *order;
    size_t nr_order;
};
static struct remains *remains;
static bool working;

static void free_slots(struct mem_slot *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (order[i].entry) {
            inode_put(order[i].entry->inode);
            free(order[i].entry);
        }
    free(order);
}

void mem_dir_free(struct mem_dir *d)
{
    struct mem_slot *order = d->order;
    size_t n = d->nr_order;
    free(d->buckets);
    mem_dir_init(d);
    struct remains *r = working ? malloc(sizeof(*r)) : NULL;
    if (r) {
        *r = (struct remains){remains, order, n};
        remains = r;
        return;
    }
    bool outermost = !working;
    working = true;
    free_slots(order, n);
    while (outermost && remains) {
        r = remains;
        remains = r->next;
        free_slots(r->order, r->nr_order);
        free(r);
    }
    if (outermost)
        working = false;
}

struct mem_entry *mem_dir_find(const struct mem_dir *d, const char *name, size_t len)
{
    if (!d->nr_buckets)
        return NULL;
    uint64_t h = hash_name(name, len);
    for (struct mem_entry *e = d->buckets[h & (d->nr_buckets - 1)]; e; e = e->hash_next)
        if (e->hash == h && e->len == len && memcmp(e->name, name, len) == 0)
            return e;
    return NULL;
}

static int grow_buckets(struct mem_dir *d)
{
    size_t n = d->nr_buckets ? d->nr_buckets * 2 : 8;
    struct mem_entry **b = calloc(n, sizeof(*b));
    if (!b)
        return d->nr_buckets ? 0 : -LX_ENOMEM;
    for (size_t i = 0; i < d->nr_order; i++) {
        struct mem_entry *e = d->order[i].entry;
        if (!e)
            continue;
        e->hash_next = b[e->hash & (n - 1)];
        b[e->hash & (n - 1)] = e;
    }
    free(d->buckets);
    d->buckets = b;
    d->nr_buckets = n;
    return 0;
}

static void compact(struct mem_dir *d)
{
    size_t to = 0;
    for (size_t i = 0; i < d->nr_order; i++)
        if (d->order[i].entry) {
            d->order[i].entry->slot = to;
            d->order[to++] = d->order[i];
        }
    d->nr_order = to;
}

int mem_dir_add(struct mem_dir *d, const char *name, size_t len, struct inode *inode)
{
    if (d->count >= d->nr_buckets && grow_buckets(d))
        return -LX_ENOMEM;
    if (d->nr_order == d->max_order) {
        size_t n = d->max_order ? d->max_order * 2 : 8;
        struct mem_slot *order = realloc(d->order, n * sizeof(*order));
        if (!order)
            return -LX_ENOMEM;
        d->order = order;
        d->max_order = n;
    }
    struct mem_entry *e = malloc(sizeof(*e) + len + 1);
    if (!e)
        return -LX_ENOMEM;
    e->inode = inode;
    e->hash = hash_name(name, len);
    e->cookie = d->next_cookie++;
    e->len = (uint16_t)len;
    e->covers = false;
    memcpy(e->name, name, len);
    e->name[len] = 0;
    e->slot = d->nr_order;
    d->order[d->nr_order++] = (struct mem_slot){e->cookie, e};
    struct mem_entry **b = &d->buckets[e->hash & (d->nr_buckets - 1)];
    e->hash_next = *b;
    *b = e;
    d->count++;
    return 0;
}

struct inode *mem_dir_remove(struct mem_dir *d, struct mem_entry *e)
{
    struct mem_entry **p = &d->buckets[e->hash & (d->nr_buckets - 1)];
    while (*p != e)
        p = &(*p)->hash_next;
    *p = e->hash_next;
    d->order[e->slot].entry = NULL;
    d->count--;
    struct inode *inode = e->inode;
    free(e);
    if (d->nr_order > 16 && d->count < d->nr_order / 2)
        compact(d);
    return inode;
}

struct mem_entry *mem_dir_from(const struct mem_dir *d, int64_t cookie)
{
    size_t low = 0, high = d->nr_order;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (d->order[mid].cookie < cookie)
            low = mid + 1;
        else
            high = mid;
    }
    while (low < d->nr_order && !d->order[low].entry)
        low++;
    return low < d->nr_order ? d->order[low].entry : NULL;
}

int mem_dir_iterate(const struct mem_dir *d, struct dir_context *ctx, uint64_t ino, uint64_t parent_ino)
{
    if (ctx->pos == 0) {
        if (!ctx->emit(ctx, ".", 1, 1, ino, LX_DT_DIR))
            return 0;
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        if (!ctx->emit(ctx, "..", 2, MEM_DIR_FIRST, parent_ino, LX_DT_DIR))
            return 0;
        ctx->pos = MEM_DIR_FIRST;
    }
    struct mem_entry *e;
    while ((e = mem_dir_from(d, ctx->pos)) != NULL) {
        if (e->inode && !ctx->emit(ctx, e->name, e->len, e->cookie + 1, e->inode->attr.ino,
                                   LX_MODE_TO_DT(e->inode->attr.mode)))
            return 0;
        ctx->pos = e->cookie + 1;
    }
    return 0;
}
