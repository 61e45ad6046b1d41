// Making, linking, renaming and removing names.
#include "gofer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct request {
    uint32_t dfid, newfid;
    struct np_str name;
    uint32_t mode; // with type
    uint32_t major_number, minor_number;
    struct np_str target;
    uint32_t uid, gid;
};

static int check_kind(const struct node *directory, const struct request *request)
{
    uint32_t flags = directory->export->flags;
    switch (request->mode & S_IFMT) {
    case S_IFDIR:
    case S_IFLNK:
        return 0;
    case S_IFREG:
        if ((request->mode & (S_ISUID | S_ISGID)) && !(flags & GOFER_EXPORT_SETID))
            return -EPERM;
        return 0;
    case S_IFCHR:
    case S_IFBLK:
        return -EPERM;
    case S_IFSOCK:
        return flags & GOFER_EXPORT_SOCKETS ? 0 : -EPERM;
    case S_IFIFO:
        return flags & GOFER_EXPORT_FIFOS ? 0 : -EPERM;
    default:
        return -EINVAL;
    }
}

static int make_host(const struct node *directory, const char *name, const struct request *request,
                     const char *target)
{
    switch (request->mode & S_IFMT) {
    case S_IFDIR:
        return mkdirat(directory->fd, name, request->mode & 01777);
    case S_IFLNK:
        return symlinkat(target, directory->fd, name);
    default:
        return mknodat(directory->fd, name, request->mode & (S_IFMT | 0777),
                       makedev(request->major_number, request->minor_number));
    }
}

// Makes anything but an open file and gives its attributes; binds newfid unless it is NOFID.
static int make(struct server *server, const struct request *request, struct np_attr *attr)
{
    static char target[PATH_MAX];
    char name[NP_NAME_MAX + 1];
    struct fid *fid;
    int error = server_changed_dir(server, request->dfid, &fid);
    if (!error)
        error = host_name(request->name, name);
    if (!error)
        error = check_kind(fid->node, request);
    if (!error && (request->mode & ~(S_IFMT | 07777u)))
        error = -EINVAL;
    if (!error && request->newfid != NP_NOFID && fid_find(&server->fids, request->newfid))
        error = -EEXIST;
    if (!error && request->newfid != NP_NOFID && server->fids.count >= server->fids.limit)
        error = -EMFILE;
    if (error)
        return error;
    if (S_ISLNK(request->mode)) {
        if (!request->target.length || memchr(request->target.bytes, 0, request->target.length))
            return -EINVAL;
        if (request->target.length >= PATH_MAX)
            return -ENAMETOOLONG;
        memcpy(target, request->target.bytes, request->target.length);
        target[request->target.length] = 0;
    }
    if (make_host(fid->node, name, request, target) < 0)
        return -errno;
    struct node *node = NULL;
    error = node_walk(server->host, fid->node, request->name, &node);
    // Somebody on the host replaced it at once: that one is not ours to change or remove.
    if (error || node->type != (request->mode & S_IFMT)) {
        node_put(node);
        return error ? error : -ESTALE;
    }
    error = host_give(server->host, node->fd, request->uid, request->gid);
    // mkdir(2) and mknod(2) take no set-ID bits; a directory inherits set-group-ID from its parent.
    if (!error && (request->mode & 07000 & ~(S_ISDIR(request->mode) ? 01000u : 0)))
        error = server_chmod(server->host, node, request->mode);
    if (!error)
        error = node_stat(server->host, node, attr);
    if (!error && request->newfid != NP_NOFID)
        error = fid_add(&server->fids, request->newfid, node, NULL);
    if (error && host_is_same(fid->node->fd, name, node->fd))
        unlinkat(fid->node->fd, name, S_ISDIR(request->mode) ? AT_REMOVEDIR : 0);
    node_put(node);
    return error;
}

int server_make(struct server *server)
{
    const struct np_tmake *in = &server->in.tmake;
    struct request request = {in->dfid,  in->newfid, in->name, in->mode, in->major,
                              in->minor, in->target, in->uid,  in->gid};
    return make(server, &request, &server->out.rmake.attr);
}

