#pragma once
// Inside overlay only: several directory trees shown as one that is never written, as a guest's mount(2) asks for. Kernel lock.
//
// Unlike the overlay of the sandbox itself (node.h) it has its layers among the guest's own mounts, finds whiteouts and opaque
// directories in them as Linux's overlayfs keeps them there, and keeps nothing of its own.
#include "sentry/fs/overlay/overlay.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

#define MERGE_LAYERS_MAX 500u // OVL_MAX_STACK
#define MERGE_DEPTH_MAX 2     // FILESYSTEM_MAX_STACK_DEPTH

struct merge_layer {
    struct mount *mnt;  // a private copy (a reference); of the superblock's layers
    struct dentry *dir; // a reference
};

struct merge_super {
    int depth;            // merges upon each other, this one included
    uint32_t mount_flags; // restrictions of the layers that a guest may not take away
    char *shown;          // lowerdir= as it was given
    unsigned count;
    struct merge_layer layers[MERGE_LAYERS_MAX]; // the topmost first
};

struct merge_node { // inode->priv
    unsigned count; // of a directory: those that show through; else 1
    uint64_t parent_ino;
    struct merge_part {
        unsigned layer;
        struct dentry *dentry; // a reference
    } parts[];
};

extern const struct super_ops merge_super_ops;
// The inode over `count` files, the topmost first, whose references are taken over. NULL: no memory (references dropped).
struct inode *merge_inode(struct super_block *sb, const struct merge_part *parts, unsigned count,
                          uint64_t parent_ino);
static inline struct merge_node *merge_node(const struct inode *i)
{
    return i->priv;
}
static inline bool merge_is_whiteout(const struct inode *i)
{
    return (i->attr.mode & 0170000u) == 0020000u && i->attr.rdev == 0;
}
// Its number as the merge shows it: those of different filesystems are kept apart.
uint64_t merge_ino(const struct super_block *sb, unsigned layer, uint64_t ino);
struct path merge_path(const struct inode *i, unsigned part); // borrowed

// merge_list.c
extern const struct file_ops merge_dir_file_ops;
