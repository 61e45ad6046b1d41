#pragma once
// Between the files of the Gofer filesystem. Everything here: kernel lock, but while a function says that it
// drops it.
//
// How an inode is named to the Gofer: by its fid if it has one, else by the names that lead to it from the
// nearest ancestor with a fid (struct gofer_reach); the root of a mount always has one. Fids and donated
// descriptors are caches under a limit, evicted least recently used first, never while somebody uses them
// (pins) or when they could not be had again (orphans: files whose last known name is gone).
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/core/kernel.h"
#include "sentry/core/list.h"
#include "sentry/fs/gofer/client.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

#define GOFER_FIDS_MAX 2048
#define GOFER_BUCKETS 16384
#define GOFER_BIND_AFTER 3     // uses of a directory by its names before it gets a fid of its own
#define GOFER_PREFETCH_AFTER 8 // names asked for one by one before the whole directory is read
#define GOFER_PREFETCH_SOON 2  // the same where two directories beside it have come to that

// One server: the sandbox's own Gofer, or one that the operator named.
struct gofer_connection {
    struct gofer_client client;
    bool plain;                         // it speaks 9P2000.L without our extension: no donated descriptors
    uint32_t free_fids[GOFER_FIDS_MAX]; // numbers given back
    uint32_t dead_fids[GOFER_FIDS_MAX]; // to be clunked in one message
    unsigned nr_free, nr_dead, next_fid;
    struct list_head fid_lru; // gofer_inode.fid_link, oldest first
    struct list_head fd_lru;  // gofer_inode.fd_link, oldest first
    unsigned nr_fids, max_fids;
    unsigned nr_fds, max_fds;
    uint64_t snapshot_bytes; // of all files in memory for mappings (snapshot.c)
    uint64_t change_seq;     // changes before and after each change of a name
    unsigned tree_walk;      // directories read in a row, each below one that was read before (tree.c)
};
extern struct gofer_connection gofer; // the sandbox's own

struct gofer_fs { // super_block.priv
    struct super_block *sb;
    struct gofer_connection *connection;
    struct list_head mounted; // in the list of exports mounted
    struct dentry *root;      // while it is mounted; not counted
    bool shared;              // others change it too
    bool read_only;
    bool xattrs;        // attributes besides user.* may be asked for
    bool nowait_writes; // the host's file system knows RWF_NOWAIT for writing
    struct list_head buckets
        [GOFER_BUCKETS]; // gofer_inode.hash_link; zeroes: empty, so that it costs memory where it is used
};

enum gofer_slot { GOFER_RD, GOFER_WR };

#define GOFER_RETIRED_MAX 16 // changed contents of one mapped file of a plain server; more is ENOMEM

struct gofer_inode { // inode.priv
    struct inode *inode;
    struct list_head hash_link;
    uint64_t qid_path;
    struct inode *parent; // counted; NULL for the root of a mount
    char *name;           // in parent: the name last known
    bool orphan;          // that name is gone
    bool stale;           // attributes have changed since they were fetched
    bool mapped;          // somebody maps it shared and writable: attributes are never sure
    bool no_xattrs;       // the Gofer said that there are none (mounts of our own only)
    uint8_t uses;         // of a directory, by names
    // Of a directory: below this all its names were cached when names_lost was whole_lost. Not counted, only compared.
    const struct dentry *whole;
    uint32_t whole_lost;
    bool listed;           // of a directory: its names have been read in order
    struct listing *ahead; // of a directory: its names, before anybody has asked for them (tree.c); or NULL
    uint8_t read_below;    // of a directory: those in it that have come to be read whole, counted to two
    uint8_t misses;        // of a directory: names that had to be asked for one by one
    uint64_t validated;    // the call that last saw it at its name (shared mounts)
    char *target;          // of a symlink

    uint32_t fid; // NP_NOFID: none
    unsigned fid_pins;
    struct list_head fid_link; // when it has a fid that may be evicted

    // By enum gofer_slot; -1: none. With a plain server the number of an open fid.
    int fd[2];
    int wr_access;    // LX_O_RDWR or LX_O_WRONLY: how fd[GOFER_WR] is open
    unsigned fd_pins; // I/O under way without the lock, and open files that gave theirs to a mapping
    unsigned opens;
    struct list_head fd_link; // when it has a descriptor

    int snapshot; // of a file of a plain server: what it held when it was last mapped; -1: none
    uint64_t snapshot_size;
    int retired[GOFER_RETIRED_MAX]; // snapshots of what it held before, open until the inode goes
    unsigned nr_retired;
    uint64_t retired_bytes;
    struct timespec64 snapshot_mtime;
};

static inline struct gofer_inode *gofer_inode(const struct inode *inode)
{
    return inode->priv;
}
// Is every name of the directory cached below `dentry`? A directory may have another place too (a mount of the host in an
// export), below which others are.
static inline bool gofer_is_whole(const struct dentry *dentry)
{
    const struct gofer_inode *node = gofer_inode(dentry->inode);
    return node->whole == dentry && node->whole_lost == dentry->inode->names_lost;
}
static inline void gofer_set_whole(const struct dentry *dentry, uint32_t lost)
{
    gofer_inode(dentry->inode)->whole = dentry;
    gofer_inode(dentry->inode)->whole_lost = lost;
}
static inline struct gofer_fs *gofer_fs_of(const struct inode *inode)
{
    return inode->sb->priv;
}
static inline struct gofer_connection *gofer_connection_of(const struct inode *inode)
{
    return gofer_fs_of(inode)->connection;
}
static inline struct gofer_client *gofer_client_of(const struct inode *inode)
{
    return &gofer_connection_of(inode)->client;
}

