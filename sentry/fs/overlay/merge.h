#pragma once
// Inside overlay only: several directory trees shown as one, as a guest's mount(2) asks for: read-only, or with an upper one
// that takes the changes (fs/overlayfs of Linux). Kernel lock.
//
// Unlike the overlay of the sandbox itself (node.h) it has its layers among the guest's own mounts, finds and leaves whiteouts
// and opaque directories in them as Linux's overlayfs does, and keeps nothing of its own. What is asked of a layer is checked
// for whoever mounted it, beside what the VFS checks for the caller.
#include "sentry/fs/overlay/overlay.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

#define MERGE_LAYERS_MAX 500u // below the upper one: OVL_MAX_STACK
#define MERGE_DEPTH_MAX 2     // FILESYSTEM_MAX_STACK_DEPTH
#define MERGE_BUCKETS 256u

struct cred;

struct merge_layer {
    struct mount *mnt;  // a private copy (a reference); of the superblock's layers
    struct dentry *dir; // a reference
};

struct merge_super {
    int depth;                              // merges upon each other, this one included
    uint32_t mount_flags;                   // restrictions of the layers that a guest may not take away
    char *shown, *upper_shown, *work_shown; // options as they were given; NULL: not given
    struct cred *mounter;                   // a reference
    bool userxattr;                         // private attributes are user.overlay.*, else trusted.overlay.*
    bool no_xattrs;                         // the mounter may not use them
    bool has_upper;                         // layers[0]
    struct dentry *work; // where things are made before they get their place; a reference, or NULL
    unsigned next_temporary;
    struct merge_node *buckets[MERGE_BUCKETS]; // files of the upper layer, so that hard links are one inode
    unsigned count;
    struct merge_layer layers[MERGE_LAYERS_MAX + 1]; // the topmost first
};

struct merge_node { // inode->priv
    struct inode *inode;
    struct inode *parent; // a reference; NULL for the root. With the name: where a copy goes
    char *name;
    bool orphan; // that name is gone
    bool hashed;
    struct merge_node *hash_next;
    struct vfs_mutex copying;
    unsigned count; // of a directory: those that show through; else 1
    struct merge_part {
        unsigned layer;
        struct dentry *dentry; // a reference
    } parts[];                 // room for one more where there is an upper layer
};

static inline struct merge_node *merge_node(const struct inode *i)
{
    return i->priv;
}
static inline struct merge_super *merge_super(const struct inode *i)
{
    return i->sb->priv;
}
static inline bool merge_is_whiteout(const struct inode *i)
{
    return (i->attr.mode & 0170000u) == 0020000u && i->attr.rdev == 0;
}
// What the file is in the topmost layer that has it: borrowed. Until that is the upper one a copy-up takes its place, so who may
// drop the kernel lock holds a reference.
static inline struct dentry *merge_top_dentry(const struct inode *i)
{
    return merge_node(i)->parts[0].dentry;
}
static inline struct inode *merge_top(const struct inode *i)
{
    return merge_top_dentry(i)->inode;
}
static inline bool merge_in_upper(const struct inode *i)
{
    return merge_super(i)->has_upper && merge_node(i)->parts[0].layer == 0;
}

// merge_super.c
extern const struct super_ops merge_super_ops;

// merge_node.c
// The inode over `count` files, the topmost first, whose references are taken over; an upper file's is found again. NULL: no
// memory (references dropped).
struct inode *merge_inode(struct super_block *sb, const struct merge_part *parts, unsigned count,
                          struct inode *parent, const char *name);
// Its number as the merge shows it: those of different filesystems are kept apart.
uint64_t merge_ino(const struct super_block *sb, unsigned layer, uint64_t ino);
struct path merge_path(const struct inode *i, unsigned part); // borrowed
// Attributes from the topmost layer; the number stays.
void merge_take_attr(struct inode *i, const struct kstat *from);
// A file has got its place in the upper layer: from now on that is the topmost. Takes over the dentry's reference.
void merge_now_upper(struct inode *i, struct dentry *upper);
// A new place of the name, after a rename. No memory: copies go to the old one.
void merge_set_place(struct inode *i, struct inode *parent, const char *name);
// Does a layer below the upper one have the name? 1, 0 or -errno.
int merge_lower_has(const struct inode *dir, const char *name);

// merge_mounter.c
// May whoever mounted it do this to a file of a layer? MAY_*: 0 or -LX_EACCES.
int merge_mounter_may(const struct merge_super *s, struct inode *real, int mask);
// ...and change these attributes? 0, -LX_EPERM, or -LX_EOVERFLOW for an owner without a number there.
int merge_mounter_may_set(const struct merge_super *s, struct inode *real, const struct iattr *attr);
uint32_t merge_mounter_fsuid(const struct merge_super *s);
uint32_t merge_mounter_fsgid(const struct merge_super *s);

// merge_copy.c
// Gives a file, and the directories that lead to it, a place in the upper layer, with the first `keep` bytes of its contents. 0,
// -LX_EROFS when there is no upper layer, or -errno; may drop the kernel lock.
int merge_copy_up(struct inode *i, uint64_t keep);
// A name for something in the work directory.
void merge_temporary_name(struct merge_super *s, char name[24]);

// merge_xattr.c
int64_t merge_getxattr(struct inode *i, const char *name, void *value, size_t size);
int64_t merge_listxattr(struct inode *i, char *list, size_t size);
int merge_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags);
int merge_removexattr(struct inode *i, const char *name);
bool merge_is_opaque(const struct merge_super *s, struct inode *real);
int merge_set_opaque(const struct merge_super *s, struct inode *real);
// All attributes but private ones. 0 or -errno.
int merge_copy_xattrs(const struct merge_super *s, struct inode *from, struct inode *to);
// The access control lists that a layer's inode is known to have are the inode's too.
void merge_note_acls(struct inode *i);

// merge_change.c
extern const struct inode_ops merge_dir_ops;
#define MERGE_COMMON_OPS                                                                                    \
    .getattr = merge_getattr, .setattr = merge_setattr, .statfs = merge_statfs, .getxattr = merge_getxattr, \
    .setxattr = merge_setxattr, .listxattr = merge_listxattr, .removexattr = merge_removexattr,             \
    .permission = merge_permission, .evict = merge_evict
int merge_lookup(struct inode *dir, struct dentry *d);
int merge_revalidate(struct inode *dir, struct dentry *d);
int merge_getattr(struct inode *i);
int merge_setattr(struct inode *i, const struct iattr *a);
int merge_statfs(struct inode *i, struct kstatfs *out);
int merge_permission(struct inode *i, int mask);
void merge_evict(struct inode *i);

// merge_file.c
extern const struct file_ops merge_file_ops;
int merge_open(struct inode *i, struct file *f);

// merge_list.c
extern const struct file_ops merge_dir_file_ops;
// 0, -LX_ENOTEMPTY or -errno.
int merge_check_empty(struct inode *dir);
// Removes what a directory of a layer holds beside directories: whiteouts, of one that shows nothing.
int merge_clear(const struct merge_super *s, struct dentry *dir);
