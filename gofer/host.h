// The Gofer's view of host files: exports, and nodes reached below them one component at a time.
//
// A node holds an O_PATH descriptor, never a path. It is made by node_walk() from the node of a directory and
// one checked name, so no sequence of requests can name anything outside an export. Only node_reopen() turns
// it into a descriptor that reads or writes, through the Gofer's own /proc/self/fd and for regular files and
// directories only. One thread uses all of this; nothing is locked.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/gofer_config.h"
#include "abi/ninep/ninep.h"

struct export
{
    char name[GOFER_EXPORT_NAME_MAX];
    uint32_t flags; // GOFER_EXPORT_*
    int root_fd;    // the detached mount, or in nested mode a plain O_PATH descriptor
};

struct host {
    struct export *exports;
    unsigned int export_count;
    enum gofer_owner owner;
    uint32_t self_uid, self_gid; // GOFER_OWNER_SINGLE: what the Gofer's own user shows as
    uint32_t uid, gid;           // the Gofer's own, as it sees them
    bool locks;       // Tlock is answered: for other clients than the Sentry, which has locks of its own
    int self_fds;     // directory /proc/self/fd, as a mount without parent; also the working directory
    uint64_t dev[64]; // devices seen, so that qids of different devices differ; index is in the qid
    unsigned int dev_count;
};

struct node {
    unsigned int refs; // fids that stand on it, and the running request
    int fd;            // O_PATH
    mode_t type;       // S_IFMT bits; an inode never changes them
    uint8_t dev_index;
    const struct export *export;
};

// Opens /proc/self/fd (cloned as a mount of its own when `clone`), and makes it the working directory. 0 or
// -errno.
int host_open_self(struct host *host, bool clone);
// Is openat2(2), on which all resolution rests, to be had? 0 or -errno.
int host_check(const struct host *host);

const struct export *host_find_export(const struct host *host, struct np_str name);

// The root of an export, or the node called `name` in `directory`. A reference in *out, or -errno. Refuses
// names that are not one component with EINVAL (ENAMETOOLONG over 255 bytes); symlinks are returned, never
// followed.
int node_root(struct host *host, const struct export *export, struct node **out);
int node_walk(struct host *host, const struct node *directory, struct np_str name, struct node **out);
// A node for a descriptor that was just created below `directory`. Does not take the descriptor over.
int node_of(struct host *host, const struct node *directory, int fd, struct node **out);
struct node *node_get(struct node *node);
void node_put(struct node *node);

// A descriptor on the node's own inode, O_CLOEXEC and without side effects of opening. `flags` may hold an
// access mode, O_TRUNC, O_APPEND, O_SYNC, O_DSYNC. Regular files and (read-only) directories; EISDIR, ELOOP,
// Opens one of our own descriptors anew through /proc/self/fd. A descriptor, or -1 with errno.
int host_reopen(const struct host *host, int fd, int flags);
// or EACCES for special files.
int node_reopen(const struct host *host, const struct node *node, int flags);

// Gives a new file, open as `fd` (O_PATH too), to who asked for it, where the configuration wants that;
// UINT32_MAX keeps.
int host_give(const struct host *host, int fd, uint32_t uid, uint32_t gid);
// Changes the owner on request: -EPERM where the configuration has one user only and another was asked for.
int host_chown(const struct host *host, int fd, uint32_t uid, uint32_t gid);

int node_stat(struct host *host, const struct node *node, struct np_attr *attr);
// statx(2) of an entry of an open directory, without following. 0 or -errno.
int host_stat_entry(struct host *host, int directory, const char *name, struct np_attr *attr);
// Does `name` in the directory mean the file that `fd` holds? Asked before a failed creation is taken back.
bool host_is_same(int directory, const char *name, int fd);
uint64_t host_qid_path(uint64_t inode, uint8_t dev_index);

// Copies a name that is a single component into `buffer` with a NUL. 0, -EINVAL or -ENAMETOOLONG.
int host_name(struct np_str name, char buffer[NP_NAME_MAX + 1]);

// "N" for use below self_fds: names the node's inode without a path.
struct self_name {
    char text[16];
};
struct self_name host_self_name(int fd);

static inline bool node_read_only(const struct node *node)
{
    return node->export->flags & GOFER_EXPORT_RO;
}
