// Random operations on files, the same for the same seed wherever they run: see fsx.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES 24 // paths that operations choose from
#define SLOTS 8  // open files
#define MAPS 4   // mappings
#define SIZE_MAX_FILE (1536u << 10)
#define CHUNK_MAX (64u << 10)

struct slot {
    int fd; // -1: none
    bool reads, writes, appends;
};

struct mapping {
    unsigned char *address; // NULL: none
    size_t length;
    int64_t offset; // in the file
    int fd;         // of its own, for the file's size
    bool writes, shared;
};

extern struct slot slots[SLOTS];
extern struct mapping maps[MAPS];
// What the file system under test does not have: left out (--without).
extern bool no_fallocate, no_shared_maps, no_rename_flags, no_xattrs, no_holes, no_set_id, no_maps,
    no_removed_files;

uint64_t chance(uint64_t below); // 0 to below - 1
const char *some_path(void);
const char *known_path(unsigned index);
struct slot *some_slot(void); // NULL: none is open
unsigned char *some_bytes(size_t size);

// The result of an operation: goes into the running sum, and is printed where that is asked for.
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The value of a call that returns -1 with errno: itself, or -errno.
long outcome(long result);
uint64_t sum_of(const void *bytes, size_t size);

typedef void operation(void);
operation do_open, do_close, do_read, do_write, do_truncate, do_fallocate, do_seek, do_copy, do_map,
    do_touch_map, do_unmap, do_sync, do_check;
operation do_mkdir, do_rmdir, do_unlink, do_rename, do_link, do_symlink, do_stat, do_list, do_mode, do_times,
    do_xattr, do_access;
