// Attributes, file system figures and link targets.
#include "gofer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

int server_getattr(struct server *server)
{
    struct fid *fid;
    int error = server_fid(server, server->in.tgetattr.fid, &fid);
    return error ? error : node_stat(server->host, fid->node, &server->out.rgetattr.attr);
}

int server_readlink(struct server *server)
{
    static char target[PATH_MAX];
    struct fid *fid;
    int error = server_fid(server, server->in.treadlink.fid, &fid);
    if (error)
        return error;
    if (!S_ISLNK(fid->node->type))
        return -EINVAL;
    return server_link_target(fid->node, target, &server->out.rreadlink.target);
}

int server_statfs(struct server *server)
{
    struct fid *fid;
    int error = server_fid(server, server->in.tstatfs.fid, &fid);
    if (error)
        return error;
    struct statfs st;
    if (fstatfs(fid->node->fd, &st) < 0)
        return -errno;
    server->out.rstatfs = (struct np_rstatfs){
        .type = (uint32_t)st.f_type,
        .bsize = (uint32_t)st.f_bsize,
        .blocks = st.f_blocks,
        .bfree = st.f_bfree,
        .bavail = st.f_bavail,
        .files = st.f_files,
        .ffree = st.f_ffree,
        .fsid = (uint64_t)(uint32_t)st.f_fsid.__val[0] | (uint64_t)(uint32_t)st.f_fsid.__val[1] << 32,
        .namelen = (uint32_t)st.f_namelen,
    };
    return 0;
}

int server_chmod(const struct host *host, const struct node *node, uint32_t mode)
{
    if (S_ISLNK(node->type))
        return -EOPNOTSUPP;
    return fchmodat(host->self_fds, host_self_name(node->fd).text, mode & 07777, 0) < 0 ? -errno : 0;
}

static int truncate_node(struct server *server, const struct node *node, uint64_t size)
{
    if (size > INT64_MAX)
        return -EINVAL;
    int fd = node_reopen(server->host, node, O_WRONLY);
    if (fd < 0)
        return fd;
    int error = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
    close(fd);
    return error;
}

static struct timespec wanted_time(uint32_t valid, uint32_t touch, uint32_t set, uint64_t sec, uint64_t nsec)
{
    if (!(valid & touch))
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (!(valid & set))
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = (long)nsec};
}

// All of what is asked, or nothing of it: a later failure puts back what an earlier step changed.
static int change(struct server *server, const struct np_tsetattr *in)
{
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    const struct node *node = fid->node;
    uint32_t valid = in->valid;
    if (valid & ~NP_SETATTR_ALL)
        return -EINVAL;
    if (node_read_only(node))
        return -EROFS;
    if (((valid & NP_SETATTR_ATIME_SET) && in->atime_nsec > 999999999) ||
        ((valid & NP_SETATTR_MTIME_SET) && in->mtime_nsec > 999999999))
        return -EINVAL;
    if ((valid & NP_SETATTR_MODE) && !S_ISDIR(node->type) && (in->mode & (S_ISUID | S_ISGID)) &&
        !(node->export->flags & GOFER_EXPORT_SETID))
        return -EPERM;
    struct np_attr before;
    error = node_stat(server->host, node, &before);
    if (error)
        return error;
    uid_t uid = valid & NP_SETATTR_UID ? in->uid : (uid_t)-1;
    gid_t gid = valid & NP_SETATTR_GID ? in->gid : (gid_t)-1;
    bool owner = uid != (uid_t)-1 || gid != (gid_t)-1, moded = false, timed = false;
    error = host_chown(server->host, node->fd, uid, gid);
    if (error)
        return error;
    if (valid & NP_SETATTR_MODE) {
        error = server_chmod(server->host, node, in->mode);
        moded = !error;
    }
    if (!error && (valid & (NP_SETATTR_ATIME | NP_SETATTR_MTIME))) {
        struct timespec times[2] = {
            wanted_time(valid, NP_SETATTR_ATIME, NP_SETATTR_ATIME_SET, in->atime_sec, in->atime_nsec),
            wanted_time(valid, NP_SETATTR_MTIME, NP_SETATTR_MTIME_SET, in->mtime_sec, in->mtime_nsec),
        };
        error = utimensat(node->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
        timed = !error;
    }
    if (!error && (valid & NP_SETATTR_SIZE))
        error = truncate_node(server, node, in->size);
    if (!error)
        return 0;
    if (timed) {
        struct timespec times[2] = {{.tv_sec = (time_t)before.atime_sec, .tv_nsec = (long)before.atime_nsec},
                                    {.tv_sec = (time_t)before.mtime_sec, .tv_nsec = (long)before.mtime_nsec}};
        utimensat(node->fd, "", times, AT_EMPTY_PATH);
    }
    // Changing the owner clears set-ID bits, so the mode is put back after it.
    int lost = owner ? host_chown(server->host, node->fd, before.uid, before.gid) : 0;
    if ((moded || owner) && !lost)
        server_chmod(server->host, node, before.mode);
    return error;
}

int server_setattr(struct server *server)
{
    return change(server, &server->in.tsetattr);
}

_Static_assert(sizeof(struct np_tsetattr) == sizeof(struct np_tsetattrget), "the same request");

int server_setattrget(struct server *server)
{
    struct fid *fid;
    struct np_tsetattr request;
    memcpy(&request, &server->in.tsetattrget, sizeof(request));
    int error = server_fid(server, request.fid, &fid);
    if (!error)
        error = change(server, &request);
    return error ? error : node_stat(server->host, fid->node, &server->out.rsetattrget.attr);
}
