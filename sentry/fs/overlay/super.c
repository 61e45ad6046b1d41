// Mounting overlay.
#include "sentry/fs/overlay/node.h"
#include "abi/linux/errno.h"
#include <stdlib.h>
#include <string.h>

// Numbers of files made here: far from those a lower filesystem counts up from one.
#define FIRST_OWN_INO (1ull << 47)

static void put_super(struct super_block *sb)
{
    struct ovl_super *s = sb->priv;
    mount_put(s->lower);
    free(s);
}

static const struct super_ops super_ops = {.put_super = put_super};

static int mount_lower(const char *options, const char *source, struct mount **out)
{
    char type[32];
    if (!options || strncmp(options, "lower=", 6) != 0)
        return -LX_EINVAL;
    options += 6;
    size_t len = strcspn(options, ",");
    if (len >= sizeof(type))
        return -LX_EINVAL;
    memcpy(type, options, len);
    type[len] = 0;
    struct fs_type *t = fs_type_find(type);
    if (!t)
        return -LX_ENODEV;
    struct super_block *sb;
    struct dentry *root;
    int err = t->mount(t, source, options[len] ? options + len + 1 : "", &sb, &root);
    if (err)
        return err;
    *out = mount_alloc(sb, root, 0);
    dentry_put(root);
    sb_put(sb);
    return *out ? 0 : -LX_ENOMEM;
}

int overlay_over(struct mount *lower, uint64_t bytes, bool store, struct super_block **out,
                 struct dentry **root)
{
    struct ovl_super *s = calloc(1, sizeof(*s));
    struct super_block *sb = s ? sb_alloc("overlay", &super_ops, s) : NULL;
    if (!sb) {
        free(s);
        mount_put(lower);
        return -LX_ENOMEM;
    }
    sb->flags |= SB_ACL;
    s->lower = lower;
    s->lower_dev = lower->root->inode->attr.dev;
    s->next_ino = FIRST_OWN_INO;
    mem_account_init(&s->account, bytes ? bytes : tmpfs_default_size(), 0);
    s->account.store = store;
    struct inode *i = ovl_get(sb, lower->root, lower->root->inode->attr.ino);
    *root = i ? dentry_alloc_root(i) : NULL;
    if (!*root) {
        sb_put(sb);
        return -LX_ENOMEM;
    }
    *out = sb;
    return 0;
}

static int overlay_mount(const struct fs_type *t, const char *source, const char *options,
                         struct super_block **out, struct dentry **root)
{
    static const char size_option[] = "upper_size=";
    struct mount *lower;
    char *rest;
    uint64_t bytes = 0;
    bool store = strncmp(options, "store,", 6) == 0;
    options += store ? 6 : 0;
    if (strncmp(options, size_option, sizeof(size_option) - 1) == 0) {
        bytes = strtoull(options + sizeof(size_option) - 1, &rest, 10);
        if (*rest != ',')
            return -LX_EINVAL;
        options = rest + 1;
    }
    int err = mount_lower(options, source, &lower);
    return err ? err : overlay_over(lower, bytes, store, out, root);
}

void overlay_init(void)
{
    static struct fs_type type = {
        .name = "overlay", .mount = overlay_mount, .guest_may_mount = true, .guest_mount = merge_mount};
    if (!fs_type_find("overlay"))
        fs_type_register(&type);
}
