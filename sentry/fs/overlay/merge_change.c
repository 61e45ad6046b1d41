// Changes of names in a merge (fs/overlayfs/dir.c of Linux). The VFS holds the directory's lock. A name that a lower layer has is
// hidden by a whiteout when it goes; a directory in its place is opaque.
#include "sentry/fs/overlay/merge.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include <string.h>

// The directory has a place in the upper layer in which the mounter may make and remove names.
static int begin(struct inode *dir)
{
    int err = merge_copy_up(dir, UINT64_MAX);
    return err ? err : merge_mounter_may(merge_super(dir), merge_top(dir), MAY_WRITE | MAY_EXEC);
}

static void end(struct inode *dir)
{
    if (merge_in_upper(dir))
        (void)merge_getattr(dir);
}

// The name in the upper directory, a whiteout too: a reference, or NULL and 0 where it has none.
static int in_upper(const struct inode *dir, const char *name, struct dentry **out)
{
    *out = NULL;
    int err = dentry_lookup(merge_top_dentry(dir), name, strlen(name), out);
    if (!err && !(*out)->inode) {
        dentry_put(*out);
        *out = NULL;
    }
    return err;
}

static void remove_and_put(struct dentry *d)
{
    (void)vfs_remove_raw(d);
    dentry_put(d);
}

// A name in the work directory that something was exchanged for goes.
static void remove_temporary(const struct merge_super *s, const char *name)
{
    struct dentry *d;
    if (dentry_lookup(s->work, name, strlen(name), &d))
        return;
    if (d->inode && LX_S_ISDIR(d->inode->attr.mode))
        (void)merge_clear(s, d);
    if (d->inode)
        (void)vfs_remove_raw(d);
    dentry_put(d);
}

static int make_over(struct inode *dir, const char *name, const struct raw_new *new, struct dentry **out)
{
    struct merge_super *s = merge_super(dir);
    char temporary[24];
    merge_temporary_name(s, temporary);
    int err = vfs_make_raw(s->work, temporary, new, out);
    if (err)
        return err;
    if (!new->link && LX_S_ISDIR(new->mode))
        err = merge_set_opaque(s, (*out)->inode);
    if (!err)
        err = vfs_rename_raw(*out, merge_top_dentry(dir), name, LX_RENAME_EXCHANGE);
    if (err)
        remove_and_put(*out);
    else
        remove_temporary(s, temporary);
    return err;
}

static int make_name(struct inode *dir, struct dentry *d, const struct raw_new *new, struct dentry **out)
{
    struct dentry *covered;
    int err = begin(dir);
    if (!err)
        err = in_upper(dir, d->name, &covered);
    if (err)
        return err;
    bool over = covered != NULL;
    dentry_put(covered);
    err = over ? make_over(dir, d->name, new, out) : vfs_make_raw(merge_top_dentry(dir), d->name, new, out);
    // Where no layer has the name this only saves later lookups.
    if (!err && !over && !new->link && LX_S_ISDIR(new->mode) && merge_node(dir)->count > 1)
        (void)merge_set_opaque(merge_super(dir), (*out)->inode);
    return err;
}

static int make(struct inode *dir, struct dentry *d, const struct raw_new *new)
{
    struct dentry *made;
    int err = make_name(dir, d, new, &made);
    if (err)
        return err;
    const struct merge_part part = {0, made};
    struct inode *i = merge_inode(dir->sb, &part, 1, dir, d->name);
    end(dir);
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

static int op_create(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                     bool excl)
{
    return make(dir, d, &(struct raw_new){.mode = LX_S_IFREG | (mode & 07777), .uid = uid, .gid = gid});
}
static int op_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid)
{
    return make(dir, d, &(struct raw_new){.mode = LX_S_IFDIR | (mode & 07777), .uid = uid, .gid = gid});
}
static int op_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev, uint32_t uid,
                    uint32_t gid)
{
    if (LX_S_ISCHR(mode) && rdev == 0) // it would be a whiteout below
        return -LX_EPERM;
    return make(dir, d, &(struct raw_new){.mode = mode, .rdev = rdev, .uid = uid, .gid = gid});
}
static int op_symlink(struct inode *dir, struct dentry *d, const char *target, uint32_t uid, uint32_t gid)
{
    return make(dir, d,
                &(struct raw_new){.mode = LX_S_IFLNK | 0777, .uid = uid, .gid = gid, .target = target});
}

