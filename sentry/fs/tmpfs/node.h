#pragma once
// Inside tmpfs only.
#include "sentry/fs/tmpfs/data.h"
#include "sentry/fs/tmpfs/dir.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/fs/tmpfs/xattrs.h"

struct tmpfs_super {
    struct mem_account account;
    uint64_t size_option, inodes_option; // as given, for /proc/mounts; 0: not given
    uint32_t mode_option;
};
struct tmpfs_node { // inode->priv
    struct tmpfs_super *super;
    struct inode *parent; // of a directory: not a reference, the parent's entry holds us
    uint32_t seals;
    struct mem_xattrs xattrs;
    union {
        struct mem_data data;
        struct mem_dir dir;
        char *target;
    };
};
static inline struct tmpfs_node *tmpfs_node(const struct inode *i)
{
    return i->priv;
}
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_inode_ops, tmpfs_link_ops;
extern const struct file_ops tmpfs_file_ops, tmpfs_dir_file_ops;
struct inode *tmpfs_new_inode(struct super_block *sb, uint32_t mode, uint64_t rdev, uint32_t uid,
                              uint32_t gid, int *err);
