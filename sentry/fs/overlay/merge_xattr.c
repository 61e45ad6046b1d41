// Extended attributes of a merge: the layer's, but that those of overlays have a name of their own in it. What a guest sets as
// trusted.overlay.NAME through a merge is trusted.overlay.overlay.NAME in the upper layer (ovl_own_xattr of Linux).
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/vfs/acl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE "overlay."

static const char *prefix_of(const struct merge_super *s)
{
    return s->userxattr ? "user.overlay." : "trusted.overlay.";
}

static bool is_private(const struct merge_super *s, const char *name)
{
    return strncmp(name, prefix_of(s), strlen(prefix_of(s))) == 0;
}

// How the layer calls it.
static int real_name(const struct merge_super *s, const char *name, char real[LX_XATTR_NAME_MAX + 1])
{
    const char *prefix = prefix_of(s);
    int n = is_private(s, name)
                ? snprintf(real, LX_XATTR_NAME_MAX + 1, "%s" ESCAPE "%s", prefix, name + strlen(prefix))
                : snprintf(real, LX_XATTR_NAME_MAX + 1, "%s", name);
    return n > LX_XATTR_NAME_MAX ? -LX_ERANGE : 0;
}

int64_t merge_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
    char real[LX_XATTR_NAME_MAX + 1];
    int err = real_name(merge_super(i), name, real);
    if (err)
        return err;
    struct dentry *top = dentry_get(merge_top_dentry(i));
    struct inode *below = top->inode;
    int64_t n = below->ops->getxattr ? below->ops->getxattr(below, real, value, size) : -LX_EOPNOTSUPP;
    dentry_put(top);
    return n;
}

// Calls `each` for every name that the layer has. 0, what `each` returned, or -errno.
static int for_each_name(struct inode *real, int (*each)(void *context, const char *name), void *context)
{
    char *all = real->ops->listxattr ? malloc(LX_XATTR_LIST_MAX + 1) : NULL;
    if (!all)
        return real->ops->listxattr ? -LX_ENOMEM : -LX_EOPNOTSUPP;
    int64_t n = real->ops->listxattr(real, all, LX_XATTR_LIST_MAX);
    int err = n < 0 ? (int)n : 0;
    all[n > 0 ? n : 0] = 0;
    for (int64_t at = 0; !err && at < n; at += (int64_t)strlen(all + at) + 1)
        err = each(context, all + at);
    free(all);
    return err;
}

struct names {
    const struct merge_super *s;
    char *list;
    size_t size, used;
};

static int list_name(void *context, const char *name)
{
    struct names *k = context;
    const char *prefix = prefix_of(k->s), *rest = name;
    if (is_private(k->s, name)) {
        rest = name + strlen(prefix);
        if (strncmp(rest, ESCAPE, sizeof(ESCAPE) - 1) != 0)
            return 0;
        rest += sizeof(ESCAPE) - 1;
    } else {
        prefix = "";
    }
    size_t len = strlen(prefix) + strlen(rest) + 1;
    if (k->size) {
        if (k->used + len > k->size)
            return -LX_ERANGE;
        strcpy(stpcpy(k->list + k->used, prefix), rest);
    }
    k->used += len;
    return 0;
}

int64_t merge_listxattr(struct inode *i, char *list, size_t size)
{
    struct names k = {.s = merge_super(i), .list = list, .size = size};
    struct dentry *top = dentry_get(merge_top_dentry(i));
    int err = for_each_name(top->inode, list_name, &k);
    dentry_put(top);
    return err ? err : (int64_t)k.used;
}

int merge_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
    char real[LX_XATTR_NAME_MAX + 1];
    int err = real_name(merge_super(i), name, real);
    if (!err)
        err = merge_copy_up(i, UINT64_MAX);
    if (err)
        return err;
    struct inode *top = merge_top(i);
    err = top->ops->setxattr ? top->ops->setxattr(top, real, value, size, flags) : -LX_EOPNOTSUPP;
    if (!err)
        acl_note(top, real, value, size);
    return err ? err : merge_getattr(i);
}

int merge_removexattr(struct inode *i, const char *name)
{
    char real[LX_XATTR_NAME_MAX + 1];
    int err = real_name(merge_super(i), name, real);
    // What is not there needs no copy to be removed from.
    if (!err && !merge_in_upper(i)) {
        int64_t n = merge_getxattr(i, name, NULL, 0);
        err = n < 0 ? (int)n : 0;
    }
    if (!err)
        err = merge_copy_up(i, UINT64_MAX);
    if (err)
        return err;
    struct inode *top = merge_top(i);
    err = top->ops->removexattr ? top->ops->removexattr(top, real) : -LX_EOPNOTSUPP;
    if (!err)
        acl_note(top, real, NULL, 0);
    return err ? err : merge_getattr(i);
}

bool merge_is_opaque(const struct merge_super *s, struct inode *real)
{
    char value, name[32];
    if (s->no_xattrs || !real->ops->getxattr)
        return false;
    snprintf(name, sizeof(name), "%sopaque", prefix_of(s));
    return real->ops->getxattr(real, name, &value, 1) == 1 && value == 'y';
}

int merge_set_opaque(const struct merge_super *s, struct inode *real)
{
    char name[32];
    if (s->no_xattrs || !real->ops->setxattr)
        return -LX_EIO;
    snprintf(name, sizeof(name), "%sopaque", prefix_of(s));
    return real->ops->setxattr(real, name, "y", 1, 0);
}

struct copying {
    const struct merge_super *s;
    struct inode *from, *to;
    void *value;
};

// What the upper filesystem does not keep is left out where the attribute says nothing about access.
static int copy_one(void *context, const char *name)
{
    struct copying *k = context;
    if (is_private(k->s, name))
        return 0;
    int64_t n = k->from->ops->getxattr(k->from, name, k->value, LX_XATTR_SIZE_MAX);
    if (n < 0)
        return n == -LX_ENODATA ? 0 : (int)n;
    int err =
        k->to->ops->setxattr ? k->to->ops->setxattr(k->to, name, k->value, (size_t)n, 0) : -LX_EOPNOTSUPP;
    if (!err)
        acl_note(k->to, name, k->value, (size_t)n);
    return err == -LX_EOPNOTSUPP && !acl_is_name(name) ? 0 : err;
}

int merge_copy_xattrs(const struct merge_super *s, struct inode *from, struct inode *to)
{
    struct copying k = {.s = s, .from = from, .to = to, .value = malloc(LX_XATTR_SIZE_MAX)};
    int err = !k.value ? -LX_ENOMEM : from->ops->getxattr ? for_each_name(from, copy_one, &k) : 0;
    free(k.value);
    return err == -LX_EOPNOTSUPP && !from->acls ? 0 : err;
}

void merge_note_acls(struct inode *i)
{
    static const char *const names[] = {ACL_NAME_ACCESS, ACL_NAME_DEFAULT};
    struct inode *real = merge_top(i);
    if (!real->acls || !real->ops->getxattr)
        return;
    void *value = malloc(LX_XATTR_SIZE_MAX);
    for (int k = 0; value && k < 2; k++) {
        int64_t n = real->ops->getxattr(real, names[k], value, LX_XATTR_SIZE_MAX);
        if (n > 0)
            acl_note(i, names[k], value, (size_t)n);
    }
    free(value);
}
