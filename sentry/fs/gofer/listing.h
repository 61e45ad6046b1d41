#pragma once
// Names of a directory as the Gofer gave them. Kernel lock, but while a reply is taken apart: then nobody else has the listing.
#include "sentry/fs/gofer/fs.h"

#define LISTING_BATCH (48u << 10)
#define AFTER_DOTS 2 // position of the first entry of the host

struct entry {
    int64_t next; // position after it
    struct np_attr attr;
    uint16_t name; // offset in names
    uint16_t length;
    uint8_t type;
};

// A part of a directory: file.priv, what was read last; gofer_inode.ahead, what a walk of the tree will ask for.
struct listing {
    int64_t first; // position it begins at
    bool end;      // nothing follows it
    bool full;     // no room was left for an entry that came
    uint32_t seq;  // the directory's dir_seq when it was asked for
    unsigned count, capacity;
    struct entry *entries;
    unsigned names_used, names_capacity; // at most LISTING_BATCH
    char *names;
    struct gofer_inode *ahead_of; // whose `ahead` it is
    struct list_head ahead_link;  // of all that are some
};

// Positions of the host, which are apart from those of "." and "..".
#define SMALL_COOKIE (1ll << 62) // marks a host position below AFTER_DOTS + 1
static inline int64_t listing_position(uint64_t cookie)
{
    return cookie <= AFTER_DOTS ? (int64_t)cookie | SMALL_COOKIE : (int64_t)cookie;
}

// A gofer_entry_fn whose context is a listing.
bool gofer_listing_take(void *listing, const struct np_dirent *dirent, const struct np_attr *attr);
void gofer_listing_free(struct listing *listing);
// Names that are not in the cache yet go there, while nothing has changed since they were read. False when not all do.
bool gofer_listing_cache(struct dentry *parent, const struct listing *listing);

// --- tree.c
// The first part of a directory, read ahead, if it is still right; the caller's from now on. NULL: there is none.
struct listing *gofer_ahead_take(struct inode *dir);
// A program reads one directory after the other below those it has read: reads this one and what it will come to next
// ahead, into the name cache too. May drop the lock. Nothing where that is not to be expected.
void gofer_read_ahead(struct file *f);
