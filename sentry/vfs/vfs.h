#pragma once
// Names and inodes: the contract between the VFS and the filesystems. Everything here: kernel lock.
//
// The VFS walks paths, follows symlinks, handles "..", mounts, permissions, sticky bits, umask and O_*/AT_* flags; a
// filesystem sees single components and already allowed operations. An operation may drop the kernel lock
// (kernel_blocking_begin) while it asks the Gofer; the VFS holds references over it and looks again afterwards.
// Lock order: there is one lock. References: a dentry holds its parent and its inode, an inode its superblock, a mount its
// root dentry and its parent mount.
#include "sentry/core/list.h"
#include "sentry/core/wait.h"
#include "sentry/vfs/mutex.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFS_NAME_MAX 255
#define VFS_PATH_MAX 4096
#define VFS_SYMLINKS_MAX 40

struct inode;
struct dentry;
struct mount;
struct file;
struct file_ops;
struct cred;
struct wait_queue;

struct timespec64 {
    int64_t sec;
    uint32_t nsec;
};

// Attributes of an inode, as statx(2) has them.
// (dev, ino) identifies a file: two names of one file have the same, two files that exist at the same time never do.
struct kstat {
    uint64_t ino, size, blocks; // blocks of 512 bytes
    uint64_t dev, rdev;         // Linux dev_t encoding as stat(2) shows
    uint32_t mode, nlink, uid, gid, blksize;
    uint32_t attributes; // STATX_ATTR_*
    struct timespec64 atime, mtime, ctime, btime;
};

#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_CTIME 64u
struct iattr {      // what setattr changes
    uint32_t valid; // ATTR_*
    uint32_t mode, uid, gid;
    uint64_t size;
    struct timespec64 atime, mtime, ctime;
};

struct kstatfs {
    uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

// A place in the tree: both are counted references of the holder.
struct path {
    struct mount *mnt;
    struct dentry *dentry;
};

// Operations of an inode. NULL: the errno Linux gives (EPERM, ENOTDIR, EOPNOTSUPP). Directories get `dir`.
struct inode_ops {
    // Finds dentry->name in dir. On success attaches the inode (dentry_attach) or leaves it negative; 0 or -errno
    // (not -LX_ENOENT). The dentry is not yet in the cache. What the walk asks for after it is in walk_rest(), so that
    // one message can bring several components: the rest goes into the cache with dentry_add().
    int (*lookup)(struct inode *dir, struct dentry *dentry);
    // Makes a regular file and attaches it. `excl` as O_EXCL. mode has umask applied. uid and gid are the new owner's.
    int (*create)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid,
                  bool excl);
    int (*mkdir)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t uid, uint32_t gid);
    int (*mknod)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, uint32_t uid,
                 uint32_t gid);
    int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target, uint32_t uid, uint32_t gid);
    int (*link)(struct inode *dir, struct dentry *dentry, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *dentry);
    int (*rmdir)(struct inode *dir, struct dentry *dentry);
    // flags: RENAME_NOREPLACE, RENAME_EXCHANGE. The VFS moves the dentries afterwards.
    // dentry->inode of both stay attached.
    int (*rename)(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
                  struct dentry *new_dentry, unsigned flags);
    int (*tmpfile)(struct inode *dir, struct dentry *anon, uint32_t mode, uint32_t uid, uint32_t gid);
    // Symlinks: target into buf without NUL; bytes or -errno.
    int64_t (*readlink)(struct inode *inode, char *buf, size_t size);
    // Magic links of proc: takes references into *out. Used instead of readlink when following.
    int (*get_link)(struct inode *inode, struct path *out);
    // Refreshes inode->attr (shared mounts ask the Gofer); NULL: attr is always right.
    int (*getattr)(struct inode *inode);
    int (*setattr)(struct inode *inode, const struct iattr *attr); // updates inode->attr too
    // Opens: sets f->ops if it differs from inode->fops, and f->priv. NULL: nothing to do.
    int (*open)(struct inode *inode, struct file *f);
    // Is a cached dentry still right? 1 yes, 0 look it up again. NULL: always.
    int (*revalidate)(struct inode *dir, struct dentry *dentry);
    int (*statfs)(struct inode *inode, struct kstatfs *out);
    int64_t (*getxattr)(struct inode *inode, const char *name, void *value,
                        size_t size); // size 0: length only
    int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size, int flags);
    int64_t (*listxattr)(struct inode *inode, char *list, size_t size);
    int (*removexattr)(struct inode *inode, const char *name);
    // Extra permission rule before the mode bits (proc); 0 = go on with mode bits, 1 = allowed, -errno.
    int (*permission)(struct inode *inode, int mask);
    void (*evict)(struct inode *inode); // the last reference is gone; frees priv
};