int server_mkdir(struct server *server)
{
    const struct np_tmkdir *in = &server->in.tmkdir;
    struct request request = {.dfid = in->dfid,
                              .newfid = NP_NOFID,
                              .name = in->name,
                              .mode = S_IFDIR | (in->mode & 07777),
                              .uid = UINT32_MAX,
                              .gid = in->gid};
    struct np_attr attr = {0};
    int error = make(server, &request, &attr);
    server->out.rmkdir.qid = attr.qid;
    return error;
}

int server_symlink(struct server *server)
{
    const struct np_tsymlink *in = &server->in.tsymlink;
    struct request request = {.dfid = in->dfid,
                              .newfid = NP_NOFID,
                              .name = in->name,
                              .mode = S_IFLNK,
                              .target = in->target,
                              .uid = UINT32_MAX,
                              .gid = in->gid};
    struct np_attr attr = {0};
    int error = make(server, &request, &attr);
    server->out.rsymlink.qid = attr.qid;
    return error;
}

int server_mknod(struct server *server)
{
    const struct np_tmknod *in = &server->in.tmknod;
    struct request request = {.dfid = in->dfid,
                              .newfid = NP_NOFID,
                              .name = in->name,
                              .mode = in->mode & S_IFMT ? in->mode : in->mode | S_IFREG,
                              .major_number = in->major,
                              .minor_number = in->minor,
                              .uid = UINT32_MAX,
                              .gid = in->gid};
    struct np_attr attr = {0};
    if (S_ISDIR(in->mode) || S_ISLNK(in->mode))
        return -EINVAL;
    int error = make(server, &request, &attr);
    server->out.rmknod.qid = attr.qid;
    return error;
}

int server_link(struct server *server)
{
    const struct np_tlink *in = &server->in.tlink;
    struct fid *directory, *fid;
    char name[NP_NAME_MAX + 1];
    int error = server_changed_dir(server, in->dfid, &directory);
    if (!error)
        error = server_fid(server, in->fid, &fid);
    if (!error)
        error = host_name(in->name, name);
    if (!error && fid->node->export != directory->node->export)
        error = -EXDEV;
    if (!error && S_ISDIR(fid->node->type))
        error = -EPERM;
    if (error)
        return error;
    if (linkat(server->host->self_fds, host_self_name(fid->node->fd).text, directory->node->fd, name,
               AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}

static int rename_names(struct server *server, const struct np_trenameflags *in)
{
    struct fid *from, *to;
    char old_name[NP_NAME_MAX + 1], new_name[NP_NAME_MAX + 1];
    int error = server_changed_dir(server, in->olddirfid, &from);
    if (!error)
        error = server_changed_dir(server, in->newdirfid, &to);
    if (!error)
        error = host_name(in->oldname, old_name);
    if (!error)
        error = host_name(in->newname, new_name);
    if (!error && (in->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE)))
        error = -EINVAL;
    if (!error && from->node->export != to->node->export)
        error = -EXDEV;
    if (error)
        return error;
    // The call itself: the C library's renameat2() is renameat(2) when there are no flags.
    return syscall(SYS_renameat2, from->node->fd, old_name, to->node->fd, new_name, in->flags) < 0 ? -errno
                                                                                                   : 0;
}

int server_renameflags(struct server *server)
{
    return rename_names(server, &server->in.trenameflags);
}

int server_renameat(struct server *server)
{
    const struct np_trenameat *in = &server->in.trenameat;
    return rename_names(server,
                        &(struct np_trenameflags){in->olddirfid, in->oldname, in->newdirfid, in->newname, 0});
}

int server_unlinkat(struct server *server)
{
    const struct np_tunlinkat *in = &server->in.tunlinkat;
    struct fid *fid;
    char name[NP_NAME_MAX + 1];
    int error = server_changed_dir(server, in->dirfid, &fid);
    if (!error)
        error = host_name(in->name, name);
    if (!error && (in->flags & ~NP_AT_REMOVEDIR))
        error = -EINVAL;
    if (error)
        return error;
    return unlinkat(fid->node->fd, name, in->flags & NP_AT_REMOVEDIR ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}
