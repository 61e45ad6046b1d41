// Parameters of a filesystem, and the superblock made from them (fs/fs_context.c of Linux).
#include "sentry/vfs/fs_context.h"
#include "abi/linux/errno.h"
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 4096u

void fs_context_init(struct fs_context *fc, struct fs_type *type)
{
    *fc = (struct fs_context){.type = type};
}

void fs_context_free(struct fs_context *fc)
{
    free(fc->source);
    free(fc->options);
    dentry_put(fc->root);
    sb_put(fc->sb);
    *fc = (struct fs_context){0};
}

// Flags that every filesystem knows: the VFS keeps them. Those without an effect here are taken all the same.
static bool sb_flag(struct fs_context *fc, const char *key)
{
    static const char *const without_effect[] = {"sync",   "async",    "dirsync", "lazytime", "nolazytime",
                                                 "silent", "iversion", "mand",    "nomand"};
    if (strcmp(key, "ro") == 0 || strcmp(key, "rw") == 0) {
        fc->sb_flags_mask |= SB_RDONLY;
        fc->sb_flags = key[1] == 'o' ? fc->sb_flags | SB_RDONLY : fc->sb_flags & ~SB_RDONLY;
        return true;
    }
    for (size_t i = 0; i < sizeof(without_effect) / sizeof(*without_effect); i++)
        if (strcmp(key, without_effect[i]) == 0)
            return true;
    return false;
}

int fs_context_set(struct fs_context *fc, const char *key, const char *value)
{
    if (*key == 0)
        return -LX_EINVAL;
    if (!value && sb_flag(fc, key))
        return 0;
    if (strcmp(key, "source") == 0) {
        if (!value || fc->source)
            return -LX_EINVAL;
        fc->source = strdup(value);
        return fc->source ? 0 : -LX_ENOMEM;
    }
    if (strchr(key, ',') || (value && strchr(value, ',')))
        return -LX_EINVAL; // the parameters travel as one text
    size_t more = strlen(key) + (value ? strlen(value) + 1 : 0) + 2;
    if (fc->used + more > OPTIONS_MAX)
        return -LX_E2BIG;
    char *grown = realloc(fc->options, fc->used + more);
    if (!grown)
        return -LX_ENOMEM;
    fc->options = grown;
    char *at = grown + fc->used;
    if (fc->used)
        *at++ = ',';
    at = stpcpy(at, key);
    if (value) {
        *at++ = '=';
        at = stpcpy(at, value);
    }
    fc->used = (size_t)(at - grown);
    return 0;
}

int fs_context_parse(struct fs_context *fc, const char *text)
{
    char *copy = strdup(text), *rest = copy, *one;
    int err = copy ? 0 : -LX_ENOMEM;
    while (!err && (one = strsep(&rest, ",")) != NULL) {
        if (*one == 0)
            continue;
        char *value = strchr(one, '=');
        if (value)
            *value++ = 0;
        err = fs_context_set(fc, one, value);
    }
    free(copy);
    return err;
}

int fs_context_create(struct fs_context *fc)
{
    const struct fs_type *t = fc->type;
    int (*make)(const struct fs_type *, const char *, const char *, struct super_block **, struct dentry **) =
        t->guest_mount ? t->guest_mount : t->mount;
    int err = make(t, fc->source ? fc->source : "none", fc->options ? fc->options : "", &fc->sb, &fc->root);
    if (err) {
        fc->sb = NULL;
        fc->root = NULL;
        return err;
    }
    if ((fc->sb_flags & SB_RDONLY) && !(fc->sb->flags & SB_SINGLE))
        fc->sb->flags |= SB_RDONLY;
    return 0;
}

int fs_context_reconfigure(struct fs_context *fc)
{
    struct super_block *sb = fc->sb;
    bool to_ro = (fc->sb_flags & SB_RDONLY) && !(sb->flags & SB_RDONLY);
    if (to_ro && sb->writers)
        return -LX_EBUSY;
    if ((sb->flags & SB_ALWAYS_RDONLY) && (fc->sb_flags_mask & SB_RDONLY) && !(fc->sb_flags & SB_RDONLY))
        return -LX_EROFS;
    if (fc->options) {
        int err = sb->ops && sb->ops->reconfigure ? sb->ops->reconfigure(sb, fc->options) : -LX_EINVAL;
        if (err)
            return err;
    }
    if (fc->sb_flags_mask & SB_RDONLY)
        sb->flags = (sb->flags & ~SB_RDONLY) | (fc->sb_flags & SB_RDONLY);
    return 0;
}

struct mount *fs_context_mount(struct fs_context *fc, uint32_t flags)
{
    struct mount *m = mount_alloc(fc->sb, fc->root, flags | fc->sb->mount_flags);
    if (m)
        m->locked_flags |= fc->sb->mount_flags;
    if (m && fc->source) // shown only, and there may be many
        m->devname = strndup(fc->source, VFS_NAME_MAX);
    return m;
}
