#pragma once
// A filesystem being configured: what mount(2) does at once and fsopen(2), fsconfig(2) and fsmount(2) step by step. Kernel lock.
#include "sentry/vfs/vfs.h"

struct fs_context {
    struct fs_type *type;
    char *source;  // NULL: none given
    char *options; // "key=value,flag,..."; NULL: none
    size_t used;
    uint32_t sb_flags;      // SB_RDONLY
    uint32_t sb_flags_mask; // those that were named
    struct super_block *sb; // once created, or picked for a change; a reference
    struct dentry *root;    // a reference
};

void fs_context_init(struct fs_context *fc, struct fs_type *type);
void fs_context_free(struct fs_context *fc);
// One parameter; value NULL: a flag. 0, -LX_EINVAL, -LX_ENOMEM or -LX_E2BIG.
int fs_context_set(struct fs_context *fc, const char *key, const char *value);
// A whole text as mount(2)'s data has it.
int fs_context_parse(struct fs_context *fc, const char *text);
// Makes the superblock. 0 or -errno.
int fs_context_create(struct fs_context *fc);
// Applies the parameters to the superblock that is there. 0, -LX_EBUSY (open writers) or -errno.
int fs_context_reconfigure(struct fs_context *fc);
// A mount of what was created, outside of any namespace. NULL: no memory, or too many mounts.
struct mount *fs_context_mount(struct fs_context *fc, uint32_t mount_flags);
// Would Linux too show this superblock in every mount of the type?
static inline bool sb_is_shared(const struct super_block *sb)
{
    return (sb->flags & (SB_SINGLE | SB_AS_MANY)) == SB_SINGLE;
}