// Runs an expression without the kernel lock.
#define GOFER_BLOCKING(expression)          \
    ({                                      \
        kernel_blocking_begin();            \
        __auto_type result_ = (expression); \
        kernel_blocking_end();              \
        result_;                            \
    })

// --- inode.c
extern const struct inode_ops gofer_dir_ops, gofer_shared_dir_ops, gofer_file_inode_ops, gofer_link_ops;
extern const struct file_ops gofer_file_ops, gofer_dir_file_ops;
// The inode that a reply describes, with a reference: found again by its qid, or made. Refreshes its
// attributes. NULL: no memory, or the reply makes no sense. `target` is a symlink's, or NULL.
struct inode *gofer_inode_get(struct super_block *sb, struct inode *parent, const char *name, size_t length,
                              const struct np_attr *attr, const char *target, size_t target_length);
void gofer_set_attr(struct inode *inode, const struct np_attr *attr);
void gofer_evict(struct inode *inode);
// A new place for an inode (after rename, or found at another name). No memory: the old one stays.
void gofer_set_place(struct inode *inode, struct inode *parent, const char *name, size_t length);
// What `validated` holds for the running call; 0 outside of calls.
uint64_t gofer_current_call(void);

// --- reach.c
struct gofer_reach {
    struct gofer_inode *base; // its fid is pinned
    uint32_t fid;
    uint16_t count;
    struct np_str names[NP_NAMES_MAX];
    char *text; // copies of the names on the way
};
// How to name `inode` followed by up to `extra` more names. May drop the lock. Ended by gofer_reach_end().
// -LX_ESTALE when it cannot be named any more.
int gofer_reach(struct inode *inode, unsigned extra, struct gofer_reach *reach);
// The name must stay where it is until the message is sent.
static inline void gofer_reach_add(struct gofer_reach *reach, const char *name, size_t length)
{
    reach->names[reach->count++] = (struct np_str){.bytes = name, .length = (uint16_t)length};
}
void gofer_reach_end(struct gofer_reach *reach);
// Gives the inode a fid and pins it. Drops the lock when it has none. Ended by gofer_unpin().
int gofer_bind(struct inode *inode);
void gofer_unpin(struct inode *inode);
void gofer_fid_forget(struct gofer_inode *node); // its fid is clunked some time later
// A fid number of our own, for a request that binds it. May drop the lock. It is given back, bound or not, by
// gofer_fid_give_back().
int gofer_fid_take(struct gofer_connection *connection, uint32_t *fid);
void gofer_fid_give_back(struct gofer_connection *connection, uint32_t fid, bool bound);
// Forgets every fid that names lead to as well: a plain server's fids may stand on names that a rename has moved.
void gofer_fids_forget_all(struct gofer_connection *connection);

// --- handles.c
// A host descriptor of a regular file for reading (LX_O_RDONLY), writing or both; with `exact` one opened for
// just that. May drop the lock. It is valid until the lock is next dropped, unless node->fd_pins is raised.
int gofer_handle(struct inode *inode, uint32_t access, bool exact, int *fd);
// A handle that is there already, or -1.
int gofer_cached_handle(const struct inode *inode, uint32_t access, bool exact);
// Keeps a descriptor that came with a reply; closes it when there is one already.
void gofer_keep_handle(struct inode *inode, enum gofer_slot slot, int fd, int access);
void gofer_close_handles(struct gofer_inode *node);
// Gives up one that nobody keeps.
void gofer_discard_handle(struct gofer_connection *connection, int handle);

// --- attr.c
int gofer_getattr(struct inode *inode);
int gofer_setattr(struct inode *inode, const struct iattr *attr);
int gofer_statfs_op(struct inode *inode, struct kstatfs *out);
int64_t gofer_readlink_op(struct inode *inode, char *buf, size_t size);
// A message that refreshes the attributes whatever is cached.
int gofer_refresh(struct inode *inode);

// --- xattr.c
int64_t gofer_getxattr_op(struct inode *inode, const char *name, void *value, size_t size);
int gofer_setxattr_op(struct inode *inode, const char *name, const void *value, size_t size, int flags);
int64_t gofer_listxattr_op(struct inode *inode, char *list, size_t size);
int gofer_removexattr_op(struct inode *inode, const char *name);

// --- dir.c
// Reads a directory of a mount of our own into the name cache, unless it is large. May drop the lock.
void gofer_prefetch(struct dentry *dir);

// --- tree.c
void gofer_ahead_forget(struct gofer_inode *node); // its listing that nobody has asked for

// --- lookup.c
int gofer_lookup(struct inode *dir, struct dentry *dentry);
int gofer_revalidate(struct inode *dir, struct dentry *dentry);

// --- names.c
int gofer_create_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid,
                    bool excl);
int gofer_mkdir_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid);
int gofer_mknod_op(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, uint32_t uid,
                   uint32_t gid);
int gofer_symlink_op(struct inode *dir, struct dentry *dentry, const char *target, uint32_t uid,
                     uint32_t gid);
int gofer_link_op(struct inode *dir, struct dentry *dentry, struct inode *target);
int gofer_unlink_op(struct inode *dir, struct dentry *dentry);
int gofer_rmdir_op(struct inode *dir, struct dentry *dentry);
int gofer_rename_op(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
                    struct dentry *new_dentry, unsigned flags);

// --- snapshot.c
// The descriptor for a mapping that writes nothing back. -LX_ENOMEM when too much is mapped that way.
int gofer_snapshot(struct file *f, uint64_t offset, struct host_map *out);
void gofer_snapshot_forget(struct gofer_inode *node);

// --- file.c
int gofer_file_open(struct inode *inode, struct file *f);
