// Opening, creating, and file contents by message.
#include "gofer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOPEN_FLAGS (O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC)

int server_lopen(struct server *server)
{
    struct fid *fid;
    int error = server_fid(server, server->in.tlopen.fid, &fid);
    if (error)
        return error;
    if (fid->open_fd >= 0 || fid->dir_fd >= 0)
        return -EBUSY;
    int flags = (int)server->in.tlopen.flags;
    if ((flags & O_DIRECTORY) && !S_ISDIR(fid->node->type))
        return -ENOTDIR;
    struct np_attr attr;
    error = node_stat(server->host, fid->node, &attr);
    if (error)
        return error;
    int fd = node_reopen(server->host, fid->node, flags & LOPEN_FLAGS);
    if (fd < 0)
        return fd;
    fid->open_fd = fd;
    server->out.rlopen = (struct np_rlopen){.qid = attr.qid};
    return 0;
}

// Makes a new regular file. uid and gid of -1 are left to the host. The descriptor in *out, and the node if
// asked.
static int create(struct server *server, const struct node *directory, struct np_str name, int flags,
                  uint32_t mode, uint32_t uid, uint32_t gid, int *out, struct node **node)
{
    char component[NP_NAME_MAX + 1];
    int error = host_name(name, component);
    if (error)
        return error;
    if ((mode & ~07777u) || (flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    if ((mode & (S_ISUID | S_ISGID)) && !(directory->export->flags & GOFER_EXPORT_SETID))
        return -EPERM;
    struct open_how how = {
        .flags = (uint64_t)(O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
                            (flags & (O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC))),
        .mode = mode & 0777,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, directory->fd, component, &how, sizeof(how));
    if (fd < 0)
        return -errno;
    error = host_give(server->host, fd, uid, gid);
    if (!error && (mode & 07000) && fchmod(fd, mode) < 0)
        error = -errno;
    if (!error && node)
        error = node_of(server->host, directory, fd, node);
    if (error) {
        if (host_is_same(directory->fd, component, fd))
            unlinkat(directory->fd, component, 0);
        close(fd);
        return error;
    }
    *out = fd;
    return 0;
}

int server_lcreate(struct server *server)
{
    const struct np_tlcreate *in = &server->in.tlcreate;
    struct fid *fid;
    int error = server_changed_dir(server, in->fid, &fid);
    if (error)
        return error;
    if (fid->open_fd >= 0 || fid->dir_fd >= 0)
        return -EBUSY;
    struct node *node = NULL;
    struct np_attr attr;
    int fd = -1;
    error = create(server, fid->node, in->name, (int)in->flags, in->mode & 07777, UINT32_MAX, in->gid, &fd,
                   &node);
    if (error == -EEXIST && !(in->flags & O_EXCL)) {
        error = node_walk(server->host, fid->node, in->name, &node);
        if (!error) {
            fd =
                S_ISREG(node->type) ? node_reopen(server->host, node, (int)in->flags & LOPEN_FLAGS) : -EEXIST;
            error = fd < 0 ? fd : 0;
        }
    }
    if (!error)
        error = node_stat(server->host, node, &attr);
    if (error) {
        if (fd >= 0)
            close(fd);
        node_put(node);
        return error;
    }
    fid_move(&server->fids, fid, node);
    node_put(node);
    fid->open_fd = fd;
    server->out.rlcreate = (struct np_rlcreate){.qid = attr.qid};
    return 0;
}

int server_openfd(struct server *server)
{
    const struct np_topenfd *in = &server->in.topenfd;
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    if (in->flags & ~(uint32_t)(O_ACCMODE | O_TRUNC))
        return -EINVAL;
    struct node *node = node_get(fid->node);
    for (uint16_t i = 0; i < in->names.count && !error; i++) {
        struct node *next;
        error = node_walk(server->host, node, in->names.name[i], &next);
        if (!error) {
            node_put(node);
            node = next;
        }
    }
    int fd = -1;
    if (!error) {
        fd = S_ISDIR(node->type) ? -EISDIR : node_reopen(server->host, node, (int)in->flags);
        error = fd < 0 ? fd : node_stat(server->host, node, &server->out.ropenfd.attr);
    }
    node_put(node);
    if (error) {
        if (fd >= 0)
            close(fd);
        return error;
    }
    server->donated = fd;
    return 0;
}

int server_createfd(struct server *server)
{
    const struct np_tcreatefd *in = &server->in.tcreatefd;
    struct fid *fid;
    int error = server_changed_dir(server, in->dfid, &fid);
    if (error)
        return error;
    if (in->flags & ~(uint32_t)O_ACCMODE)
        return -EINVAL;
    // What can fail without a trace is tried before anything is made.
    if (in->newfid != NP_NOFID && fid_find(&server->fids, in->newfid))
        return -EEXIST;
    if (in->newfid != NP_NOFID && server->fids.count >= server->fids.limit)
        return -EMFILE;
    struct node *node;
    int fd;
    error = create(server, fid->node, in->name, (int)in->flags, in->mode, in->uid, in->gid, &fd, &node);
    if (error)
        return error;
    error = node_stat(server->host, node, &server->out.rcreatefd.attr);
    if (!error && in->newfid != NP_NOFID)
        error = fid_add(&server->fids, in->newfid, node, NULL);
    if (error) {
        char component[NP_NAME_MAX + 1];
        if (!host_name(in->name, component) && host_is_same(fid->node->fd, component, fd))
            unlinkat(fid->node->fd, component, 0);
        close(fd);
    } else {
        server->donated = fd;
    }
    node_put(node);
    return error;
}

int server_read(struct server *server)
{
    const struct np_tread *in = &server->in.tread;
    struct fid *fid = fid_find(&server->fids, in->fid);
    if (!fid)
        return -EBADF;
    uint32_t count = server_room(server, in->count, 4);
    struct np_data *out = &server->out.rread.data;
    if (fid->xattr) {
        if (fid->xattr->writing)
            return -EBADF;
        uint32_t left = in->offset < fid->xattr->size ? fid->xattr->size - (uint32_t)in->offset : 0;
        *out = (struct np_data){.bytes = fid->xattr->data + fid->xattr->size - left,
                                .count = count < left ? count : left};
        return 0;
    }
    if (fid->open_fd < 0)
        return -EBADF;
    if (in->offset > INT64_MAX)
        return -EINVAL;
    // Straight to where the codec would put it.
    uint8_t *place = server->reply + NP_HEADER_SIZE + 4;
    ssize_t got = pread(fid->open_fd, place, count, (off_t)in->offset);
    if (got < 0)
        return -errno;
    *out = (struct np_data){.bytes = place, .count = (uint32_t)got};
    return 0;
}

int server_write(struct server *server)
{
    const struct np_twrite *in = &server->in.twrite;
    struct fid *fid = fid_find(&server->fids, in->fid);
    if (!fid)
        return -EBADF;
    if (fid->xattr) {
        struct xattr_state *x = fid->xattr;
        if (!x->writing || in->offset != x->filled || in->data.count > x->size - x->filled)
            return -EINVAL;
        memcpy(x->data + x->filled, in->data.bytes, in->data.count);
        x->filled += in->data.count;
        server->out.rwrite.count = in->data.count;
        return 0;
    }
    if (fid->open_fd < 0)
        return -EBADF;
    if (in->offset > INT64_MAX)
        return -EINVAL;
    ssize_t done = pwrite(fid->open_fd, in->data.bytes, in->data.count, (off_t)in->offset);
    if (done < 0)
        return -errno;
    server->out.rwrite.count = (uint32_t)done;
    return 0;
}

int server_fsync(struct server *server)
{
    struct fid *fid;
    int error = server_fid(server, server->in.tfsync.fid, &fid);
    if (error)
        return error;
    int fd = fid->open_fd >= 0 ? fid->open_fd : node_reopen(server->host, fid->node, O_RDONLY);
    if (fd < 0)
        return fd;
    if ((server->in.tfsync.datasync ? fdatasync(fd) : fsync(fd)) < 0)
        error = -errno;
    if (fd != fid->open_fd)
        close(fd);
    return error;
}

// Locks belong to the open fid (open file description locks), as the process that asks is another machine's.
static int lock_range(struct server *server, uint32_t number, uint8_t type, uint64_t start, uint64_t length,
                      int *fd, struct flock *range)
{
    static const short types[] = {
        [NP_LOCK_RDLCK] = F_RDLCK, [NP_LOCK_WRLCK] = F_WRLCK, [NP_LOCK_UNLCK] = F_UNLCK};
    struct fid *fid;
    // A Sentry needs none on the host, and could only make the host's programs wait.
    int error = server->host->locks ? server_fid(server, number, &fid) : -EOPNOTSUPP;
    if (error)
        return error;
    if (fid->open_fd < 0 || !S_ISREG(fid->node->type))
        return -EBADF;
    if (type > NP_LOCK_UNLCK || start > INT64_MAX || length > INT64_MAX)
        return -EINVAL;
    *fd = fid->open_fd;
    *range = (struct flock){
        .l_type = types[type], .l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)length};
    return 0;
}

int server_lock(struct server *server)
{
    const struct np_tlock *in = &server->in.tlock;
    struct flock range;
    int fd, error = lock_range(server, in->fid, in->type, in->start, in->length, &fd, &range);
    if (error)
        return error;
    // Never waits: a client that wants to wait asks again.
    server->out.rlock.status = NP_LOCK_SUCCESS;
    if (fcntl(fd, F_OFD_SETLK, &range) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        server->out.rlock.status = NP_LOCK_BLOCKED;
    }
    return 0;
}

int server_getlock(struct server *server)
{
    const struct np_tgetlock *in = &server->in.tgetlock;
    struct flock range;
    int fd, error = lock_range(server, in->fid, in->type, in->start, in->length, &fd, &range);
    if (error)
        return error;
    if (fcntl(fd, F_OFD_GETLK, &range) < 0)
        return -errno;
    server->out.rgetlock = (struct np_rgetlock){
        .type = range.l_type == F_RDLCK   ? NP_LOCK_RDLCK
                : range.l_type == F_WRLCK ? NP_LOCK_WRLCK
                                          : NP_LOCK_UNLCK,
        .start = (uint64_t)range.l_start,
        .length = (uint64_t)range.l_len,
        .proc_id = in->proc_id,
        .client_id = in->client_id,
    };
    return 0;
}
