// Entries of a reply as a listing, and from there into the name cache.
#include "sentry/fs/gofer/listing.h"
#include <stdlib.h>
#include <string.h>

static bool grow(struct listing *listing, size_t name)
{
    if (listing->count == listing->capacity) {
        unsigned capacity = listing->capacity ? listing->capacity * 2 : 16;
        struct entry *entries = realloc(listing->entries, capacity * sizeof(*entries));
        if (!entries)
            return false;
        listing->entries = entries;
        listing->capacity = capacity;
    }
    size_t need = listing->names_used + name;
    if (need > LISTING_BATCH)
        return false;
    if (need > listing->names_capacity) {
        size_t capacity = need + need / 2 < LISTING_BATCH ? need + need / 2 : LISTING_BATCH;
        char *names = realloc(listing->names, capacity);
        if (!names)
            return false;
        listing->names = names;
        listing->names_capacity = (unsigned)capacity;
    }
    return true;
}

bool gofer_listing_take(void *context, const struct np_dirent *dirent, const struct np_attr *attr)
{
    struct listing *listing = context;
    listing->full = !grow(listing, dirent->name.length);
    if (listing->full)
        return false;
    listing->entries[listing->count++] = (struct entry){
        .next = listing_position(dirent->offset),
        .attr = *attr,
        .name = (uint16_t)listing->names_used,
        .length = dirent->name.length,
        .type = (uint8_t)(attr->mode >> 12 & 15),
    };
    memcpy(listing->names + listing->names_used, dirent->name.bytes, dirent->name.length);
    listing->names_used += dirent->name.length;
    return true;
}

void gofer_listing_free(struct listing *listing)
{
    if (!listing)
        return;
    free(listing->entries);
    free(listing->names);
    free(listing);
}

bool gofer_listing_cache(struct dentry *parent, const struct listing *listing)
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