struct super_block;
struct super_ops {
    void (*put_super)(struct super_block *sb); // the last mount is gone
    // Text after the options of /proc/mounts, such as ",size=1024k". Optional.
    size_t (*show_options)(struct super_block *sb, char *buf, size_t size);
    // New options of a remount; SB_RDONLY is the caller's. NULL: it takes none. 0 or -errno.
    int (*reconfigure)(struct super_block *sb, const char *options);
};
#define SB_RDONLY 1u
#define SB_ANON 2u           // pipes, sockets, anonymous files: path_name() shows the dentry's name alone
#define SB_NODCACHE 4u       // negative answers are not cached (proc)
#define SB_ACL 32u           // keeps POSIX access control lists
#define SB_NODEV 128u        // device nodes are only names (mounted in a user namespace)
#define SB_SINGLE 8u         // there is one, which every mount of the type shows
#define SB_ALWAYS_RDONLY 64u // SB_RDONLY cannot be taken away
#define SB_AS_MANY 16u       // ...although Linux makes one for each mount (proc, devpts)
struct super_block {
    unsigned refs;
    const char *fstype; // "tmpfs", "proc", "9p", "overlay"
    char source[64];    // first column of /proc/mounts
    const struct super_ops *ops;
    uint64_t dev;   // st_dev of its inodes
    uint32_t flags; // SB_*
    uint32_t
        mount_flags;  // MNT_* that its mounts have for good: what shows other mounts keeps their restrictions
    unsigned writers; // files open for writing
    struct vfs_mutex
        rename_lock; // one rename between directories at a time: the tree holds still meanwhile. Before theirs
    void *priv;
};

struct inode {
    unsigned refs;
    bool dead;     // a removed directory: nothing is found or made in it
    bool linkable; // it may get a first name (O_TMPFILE without O_EXCL)
    struct super_block *sb;
    const struct inode_ops *ops;
    const struct file_ops *fops; // of files opened on it
    struct kstat attr;           // dev and ino never change
    struct vfs_mutex
        lock; // of a directory: held around every change of its names, also while the kernel lock is dropped
    uint32_t dir_seq;        // of a directory: changes with every change of its names
    uint32_t names_lost;     // of a directory: counts files whose names the cache has let go
    int write_count;         // open writers; -1 per running program that denies writes (ETXTBSY)
    struct wait_queue *wait; // for fifos and locks; owned by the code that set it
    void *locks;             // advisory locks (vfs/locks.c); NULL when none
    void *watches;           // inotify marks; NULL when none
    struct inode_acls *acls; // access control lists (vfs/acl.c); NULL when none is known
    union {
        void *socket; // a socket's: a bound AF_UNIX socket; weak, cleared by it
        void *pipe;   // a fifo's: its pipe while somebody has it open
    };
    void *priv; // the filesystem's own
};

