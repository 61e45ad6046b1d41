// Attributes: from the cache, from a donated descriptor, or by message.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sentry/fs/gofer/fs.h"

int gofer_refresh(struct inode *inode)
{
    struct gofer_reach reach;
    struct gofer_walk *walk = malloc(sizeof(*walk));
    if (!walk)
        return -LX_ENOMEM;
    int err = gofer_reach(inode, 0, &reach);
    if (!err) {
        err = GOFER_BLOCKING(
            gofer_walk(gofer_client_of(inode), reach.fid, NP_NOFID, reach.names, reach.count, walk));
        gofer_reach_end(&reach);
    }
    if (err == -LX_ENOENT || (!err && walk->stop)) // ENOENT: of a fid whose name is gone (plain servers)
        err = -LX_ESTALE;
    if (!err && walk->attr[walk->count - 1].qid.path != gofer_inode(inode)->qid_path)
        err = -LX_ESTALE;
    if (!err) {
        gofer_set_attr(inode, &walk->attr[walk->count - 1]);
        gofer_inode(inode)->validated = gofer_current_call();
    }
    free(walk);
    return err;
}

// The same for a plain server, which is asked about the file that a fid has open.
static bool refresh_by_open_fid(struct inode *inode, uint32_t fid)
{
    struct gofer_inode *node = gofer_inode(inode);
    struct np_attr attr;
    node->fd_pins++;
    int err = GOFER_BLOCKING(gofer_stat(gofer_client_of(inode), fid, &attr));
    node->fd_pins--;
    if (err || attr.qid.path != node->qid_path)
        return false;
    gofer_set_attr(inode, &attr);
    node->stale = false;
    return true;
}

// What fstat(2) of a donated descriptor tells without a message. Owners stay as the Gofer gave them: this
// process may live in another user namespace. With `unchanged` only if the change time is the known one, so
// that the owner is too. False when it cannot tell.
static bool refresh_by_handle(struct inode *inode, bool unchanged)
{
    int fd = gofer_cached_handle(inode, LX_O_RDONLY, false);
    struct stat st;
    if (fd < 0)
        fd = gofer_cached_handle(inode, LX_O_WRONLY, false);
    if (gofer_connection_of(inode)->plain)
        return fd >= 0 && !unchanged && refresh_by_open_fid(inode, (uint32_t)fd);
    // The call itself: the C library's fstat() names a path to the filter.
    if (fd < 0 || syscall(SYS_fstat, fd, &st) < 0)
        return false;
    struct kstat *to = &inode->attr;
    if (unchanged && (st.st_ctim.tv_sec != to->ctime.sec || (uint32_t)st.st_ctim.tv_nsec != to->ctime.nsec))
        return false;
    to->mode = (to->mode & LX_S_IFMT) | (st.st_mode & 07777);
    to->nlink = (uint32_t)st.st_nlink;
    to->size = (uint64_t)st.st_size;
    to->blocks = (uint64_t)st.st_blocks;
    to->atime = (struct timespec64){st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec};
    to->mtime = (struct timespec64){st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec};
    to->ctime = (struct timespec64){st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec};
    gofer_inode(inode)->stale = false;
    return true;
}

int gofer_getattr(struct inode *inode)
{
    struct gofer_inode *node = gofer_inode(inode);
    bool shared = gofer_fs_of(inode)->shared;
    if (!node->stale && !node->mapped && !shared)
        return 0;
    uint64_t call = gofer_current_call();
    if (shared && !node->stale && !node->mapped && call && node->validated == call)
        return 0;
    // On a mount of our own owners change by message only, so they are known.
    if (refresh_by_handle(inode, shared && !node->orphan))
        return 0;
    int err = gofer_refresh(inode);
    // Removed on the host, and still open here: what is known stands.
    return err == -LX_ESTALE && (refresh_by_handle(inode, false) || node->opens) ? 0 : err;
}

static int truncate_by_handle(struct inode *inode, uint64_t size)
{
    int fd = gofer_cached_handle(inode, LX_O_WRONLY, false);
    if (fd < 0 || gofer_connection_of(inode)->plain)
        return -LX_EBADF;
    struct gofer_inode *node = gofer_inode(inode);
    node->fd_pins++;
    int err = GOFER_BLOCKING(ftruncate(fd, (off_t)size) < 0 ? -errno : 0);
    node->fd_pins--;
    if (!err) {
        inode->attr.size = size;
        node->stale = true;
    }
    return err;
}

