// Reading directories: a message brings several entries with their attributes, which also go into the name
// cache.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/gofer/fs.h"

#define BATCH (48u << 10)
#define PREFETCH_PARTS 4         // about a thousand names; a larger directory is asked name by name
#define AFTER_DOTS 2             // position of the first entry of the host
#define SMALL_COOKIE (1ll << 62) // marks a host position below AFTER_DOTS + 1

struct entry {
    int64_t next; // position after it
    struct np_attr attr;
    uint16_t name; // offset in names
    uint16_t length;
    uint8_t type;
};

// The last part read of an open directory: file.priv.
struct listing {
    int64_t first; // position it begins at
    bool end;      // nothing follows it
    bool full;     // no room was left for an entry that came
    uint32_t seq;  // the directory's dir_seq when it was asked for
    unsigned count, capacity;
    struct entry *entries;
    unsigned names_used;
    char names[BATCH];
};

static uint64_t cookie_of(int64_t position)
{
    if (position == AFTER_DOTS)
        return 0;
    if ((position & SMALL_COOKIE) && (position & ~SMALL_COOKIE) <= AFTER_DOTS)
        return (uint64_t)(position & ~SMALL_COOKIE);
    return (uint64_t)position;
}

static int64_t position_of(uint64_t cookie)
{
    return cookie <= AFTER_DOTS ? (int64_t)cookie | SMALL_COOKIE : (int64_t)cookie;
}

// Runs without the kernel lock, on the listing alone.
static bool take_entry(void *context, const struct np_dirent *dirent, const struct np_attr *attr)
{
    struct listing *listing = context;
    if (listing->count == listing->capacity) {
        unsigned capacity = listing->capacity ? listing->capacity * 2 : 64;
        struct entry *entries = realloc(listing->entries, capacity * sizeof(*entries));
        listing->full = !entries;
        if (!entries)
            return false;
        listing->entries = entries;
        listing->capacity = capacity;
    }
    if (listing->names_used + dirent->name.length > sizeof(listing->names)) {
        listing->full = true;
        return false;
    }
    listing->entries[listing->count++] = (struct entry){
        .next = position_of(dirent->offset),
        .attr = *attr,
        .name = (uint16_t)listing->names_used,
        .length = dirent->name.length,
        .type = (uint8_t)(attr->mode >> 12 & 15),
    };
    memcpy(listing->names + listing->names_used, dirent->name.bytes, dirent->name.length);
    listing->names_used += dirent->name.length;
    return true;
}

// Names that are not in the cache yet go there, while nothing has changed since they were read. False when not all do.
static bool fill_cache(struct dentry *parent, const struct listing *listing)
{
    struct inode *dir = parent->inode;
    for (unsigned i = 0; i < listing->count; i++) {
        const struct entry *entry = &listing->entries[i];
        const char *name = listing->names + entry->name;
        struct dentry *child = dentry_find(parent, name, entry->length);
        if (!child) {
            struct inode *inode = gofer_inode_get(dir->sb, dir, name, entry->length, &entry->attr, NULL, 0);
            child = inode ? dentry_add(parent, name, entry->length, inode) : NULL;
        }
        if (!child)
            return false;
        dentry_put(child);
    }
    return true;
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

static void listing_free(struct listing *listing)
{
    if (listing)
        free(listing->entries);
    free(listing);
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
                                       BATCH, take_entry, listing, &listing->end));
    gofer_reach_end(&reach);
    if (!err && listing->full && !listing->count)
        err = -LX_ENOMEM;
    if (!err && !gofer_fs_of(inode)->shared && !gofer_connection_of(inode)->plain &&
        seq == gofer_connection_of(inode)->change_seq && cache && cache->inode == inode && !cache->unhashed)
        *cached = fill_cache(cache, listing);
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
    return err;
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
    listing_free(listing);
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
            if (!listing)
                listing = calloc(1, sizeof(*listing));
            err = listing ? fetch_for(f, listing, ctx->pos) : -LX_ENOMEM;
        }
        fresh = false;
        int more = err ? 0 : emit_listing(listing, ctx);
        bool end = !err && (listing->end || !listing->count);
        if (f->priv || err)
            listing_free(listing);
        else
            f->priv = listing;
        if (err || !more || end)
            return err;
    }
}

static void dir_release(struct file *f)
{
    listing_free(f->priv);
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
