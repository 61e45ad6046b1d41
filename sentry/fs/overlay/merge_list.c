// Reading directories of a merge. An open directory keeps its names from the first read on, and makes them anew at its beginning.
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/fs/tmpfs/dir.h"
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX (1u << 20) // of all open directories together: about 100 MiB at most
static unsigned nr_names;

struct listing {         // file->priv
    struct mem_dir seen; // in the order of their first layer; cookies count from 2
    struct shown {
        uint64_t ino;
        unsigned type; // 0: a whiteout
    } * shown;         // beside each name
    unsigned count, max;
    bool filled;
};

struct collect {
    struct dir_context ctx;
    struct listing *l;
    const struct inode *dir;
    unsigned part;
    int err;
};

static void empty(struct listing *l)
{
    mem_dir_free(&l->seen);
    mem_dir_init(&l->seen);
    nr_names -= l->count;
    l->count = 0;
    l->filled = false;
}

static bool collect(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                    unsigned type)
{
    struct collect *k = (struct collect *)(void *)ctx;
    struct listing *l = k->l;
    if (dir_is_dot(name, len) || mem_dir_find(&l->seen, name, len))
        return true;
    if (l->count == l->max) {
        unsigned max = l->max ? l->max * 2 : 64;
        struct shown *grown = realloc(l->shown, max * sizeof(*grown));
        if (!grown) {
            k->err = -LX_ENOMEM;
            return false;
        }
        l->shown = grown;
        l->max = max;
    }
    k->err = nr_names >= NAMES_MAX ? -LX_ENOMEM : mem_dir_add(&l->seen, name, len, NULL);
    if (k->err)
        return false;
    unsigned layer = merge_node(k->dir)->parts[k->part].layer;
    l->shown[l->count++] = (struct shown){merge_ino(k->dir->sb, layer, ino), type};
    nr_names++;
    return true;
}

// Devices among the names from `first` on that the layer has as whiteouts.
static int mark_whiteouts(struct listing *l, struct dentry *dir, unsigned first)
{
    for (unsigned k = first; k < l->count; k++) {
        if (l->shown[k].type != LX_DT_CHR && l->shown[k].type != LX_DT_UNKNOWN)
            continue;
        const struct mem_entry *e = l->seen.order[k].entry;
        struct dentry *d;
        int err = dentry_lookup(dir, e->name, e->len, &d);
        if (err)
            return err;
        if (!d->inode || merge_is_whiteout(d->inode))
            l->shown[k].type = 0;
        else
            l->shown[k].type = LX_MODE_TO_DT(d->inode->attr.mode);
        dentry_put(d);
    }
    return 0;
}

static int add_part(struct listing *l, const struct inode *dir, unsigned part)
{
    struct collect k = {.ctx = {.emit = collect}, .l = l, .dir = dir, .part = part};
    struct path p = merge_path(dir, part);
    unsigned first = l->count;
    int err = merge_mounter_may(merge_super(dir), p.dentry->inode, MAY_READ);
    if (err)
        return err;
    path_get(&p); // a copy-up moves the parts
    err = vfs_iterate_raw(&p, &k.ctx);
    err = err ? err : k.err;
    if (!err)
        err = mark_whiteouts(l, p.dentry, first);
    path_put(&p);
    return err;
}

// The caller holds the directory's lock.
static int add_parts(const struct inode *dir, struct listing *l)
{
    int err = 0;
    for (unsigned k = 0; !err && k < merge_node(dir)->count; k++)
        err = add_part(l, dir, k);
    l->filled = !err;
    if (err)
        empty(l);
    return err;
}

// The lock of the directory keeps two readers of one file from filling it at the same time.
static int fill(struct file *f, struct listing *l)
{
    vfs_mutex_lock(&f->inode->lock);
    int err = l->filled ? 0 : add_parts(f->inode, l);
    vfs_mutex_unlock(&f->inode->lock);
    return err;
}