// A name. Negative when inode is NULL. Children hold their parent.
struct dentry {
    unsigned refs;
    unsigned mounts;           // mounts whose mount point it is
    struct dentry *parent;     // itself for a root
    struct inode *inode;       // NULL: negative
    struct list_head children; // struct dentry.sibling
    struct list_head sibling;
    struct list_head hash_link; // in the dentry hash; empty when unhashed (deleted)
    struct list_head lru_link;  // when refs == 0
    uint64_t hash;
    void *priv; // the filesystem's own (a fid)
    char *name; // NUL-terminated
    uint16_t name_len;
    bool unhashed;    // removed from its directory: shows as "(deleted)"
    bool name_static; // `name` is not its own; one that ends in ':' shows with the inode's number behind it
};

// Mount flags, Linux's MS_ values.
#define MNT_RDONLY 1u
#define MNT_NOSUID 2u
#define MNT_NODEV 4u
#define MNT_NOEXEC 8u
#define MNT_NOSYMFOLLOW 256u
#define MNT_NOATIME 1024u
#define MNT_NODIRATIME 2048u
#define MNT_RELATIME (1u << 21)
#define MNT_ATIME_FLAGS (MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME)
#define MNT_FLAGS_ALL (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOSYMFOLLOW | MNT_ATIME_FLAGS)
// References: its holders, one for standing in a tree (the namespace's root: the namespace), and one for each child. When
// nobody but its children holds a mount, they are let go and it is freed (sentry/vfs/mount.c).
struct mount {
    unsigned refs;
    int id;
    struct super_block *sb;
    char *devname;             // first column of /proc/mounts; NULL: the superblock's
    struct dentry *root;       // what it shows
    struct mount *parent;      // NULL for the root mount
    struct dentry *mountpoint; // in parent; NULL for the root mount
    struct list_head children; // struct mount.sibling: mounts on places of this one
    struct list_head sibling;
    unsigned nr_children;
    unsigned writers;      // files open for writing through it
    uint32_t flags;        // MNT_*
    uint32_t locked_flags; // MNT_* that a guest may not take away
    bool locked;           // made at boot: a guest may not unmount it and see what lies below
    bool hides;            // made at boot over something that is not empty
    bool expiring;         // MNT_EXPIRE has been asked once
    bool unbindable;
    bool internal; // the kernel's own, for a filesystem that calls name without a path: shows as a root
    struct list_head link; // in the namespace's list, in mount order
    struct mount_ns *ns;   // NULL: internal (pipes) or detached
    // Propagation (sentry/vfs/propagation.c)
    int peer_group;              // 0: not shared
    struct list_head peers;      // ring of the mounts of its group
    struct mount *master;        // whose events it receives; weak, cleared by it
    struct list_head slaves;     // struct mount.slave_link
    struct list_head slave_link; // in master->slaves
    uint64_t visited;            // the last walk over groups that came by
};
struct user_ns;
struct mount_ns {
    unsigned refs;
    unsigned nr_mounts;
    struct list_head mounts;
    struct mount *root;
    struct user_ns *owner; // referenced; NULL: the first user namespace
    uint64_t ino;          // the number that its links show
};

// --- inodes and dentries, for filesystems ---
// Each type that mount(2) and the boot configuration can name. Registered once at start.
struct fs_type {
    const char *name;
    // Makes (or finds again) the superblock; references of the caller in *sb and *root. `options` as mount(2)'s data.
    int (*mount)(const struct fs_type *t, const char *source, const char *options, struct super_block **sb,
                 struct dentry **root);
    bool guest_may_mount; // with CAP_SYS_ADMIN
    // What a guest's mount makes where that is something else than at boot; NULL: `mount`.
    int (*guest_mount)(const struct fs_type *t, const char *source, const char *options,
                       struct super_block **sb, struct dentry **root);
    struct list_head link;
};
void fs_type_register(struct fs_type *t);
struct fs_type *fs_type_find(const char *name);
extern struct list_head fs_types;
struct super_block *sb_alloc(const char *fstype, const struct super_ops *ops,
                             void *priv); // fresh anonymous dev
