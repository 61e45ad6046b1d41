// Mounting at boot, when no permission is asked and missing mount points are made.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <stdio.h>
#include <string.h>

#define MOUNTPOINT_LINKS 40

// Makes a missing component: a directory, or the file at the end that is to be covered.
static int make_component(struct inode *dir, struct dentry *child, bool directory)
{
    vfs_mutex_lock(&dir->lock);
    int err;
    if (directory)
        err = dir->ops->mkdir ? dir->ops->mkdir(dir, child, 0755, 0, 0) : -LX_EROFS;
    else
        err = dir->ops->create ? dir->ops->create(dir, child, 0644, 0, 0, true) : -LX_EROFS;
    dir->dir_seq++;
    vfs_mutex_unlock(&dir->lock);
    return err;
}

static void go_up(struct path *at)
{
    while (at->dentry == at->mnt->root && path_follow_up(at))
        ;
    struct dentry *parent = dentry_get(at->dentry->parent);
    dentry_put(at->dentry);
    at->dentry = parent;
    path_follow_mounts(at);
}

static void go_to_root(struct path *at, const struct path *root)
{
    struct path start = *root;
    path_get(&start);
    path_put(at);
    *at = start;
    path_follow_mounts(at);
}

// A link at `child`: what it says comes before what is left to walk. 0, or -LX_ENAMETOOLONG and the like.
static int splice_link(const struct path *root, struct path *at, struct dentry *child, const char *left,
                       char *rest)
{
    char text[VFS_PATH_MAX];
    struct path link = {at->mnt, child};
    int64_t n = vfs_readlink(&link, text, sizeof(text) - 1);
    if (n < 0)
        return (int)n;
    size_t more = strlen(left);
    if ((size_t)n + more + 2 > VFS_PATH_MAX)
        return -LX_ENAMETOOLONG;
    memmove(rest + n + 1, left, more + 1); // `left` is the end of `rest`
    memcpy(rest, text, (size_t)n);
    rest[n] = '/';
    if (text[0] == '/')
        go_to_root(at, root);
    return 0;
}

// Walks `dest` below root through mounts and symlinks that stay inside, making what is missing, also where a link leads to.
int vfs_make_mountpoint(const struct path *root, const char *dest, bool directory, struct path *out)
{
    char rest[VFS_PATH_MAX];
    struct path at = *root;
    unsigned links = 0;
    int err = strlen(dest) < sizeof(rest) ? 0 : -LX_ENAMETOOLONG;
    path_get(&at);
    path_follow_mounts(&at);
    snprintf(rest, sizeof(rest), "%s", dest);
    for (char *word = rest; !err;) {
        while (*word == '/')
            word++;
        size_t len = strcspn(word, "/");
        const char *next = word + len;
        while (*next == '/')
            next++;
        if (!len)
            break;
        bool dots = word[0] == '.' && (len == 1 || (len == 2 && word[1] == '.'));
        if (dots) {
            if (len == 2)
                go_up(&at);
            word += len;
            continue;
        }
        struct dentry *child;
        err = dentry_is_dir(at.dentry) ? dentry_lookup(at.dentry, word, len, &child) : -LX_ENOTDIR;
        if (err)
            break;
        if (!child->inode)
            err = make_component(at.dentry->inode, child, *next || directory);
        if (!err && LX_S_ISLNK(child->inode->attr.mode)) {
            err = ++links > MOUNTPOINT_LINKS ? -LX_ELOOP : splice_link(root, &at, child, next, rest);
            dentry_put(child);
            word = rest;
            continue;
        }
        if (err) {
            dentry_put(child);
            break;
        }
        dentry_put(at.dentry);
        at.dentry = child;
        path_follow_mounts(&at);
        word += len;
    }
    if (err)
        path_put(&at);
    else
        *out = at;
    return err;
}

struct first_entry {
    struct dir_context ctx;
    bool found;
};

static bool note_entry(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                       unsigned type)
{
    if (dir_is_dot(name, len)) {
        ctx->pos = next_pos;
        return true;
    }
    container_of(ctx, struct first_entry, ctx)->found = true;
    return false;
}

// Would the mount hide something? What cannot be looked into counts as full.
static bool holds_something(const struct path *at)
{
    struct inode *i = at->dentry->inode;
    if (!dentry_is_dir(at->dentry))
        return i->attr.size != 0;
    struct file *f;
    if (vfs_open_raw(at, LX_O_RDONLY, &f))
        return true;
    struct first_entry e = {.ctx = {.emit = note_entry}};
    bool empty = f->ops && f->ops->iterate && f->ops->iterate(f, &e.ctx) == 0 && !e.found;
    file_put(f);
    return !empty;
}

int vfs_mount_at(const struct path *root, const char *fstype, const char *source, const char *options,
                 uint32_t flags, const char *dest)
{
    struct fs_type *t = fs_type_find(fstype);
    if (!t)
        return -LX_ENODEV;
    struct super_block *sb;
    struct dentry *top;
    int err = t->mount(t, source, options, &sb, &top);
    if (err)
        return err;
    struct path at = {NULL, NULL};
    struct mount *m = mount_alloc(sb, top, mount_with_atime(flags));
    err = m ? vfs_make_mountpoint(root, dest, dentry_is_dir(top), &at) : -LX_ENOMEM;
    if (err == 0) {
        m->locked = true;
        m->hides = holds_something(&at);
        m->locked_flags = flags;
        err = mount_attach(m, &at);
    }
    if (err)
        mount_put(m);
    path_put(&at);
    dentry_put(top);
    sb_put(sb);
    return err;
}
