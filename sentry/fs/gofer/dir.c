// Reading directories: a message brings several entries with their attributes, which also go into the name
// cache.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/gofer/listing.h"

#define PREFETCH_PARTS 4 // about a thousand names; a larger directory is asked name by name

static uint64_t cookie_of(int64_t position)
{
    if (position == AFTER_DOTS)
        return 0;
    if ((position & SMALL_COOKIE) && (position & ~SMALL_COOKIE) <= AFTER_DOTS)
        return (uint64_t)(position & ~SMALL_COOKIE);
    return (uint64_t)position;
}

// Names the directory to the Gofer: by names for the first part, which often is all of it; then by a fid.
static int name_directory(struct inode *inode, int64_t position, struct gofer_reach *reach)
{
    if (position != AFTER_DOTS) {
        int err = gofer_bind(inode);
        if (err)
            return err;
        err = gofer_reach(inode, 0, reach);
        gofer_unpin(inode);
        return err;
    }
    return gofer_reach(inode, 0, reach);
}

// Reads the part of a directory that begins at `position`; what it brings is cached below `cache`, unless that is NULL.
// *cached: all of it was.
static int fetch(struct inode *inode, struct dentry *cache, struct listing *listing, int64_t position,
                 bool *cached)
{
    struct gofer_reach reach;
    *cached = false;
    int err = name_directory(inode, position, &reach);
    if (err)
        return err;
    listing->count = listing->names_used = 0;
    listing->full = false;
    listing->first = position;
    listing->seq = inode->dir_seq;
    uint64_t seq = gofer_connection_of(inode)->change_seq;
    uint64_t cookie = cookie_of(position);
    err = GOFER_BLOCKING(gofer_readdir(gofer_client_of(inode), reach.fid, reach.names, reach.count, cookie,
                                       LISTING_BATCH, gofer_listing_take, listing, &listing->end));
    gofer_reach_end(&reach);
    if (!err && listing->full && !listing->count)
        err = -LX_ENOMEM;
    if (!err && !gofer_fs_of(inode)->shared && !gofer_connection_of(inode)->plain &&
        seq == gofer_connection_of(inode)->change_seq && cache && cache->inode == inode && !cache->unhashed)
        *cached = gofer_listing_cache(cache, listing);
    return err;
}

// A file's directory as `fetch` wants it; one that came whole is known whole.
static int fetch_for(struct file *f, struct listing *listing, int64_t position)
{
    bool cached;
    uint32_t lost = f->inode->names_lost;
    int err = fetch(f->inode, f->path.dentry, listing, position, &cached);
    if (cached && position == AFTER_DOTS && listing->end)
        gofer_set_whole(f->path.dentry, lost);
    gofer_inode(f->inode)->listed = true;
    return err;
}

// The first part without a message of its own, if it was or can be read ahead.
static struct listing *ahead_for(struct file *f, int64_t position)
{
    if (position != AFTER_DOTS)
        return NULL;
    struct listing *listing = gofer_ahead_take(f->inode);
    if (listing)
        return listing;
    gofer_read_ahead(f);
    return gofer_ahead_take(f->inode);
}

void gofer_prefetch(struct dentry *dir)
{
    struct inode *inode = inode_get(dir->inode);
    struct listing *listing = calloc(1, sizeof(*listing));
    int64_t position = AFTER_DOTS;
    uint64_t seq = gofer_connection_of(inode)->change_seq;
    bool cached = listing != NULL;
    uint32_t lost = inode->names_lost;
    for (int part = 0; cached && part < PREFETCH_PARTS; part++) {
        if (fetch(inode, dir, listing, position, &cached) || !listing->count || listing->end)
            break;
        position = listing->entries[listing->count - 1].next;
    }
    if (cached && listing->end && seq == gofer_connection_of(inode)->change_seq)
        gofer_set_whole(dir, lost);
    gofer_listing_free(listing);
    inode_put(inode);
}

// Emits what the listing has from the position on. 1: all of it went out, 0: the caller's buffer is full.
static int emit_listing(const struct listing *listing, struct dir_context *ctx)
{
    int64_t at = listing->first;
    for (unsigned i = 0; i < listing->count; i++) {
        const struct entry *entry = &listing->entries[i];
        if (at == ctx->pos) {
            if (!ctx->emit(ctx, listing->names + entry->name, entry->length, entry->next,
                           entry->attr.qid.path, entry->type))
                return 0;
            ctx->pos = entry->next;
        }
        at = entry->next;
    }
    return 1;
}

static bool covers(const struct listing *listing, int64_t position)
{
    if (!listing)
        return false;
    if (listing->first == position)
        return true;
    for (unsigned i = 0; i < listing->count; i++) {
        if (listing->entries[i].next == position)
            return i + 1 < listing->count || listing->end;
    }
    return false;
}

static int dir_iterate(struct file *f, struct dir_context *ctx)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    uint64_t ino = f->inode->attr.ino, up = node->parent ? node->parent->attr.ino : ino;
    if (ctx->pos == 0) {
        if (!ctx->emit(ctx, ".", 1, 1, ino, LX_S_IFDIR >> 12))
            return 0;
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        if (!ctx->emit(ctx, "..", 2, AFTER_DOTS, up, LX_S_IFDIR >> 12))
            return 0;
        ctx->pos = AFTER_DOTS;
    }
    bool fresh = ctx->pos == AFTER_DOTS; // a new reading shows what is there now
    for (;;) {
        struct listing *listing = f->priv;
        f->priv = NULL;
        int err = 0;
        // On a mount of our own nothing changes but through the VFS.
        if (fresh && listing && !gofer_fs_of(f->inode)->shared && listing->seq == f->inode->dir_seq)
            fresh = false;
        if (fresh || !covers(listing, ctx->pos)) {
            struct listing *ahead = ahead_for(f, ctx->pos);
            if (ahead) {
                gofer_listing_free(listing);
                listing = ahead;
            } else {
                if (!listing)
                    listing = calloc(1, sizeof(*listing));
                err = listing ? fetch_for(f, listing, ctx->pos) : -LX_ENOMEM;
            }
        }
        fresh = false;
        int more = err ? 0 : emit_listing(listing, ctx);
        bool end = !err && (listing->end || !listing->count);
        if (f->priv || err)
            gofer_listing_free(listing);
        else
            f->priv = listing;
        if (err || !more || end)
            return err;
    }
}

static void dir_release(struct file *f)
{
    gofer_listing_free(f->priv);
}

static int dir_fsync(struct file *f, bool datasync)
{
    int err = gofer_bind(f->inode);
    if (err)
        return err;
    err = GOFER_BLOCKING(gofer_sync_dir(gofer_client_of(f->inode), gofer_inode(f->inode)->fid, datasync));
    gofer_unpin(f->inode);
    return err;
}

const struct file_ops gofer_dir_file_ops = {
    .iterate = dir_iterate,
    .lseek = dir_lseek,
    .fsync = dir_fsync,
    .release = dir_release,
};
