#pragma once
// Open files and descriptor tables. Everything here: kernel lock.
#include "sentry/core/list.h"
#include "sentry/core/wait.h"
#include "sentry/mm/uaccess.h"
#include "sentry/vfs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

struct file;
struct fdtable;
struct call;

// Emits one directory entry; returns false when the caller's buffer is full (the entry is then not consumed).
struct dir_context {
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, int64_t next_pos, uint64_t ino,
                 unsigned type);
    int64_t pos; // where to go on
};
static inline bool dir_is_dot(const char *name, size_t len) // or ".."
{
    return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

// What mmap of a file needs: a host descriptor that holds the bytes.
struct host_map {
    int fd;               // borrowed: stays the file's; -1: map anonymous memory instead (/dev/zero)
    uint64_t offset;      // offset in that descriptor for the file offset asked
    bool shared_write_ok; // MAP_SHARED with PROT_WRITE allowed
};

// Any operation may be NULL: the caller answers with the errno that Linux gives for such a file.
struct file_ops {
    // Moves up to it->count bytes at *pos and advances *pos (streams ignore pos). Bytes moved, 0 at the end, -errno,
    // or what block_on() returned. Nonblocking if file->flags & LX_O_NONBLOCK.
    int64_t (*read)(struct file *f, struct iov_iter *it, int64_t *pos);
    // A stream that blocks with bytes already moved counts them in current->call.state.words[0] and skips them on the next
    // run; words[1] may hold its deadline. So a handler that calls read or write leaves these two words to the operation
    // and passes the whole iterator again.
    int64_t (*write)(struct file *f, struct iov_iter *it, int64_t *pos);
    // Events that hold now; calls poll_wait() for each queue. NULL: always readable and writable.
    uint32_t (*poll)(struct file *f, struct poll_table *pt);
    int64_t (*ioctl)(struct file *f, uint32_t cmd, uint64_t arg);
    int64_t (*lseek)(struct file *f, int64_t offset, int whence); // NULL: ESPIPE. vfs has generic_lseek
    int (*iterate)(struct file *f, struct dir_context *ctx);      // directories
    int (*fsync)(struct file *f, bool datasync);
    int64_t (*fallocate)(struct file *f, int mode, int64_t offset, int64_t len);
    int (*map)(struct file *f, uint64_t offset, uint64_t len, int prot, int flags, struct host_map *out);
    void (*flush)(struct file *f, struct fdtable *t); // each close of a descriptor of this table
    void (*release)(struct file *f);                  // the last reference is gone; frees priv
    // Commands of fcntl(2) that only some files know (F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS). NULL: EINVAL.
    int64_t (*fcntl)(struct file *f, int cmd, uint64_t arg);
    // O_NONBLOCK, O_ASYNC, O_DIRECT... are about to change (f->flags still old). 0 or -errno. Optional.
    int (*set_flags)(struct file *f, uint32_t new_flags);
    // Text of /proc/PID/fdinfo/N after the common lines. Returns bytes written.
    size_t (*show_fdinfo)(struct file *f, char *buf, size_t size);
};

#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_PATH 4u     // O_PATH
#define FMODE_SEEKABLE 8u // pread, pwrite and lseek work
#define FMODE_WRITER 16u  // counts in inode->write_count (vfs/open.c)
#define FMODE_RUNS \
    128u // a program is run from it: denies writing (inode_deny_write) as long as the file lives
#define FMODE_HOST_POS \
    64u // the position is the host's: lseek sets it, read and write get &f->pos itself and use the host's
#define FMODE_OPENED 256u // opened by name: its close is told to watchers
#define FMODE_MAPPED 512u // counts in mem_data.mapping_files (fs/tmpfs)
#define FMODE_NO_POS 32u  // pread and pwrite work, the file's own position does not exist

struct file {
    unsigned refs;
    uint32_t mode;  // FMODE_*; never changes after open
    uint32_t flags; // O_APPEND, O_NONBLOCK, O_ASYNC... as F_GETFL shows; not O_CLOEXEC
    int32_t iterate_state;
    int64_t pos;
    struct path path;    // never changes; anonymous files have a pseudo dentry (name like "pipe:[12]")
    struct inode *inode; // == path.dentry->inode; never changes
    const struct file_ops *ops;
    void *priv;                   // the operations' own
    int owner;                    // F_SETOWN
    int owner_sig;                // F_SETSIG
    struct list_head epoll_links; // epoll items watching this file
    uint32_t owner_uid;           // effective user of F_SETOWN
    uint32_t epoll_items;         // count of epoll registrations, for cleanup (sentry/ipc or fs/epoll)
};

struct file *file_alloc(void); // refs == 1; NULL when out of memory or over the sandbox's limit
struct file *file_get(struct file *f);
void file_put(struct file *f); // the last one calls ops->release and drops the path

// A file with no name in any directory (pipe, socket, eventfd). `name` is what readlink of /proc/self/fd/N shows, such as
// "anon_inode:[eventfd]"; one that ends in ':' is a constant and gets the inode's number ("pipe:[12]"). NULL when out of memory.
struct file *anon_file(const struct file_ops *ops, void *priv, uint32_t fmode, uint32_t flags,
                       const char *name, uint32_t inode_mode);

// lseek for files whose size is inode->attr.size (SEEK_DATA and SEEK_HOLE as one block of data), and with an explicit end.
int64_t generic_lseek(struct file *f, int64_t offset, int whence);
int64_t generic_lseek_size(struct file *f, int64_t offset, int whence, int64_t size);
// Positions that only SEEK_SET and SEEK_CUR reach (directories).
int64_t dir_lseek(struct file *f, int64_t offset, int whence);
// Opens a fifo; set by the pipe code. NULL: ENXIO. May return -LX_EBLOCKED.
extern int (*fifo_open_hook)(struct inode *inode, struct file *f);
// The position of a file, wherever it is kept.
static inline int64_t file_pos(struct file *f)
{
    return f->mode & FMODE_HOST_POS ? f->ops->lseek(f, 0, 1) : f->pos;
}
static inline void file_set_pos(struct file *f, int64_t pos)
{
    f->pos = pos;
    if (f->mode & FMODE_HOST_POS)
        f->ops->lseek(f, pos, 0);
}
// Reads or writes as the system calls do: mode, RLIMIT_FSIZE, O_APPEND is the operation's. Bytes, -errno or block.
int64_t file_read(struct file *f, struct iov_iter *it, int64_t *pos);
int64_t file_write(struct file *f, struct iov_iter *it, int64_t *pos);
// A file would grow over RLIMIT_FSIZE: sends SIGXFSZ to current. Returns -LX_EFBIG.
int64_t file_size_exceeded(void);
// An open file of an inode that has no name (memfd_create): takes over the inode reference. NULL: no memory.
struct file *inode_file(struct inode *i, uint32_t fmode, uint32_t flags, const char *name);

// --- advisory locks (vfs/locks.c) ---
void locks_release_posix(struct file *f, struct fdtable *owner); // each close of a descriptor
void locks_release_file(struct file *f);                         // the last reference (flock, OFD)

// --- descriptor tables ---
#define FD_CLOEXEC_BIT 1u
struct fd_slot {
    struct file *file; // NULL: free
    uint32_t flags;    // FD_CLOEXEC_BIT
};
struct fdtable {
    unsigned refs; // tasks that share it
    unsigned size; // slots allocated
    unsigned next; // no free slot below it
    struct fd_slot *slots;
};
#define FD_TABLE_MAX 1048576u // hard ceiling of RLIMIT_NOFILE

struct fdtable *fdtable_alloc(void);
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t);                  // last: closes all
struct fdtable *fdtable_dup(const struct fdtable *t); // for fork; NULL: no memory
void fdtable_close_on_exec(struct fdtable *t);

// Takes over the caller's reference on success. Lowest free number >= min below RLIMIT_NOFILE of current.
// Returns the descriptor, -LX_EMFILE, -LX_ENOMEM or -LX_EINVAL (min over the limit).
int fd_install(struct fdtable *t, struct file *f, unsigned min, bool cloexec);
// Borrowed file or NULL. Excludes O_PATH files unless path_ok. Use file_get() to keep it over a drop of the kernel lock.
struct file *fd_lookup(struct fdtable *t, int fd);
struct file *fd_lookup_path(struct fdtable *t, int fd); // O_PATH files too
// What the table has now, also for a call that has waited and holds another (sentry/vfs/held.h). O_PATH files too.
struct file *fd_lookup_now(struct fdtable *t, int fd);
int fd_close(struct fdtable *t, int fd); // 0 or -LX_EBADF
int fd_available(struct fdtable *t);     // 0 if fd_install(t, f, 0) would find a number, else -LX_EMFILE
int fd_set_at(struct fdtable *t, int fd, struct file *f, bool cloexec); // dup2: replaces; takes the reference
