#pragma once
// The names of a directory in memory: a hash for lookups, and an order that never changes for readdir. Kernel lock.
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

struct mem_entry {
    struct mem_entry *hash_next;
    struct inode *inode; // a reference; NULL: a whiteout (overlay)
    uint64_t hash;
    int64_t cookie; // position for readdir: grows with every new name
    size_t slot;    // index in mem_dir.order
    uint16_t len;
    bool covers; // hides a name of the lower directory (overlay)
    char name[];
};
struct mem_dir {
    struct mem_entry **buckets;
    size_t nr_buckets; // a power of two, or 0
    size_t count;      // names
    struct mem_slot {
        int64_t cookie;
        struct mem_entry *entry; // NULL: removed
    } * order;                   // sorted by cookie
    size_t nr_order, max_order;
    int64_t next_cookie;
};
// "." and ".." have the positions 0 and 1, entries those from here on.
#define MEM_DIR_FIRST 2

void mem_dir_init(struct mem_dir *d);
// Drops every name. Directories found on the way down are taken apart level by level: a deep tree must not become deep
// recursion.
void mem_dir_free(struct mem_dir *d);
struct mem_entry *mem_dir_find(const struct mem_dir *d, const char *name, size_t len);
// Takes over the inode reference on success. The name must be new. 0 or -LX_ENOMEM.
int mem_dir_add(struct mem_dir *d, const char *name, size_t len, struct inode *inode);
// Removes the entry and returns its inode reference.
struct inode *mem_dir_remove(struct mem_dir *d, struct mem_entry *e);
// The first entry at or behind a position; NULL at the end.
struct mem_entry *mem_dir_from(const struct mem_dir *d, int64_t cookie);
// Emits "." and "..", then the entries, from ctx->pos on.
int mem_dir_iterate(const struct mem_dir *d, struct dir_context *ctx, uint64_t ino, uint64_t parent_ino);
