// Resolving names for the rest of the kernel.
#include "sentry/vfs/walk.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include <stdlib.h>

static int resolve(struct walk *w, struct path *out)
{
    bool must_be_dir = w->flags & LOOKUP_DIRECTORY;
    for (;;) {
        int err = walk_parent(w);
        if (err)
            return err;
        must_be_dir |= w->slash;
        if (w->type == LAST_DOTDOT)
            err = walk_dotdot(w);
        else if (w->type == LAST_NORM) {
            struct dentry *d;
            err = walk_last(w, &d);
            if (err)
                return err;
            if (!d->inode) {
                dentry_put(d);
                return -LX_ENOENT;
            }
            if (LX_S_ISLNK(d->inode->attr.mode) && ((w->flags & LOOKUP_FOLLOW) || w->slash)) {
                err = walk_follow(w, d);
                dentry_put(d);
                if (err)
                    return err;
                continue;
            }
            err = walk_step(w, d);
        }
        if (err)
            return err;
        break;
    }
    if (must_be_dir && !dentry_is_dir(w->at.dentry))
        return -LX_ENOTDIR;
    *out = w->at;
    path_get(out);
    return 0;
}

int path_lookup(int dirfd, const char *name, unsigned flags, struct path *out)
{
    struct walk w;
    int err = walk_begin(&w, dirfd, name, flags);
    if (err == 0)
        err = resolve(&w, out);
    walk_end(&w);
    return err;
}

int path_lookup_from(const struct path *start, const char *name, unsigned flags, struct path *out)
{
    struct walk w;
    int err = walk_begin_at(&w, start, name, flags);
    if (err == 0)
        err = resolve(&w, out);
    walk_end(&w);
    return err;
}

int path_parent(int dirfd, const char *name, unsigned flags, struct path *parent, char *last,
                enum last_type *type, bool *slash)
{
    struct walk w;
    int err = walk_begin(&w, dirfd, name, flags);
    if (err == 0)
        err = walk_parent(&w);
    if (err == 0) {
        *parent = w.at;
        path_get(parent);
        memcpy(last, w.name, w.len + 1);
        *type = w.type;
        *slash = w.slash;
    }
    walk_end(&w);
    return err;
}

int64_t vfs_readlink(const struct path *p, char *buf, size_t size)
{
    struct inode *i = p->dentry->inode;
    if (!LX_S_ISLNK(i->attr.mode) || !i->ops->readlink)
        return -LX_EINVAL;
    return i->ops->readlink(i, buf, size);
}
