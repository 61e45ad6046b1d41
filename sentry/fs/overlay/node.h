#pragma once
// Inside overlay only.
#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/tmpfs/data.h"
#include "sentry/fs/tmpfs/dir.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/fs/tmpfs/xattrs.h"

#define OVL_BUCKETS 1024u

struct ovl_super {
    struct mount *lower; // internal mount of the filesystem below (a reference)
    uint64_t lower_dev;  // device of its root
    struct mem_account account;
    uint64_t next_ino;                     // of files made here
    struct ovl_node *buckets[OVL_BUCKETS]; // inodes with a file below, by its device and number
};

// The names of a lower directory, read once.
struct ovl_listing {
    struct list_head lru; // of all listings; the oldest go when there are too many
    struct ovl_node *node;
    size_t count, bytes;
    struct ovl_name {
        uint64_t ino;
        uint32_t at; // of the name in text
        uint16_t len;
        uint8_t type;
    } * names;
    char *text;
    size_t max_names, max_text;
};

struct ovl_node { // inode->priv
    struct inode *inode;
    struct ovl_super *super;
    struct dentry *lower; // the file below (a reference), or NULL: made here
    struct ovl_node *hash_next;
    uint64_t parent_ino;  // of a directory, for ".."
    bool own_attr;        // attributes are kept here; else they are the lower's
    bool own_data;        // a regular file's bytes are in `data`; else they are below
    bool own_xattrs;      // xattrs have been read or were never below
    bool pinned;          // a reference of the filesystem itself holds an inode that differs from below
    uint32_t extra_names; // links made here: each counts as an inode
    bool opaque;          // nothing of the lower directory shows
    struct mem_xattrs xattrs;
    struct mem_data data;
    struct mem_dir names; // of a directory: what was made or moved here; inode NULL: a whiteout
    struct ovl_listing *listing;
    char *target; // of a symlink, once known
};
static inline struct ovl_node *ovl_node(const struct inode *i)
{
    return i->priv;
}
extern const struct inode_ops ovl_dir_ops, ovl_file_inode_ops, ovl_link_ops;
extern const struct file_ops ovl_file_ops, ovl_dir_file_ops;

// node.c
// The inode over a file below, the same one as long as it lives. A reference, or NULL: no memory.
struct inode *ovl_get(struct super_block *sb, struct dentry *lower, uint64_t parent_ino);
struct inode *ovl_new(struct super_block *sb, uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid,
                      int *err);
void ovl_evict(struct inode *i);
// Attributes from below, if they are not kept here. 0 or -errno; may drop the kernel lock.
int ovl_refresh(struct inode *i);
// Copy-up of the attributes: from now on they are kept here. 0, -LX_ENOSPC or what asking the lower gave.
int ovl_own_attr(struct inode *i);
// Copy-up of a regular file's first `keep` bytes (UINT64_MAX: all). May drop the kernel lock.
int ovl_own_data(struct inode *i, uint64_t keep);
int ovl_own_xattrs(struct inode *i);
// A name of the inode is gone; after the last one nothing needs to be kept.
void ovl_unlinked(struct inode *i);

// listing.c
// The lower directory's names. 0 or -errno; may drop the kernel lock. Valid until the kernel lock is dropped.
int ovl_list(struct inode *dir, const struct ovl_listing **out);
void ovl_listing_free(struct ovl_listing *l);
int ovl_iterate(struct file *f, struct dir_context *ctx);
// 0, -LX_ENOTEMPTY or -errno.
int ovl_check_empty(struct inode *dir);
