#pragma once
// overlay: a filesystem below that is never written, and what changed, in memory. Kernel lock.
//
// An overlay inode stands for one file below (or one made here) for as long as anything of it differs, so a name need not be
// copied up with its parents: a directory keeps only the names that were made, moved or removed in it. Hence a directory
// from below can be renamed (overlayfs without redirect_dir gives EXDEV), and names that were hard links below stay so.
// As in overlayfs, a mapping made before the file was first written keeps showing what is below.
//
// The type is mounted as "overlay" with the options "[store,][upper_size=BYTES,]lower=TYPE[,OPTIONS OF THE LOWER]" and the
// lower's source.
// What a guest mounts is a merge of its own directories (merge.h).
#include <stdbool.h>
#include <stdint.h>

void overlay_init(void);

struct dentry;
struct fs_type;
struct mount;
struct super_block;
// An overlay over a directory of another mount, whose reference is taken over; `bytes` limits what is kept (0: the default), `store`
// says that larger files lie in the operator's store. 0 and
// references in *sb and *root, or -LX_ENOMEM.
int overlay_over(struct mount *lower, uint64_t bytes, bool store, struct super_block **sb,
                 struct dentry **root);
// mount(2) of "overlay" by a guest: "lowerdir=TOP:...:BOTTOM", read-only. -LX_EINVAL for other options and unfit layers, -LX_ELOOP for
// layers within each other, -LX_EPERM in a user namespace, or what a lookup gave.
int merge_mount(const struct fs_type *t, const char *source, const char *options, struct super_block **sb,
                struct dentry **root);