void sb_put(struct super_block *sb);
struct inode *inode_alloc(struct super_block *sb, const struct inode_ops *ops,
                          const struct file_ops *fops); // refs 1
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i);
uint64_t inode_next_ino(void);
// Gives a dentry its inode; takes over the caller's inode reference.
void dentry_attach(struct dentry *d, struct inode *i);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
struct dentry *
dentry_alloc_root(struct inode *root); // takes the inode reference; NULL: no memory (reference dropped)
// A name outside the cache (refs 1): for a filesystem's own bookkeeping, and what lookup operations get. NULL: no memory.
struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len);
// Puts a name with its inode (NULL: negative) into the cache if it is not there. Takes over the inode reference. Returns the
// cached dentry with a reference, or NULL when out of memory.
struct dentry *dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode);
// The cached dentry with a reference, or NULL. Asks nobody.
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
// Finds a name below a directory through the cache, or asks the filesystem; no permission check, no mounts, no symlinks.
// A reference (maybe negative) in *out, or -errno.
int dentry_lookup(struct dentry *parent, const char *name, size_t len, struct dentry **out);
// What the running walk will ask for after the component in hand, such as "b/c"; "" when nothing is known.
const char *walk_rest(void);
// Forget a cached name (proc entries of a dead process, shared mounts).
void dentry_drop(struct dentry *d);
// Frees cached names nobody uses until at most `keep` of them are left.
void dentry_shrink(unsigned keep);
void path_get(const struct path *p);
void path_put(struct path *p);

// --- for the rest of the kernel ---
#define LOOKUP_FOLLOW 1u    // follow a symlink at the end
#define LOOKUP_EMPTY 2u     // AT_EMPTY_PATH: "" is the start itself
#define LOOKUP_DIRECTORY 4u // must be a directory
#define LOOKUP_NO_MAGICLINKS 8u
#define LOOKUP_NO_SYMLINKS 16u
#define LOOKUP_BENEATH 32u
#define LOOKUP_IN_ROOT 64u
#define LOOKUP_NO_XDEV 128u
// Resolves `name` from dirfd (LX_AT_FDCWD allowed) for current. 0 and references in *out, or -errno.
int path_lookup(int dirfd, const char *name, unsigned flags, struct path *out);
// As path_lookup, but from an explicit start instead of a descriptor.
int path_lookup_from(const struct path *start, const char *name, unsigned flags, struct path *out);
// Opens as openat2(2) does, with current's credentials. 0 and a reference in *out, or -errno (or -LX_EBLOCKED: fifo).
int vfs_open(int dirfd, const char *name, uint32_t o_flags, uint32_t mode, unsigned lookup,
             struct file **out);
// Opens a place without asking for permission: what a filesystem does with the one below it. O_RDONLY and the like only.
int vfs_open_raw(const struct path *p, uint32_t o_flags, struct file **out);
// Emits what a directory holds until emit returns false. 0 or -errno; may drop the kernel lock.
struct dir_context;
int vfs_iterate_raw(const struct path *dir, struct dir_context *ctx);
// Opens an already resolved place (exec, proc fd reopen).
int vfs_open_path(const struct path *p, uint32_t o_flags, struct file **out);
// Reads from a file into our own memory at an offset; may drop the kernel lock. Bytes or -errno.
int64_t kernel_read(struct file *f, void *buf, size_t n, int64_t offset);
// Writes our own memory to a file from its beginning, in one piece. Bytes or -errno.
int64_t kernel_write(struct file *f, const void *buf, size_t n);
// Finds the parent directory of the last component of `name` and copies that component into `last` (VFS_NAME_MAX + 1
// bytes). *type tells "." and ".." and "/" apart; *slash whether slashes follow it.
enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };
int path_parent(int dirfd, const char *name, unsigned flags, struct path *parent, char *last,
                enum last_type *type, bool *slash);

