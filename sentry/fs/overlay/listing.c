// Reading merged directories. Names from below have positions from 2 on, in the order the lower gave them; names made here
// come after all of those.
#include "sentry/fs/overlay/node.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_LOWER 2
#define FIRST_UPPER (1ll << 40)
// All listings together, and one of them.
#define LISTINGS_MAX (8u << 20)
#define LISTING_MAX (256u << 20)

static struct list_head listings = LIST_INIT(listings);
static size_t listings_bytes;

void ovl_listing_free(struct ovl_listing *l)
{
    if (!l)
        return;
    list_del(&l->lru);
    listings_bytes -= l->bytes;
    if (l->node)
        l->node->listing = NULL;
    free(l->names);
    free(l->text);
    free(l);
}

struct collect {
    struct dir_context ctx;
    struct ovl_listing *l;
    size_t text_used;
    int err;
};

static void *grow(void *p, size_t *max, size_t need, size_t each)
{
    if (need <= *max)
        return p;
    size_t n = *max ? *max : 64;
    while (n < need)
        n *= 2;
    if (n * each > LISTING_MAX)
        return NULL;
    void *q = realloc(p, n * each);
    if (q)
        *max = n;
    return q;
}

static bool collect(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                    unsigned type)
{
    struct collect *k = (struct collect *)(void *)ctx;
    struct ovl_listing *l = k->l;
    if (dir_is_dot(name, len))
        return true;
    void *names = grow(l->names, &l->max_names, l->count + 1, sizeof(*l->names));
    if (names)
        l->names = names;
    void *text = grow(l->text, &l->max_text, k->text_used + len, 1);
    if (text)
        l->text = text;
    if (!names || !text || len > VFS_NAME_MAX) {
        k->err = -LX_ENOMEM;
        return false;
    }
    memcpy(l->text + k->text_used, name, len);
    l->names[l->count++] = (struct ovl_name){ino, (uint32_t)k->text_used, (uint16_t)len, (uint8_t)type};
    k->text_used += len;
    return true;
}

static int load(struct inode *dir, struct ovl_listing *l)
{
    struct ovl_node *node = ovl_node(dir);
    struct path below = {node->super->lower, node->lower};
    struct collect k = {.ctx = {.emit = collect}, .l = l};
    int err = vfs_iterate_raw(&below, &k.ctx);
    return err ? err : k.err;
}

int ovl_list(struct inode *dir, const struct ovl_listing **out)
{
    struct ovl_node *node = ovl_node(dir);
    if (!node->listing) {
        struct ovl_listing *l = calloc(1, sizeof(*l));
        if (!l)
            return -LX_ENOMEM;
        list_init(&l->lru);
        int err = load(dir, l);
        if (err || node->listing) { // failed, or somebody else was faster
            ovl_listing_free(l);
            if (err)
                return err;
        } else {
            l->bytes = sizeof(*l) + l->max_names * sizeof(*l->names) + l->max_text;
            listings_bytes += l->bytes;
            l->node = node;
            node->listing = l;
        }
    }
    struct ovl_listing *l = node->listing;
    list_del(&l->lru);
    list_add_tail(&l->lru, &listings);
    while (listings_bytes > LISTINGS_MAX) {
        struct ovl_listing *oldest = list_first(&listings, struct ovl_listing, lru);
        if (oldest == l)
            break;
        ovl_listing_free(oldest);
    }
    *out = l;
    return 0;
}

static bool from_below(const struct ovl_node *node)
{
    return node->lower && !node->opaque;
}

static bool emit_at(struct dir_context *ctx, const char *name, size_t len, int64_t next, uint64_t ino,
                    unsigned type)
{
    if (!ctx->emit(ctx, name, len, next, ino, type))
        return false;
    ctx->pos = next;
    return true;
}

int ovl_iterate(struct file *f, struct dir_context *ctx)
{
    struct inode *dir = f->inode;
    struct ovl_node *node = ovl_node(dir);
    const struct ovl_listing *l = NULL;
    if (from_below(node)) {
        int err = ovl_list(dir, &l);
        if (err)
            return err;
    }
    if (ctx->pos == 0 && !emit_at(ctx, ".", 1, 1, dir->attr.ino, LX_DT_DIR))
        return 0;
    if (ctx->pos == 1 && !emit_at(ctx, "..", 2, FIRST_LOWER, node->parent_ino, LX_DT_DIR))
        return 0;
    for (size_t k = (size_t)(ctx->pos - FIRST_LOWER); l && ctx->pos < FIRST_UPPER && k < l->count; k++) {
        const struct ovl_name *n = &l->names[k];
        if (mem_dir_find(&node->names, l->text + n->at, n->len)) // hidden, or shown among ours
            ctx->pos = (int64_t)k + 1 + FIRST_LOWER;
        else if (!emit_at(ctx, l->text + n->at, n->len, (int64_t)k + 1 + FIRST_LOWER, n->ino, n->type))
            return 0;
    }
    if (ctx->pos < FIRST_UPPER)
        ctx->pos = FIRST_UPPER;
    struct mem_entry *e;
    while ((e = mem_dir_from(&node->names, ctx->pos - FIRST_UPPER)) != NULL) {
        int64_t next = FIRST_UPPER + e->cookie + 1;
        if (!e->inode)
            ctx->pos = next;
        else if (!emit_at(ctx, e->name, e->len, next, e->inode->attr.ino, LX_MODE_TO_DT(e->inode->attr.mode)))
            return 0;
    }
    return 0;
}

int ovl_check_empty(struct inode *dir)
{
    struct ovl_node *node = ovl_node(dir);
    for (int64_t at = 0;;) {
        struct mem_entry *e = mem_dir_from(&node->names, at);
        if (!e)
            break;
        if (e->inode)
            return -LX_ENOTEMPTY;
        at = e->cookie + 1;
    }
    if (!from_below(node))
        return 0;
    const struct ovl_listing *l;
    int err = ovl_list(dir, &l);
    if (err)
        return err;
    for (size_t k = 0; k < l->count; k++)
        if (!mem_dir_find(&node->names, l->text + l->names[k].at, l->names[k].len))
            return -LX_ENOTEMPTY;
    return 0;
}
