// Making, linking, renaming and removing names. The VFS holds the directory's lock; the kernel lock is
// dropped for messages.
#include <string.h>
#include <unistd.h>

#include "sentry/fs/gofer/fs.h"

static struct np_str name_of(const struct dentry *dentry)
{
    return (struct np_str){.bytes = dentry->name, .length = dentry->name_len};
}

// A change of names begins: replies under way no longer say what is there. Pins the directory's fid.
static int begin(struct inode *dir)
{
    if (gofer_fs_of(dir)->read_only)
        return -LX_EROFS;
    gofer_connection_of(dir)->change_seq++;
    return gofer_bind(dir);
}

static void end(struct inode *dir)
{
    gofer_connection_of(dir)->change_seq++;
    gofer_inode(dir)->stale = true; // times, links and size have changed
    gofer_unpin(dir);
}

static int attach(struct inode *dir, struct dentry *dentry, const struct np_attr *attr, const char *target)
{
    struct inode *inode = gofer_inode_get(dir->sb, dir, dentry->name, dentry->name_len, attr, target,
                                          target ? strlen(target) : 0);
    if (!inode)
        return -LX_EIO;
    gofer_inode(inode)->validated = gofer_current_call();
    dentry_attach(dentry, inode);
    return 0;
}

int gofer_create_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid,
                    bool excl)
{
    struct gofer_connection *c = gofer_connection_of(dir);
    struct np_attr attr;
    int fd = -1;
    int err = begin(dir);
    if (err)
        return err;
    uint32_t newfid = NP_NOFID; // a plain server's file is open as a fid
    if (c->plain && (err = gofer_fid_take(c, &newfid)) != 0) {
        end(dir);
        return err;
    }
    for (int attempt = 0; attempt < 4; attempt++) {
        err = GOFER_BLOCKING(gofer_create(&c->client, gofer_inode(dir)->fid, newfid, name_of(dentry),
                                          LX_O_RDWR, mode & 07777, uid, gid, &attr, &fd));
        if (err != -LX_EEXIST || excl)
            break;
        // Somebody on the host was faster: that is the file to open.
        err = gofer_lookup(dir, dentry);
        if (err || dentry->inode)
            break;
    }
    if (!err && fd >= 0) {
        err = attach(dir, dentry, &attr, NULL);
        if (!err && LX_S_ISREG(dentry->inode->attr.mode))
            gofer_keep_handle(dentry->inode, GOFER_WR, fd, LX_O_RDWR);
        else
            gofer_discard_handle(c, fd);
    } else if (c->plain) {
        gofer_fid_give_back(c, newfid, false);
    }
    end(dir);
    return err;
}

static int make(struct inode *dir, struct dentry *dentry, struct gofer_make *make, const char *target)
{
    struct np_attr attr;
    int err = begin(dir);
    if (err)
        return err;
    make->name = name_of(dentry);
    err = GOFER_BLOCKING(gofer_make(gofer_client_of(dir), gofer_inode(dir)->fid, NP_NOFID, make, &attr));
    if (!err)
        err = attach(dir, dentry, &attr, target);
    end(dir);
    return err;
}

int gofer_mkdir_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid)
{
    struct gofer_make request = {.mode = LX_S_IFDIR | (mode & 07777), .uid = uid, .gid = gid};
    return make(dir, dentry, &request, NULL);
}

int gofer_mknod_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, uint32_t uid,
                   uint32_t gid)
{
    struct gofer_make request = {
        .mode = mode, .major = lx_major(rdev), .minor = lx_minor(rdev), .uid = uid, .gid = gid};
    return make(dir, dentry, &request, NULL);
}

int gofer_symlink_op(struct inode *dir, struct dentry *dentry, const char *target, uint32_t uid, uint32_t gid)
{
    size_t length = strlen(target);
    if (length >= VFS_PATH_MAX)
        return -LX_ENAMETOOLONG;
    struct gofer_make request = {.mode = LX_S_IFLNK | 0777,
                                 .target = {.bytes = target, .length = (uint16_t)length},
                                 .uid = uid,
                                 .gid = gid};
    return make(dir, dentry, &request, target);
}