// Names in a directory that the kernel keeps: `name` is one component (-LX_EACCES for others). Opens it with these flags of
// open(2); `how` makes it, as inode_ops.create does, when it is missing and O_CREAT is there. O_TRUNC means nothing. 0 and a
// reference in *out, or -errno.
typedef int (*vfs_make)(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                        const void *arg);
int vfs_open_in(const struct path *dir, const char *name, uint32_t flags, uint32_t mode, vfs_make how,
                const void *arg, struct file **out);
int vfs_unlink_in(const struct path *dir, const char *name);
// Changes of the tree as current may do them; `name` values are guest paths.
int vfs_mkdirat(int dirfd, const char *name, uint32_t mode);
int vfs_mknodat(int dirfd, const char *name, uint32_t mode, uint64_t rdev);
// As vfs_mknodat, and gives the new place (bind of AF_UNIX): references in *out.
int vfs_mknod_path(int dirfd, const char *name, uint32_t mode, uint64_t rdev, struct path *out);
int vfs_symlinkat(const char *target, int dirfd, const char *name);
int vfs_linkat(int olddirfd, const char *oldname, int newdirfd, const char *newname, int at_flags);
int vfs_unlinkat(int dirfd, const char *name, bool rmdir);
int vfs_renameat(int olddirfd, const char *oldname, int newdirfd, const char *newname, unsigned flags);
int64_t vfs_readlink(const struct path *p, char *buf, size_t size);

// Changes that a filesystem makes in the one below it (vfs/raw.c): no permission is asked, mounts are not looked at. They lock
// the directories and may drop the kernel lock.
struct raw_new {
    uint32_t mode; // with its type
    uint64_t rdev;
    uint32_t uid, gid;
    const char *target; // of a symlink
    struct inode *link; // a further name for this one instead; the rest means nothing
};
// Makes a name that is not there. 0 and a reference in *out, or -errno.
int vfs_make_raw(struct dentry *parent, const char *name, const struct raw_new *new, struct dentry **out);
int vfs_remove_raw(struct dentry *d); // a file, or a directory that is empty
// flags: as rename in struct inode_ops. `d` has its new place afterwards.
int vfs_rename_raw(struct dentry *d, struct dentry *to, const char *name, unsigned flags);

// Applies already permitted changes: read-only mounts, setattr, ctime. `p->mnt` may be NULL.
int vfs_setattr(const struct path *p, struct inode *i, const struct iattr *attr);
// What most filesystems' setattr does with all but the size: takes it into the inode's attributes (setattr_copy of fs/attr.c).
void setattr_copy(struct inode *i, const struct iattr *attr);
int vfs_truncate(const struct path *p, struct inode *i, uint64_t size);
int vfs_statfs(const struct path *p, struct kstatfs *out);
struct timespec64 vfs_now(void);
// Access of a new file to the inode: deny_write for a running program (-LX_ETXTBSY), get_write for an open writer.
int inode_deny_write(struct inode *i);
void inode_allow_write(struct inode *i);