int merge_check_empty(struct inode *dir)
{
    struct listing l = {.count = 0};
    mem_dir_init(&l.seen);
    vfs_mutex_lock(&dir->lock);
    int err = add_parts(dir, &l);
    vfs_mutex_unlock(&dir->lock);
    for (unsigned k = 0; !err && k < l.count; k++)
        if (l.shown[k].type)
            err = -LX_ENOTEMPTY;
    empty(&l);
    mem_dir_free(&l.seen);
    free(l.shown);
    return err;
}

#define CLEAR_MAX 64 // names of one look

struct clearing {
    struct dir_context ctx;
    char *names[CLEAR_MAX];
    unsigned count;
};

static bool note_name(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                      unsigned type)
{
    struct clearing *c = (struct clearing *)(void *)ctx;
    if (dir_is_dot(name, len))
        return true;
    if (c->count == CLEAR_MAX || !(c->names[c->count] = strndup(name, len)))
        return false;
    c->count++;
    return true;
}

// Removes the names noted. How many went, or -errno.
static int clear_names(struct dentry *dir, struct clearing *c)
{
    int err = 0, gone = 0;
    for (unsigned k = 0; k < c->count; k++) {
        struct dentry *d = NULL;
        if (!err)
            err = dentry_lookup(dir, c->names[k], strlen(c->names[k]), &d);
        if (!err && d->inode && LX_S_ISDIR(d->inode->attr.mode))
            err = -LX_ENOTEMPTY;
        if (!err && d->inode && !(err = vfs_remove_raw(d)))
            gone++;
        dentry_put(d);
        free(c->names[k]);
    }
    return err ? err : gone;
}

int merge_clear(const struct merge_super *s, struct dentry *dir)
{
    const struct path p = {s->layers[0].mnt, dir};
    for (;;) {
        struct clearing c = {.ctx.emit = note_name};
        int err = vfs_iterate_raw(&p, &c.ctx);
        int gone = clear_names(dir, &c);
        if (err || gone <= 0)
            return err ? err : gone;
    }
}

static struct listing *listing_of(struct file *f)
{
    if (!f->priv) {
        struct listing *l = calloc(1, sizeof(*l));
        if (l)
            mem_dir_init(&l->seen);
        f->priv = l;
    }
    return f->priv;
}

static uint64_t parent_ino(const struct inode *dir)
{
    const struct inode *parent = merge_node(dir)->parent;
    return parent ? parent->attr.ino : dir->attr.ino;
}

// A file that was copied up keeps the number it had.
static uint64_t ino_of(struct dentry *dir, const struct mem_entry *e, const struct shown *s)
{
    struct dentry *d = dentry_find(dir, e->name, e->len);
    uint64_t ino = d && d->inode ? d->inode->attr.ino : s->ino;
    dentry_put(d);
    return ino;
}

static int op_iterate(struct file *f, struct dir_context *ctx)
{
    struct listing *l = listing_of(f);
    if (!l)
        return -LX_ENOMEM;
    if (ctx->pos == 0 && l->filled)
        empty(l);
    int err = fill(f, l);
    if (err)
        return err;
    if (ctx->pos == 0 && !ctx->emit(ctx, ".", 1, 1, f->inode->attr.ino, LX_DT_DIR))
        return 0;
    ctx->pos = ctx->pos < 1 ? 1 : ctx->pos;
    if (ctx->pos == 1 && !ctx->emit(ctx, "..", 2, 2, parent_ino(f->inode), LX_DT_DIR))
        return 0;
    ctx->pos = ctx->pos < 2 ? 2 : ctx->pos;
    for (; ctx->pos - 2 < l->count; ctx->pos++) {
        const struct shown *s = &l->shown[ctx->pos - 2];
        const struct mem_entry *e = l->seen.order[ctx->pos - 2].entry;
        if (s->type && !ctx->emit(ctx, e->name, e->len, ctx->pos + 1, ino_of(f->path.dentry, e, s), s->type))
            return 0;
    }
    return 0;
}

static void op_release(struct file *f)
{
    struct listing *l = f->priv;
    if (!l)
        return;
    empty(l);
    free(l->shown);
    free(l);
}

static int op_fsync(struct file *f, bool datasync)
{
    return 0;
}

const struct file_ops merge_dir_file_ops = {
    .iterate = op_iterate, .lseek = dir_lseek, .fsync = op_fsync, .release = op_release};
