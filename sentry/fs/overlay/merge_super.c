// Mounting a merge: options and checks of Linux's overlayfs (fs/overlayfs/params.c, super.c).
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

static void free_super(struct merge_super *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        dentry_put(s->layers[i].dir);
        mount_put(s->layers[i].mnt);
    }
    free(s->shown);
    free(s);
}

static void put_super(struct super_block *sb)
{
    free_super(sb->priv);
}

// What would end a column of /proc/mounts is escaped.
static size_t show_options(struct super_block *sb, char *buf, size_t size)
{
    const struct merge_super *s = sb->priv;
    static const char key[] = ",lowerdir=";
    size_t n = sizeof(key) - 1;
    memcpy(buf, key, n);
    for (const char *c = s->shown; *c; c++) {
        if (n + 4 > size)
            return 0;
        if (*c != ' ' && *c != '\t' && *c != '\n') {
            buf[n++] = *c;
            continue;
        }
        buf[n++] = '\\';
        buf[n++] = '0';
        buf[n++] = (char)('0' + (*c >> 3));
        buf[n++] = (char)('0' + (*c & 7));
    }
    return n;
}

const struct super_ops merge_super_ops = {.put_super = put_super, .show_options = show_options};

// Options that ask for what is the case, or that mean nothing without an upper directory.
static bool is_default(const char *option)
{
    static const char *const known[] = {
        "redirect_dir=off", "redirect_dir=nofollow", "index=off", "metacopy=off", "xino=off",
        "xino=auto",        "nfs_export=off",        "uuid=null", "uuid=off"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(option, known[i]) == 0)
            return true;
    return false;
}

static int add_layer(struct merge_super *s, const char *name)
{
    struct path p;
    if (s->count == MERGE_LAYERS_MAX || *name == 0)
        return -LX_EINVAL;
    int err = path_lookup(LX_AT_FDCWD, name, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    struct super_block *sb = p.mnt->sb;
    if (sb->ops == &merge_super_ops) {
        const struct merge_super *below = sb->priv;
        s->depth = below->depth + 1 > s->depth ? below->depth + 1 : s->depth;
    }
    // Filesystems of functions do not take part; nor what the caller's own namespace does not hold.
    if (!p.dentry->inode || !LX_S_ISDIR(p.dentry->inode->attr.mode) || (sb->flags & (SB_SINGLE | SB_ANON)) ||
        s->depth > MERGE_DEPTH_MAX || !mount_is_ours(p.mnt))
        err = -LX_EINVAL;
    if (!err)
        err = mount_copy(p.mnt, p.dentry, COPY_PRIVATE, &s->layers[s->count].mnt);
    s->mount_flags |= p.mnt->locked_flags & (MNT_NOSUID | MNT_NODEV | MNT_NOEXEC);
    if (!err)
        s->layers[s->count++].dir = dentry_get(p.dentry);
    path_put(&p);
    return err;
}

// Directories between colons, each of which a backslash hides (ovl_next_opt, ovl_split_lowerdirs).
static int add_layers(struct merge_super *s, char *list)
{
    int err = 0;
    for (bool more = true; more && !err;) {
        char *name = list, *to = list;
        while (*list && *list != ':') {
            if (*list == '\\' && list[1])
                list++;
            *to++ = *list++;
        }
        more = *list == ':';
        list++;
        *to = 0;
        err = add_layer(s, name);
    }
    return err;
}

static bool within(const struct dentry *d, const struct dentry *top)
{
    while (d->inode != top->inode && d->parent != d)
        d = d->parent;
    return d->inode == top->inode;
}

// A layer in another would show files twice (ovl_check_overlapping_layers).
static int check_layers(const struct merge_super *s)
{
    if (s->count < 2)
        return -LX_EINVAL;
    for (unsigned i = 0; i < s->count; i++)
        for (unsigned k = 0; k < s->count; k++)
            if (i != k && within(s->layers[i].dir, s->layers[k].dir))
                return -LX_ELOOP;
    return 0;
}

static int parse(struct merge_super *s, char *options)
{
    char *one, *lower = NULL;
    while ((one = strsep(&options, ",")) != NULL) {
        if (strncmp(one, "lowerdir=", 9) == 0)
            lower = one + 9;
        else if (*one && !is_default(one))
            return -LX_EINVAL; // upperdir and workdir too
    }
    if (!lower)
        return -LX_EINVAL;
    s->shown = strdup(lower);
    if (!s->shown)
        return -LX_ENOMEM;
    int err = add_layers(s, lower);
    return err ? err : check_layers(s);
}

static int make_super(struct merge_super *s, struct super_block **out, struct dentry **root)
{
    struct merge_part parts[MERGE_LAYERS_MAX];
    struct super_block *sb = sb_alloc("overlay", &merge_super_ops, s);
    if (!sb) {
        free_super(s);
        return -LX_ENOMEM;
    }
    sb->flags |= SB_RDONLY | SB_ALWAYS_RDONLY;
    sb->mount_flags = s->mount_flags;
    for (unsigned i = 0; i < s->count; i++)
        parts[i] = (struct merge_part){i, dentry_get(s->layers[i].dir)};
    struct inode *i = merge_inode(sb, parts, s->count, 0);
    *root = i ? dentry_alloc_root(i) : NULL;
    if (!*root) {
        sb_put(sb);
        return -LX_ENOMEM;
    }
    merge_node(i)->parent_ino = i->attr.ino;
    *out = sb;
    return 0;
}

int merge_mount(const struct fs_type *t, const char *source, const char *options, struct super_block **sb,
                struct dentry **root)
{
    (void)t;
    (void)source;
    if (current->cred->user_ns != &init_user_ns)
        return -LX_EPERM; // the layers are read without asking who mounted them
    struct merge_super *s = calloc(1, sizeof(*s));
    char *copy = strdup(options);
    int err = s && copy ? 0 : -LX_ENOMEM;
    if (!err) {
        s->depth = 1;
        err = parse(s, copy);
    }
    free(copy);
    if (err) {
        if (s)
            free_super(s);
        return err;
    }
    return make_super(s, sb, root);
}
