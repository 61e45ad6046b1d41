#pragma once
// The Sentry's end of the Gofer protocol: one function for each request, synchronous. Knows neither the
// kernel lock nor the VFS: who holds the kernel lock brackets a call with kernel_blocking_begin() and
// kernel_blocking_end().
//
// One mutex covers sending a request and receiving its reply. Every wait is bounded. A reply that makes no sense, of
// another type than asked for, or with a descriptor that it should not bring, is -EIO for that request. A connection
// that is lost or out of step (too long a reply, another tag) ends through `fatal` (invariant 7); functions then return
// -EIO for ever. Results are 0 or -errno; errno values are Linux's, as on the wire.
//
// A server without our extension is asked in plain 9P2000.L: the same functions send more messages (client_plain.c), and
// where a host descriptor would be donated they give the number of an open fid instead.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/ninep/ninep.h"

#define GOFER_ROOT_FID 0u
#define GOFER_TARGET_MAX 4096

struct gofer_client {
    int fd;
    pthread_mutex_t lock;
    uint32_t message_size;            // settled; never changes after gofer_connect
    bool plain;                       // 9P2000.L without our extension; the same
    bool no_at;                       // a plain server knows neither Trenameat nor Tunlinkat; lock
    uint32_t uid;                     // whom a plain server is to serve; before the first gofer_attach
    uint8_t *buffer;                  // message_size bytes; lock
    struct np_message request, reply; // lock
    uint16_t tag;                     // lock
    bool failed;                      // lock
    void (*fatal)(const char *why);   // called once, with the lock held
    _Atomic uint64_t messages;        // requests sent, for --stats
};

// Takes the connected socket over, sets its time limit (before the filter: it needs setsockopt) and settles
// the version. `fatal` is called when the connection is lost or out of step. 0 or -errno.
int gofer_connect(struct gofer_client *client, int fd, unsigned int timeout_seconds,
                  void (*fatal)(const char *why));
void gofer_disconnect(struct gofer_client *client);

int gofer_attach(struct gofer_client *client, uint32_t fid, const char *name, struct np_attr *attr,
                 uint32_t *flags);

struct gofer_walk {
    uint32_t stop;  // errno why the next name was not reached; 0: all were
    bool bound;     // newfid stands on the last name
    uint16_t count; // of attr: names reached; 1 when none was given (the fid's own)
    uint16_t target_length;
    struct np_attr attr[NP_NAMES_MAX];
    char target[GOFER_TARGET_MAX]; // of the last one, when it is a symlink; not terminated
};
// Walks `count` names of at most NP_NAMES_MAX from `fid`; binds newfid unless it is NP_NOFID.
int gofer_walk(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, struct gofer_walk *walk);

// The attributes of what a fid stands on.
int gofer_stat(struct gofer_client *client, uint32_t fid, struct np_attr *attr);

// Opens the regular file `count` names below `fid` (none: the fid itself) and receives a host descriptor with
// exactly the access mode in `flags`, O_TRUNC applied. -EMFILE also when this process has no number left for
// it. Plain: opens `newfid`, and *host_fd is its number; the extension binds no fid.
int gofer_open(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, uint32_t flags, struct np_attr *attr, int *host_fd);
// Makes a regular file that did not exist; binds newfid. Plain: newfid is open, and *host_fd is its number; the owner is
// who the server says.
int gofer_create(struct gofer_client *client, uint32_t dfid, uint32_t newfid, struct np_str name,
                 uint32_t flags, uint32_t mode, uint32_t uid, uint32_t gid, struct np_attr *attr,
                 int *host_fd);

struct gofer_make {
    struct np_str name, target; // target: symlinks
    uint32_t mode;              // with S_IFMT
    uint32_t major, minor, uid, gid;
};
// Makes a directory, symlink or special file; binds newfid.
int gofer_make(struct gofer_client *client, uint32_t dfid, uint32_t newfid, const struct gofer_make *make,
               struct np_attr *attr);

int gofer_clunk(struct gofer_client *client, const uint32_t *fids, uint16_t count);

// One part of the directory `count` names below `fid` (none: the fid itself): calls `entry` for each, with
// the client's lock held, until it returns false. *end: no more.
typedef bool gofer_entry_fn(void *context, const struct np_dirent *entry, const struct np_attr *attr);
int gofer_readdir(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                  uint64_t offset, uint32_t size, gofer_entry_fn *entry, void *context, bool *end);

// Directories of a tree, each whole: those called `below` in the directory `count` names below `fid`, and what lies below
// them, as far as one reply of `size` bytes goes. Calls `directory` for each, with the index of its parent among them
// (UINT16_MAX: the one named), then `entry` for what it holds; both with the client's lock held. Ends when one returns
// false. Not of a plain server.
typedef bool gofer_directory_fn(void *context, uint16_t parent, struct np_str name);
int gofer_readdir_tree(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                       const struct np_names *below, uint32_t size, gofer_directory_fn *directory,
                       gofer_entry_fn *entry, void *context);

int gofer_change(struct gofer_client *client, const struct np_tsetattrget *change, struct np_attr *attr);
int gofer_statfs(struct gofer_client *client, uint32_t fid, struct np_rstatfs *out);
int gofer_fsync(struct gofer_client *client, uint32_t fid, bool datasync);
// The same of a directory, whose fid nobody has opened.
int gofer_sync_dir(struct gofer_client *client, uint32_t fid, bool datasync);
int gofer_link(struct gofer_client *client, uint32_t dfid, uint32_t fid, struct np_str name);
int gofer_rename(struct gofer_client *client, uint32_t old_dfid, struct np_str old_name, uint32_t new_dfid,
                 struct np_str new_name, uint32_t flags);
int gofer_unlink(struct gofer_client *client, uint32_t dfid, struct np_str name, bool directory);

// The value (or with an empty name the list of names). Bytes, or with size 0 how many there are.
int64_t gofer_getxattr(struct gofer_client *client, uint32_t fid, struct np_str name, void *value,
                       size_t size);
// flags: XATTR_CREATE, XATTR_REPLACE, NP_XATTR_REMOVE.
int gofer_setxattr(struct gofer_client *client, uint32_t fid, struct np_str name, const void *value,
                   size_t size, uint32_t flags);

// A fresh file in memory (`store`: without a name in the operator's store), open for reading and writing in *rw and for reading only in *ro.
int gofer_memfd(struct gofer_client *client, bool store, int *rw, int *ro);

// Contents by message: opens the fid itself, and moves the bytes of an open one.
int gofer_lopen(struct gofer_client *client, uint32_t fid, uint32_t flags);
int64_t gofer_read(struct gofer_client *client, uint32_t fid, uint64_t offset, void *buffer, size_t size);
int64_t gofer_write(struct gofer_client *client, uint32_t fid, uint64_t offset, const void *buffer,
                    size_t size);
