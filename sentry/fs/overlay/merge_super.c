// Mounting a merge: options and checks of Linux's overlayfs (fs/overlayfs/params.c, super.c).
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/task/cred.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

static void free_super(struct merge_super *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        dentry_put(s->layers[i].dir);
        mount_put(s->layers[i].mnt);
    }
    dentry_put(s->work);
    cred_put(s->mounter);
    free(s->shown);
    free(s->upper_shown);
    free(s->work_shown);
    free(s);
}

static void put_super(struct super_block *sb)
{
    free_super(sb->priv);
}

// What would end a column of /proc/mounts is escaped. How much was put; 0 where it does not fit.
static size_t show(char *buf, size_t size, const char *key, const char *value)
{
    size_t n = strlen(key);
    if (n > size)
        return 0;
    memcpy(buf, key, n);
    for (const char *c = value; *c; c++) {
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

static size_t show_options(struct super_block *sb, char *buf, size_t size)
{
    const struct merge_super *s = sb->priv;
    size_t n = show(buf, size, ",lowerdir=", s->shown);
    if (s->has_upper) {
        n += show(buf + n, size - n, ",upperdir=", s->upper_shown);
        n += show(buf + n, size - n, ",workdir=", s->work_shown);
    }
    if (s->userxattr)
        n += show(buf + n, size - n, ",userxattr", "");
    return n;
}

const struct super_ops merge_super_ops = {.put_super = put_super, .show_options = show_options};

// Options that ask for what is the case.
static bool is_default(const char *option)
{
    static const char *const known[] = {
        "redirect_dir=off", "redirect_dir=nofollow", "index=off", "metacopy=off", "xino=off", "xino=auto",
        "xino=on",          "nfs_export=off",        "uuid=null", "uuid=off",     "uuid=auto"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(option, known[i]) == 0)
            return true;
    return false;
}

// The mount and directory of a layer, as the next one; checks of ovl_mount_dir_check and what our own mounts ask for.
static int add_place(struct merge_super *s, const struct path *p)
{
    struct super_block *sb = p->mnt->sb;
    if (s->count == MERGE_LAYERS_MAX + 1)
        return -LX_EINVAL;
    if (sb->ops == &merge_super_ops) {
        const struct merge_super *below = sb->priv;
        s->depth = below->depth + 1 > s->depth ? below->depth + 1 : s->depth;
    }
    // Filesystems of functions do not take part; nor what the caller's own namespace does not hold.
    if (!p->dentry->inode || !LX_S_ISDIR(p->dentry->inode->attr.mode) ||
        (sb->flags & (SB_SINGLE | SB_ANON)) || s->depth > MERGE_DEPTH_MAX || !mount_is_ours(p->mnt))
        return -LX_EINVAL;
    int err = mount_copy(p->mnt, p->dentry, COPY_PRIVATE, &s->layers[s->count].mnt);
    s->mount_flags |= p->mnt->locked_flags & (MNT_NOSUID | MNT_NODEV | MNT_NOEXEC);
    if (!err)
        s->layers[s->count++].dir = dentry_get(p->dentry);
    return err;
}

static int add_lower(struct merge_super *s, const char *name)
{
    struct path p;
    if (*name == 0)
        return -LX_EINVAL;
    int err = path_lookup(LX_AT_FDCWD, name, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    err = add_place(s, &p);
    path_put(&p);
    return err;
}

// Directories between colons, each of which a backslash hides (ovl_next_opt, ovl_split_lowerdirs).
static int add_lowers(struct merge_super *s, char *list)
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
        err = add_lower(s, name);
    }
    return err;
}

static bool within(const struct dentry *d, const struct dentry *top)
{
    while (d->inode != top->inode && d->parent != d)
        d = d->parent;
    return d->inode == top->inode;
}

// A lower layer in another one, or where things are made, would show files twice (ovl_check_overlapping_layers). The upper one may
// lie in a lower.
static int check_layers(const struct merge_super *s, const struct dentry *workdir)
{
    const unsigned first = s->has_upper ? 1 : 0;
    if (s->count < 2)
        return -LX_EINVAL;
    for (unsigned i = first; i < s->count; i++) {
        if (workdir && within(s->layers[i].dir, workdir))
            return -LX_ELOOP;
        for (unsigned k = 0; k < s->count; k++)
            if (i != k && within(s->layers[i].dir, s->layers[k].dir))
                return -LX_ELOOP;
    }
    return 0;
}

// workdir/work, empty, of our own: what an earlier mount left there goes (ovl_workdir_create).
static int make_work(struct merge_super *s, struct dentry *workdir)
{
    const struct raw_new new = {
        .mode = LX_S_IFDIR, .uid = merge_mounter_fsuid(s), .gid = merge_mounter_fsgid(s)};
    struct dentry *old = NULL;
    int err = merge_mounter_may(s, workdir->inode, MAY_WRITE | MAY_EXEC);
    if (!err)
        err = dentry_lookup(workdir, "work", 4, &old);
    if (!err && old->inode && LX_S_ISDIR(old->inode->attr.mode))
        err = merge_clear(s, old);
    if (!err && old->inode)
        err = vfs_remove_raw(old);
    dentry_put(old);
    return err ? err : vfs_make_raw(workdir, "work", &new, &s->work);
}

struct settings {
    char *lower, *upper, *work; // in the text of the options, but `lower`, which may be put together
    char *joined;
};

static int add_upper(struct merge_super *s, const struct settings *o, struct path *workdir)
{
    struct path upper;
    if (!o->work)
        return -LX_EINVAL;
    int err = path_lookup(LX_AT_FDCWD, o->upper, LOOKUP_FOLLOW, &upper);
    if (err)
        return err;
    err = path_lookup(LX_AT_FDCWD, o->work, LOOKUP_FOLLOW, workdir);
    if (!err) {
        const struct inode *dir = upper.dentry->inode;
        bool apart = !within(upper.dentry, workdir->dentry) && !within(workdir->dentry, upper.dentry);
        if (upper.mnt != workdir->mnt || !apart || !LX_S_ISDIR(workdir->dentry->inode->attr.mode) ||
            (upper.mnt->flags & MNT_RDONLY) || (upper.mnt->sb->flags & SB_RDONLY) ||
            upper.mnt->sb->ops == &merge_super_ops || !dir->ops->create || !dir->ops->rename)
            err = -LX_EINVAL;
        else
            err = add_place(s, &upper);
        s->has_upper = !err;
    }
    path_put(&upper);
    return err;
}

// One lower directory after the other, as fsconfig(2) gives them.
static int add_to_list(struct settings *o, const char *name, size_t size)
{
    if (!o->joined && !(o->joined = calloc(1, size)))
        return -LX_ENOMEM;
    if (*o->joined)
        strcat(o->joined, ":");
    strcat(o->joined, name); // together no longer than the options
    o->lower = o->joined;
    return 0;
}

static int take_options(struct merge_super *s, char *options, struct settings *o)
{
    const size_t size = strlen(options) + 1;
    char *one;
    int err = 0;
    while (!err && (one = strsep(&options, ",")) != NULL) {
        if (strncmp(one, "lowerdir=", 9) == 0)
            o->lower = one + 9;
        else if (strncmp(one, "upperdir=", 9) == 0)
            o->upper = one + 9;
        else if (strncmp(one, "workdir=", 8) == 0)
            o->work = one + 8;
        else if (strcmp(one, "userxattr") == 0)
            s->userxattr = true;
        else if (strncmp(one, "lowerdir+=", 10) == 0)
            err = add_to_list(o, one + 10, size);
        else if (*one && !is_default(one))
            err = -LX_EINVAL;
    }
    return err ? err : o->lower ? 0 : -LX_EINVAL;
}

static int parse(struct merge_super *s, char *options)
{
    struct settings o = {.lower = NULL};
    struct path workdir = {NULL, NULL};
    int err = take_options(s, options, &o);
    if (!err) {
        s->shown = strdup(o.lower);
        s->upper_shown = strdup(o.upper ? o.upper : "");
        s->work_shown = strdup(o.work ? o.work : "");
        err = s->shown && s->upper_shown && s->work_shown ? 0 : -LX_ENOMEM;
    }
    s->no_xattrs = !s->userxattr && s->mounter->user_ns != &init_user_ns;
    if (!err && o.upper)
        err = add_upper(s, &o, &workdir);
    if (!err)
        err = add_lowers(s, o.lower);
    if (!err)
        err = check_layers(s, workdir.dentry);
    if (!err && o.upper)
        err = make_work(s, workdir.dentry);
    if (workdir.dentry)
        path_put(&workdir);
    free(o.joined);
    return err;
}

static int make_super(struct merge_super *s, struct super_block **out, struct dentry **root)
{
    struct merge_part parts[MERGE_LAYERS_MAX + 1];
    struct super_block *sb = sb_alloc("overlay", &merge_super_ops, s);
    if (!sb) {
        free_super(s);
        return -LX_ENOMEM;
    }
    sb->flags |= SB_ACL | (s->has_upper ? 0 : SB_RDONLY | SB_ALWAYS_RDONLY) |
                 (s->mounter->user_ns != &init_user_ns ? SB_NODEV : 0);
    sb->mount_flags = s->mount_flags;
    for (unsigned i = 0; i < s->count; i++)
        parts[i] = (struct merge_part){i, dentry_get(s->layers[i].dir)};
    struct inode *i = merge_inode(sb, parts, s->count, NULL, "");
    *root = i ? dentry_alloc_root(i) : NULL;
    if (!*root) {
        sb_put(sb);
        return -LX_ENOMEM;
    }
    *out = sb;
    return 0;
}

int merge_mount(const struct fs_type *t, const char *source, const char *options, struct super_block **sb,
                struct dentry **root)
{
    (void)t;
    (void)source;
    struct merge_super *s = calloc(1, sizeof(*s));
    char *copy = strdup(options);
    int err = s && copy ? 0 : -LX_ENOMEM;
    if (!err) {
        s->depth = 1;
        s->mounter = cred_get(current->cred);
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
