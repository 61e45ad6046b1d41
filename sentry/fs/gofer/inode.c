// Inodes of the Gofer filesystem: found by qid, filled from replies, and their end.
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/gofer/fs.h"
#include "sentry/task/task.h"

static struct list_head *bucket(struct gofer_fs *fs, uint64_t qid_path)
{
    struct list_head *list = &fs->buckets[(qid_path ^ qid_path >> 17) % GOFER_BUCKETS];
    if (!list->next)
        list_init(list);
    return list;
}

uint64_t gofer_current_call(void)
{
    return current ? current->call.id : 0;
}

static struct timespec64 time_of(uint64_t sec, uint64_t nsec)
{
    return (struct timespec64){.sec = (int64_t)sec, .nsec = nsec < 1000000000u ? (uint32_t)nsec : 0};
}

void gofer_set_attr(struct inode *inode, const struct np_attr *attr)
{
    struct kstat *to = &inode->attr;
    struct gofer_inode *node = gofer_inode(inode);
    // The type never changes, whatever the Gofer says.
    to->mode = (to->mode & LX_S_IFMT) | (attr->mode & 07777);
    to->uid = attr->uid;
    to->gid = attr->gid;
    to->nlink = (uint32_t)attr->nlink;
    to->rdev = attr->rdev;
    to->size = attr->size <= INT64_MAX ? attr->size : INT64_MAX;
    to->blocks = attr->blocks;
    to->blksize = attr->blksize >= 512 && attr->blksize <= 1u << 30 ? (uint32_t)attr->blksize : 4096;
    to->atime = time_of(attr->atime_sec, attr->atime_nsec);
    to->mtime = time_of(attr->mtime_sec, attr->mtime_nsec);
    to->ctime = time_of(attr->ctime_sec, attr->ctime_nsec);
    to->btime = time_of(attr->btime_sec, attr->btime_nsec);
    // A write through a descriptor may have overtaken the reply.
    node->stale = node->opens > 0 && node->fd[GOFER_WR] >= 0;
}

void gofer_set_place(struct inode *inode, struct inode *parent, const char *name, size_t length)
{
    struct gofer_inode *node = gofer_inode(inode);
    if (node->parent == parent && node->name && strlen(node->name) == length &&
        !memcmp(node->name, name, length)) {
        node->orphan = false;
        return;
    }
    char *copy = strndup(name, length);
    if (!copy)
        return;
    struct inode *old = node->parent;
    // A plain server's fid may mean the old name, not the file.
    if (gofer_connection_of(inode)->plain && !node->fid_pins)
        gofer_fid_forget(node);
    free(node->name);
    node->name = copy;
    node->parent = inode_get(parent);
    node->orphan = false;
    inode_put(old);
}

static struct inode *find(struct gofer_fs *fs, uint64_t qid_path)
{
    list_for_each(node, bucket(fs, qid_path), struct gofer_inode, hash_link)
    {
        if (node->qid_path == qid_path)
            return node->inode;
    }
    return NULL;
}

static bool set_target(struct gofer_inode *node, const char *target, size_t length)
{
    if (!target || !length || memchr(target, 0, length))
        return !target || !length;
    if (node->target && strlen(node->target) == length && !memcmp(node->target, target, length))
        return true;
    char *copy = strndup(target, length);
    if (!copy)
        return false;
    free(node->target);
    node->target = copy;
    return true;
}