int gofer_setattr(struct inode *inode, const struct iattr *attr)
{
    uint32_t valid = attr->valid;
    if (gofer_fs_of(inode)->read_only)
        return -LX_EROFS;
    if (valid & ATTR_SIZE) {
        // The host sets the times of a change of size itself.
        valid &= ~(ATTR_MTIME | ATTR_CTIME);
        if (attr->size > INT64_MAX)
            return -LX_EINVAL;
        if (valid == ATTR_SIZE) {
            int err = truncate_by_handle(inode, attr->size);
            if (err != -LX_EBADF)
                return err;
        }
    }
    struct np_tsetattrget change = {
        .valid = (valid & ATTR_MODE ? NP_SETATTR_MODE : 0) | (valid & ATTR_UID ? NP_SETATTR_UID : 0) |
                 (valid & ATTR_GID ? NP_SETATTR_GID : 0) | (valid & ATTR_SIZE ? NP_SETATTR_SIZE : 0) |
                 (valid & ATTR_ATIME ? NP_SETATTR_ATIME | NP_SETATTR_ATIME_SET : 0) |
                 (valid & ATTR_MTIME ? NP_SETATTR_MTIME | NP_SETATTR_MTIME_SET : 0),
        .mode = attr->mode & 07777,
        .uid = attr->uid,
        .gid = attr->gid,
        .size = attr->size,
        .atime_sec = (uint64_t)attr->atime.sec,
        .atime_nsec = attr->atime.nsec,
        .mtime_sec = (uint64_t)attr->mtime.sec,
        .mtime_nsec = attr->mtime.nsec,
    };
    if (!change.valid)
        return 0; // the change time alone: the host keeps its own
    int err = gofer_bind(inode);
    if (err)
        return err;
    change.fid = gofer_inode(inode)->fid;
    struct np_attr now;
    err = GOFER_BLOCKING(gofer_change(gofer_client_of(inode), &change, &now));
    gofer_unpin(inode);
    if (!err)
        gofer_set_attr(inode, &now);
    return err;
}

int gofer_statfs_op(struct inode *inode, struct kstatfs *out)
{
    struct np_rstatfs st;
    int err = gofer_bind(inode);
    if (err)
        return err;
    err = GOFER_BLOCKING(gofer_statfs(gofer_client_of(inode), gofer_inode(inode)->fid, &st));
    gofer_unpin(inode);
    if (!err)
        *out = (struct kstatfs){.type = st.type,
                                .bsize = st.bsize,
                                .blocks = st.blocks,
                                .bfree = st.bfree,
                                .bavail = st.bavail,
                                .files = st.files,
                                .ffree = st.ffree,
                                .namelen = st.namelen < VFS_NAME_MAX ? st.namelen : VFS_NAME_MAX};
    return err;
}

int64_t gofer_readlink_op(struct inode *inode, char *buf, size_t size)
{
    struct gofer_inode *node = gofer_inode(inode);
    if (!node->target) {
        struct gofer_reach reach;
        struct gofer_walk *walk = malloc(sizeof(*walk));
        int err = walk ? gofer_reach(inode, 0, &reach) : -LX_ENOMEM;
        if (!err) {
            err = GOFER_BLOCKING(
                gofer_walk(gofer_client_of(inode), reach.fid, NP_NOFID, reach.names, reach.count, walk));
            gofer_reach_end(&reach);
        }
        if (!err && (walk->stop || walk->attr[walk->count - 1].qid.path != node->qid_path ||
                     !walk->target_length || memchr(walk->target, 0, walk->target_length)))
            err = walk->stop ? -(int)walk->stop : -LX_ESTALE;
        if (!err && !node->target)
            node->target = strndup(walk->target, walk->target_length);
        free(walk);
        if (err)
            return err;
        if (!node->target)
            return -LX_ENOMEM;
    }
    size_t length = strlen(node->target);
    if (length > size)
        length = size;
    memcpy(buf, node->target, length);
    return (int64_t)length;
}