int gofer_link_op(struct inode *dir, struct dentry *dentry, struct inode *target)
{
    int err = begin(dir);
    if (err)
        return err;
    err = gofer_bind(target);
    if (!err) {
        err = GOFER_BLOCKING(gofer_link(gofer_client_of(dir), gofer_inode(dir)->fid, gofer_inode(target)->fid,
                                        name_of(dentry)));
        gofer_unpin(target);
    }
    if (!err) {
        gofer_inode(target)->stale = true;
        if (gofer_inode(target)->orphan)
            gofer_set_place(target, dir, dentry->name, dentry->name_len);
        dentry_attach(dentry, inode_get(target));
    }
    end(dir);
    return err;
}

// Before a name goes: who uses the file still gets a fid on it, because names will not lead to it any more.
// The VFS holds one reference of the inode and one of the dentry.
static bool keep_reachable(struct dentry *dentry)
{
    struct inode *inode = dentry->inode;
    return inode && (gofer_inode(inode)->opens || inode->refs > 2 || dentry->refs > 1) &&
           gofer_bind(inode) == 0;
}

static void removed(struct inode *dir, struct dentry *dentry, struct inode *victim, bool pinned)
{
    struct gofer_inode *node = gofer_inode(victim);
    bool at_name = node->parent == dir && node->name && strlen(node->name) == dentry->name_len &&
                   !memcmp(node->name, dentry->name, dentry->name_len);
    if (at_name)
        node->orphan = true;
    if (LX_S_ISDIR(victim->attr.mode))
        victim->attr.nlink = 0;
    else if (victim->attr.nlink)
        victim->attr.nlink--;
    node->stale = node->fid != NP_NOFID || node->opens > 0 || !at_name;
    if (pinned)
        gofer_unpin(victim);
    if (at_name && gofer_connection_of(victim)->plain && !node->fid_pins)
        gofer_fid_forget(node); // it meant the name
}

static int unlink_name(struct inode *dir, struct dentry *dentry, bool directory)
{
    int err = begin(dir);
    if (err)
        return err;
    struct inode *victim = dentry->inode;
    bool pinned = keep_reachable(dentry);
    err =
        GOFER_BLOCKING(gofer_unlink(gofer_client_of(dir), gofer_inode(dir)->fid, name_of(dentry), directory));
    if (!err)
        removed(dir, dentry, victim, pinned);
    else if (pinned)
        gofer_unpin(victim);
    end(dir);
    return err;
}

int gofer_unlink_op(struct inode *dir, struct dentry *dentry)
{
    return unlink_name(dir, dentry, false);
}

int gofer_rmdir_op(struct inode *dir, struct dentry *dentry)
{
    return unlink_name(dir, dentry, true);
}

int gofer_rename_op(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
                    struct dentry *new_dentry, unsigned flags)
{
    int err = begin(old_dir);
    if (err)
        return err;
    err = begin(new_dir);
    if (err) {
        end(old_dir);
        return err;
    }
    struct inode *moved = old_dentry->inode, *other = new_dentry->inode;
    bool exchange = flags & LX_RENAME_EXCHANGE;
    bool pinned = !exchange && keep_reachable(new_dentry);
    err =
        GOFER_BLOCKING(gofer_rename(gofer_client_of(old_dir), gofer_inode(old_dir)->fid, name_of(old_dentry),
                                    gofer_inode(new_dir)->fid, name_of(new_dentry), flags));
    if (!err) {
        if (other && exchange) {
            gofer_set_place(other, old_dir, old_dentry->name, old_dentry->name_len);
            gofer_inode(other)->stale = true;
        } else if (other) {
            removed(new_dir, new_dentry, other, pinned);
        }
        gofer_set_place(moved, new_dir, new_dentry->name, new_dentry->name_len);
        gofer_inode(moved)->stale = true;
        if (gofer_connection_of(moved)->plain)
            gofer_fids_forget_all(gofer_connection_of(moved));
    } else if (pinned) {
        gofer_unpin(other);
    }
    end(new_dir);
    end(old_dir);
    return err;
}