// --- mounts ---
struct mount *mount_alloc(struct super_block *sb, struct dentry *root,
                          uint32_t flags); // takes its own references; NULL: no memory, or too many mounts
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);
struct mount_ns *mount_ns_alloc(struct mount *root); // takes the reference of root
struct mount_ns *mount_ns_get(struct mount_ns *ns);
void mount_ns_put(struct mount_ns *ns);
// A copy of all mounts for a namespace that belongs to `owner`; what its maker could not undo is locked in it when that is
// another user namespace. NULL and *err on failure.
struct fs_struct;
struct mount_ns *mount_ns_copy(struct mount_ns *from, struct user_ns *owner, int *err);
// Root and working directory go to the same places of a copy of their namespace, whose reference is taken over.
void mount_ns_enter_copy(struct fs_struct *fs, struct mount_ns *copy);
// Root and working directory become the root of another namespace, whose reference is taken over.
void mount_ns_enter(struct fs_struct *fs, struct mount_ns *ns);
// pivot_root(2): current's root mount goes to `old`, `new` becomes the root. 0 or -errno.
int mount_pivot(const struct path *new, const struct path *old);
// Is its root another place than its namespace's?
bool mount_ns_chrooted(const struct fs_struct *fs);
struct user_ns *mount_ns_owner(const struct mount_ns *ns);
// Puts `m` (its reference is taken over on success), with what is mounted on it, onto a place of a namespace, and copies of
// it where the place's mount propagates to. -LX_ENOTDIR unless both are directories or both are not.
int mount_attach(struct mount *m, const struct path *at);
int mount_detach(struct mount *m, bool lazy); // -LX_EBUSY when in use and not lazy
// The tree of mounts goes to another place: same rules.
int mount_move(struct mount *m, const struct path *at);
// A copy of what `m` shows from `root` on, outside of any namespace; with the mounts below if asked. What is private stays so,
// what is shared joins the group. 0 and a reference in *out, -LX_EINVAL for a locked or unbindable tree, or -LX_ENOSPC.
#define COPY_RECURSIVE 1u
#define COPY_SLAVE 2u // copies of shared mounts only receive (another user namespace)
#define COPY_ALL 4u   // unbindable and locked mounts too (a copy of a namespace)
#define COPY_PRIVATE 8u
int mount_copy(struct mount *m, struct dentry *root, unsigned flags, struct mount **out);
// The copy of `m` in a tree that mount_copy() made of `tree`; NULL when there is none. Borrowed.
struct mount *mount_counterpart(struct mount *tree, struct mount *copy, struct mount *m);
// Puts a detached tree into a fresh namespace or takes it over whole (pivot_root and the like change it by hand).
void mount_tree_set_ns(struct mount *m, struct mount_ns *ns);
// Walks a tree in the order parents first: the mount after `m` below `top`, or NULL.
struct mount *mount_next(const struct mount *m, const struct mount *top);
// Changes flags: what is locked stays (-LX_EPERM), open writers hinder MNT_RDONLY (-LX_EBUSY).
int mount_set_flags(struct mount *m, uint32_t flags);
// May names below `p` be seen from current's namespace?
bool mount_is_ours(const struct mount *m);
// MS_SHARED, MS_PRIVATE, MS_SLAVE or MS_UNBINDABLE, of one mount or all below it.
int mount_set_propagation(struct mount *m, uint32_t type, bool recursive);
// The nearest group with a mount in `ns` from which `m` hears of changes; 0: none.
int propagation_dominator(const struct mount *m, const struct mount_ns *ns);
// Flags of a new mount: relatime unless they say something else.
static inline uint32_t mount_with_atime(uint32_t flags)
{
    return flags & MNT_NOATIME ? flags & ~MNT_RELATIME : flags | MNT_RELATIME;
}
// Mounts one filesystem at `dest`, making missing directories on the way; at boot, no permission is asked.
int vfs_mount_at(const struct path *root, const char *fstype, const char *source, const char *options,
                 uint32_t flags, const char *dest);
int vfs_make_mountpoint(const struct path *root, const char *dest, bool directory, struct path *out);
// Sets up caches, anonymous files, and the filesystems of this directory (tmpfs, overlay, devtmpfs). Once at start.
int vfs_init(void);

#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
int inode_permission(struct inode *i, int mask); // current's fs ids; 0 or -LX_EACCES
int path_permission(const struct path *p,
                    int mask); // the same, and read-only mounts (EROFS), noexec (EACCES)
// Is current the owner of the inode, or may act as such (CAP_FOWNER)?
bool inode_owner_or_capable(const struct inode *i);
// Does current's capability count for this inode (capable_wrt_inode_uidgid)?
bool inode_capable(const struct inode *i, int cap);
// As capable(), and true while the kernel itself starts (no current task).
bool vfs_capable(int cap);
int vfs_getattr(struct inode *i, struct kstat *out);
// The path as current sees it, below its root. Returns the length (without NUL) or -LX_ENAMETOOLONG. A deleted name ends in
// " (deleted)"; one outside the root begins with "(unreachable)".
int path_name(const struct path *p, char *buf, size_t size);