static struct inode *make(struct gofer_fs *fs, struct inode *parent, const char *name, size_t length,
                          const struct np_attr *attr)
{
    static const struct inode_ops *const ops[16] = {
        [LX_S_IFDIR >> 12] = &gofer_dir_ops,         [LX_S_IFLNK >> 12] = &gofer_link_ops,
        [LX_S_IFREG >> 12] = &gofer_file_inode_ops,  [LX_S_IFIFO >> 12] = &gofer_file_inode_ops,
        [LX_S_IFCHR >> 12] = &gofer_file_inode_ops,  [LX_S_IFBLK >> 12] = &gofer_file_inode_ops,
        [LX_S_IFSOCK >> 12] = &gofer_file_inode_ops,
    };
    uint32_t type = attr->mode & LX_S_IFMT;
    const struct inode_ops *its_ops = ops[type >> 12];
    if (!its_ops)
        return NULL;
    if (fs->shared && its_ops == &gofer_dir_ops)
        its_ops = &gofer_shared_dir_ops;
    struct gofer_inode *node = calloc(1, sizeof(*node));
    char *copy = parent ? strndup(name, length) : NULL;
    struct inode *inode = node && (copy || !parent) ? inode_alloc(fs->sb, its_ops, NULL) : NULL;
    if (!inode) {
        free(node);
        free(copy);
        return NULL;
    }
    if (LX_S_ISREG(type))
        inode->fops = &gofer_file_ops;
    else if (LX_S_ISDIR(type))
        inode->fops = &gofer_dir_file_ops;
    *node = (struct gofer_inode){.inode = inode,
                                 .qid_path = attr->qid.path,
                                 .parent = parent ? inode_get(parent) : NULL,
                                 .name = copy,
                                 .fid = NP_NOFID,
                                 .fd = {-1, -1},
                                 .snapshot = -1};
    list_init(&node->fid_link);
    list_init(&node->fd_link);
    inode->priv = node;
    inode->attr.mode = type;
    inode->attr.ino = attr->qid.path;
    list_add(&node->hash_link, bucket(fs, attr->qid.path));
    return inode;
}

struct inode *gofer_inode_get(struct super_block *sb, struct inode *parent, const char *name, size_t length,
                              const struct np_attr *attr, const char *target, size_t target_length)
{
    struct gofer_fs *fs = sb->priv;
    struct inode *inode = find(fs, attr->qid.path);
    if (inode && (inode->attr.mode & LX_S_IFMT) != (attr->mode & LX_S_IFMT)) {
        // The host gave the number to another file.
        list_del(&gofer_inode(inode)->hash_link);
        inode = NULL;
    }
    if (inode) {
        inode_get(inode);
        if (parent && gofer_inode(inode)->parent && (fs->shared || gofer_inode(inode)->orphan))
            gofer_set_place(inode, parent, name, length);
    } else {
        inode = make(fs, parent, name, length, attr);
    }
    if (!inode)
        return NULL;
    gofer_set_attr(inode, attr);
    if (LX_S_ISLNK(attr->mode) && !set_target(gofer_inode(inode), target, target_length)) {
        inode_put(inode);
        return NULL;
    }
    return inode;
}

void gofer_evict(struct inode *inode)
{
    struct gofer_inode *node = gofer_inode(inode);
    list_del(&node->hash_link);
    gofer_close_handles(node);
    gofer_snapshot_forget(node);
    gofer_ahead_forget(node);
    gofer_fid_forget(node);
    struct inode *parent = node->parent;
    free(node->name);
    free(node->target);
    free(node);
    inode->priv = NULL;
    inode_put(parent);
}

#define COMMON_OPS                                                                                 \
    .getattr = gofer_getattr, .setattr = gofer_setattr, .statfs = gofer_statfs_op,                 \
    .getxattr = gofer_getxattr_op, .setxattr = gofer_setxattr_op, .listxattr = gofer_listxattr_op, \
    .removexattr = gofer_removexattr_op, .evict = gofer_evict
#define DIR_OPS                                                                              \
    COMMON_OPS, .lookup = gofer_lookup, .create = gofer_create_op, .mkdir = gofer_mkdir_op,  \
                .mknod = gofer_mknod_op, .symlink = gofer_symlink_op, .link = gofer_link_op, \
                .unlink = gofer_unlink_op, .rmdir = gofer_rmdir_op, .rename = gofer_rename_op

const struct inode_ops gofer_dir_ops = {DIR_OPS};
const struct inode_ops gofer_shared_dir_ops = {DIR_OPS, .revalidate = gofer_revalidate};
const struct inode_ops gofer_file_inode_ops = {COMMON_OPS, .open = gofer_file_open};
const struct inode_ops gofer_link_ops = {COMMON_OPS, .readlink = gofer_readlink_op};
