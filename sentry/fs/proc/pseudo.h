#pragma once
// Filesystems whose files are made of functions: a tree of constant tables (proc, sysfs, the cgroup view). Kernel lock.
//
// A table is an array of rows that ends with one without a name. A row is a file (show, store), a link (readlink, get_link) or a
// directory: of a table (children), or of names that come and go (lookup, iterate, alive).
#include "sentry/fs/proc/out_text.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

struct task;
struct thread_group;
struct pseudo;

#define PSEUDO_PTRACE 1u // opening and following need ptrace access to the process

struct pseudo_node {
    const char *name;
    uint32_t mode; // with S_IFMT
    uint32_t flags;
    // Files. 0 or -errno; may drop the kernel lock.
    int (*show)(const struct pseudo *p, struct out_text *out);
    // One write, terminated, at most PSEUDO_WRITE_MAX bytes. Bytes taken (n) or -errno.
    int64_t (*store)(const struct pseudo *p, const char *text, size_t n);
    // Files with operations of their own.
    const struct file_ops *fops;
    // Links.
    int64_t (*readlink)(const struct pseudo *p, char *buf, size_t size);
    int (*get_link)(const struct pseudo *p, struct path *out); // NULL: the text is followed
    // Directories.
    const struct pseudo_node *children;
    int (*lookup)(const struct pseudo *dir, struct dentry *d); // what the table does not have
    // Names beside the table's, from *index on (its meaning is the directory's): the next one into `name` and its type.
    // False: no more.
    bool (*iterate)(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type, uint64_t *ino);
    bool (*alive)(const struct pseudo *dir, const struct pseudo *entry); // is a cached entry still there?
    uint64_t arg; // for functions shared by several rows
    const void *data;
};

// What an inode of such a filesystem is about. The references are the inode's.
struct pseudo {
    const struct pseudo_node *node;
    struct thread_group *tg; // of /proc/PID and below; NULL elsewhere
    struct task *task;       // of /proc/PID/task/TID and below
    int64_t number;          // of fd/N, fdinfo/N, cpuN and what is below
};

#define PSEUDO_WRITE_MAX 4096u

// Makes an inode for a row, with the process of `parent` (NULL: none). NULL: no memory.
struct inode *pseudo_inode(struct super_block *sb, const struct pseudo_node *node,
                           const struct pseudo *parent);
static inline struct pseudo *pseudo_of(const struct inode *i)
{
    return i->priv;
}
// Sets who owns the inode and its mode, for entries of processes. Called at every look. Set once by proc.
extern void (*pseudo_refresh)(struct inode *i);
extern bool (*pseudo_may_access)(const struct pseudo *p);

// Registers a filesystem whose root is `root`. `name` as mount(2) has it. 0 or -LX_ENOMEM.
struct pseudo_fs {
    struct fs_type type; // first
    const struct pseudo_node *root;
    uint64_t magic;
    const char *const *options; // that a mount may name, ends with NULL; NULL: none
    bool missing_is_error;      // a name that is not there is ENOENT even for calls that would make it
    struct super_block *sb;
    struct dentry *root_dentry;
};
int pseudo_fs_register(struct pseudo_fs *fs, const char *name, const struct pseudo_node *root,
                       uint64_t magic);

// Shorthands for tables.
#define PSEUDO_FILE(name_, mode_, show_)                        \
    {                                                           \
        .name = name_, .mode = 0100000 | (mode_), .show = show_ \
    }
#define PSEUDO_DIR(name_, children_)                          \
    {                                                         \
        .name = name_, .mode = 0040555, .children = children_ \
    }
// A file of constant text (data).
int pseudo_show_constant(const struct pseudo *p, struct out_text *out);
#define PSEUDO_TEXT(name_, text_)                                                   \
    {                                                                               \
        .name = name_, .mode = 0100444, .show = pseudo_show_constant, .data = text_ \
    }
int64_t pseudo_link_text(const char *text, char *buf, size_t size);
