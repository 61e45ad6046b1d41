// The protocol server of one connection: one request in, one reply out. It knows no socket.
#pragma once

#include "gofer/fid.h"

#define SERVER_DEFAULT_LIMIT NP_MESSAGE_MAX

struct server {
    struct host *host;
    struct fid_table fids;
    uint32_t message_limit; // largest size Tversion may settle on
    uint32_t message_size;  // settled size; before that, the smallest
    bool versioned;
    bool extended;  // 9P2000.L.sentry1
    int memory;     // the file of the last Tmemfd, until it has been donated for reading too; or -1
    int donated;    // descriptor that travels with the reply, or -1; the caller closes it
    uint8_t *reply; // message_limit bytes
    struct np_message in, out;
};

// Fids that the descriptor limit allows one connection, at most `wanted` (0: no wish). Before the filter.
uint32_t server_fid_limit(uint32_t wanted);
// 0, or -errno. `limit` 0 means the default; `fid_limit` 0 what server_fid_limit() says.
int server_init(struct server *server, struct host *host, uint32_t limit, uint32_t fid_limit);
void server_destroy(struct server *server);

// Handles a whole request of `size` bytes. Returns the size of the reply in server->reply; server->donated is
// a descriptor to send with it, or -1.
size_t server_handle(struct server *server, const void *request, size_t size);

// --- between the server's files ---

// A handler reads server->in, fills server->out, and returns 0 or -errno. On an error nothing it did may
// remain.
typedef int server_handler(struct server *server);
server_handler server_version, server_auth, server_attach, server_flush, server_walk, server_clunk,
    server_remove, server_unsupported;
server_handler server_lopen, server_lcreate, server_read, server_write, server_fsync, server_lock,
    server_getlock;
server_handler server_getattr, server_setattr, server_statfs, server_readlink;
server_handler server_xattrwalk, server_xattrcreate, server_readdir;
server_handler server_symlink, server_mknod, server_mkdir, server_link, server_renameat, server_unlinkat;
server_handler server_attachattr, server_walkattr, server_openfd, server_createfd, server_make,
    server_clunkmany, server_readdirattr, server_getxattr, server_setxattr, server_renameflags,
    server_setattrget, server_memfd, server_readdirtree;

// The fid of a request that stands on a file (not an attribute). 0 or -EBADF.
int server_fid(struct server *server, uint32_t number, struct fid **out);
// The same for a directory in which something is to be changed: -ENOTDIR, -EROFS.
int server_changed_dir(struct server *server, uint32_t number, struct fid **out);
// Bytes of data that a reply may carry when `overhead` bytes precede them.
uint32_t server_room(const struct server *server, uint32_t wanted, uint32_t overhead);
// The target of a symlink into `buffer` (PATH_MAX bytes). 0 or -errno.
int server_link_target(const struct node *node, char *buffer, struct np_str *target);
// The node that names lead to from a node; a reference of the caller. 0 or -errno.
int server_walk_to(struct server *server, struct node *from, const struct np_names *names, struct node **out);
// Every entry of an open directory with its attributes, at the cursor. 1, 0 when they do not fit, or -errno.
int server_put_directory(struct server *server, const struct node *node, int fd, struct np_cursor *cursor);
int server_xattr_finish(struct server *server, struct fid *fid);
int server_chmod(const struct host *host, const struct node *node, uint32_t mode);

// An entry of the dispatch table.
struct server_op {
    uint8_t type;
    bool extension;
    server_handler *handler;
};
