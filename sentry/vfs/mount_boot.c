// Mounting at boot, when no permission is asked and missing mount points are made.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"

// Walks `dest` below root through mounts and symlinks that stay inside, making what is missing.
int vfs_make_mountpoint(const struct path *root, const char *dest, bool directory, struct path *out)
{
    struct path at = *root;
    path_get(&at);
    path_follow_mounts(&at);
    while (*dest == '/')
        dest++;
    while (*dest) {
        size_t len = strcspn(dest, "/");
        const char *next = dest + len;
        while (*next == '/')
            next++;
        struct dentry *child;
        int err = dentry_lookup(at.dentry, dest, len, &child);
        if (err == 0 && !child->inode) {
            struct inode *dir = at.dentry->inode;
            vfs_mutex_lock(&dir->lock);
            if (*next || directory)
                err = dir->ops->mkdir ? dir->ops->mkdir(dir, child, 0755, 0, 0) : -LX_EROFS;
            else
                err = dir->ops->create ? dir->ops->create(dir, child, 0644, 0, 0, true) : -LX_EROFS;
            dir->dir_seq++;
            vfs_mutex_unlock(&dir->lock);
            if (err)
                dentry_put(child);
        }
        if (err == 0 && child->inode && LX_S_ISLNK(child->inode->attr.mode)) {
            struct path link_start = at, target;
            char name[VFS_NAME_MAX + 1];
            memcpy(name, dest, len);
            name[len] = 0;
            err = path_lookup_from(&link_start, name, LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &target);
            dentry_put(child);
            if (err == 0) {
                path_put(&at);
                at = target;
                dest = next;
                continue;
            }
        }
        if (err) {
            path_put(&at);
            return err;
        }
        dentry_put(at.dentry);
        at.dentry = child;
        path_follow_mounts(&at);
        dest = next;
    }
    *out = at;
    return 0;
}

struct first_entry {
    struct dir_context ctx;
    bool found;
};

static bool note_entry(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                       unsigned type)
{
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))) {
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
