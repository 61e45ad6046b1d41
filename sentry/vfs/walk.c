// The path walk: components, "..", symlinks, magic links, mounts, and the limits openat2(2) can ask for.
#include "sentry/vfs/walk.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include <stdlib.h>

static __thread const char *rest_hint = "";

const char *walk_rest(void)
{
    return rest_hint;
}
void walk_rest_set(const char *rest)
{
    rest_hint = rest;
}

static bool same_place(const struct path *a, const struct path *b)
{
    return a->mnt == b->mnt && a->dentry == b->dentry;
}

static int begin(struct walk *w, const char *name, unsigned flags)
{
    w->flags = flags;
    w->links = 0;
    w->stack[0].text = NULL;
    w->stack[0].pos = name;
    w->depth = 1;
    if (strlen(name) >= VFS_PATH_MAX)
        return -LX_ENAMETOOLONG;
    if (*name == 0 && !(flags & LOOKUP_EMPTY))
        return -LX_ENOENT;
    return 0;
}

// The walk has its start in w->at; fixes the root, and moves there for an absolute name.
static int begin_root(struct walk *w, const char *name)
{
    if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
        w->root = w->at;
    else if (current)
        w->root = current->fs->root;
    else
        w->root = w->at;
    path_get(&w->root);
    if (*name != '/')
        return 0;
    if (w->flags & LOOKUP_BENEATH)
        return -LX_EXDEV;
    path_put(&w->at);
    w->at = w->root;
    path_get(&w->at);
    return 0;
}

int walk_begin_at(struct walk *w, const struct path *start, const char *name, unsigned flags)
{
    w->at = *start;
    path_get(&w->at);
    w->root = (struct path){NULL, NULL};
    int err = begin(w, name, flags);
    return err ? err : begin_root(w, name);
}

int walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags)
{
    w->at = w->root = (struct path){NULL, NULL};
    int err = begin(w, name, flags);
    if (err)
        return err;
    if (!current)
        return -LX_ENOENT;
    if (*name == '/' && !(flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))) {
        w->at = w->root = current->fs->root;
        path_get(&w->at);
        path_get(&w->root);
        return 0;
    }
    if (dirfd == LX_AT_FDCWD) {
        w->at = current->fs->pwd;
    } else {
        struct file *f = fd_lookup_path(current->files, dirfd);
        if (!f)
            return -LX_EBADF;
        w->at = f->path;
        if (*name && !dentry_is_dir(w->at.dentry)) {
            w->at = (struct path){NULL, NULL};
            return -LX_ENOTDIR;
        }
    }
    path_get(&w->at);
    return begin_root(w, name);
}

void walk_end(struct walk *w)
{
    for (unsigned i = 0; i < w->depth; i++)
        free(w->stack[i].text);
    w->depth = 0;
    path_put(&w->at);
    path_put(&w->root);
}

int walk_dotdot(struct walk *w)
{
    if (same_place(&w->at, &w->root))
        return w->flags & LOOKUP_BENEATH ? -LX_EXDEV : 0;
    while (w->at.dentry == w->at.mnt->root) {
        if (!w->at.mnt->parent)
            return 0;
        if (w->flags & LOOKUP_NO_XDEV)
            return -LX_EXDEV;
        path_follow_up(&w->at);
        if (same_place(&w->at, &w->root))
            return 0;
    }
    struct dentry *parent = dentry_get(w->at.dentry->parent);
    dentry_put(w->at.dentry);
    w->at.dentry = parent;
    path_follow_mounts(&w->at);
    return 0;
}

int walk_step(struct walk *w, struct dentry *d)
{
    dentry_put(w->at.dentry);
    w->at.dentry = d;
    if (!d->mounts)
        return 0;
    struct mount *before = w->at.mnt;
    path_follow_mounts(&w->at);
    return w->at.mnt != before && (w->flags & LOOKUP_NO_XDEV) ? -LX_EXDEV : 0;
}

int walk_last(struct walk *w, struct dentry **out)
{
    struct dentry *parent = w->at.dentry;
    if (parent->inode->dead)
        return -LX_ENOENT;
    return dentry_lookup(parent, w->name, w->len, out);
}

// A magic link leads to a place, not to a text.
static int follow_magic(struct walk *w, struct inode *i)
{
    if (w->flags & (LOOKUP_NO_MAGICLINKS | LOOKUP_NO_SYMLINKS))
        return -LX_ELOOP;
    struct path to;
    int err = i->ops->get_link(i, &to);
    if (err)
        return err;
    if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT) ||
        ((w->flags & LOOKUP_NO_XDEV) && to.mnt != w->at.mnt)) {
        path_put(&to);
        return -LX_EXDEV;
    }
    path_put(&w->at);
    w->at = to;
    return 0;
}