static int op_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    struct dentry *made;
    int err = merge_copy_up(target, UINT64_MAX);
    if (!err)
        err = make_name(dir, d, &(struct raw_new){.link = merge_top(target)}, &made);
    if (err)
        return err;
    dentry_put(made);
    end(dir);
    (void)merge_getattr(target);
    dentry_attach(d, inode_get(target));
    return 0;
}

static int op_tmpfile(struct inode *dir, struct dentry *anon, uint32_t mode, uint32_t uid, uint32_t gid)
{
    int err = begin(dir);
    struct inode *real = merge_top(dir);
    if (!err && !real->ops->tmpfile)
        err = -LX_EOPNOTSUPP;
    struct dentry *made = err ? NULL : dentry_alloc(merge_top_dentry(dir), "", 0);
    if (!made)
        return err ? err : -LX_ENOMEM;
    made->unhashed = true;
    err = real->ops->tmpfile(real, made, mode, uid, gid);
    if (err) {
        dentry_put(made);
        return err;
    }
    const struct merge_part part = {0, made};
    struct inode *i = merge_inode(dir->sb, &part, 1, dir, "");
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(anon, i);
    return 0;
}

// --- names that go

static int make_whiteout(struct merge_super *s, char temporary[24], struct dentry **out)
{
    const struct raw_new whiteout = {
        .mode = LX_S_IFCHR, .uid = merge_mounter_fsuid(s), .gid = merge_mounter_fsgid(s)};
    merge_temporary_name(s, temporary);
    return vfs_make_raw(s->work, temporary, &whiteout, out);
}

static int put_whiteout(struct inode *dir, const char *name, const struct dentry *instead)
{
    struct merge_super *s = merge_super(dir);
    bool exchange = instead && LX_S_ISDIR(instead->inode->attr.mode);
    char temporary[24];
    struct dentry *made;
    int err = make_whiteout(s, temporary, &made);
    if (err)
        return err;
    err = vfs_rename_raw(made, merge_top_dentry(dir), name, exchange ? LX_RENAME_EXCHANGE : 0);
    if (err)
        (void)vfs_remove_raw(made);
    else if (exchange)
        remove_temporary(s, temporary);
    dentry_put(made);
    return err;
}

// The inode has lost this name.
static void gone(struct inode *i, const struct inode *dir, const char *name)
{
    struct merge_node *node = merge_node(i);
    if (node->parent == dir && strcmp(node->name, name) == 0)
        node->orphan = true;
    end(i);
    if (LX_S_ISDIR(i->attr.mode) || !merge_in_upper(i))
        i->attr.nlink = 0;
}

static int op_unlink(struct inode *dir, struct dentry *d)
{
    struct dentry *upper = NULL;
    int err = begin(dir);
    int below = err ? err : merge_lower_has(dir, d->name);
    if (below < 0)
        return below;
    err = in_upper(dir, d->name, &upper);
    if (!err && upper && LX_S_ISDIR(upper->inode->attr.mode) && !below)
        err = merge_clear(merge_super(dir), upper);
    if (!err && (below || !upper))
        err = put_whiteout(dir, d->name, upper);
    else if (!err)
        err = vfs_remove_raw(upper);
    dentry_put(upper);
    if (err)
        return err;
    gone(d->inode, dir, d->name);
    end(dir);
    return 0;
}

static int op_rmdir(struct inode *dir, struct dentry *d)
{
    int err = merge_check_empty(d->inode);
    return err ? err : op_unlink(dir, d);
}

// --- rename

// A directory of which a lower layer has a part cannot move: without redirects nothing would say where that is.
static bool cannot_move(const struct inode *i)
{
    return LX_S_ISDIR(i->attr.mode) && (!merge_in_upper(i) || merge_node(i)->count > 1);
}

// What the new name covers in the upper layer makes room where the host of it would not replace it by itself.
static int make_room(struct inode *dir, const char *name, const struct inode *moved)
{
    struct dentry *covered;
    int err = in_upper(dir, name, &covered);
    if (err || !covered)
        return err;
    bool is_dir = LX_S_ISDIR(covered->inode->attr.mode);
    if (is_dir)
        err = merge_clear(merge_super(dir), covered);
    else if (LX_S_ISDIR(moved->attr.mode))
        err = vfs_remove_raw(covered);
    dentry_put(covered);
    return err;
}

static int prepare_rename(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n,
                          bool exchange)
{
    int err = begin(od);
    if (!err)
        err = begin(nd);
    if (!err)
        err = merge_copy_up(o->inode, UINT64_MAX);
    if (!err && exchange)
        err = merge_copy_up(n->inode, UINT64_MAX);
    // Below what the directory was until now lay nothing; below where it goes something may.
    if (!err && LX_S_ISDIR(o->inode->attr.mode) && merge_node(nd)->count > 1)
        err = merge_set_opaque(merge_super(od), merge_top(o->inode));
    if (!err && exchange && LX_S_ISDIR(n->inode->attr.mode) && merge_node(od)->count > 1)
        err = merge_set_opaque(merge_super(od), merge_top(n->inode));
    return err == -LX_EIO ? -LX_EXDEV : err;
}

// The same in the upper layer. `below`: a lower one has the old name; what hides it is made before anything changes.
static int rename_upper(struct inode *od, const struct dentry *o, struct inode *nd, const struct dentry *n,
                        bool exchange, bool below)
{
    struct dentry *upper = NULL, *whiteout = NULL;
    char temporary[24];
    int err = below ? make_whiteout(merge_super(od), temporary, &whiteout) : 0;
    if (!err && !exchange)
        err = make_room(nd, n->name, o->inode);
    if (!err)
        err = in_upper(od, o->name, &upper);
    if (!err && !upper)
        err = -LX_ESTALE;
    if (!err)
        err = vfs_rename_raw(upper, merge_top_dentry(nd), n->name, exchange ? LX_RENAME_EXCHANGE : 0);
    if (!err && whiteout)
        err = vfs_rename_raw(whiteout, merge_top_dentry(od), o->name, 0);
    if (err && whiteout)
        (void)vfs_remove_raw(whiteout);
    dentry_put(upper);
    dentry_put(whiteout);
    return err;
}

static int op_rename(struct inode *od, struct dentry *o, struct inode *nd, struct dentry *n, unsigned flags)
{
    bool exchange = flags & LX_RENAME_EXCHANGE;
    struct inode *replaced = exchange ? NULL : n->inode;
    if (cannot_move(o->inode) || (exchange && cannot_move(n->inode)))
        return -LX_EXDEV;
    int err = replaced && LX_S_ISDIR(replaced->attr.mode) ? merge_check_empty(replaced) : 0;
    if (!err)
        err = prepare_rename(od, o, nd, n, exchange);
    int below = err ? err : exchange ? 0 : merge_lower_has(od, o->name);
    if (below < 0)
        return below;
    err = rename_upper(od, o, nd, n, exchange, below);
    if (err)
        return err;
    if (replaced)
        gone(replaced, nd, n->name);
    merge_set_place(o->inode, nd, n->name);
    if (exchange)
        merge_set_place(n->inode, od, o->name);
    (void)merge_getattr(o->inode);
    end(od);
    end(nd);
    return 0;
}

const struct inode_ops merge_dir_ops = {
    .lookup = merge_lookup,
    .create = op_create,
    .mkdir = op_mkdir,
    .mknod = op_mknod,
    .symlink = op_symlink,
    .link = op_link,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .tmpfile = op_tmpfile,
    .revalidate = merge_revalidate,
    MERGE_COMMON_OPS,
};