int walk_follow(struct walk *w, struct dentry *link)
{
    struct inode *i = link->inode;
    if (++w->links > VFS_SYMLINKS_MAX || (w->flags & LOOKUP_NO_SYMLINKS))
        return -LX_ELOOP;
    if (w->at.mnt->flags & MNT_NOSYMFOLLOW)
        return -LX_ELOOP;
    if (i->ops->get_link)
        return follow_magic(w, i);
    if (!i->ops->readlink)
        return -LX_EINVAL;
    // Finished frames go, so that a long chain needs no deep stack.
    while (w->depth > 1 && *w->stack[w->depth - 1].pos == 0)
        free(w->stack[--w->depth].text);
    char *text = malloc(VFS_PATH_MAX);
    if (!text)
        return -LX_ENOMEM;
    inode_get(i);
    int64_t n = i->ops->readlink(i, text, VFS_PATH_MAX - 1);
    inode_put(i);
    if (n <= 0 || n >= VFS_PATH_MAX) {
        free(text);
        return n < 0 ? (int)n : -LX_ENOENT;
    }
    text[n] = 0;
    char *tight = realloc(text, (size_t)n + 1);
    w->stack[w->depth].text = tight ? tight : text;
    w->stack[w->depth].pos = w->stack[w->depth].text;
    w->depth++;
    if (*w->stack[w->depth - 1].pos != '/')
        return 0;
    if (w->flags & LOOKUP_BENEATH)
        return -LX_EXDEV;
    if ((w->flags & LOOKUP_NO_XDEV) && w->root.mnt != w->at.mnt)
        return -LX_EXDEV;
    path_put(&w->at);
    w->at = w->root;
    path_get(&w->at);
    return 0;
}

// Takes the next component off the stack into w->name. False when there is none.
static bool next_component(struct walk *w, int *err)
{
    *err = 0;
    for (unsigned top = w->depth; top-- > 0;) {
        const char *p = w->stack[top].pos;
        while (*p == '/')
            p++;
        if (*p == 0 && top > 0) {
            // A slash left behind in a finished frame still asks for a directory: leave it for is_last().
            continue;
        }
        if (*p == 0)
            return false;
        while (w->depth > top + 1)
            free(w->stack[--w->depth].text);
        size_t len = strcspn(p, "/");
        w->stack[top].pos = p + len;
        w->len = len;
        if (len > VFS_NAME_MAX) {
            *err = -LX_ENAMETOOLONG;
            return true;
        }
        memcpy(w->name, p, len);
        w->name[len] = 0;
        w->type = LAST_NORM;
        if (len == 1 && p[0] == '.')
            w->type = LAST_DOT;
        else if (len == 2 && p[0] == '.' && p[1] == '.')
            w->type = LAST_DOTDOT;
        return true;
    }
    return false;
}

static bool is_last(struct walk *w, const char **rest)
{
    w->slash = false;
    *rest = "";
    for (unsigned top = w->depth; top-- > 0;) {
        const char *p = w->stack[top].pos;
        if (*p == '/')
            w->slash = true;
        while (*p == '/')
            p++;
        if (*p) {
            if (top + 1 == w->depth)
                *rest = p;
            return false;
        }
    }
    return true;
}

static int lookup_step(struct walk *w)
{
    struct dentry *d;
    int err = walk_last(w, &d);
    if (err)
        return err;
    if (!d->inode) {
        dentry_put(d);
        return -LX_ENOENT;
    }
    if (LX_S_ISLNK(d->inode->attr.mode)) {
        err = walk_follow(w, d);
        dentry_put(d);
        return err;
    }
    return walk_step(w, d);
}

int walk_parent(struct walk *w)
{
    w->type = LAST_ROOT;
    w->slash = false;
    w->len = 0;
    w->name[0] = 0;
    for (;;) {
        int err;
        if (!next_component(w, &err)) {
            w->type = LAST_ROOT;
            return 0;
        }
        struct inode *dir = w->at.dentry->inode;
        if (!LX_S_ISDIR(dir->attr.mode))
            return -LX_ENOTDIR;
        int denied = inode_permission(dir, MAY_EXEC);
        if (denied || err)
            return denied ? denied : err;
        const char *rest;
        if (is_last(w, &rest))
            return 0;
        if (w->type == LAST_DOT)
            continue;
        if (w->type == LAST_DOTDOT) {
            err = walk_dotdot(w);
        } else {
            walk_rest_set(rest);
            err = lookup_step(w);
            walk_rest_set("");
        }
        if (err)
            return err;
    }
}
