// Dispatch, sessions and walking.
#include "gofer/server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS_RESERVED 64
#define FIDS_MAX 16384

static const struct server_op ops[] = {
    {np_type_of_tversion, false, server_version},
    {np_type_of_tauth, false, server_auth},
    {np_type_of_tattach, false, server_attach},
    {np_type_of_tflush, false, server_flush},
    {np_type_of_twalk, false, server_walk},
    {np_type_of_tclunk, false, server_clunk},
    {np_type_of_tremove, false, server_remove},
    {np_type_of_trename, false, server_unsupported},
    {np_type_of_tlopen, false, server_lopen},
    {np_type_of_tlcreate, false, server_lcreate},
    {np_type_of_tread, false, server_read},
    {np_type_of_twrite, false, server_write},
    {np_type_of_tfsync, false, server_fsync},
    {np_type_of_tlock, false, server_lock},
    {np_type_of_tgetlock, false, server_getlock},
    {np_type_of_tgetattr, false, server_getattr},
    {np_type_of_tsetattr, false, server_setattr},
    {np_type_of_tstatfs, false, server_statfs},
    {np_type_of_treadlink, false, server_readlink},
    {np_type_of_txattrwalk, false, server_xattrwalk},
    {np_type_of_txattrcreate, false, server_xattrcreate},
    {np_type_of_treaddir, false, server_readdir},
    {np_type_of_tsymlink, false, server_symlink},
    {np_type_of_tmknod, false, server_mknod},
    {np_type_of_tmkdir, false, server_mkdir},
    {np_type_of_tlink, false, server_link},
    {np_type_of_trenameat, false, server_renameat},
    {np_type_of_tunlinkat, false, server_unlinkat},
    {np_type_of_tattachattr, true, server_attachattr},
    {np_type_of_twalkattr, true, server_walkattr},
    {np_type_of_topenfd, true, server_openfd},
    {np_type_of_tcreatefd, true, server_createfd},
    {np_type_of_tmake, true, server_make},
    {np_type_of_tclunkmany, true, server_clunkmany},
    {np_type_of_treaddirattr, true, server_readdirattr},
    {np_type_of_tgetxattr, true, server_getxattr},
    {np_type_of_tsetxattr, true, server_setxattr},
    {np_type_of_trenameflags, true, server_renameflags},
    {np_type_of_tsetattrget, true, server_setattrget},
    {np_type_of_tmemfd, true, server_memfd},
    {np_type_of_treaddirtree, true, server_readdirtree},
};

uint32_t server_fid_limit(uint32_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        files.rlim_cur = 1024;
    // A fid holds at most one descriptor beside its node's.
    rlim_t most =
        files.rlim_cur > DESCRIPTORS_RESERVED * 2 ? (files.rlim_cur - DESCRIPTORS_RESERVED) / 2 : 32;
    if (most > FIDS_MAX)
        most = FIDS_MAX;
    return wanted && wanted < most ? wanted : (uint32_t)most;
}

int server_init(struct server *server, struct host *host, uint32_t limit, uint32_t fid_limit)
{
    if (!limit || limit > NP_MESSAGE_MAX)
        limit = NP_MESSAGE_MAX;
    if (limit < NP_MESSAGE_MIN_EXT)
        limit = NP_MESSAGE_MIN_EXT;
    if (!fid_limit)
        fid_limit = server_fid_limit(0);
    *server = (struct server){
        .host = host,
        .fids.limit = fid_limit,
        .message_limit = limit,
        .message_size = NP_MESSAGE_MIN,
        .memory = -1,
        .donated = -1,
        .reply = malloc(limit),
    };
    return server->reply ? 0 : -ENOMEM;
}

void server_destroy(struct server *server)
{
    fid_remove_all(&server->fids);
    if (server->memory >= 0)
        close(server->memory);
    server->memory = -1;
    free(server->reply);
    server->reply = NULL;
}

static const struct server_op *find_op(const struct server *server, uint8_t type)
{
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (ops[i].type == type)
            return !ops[i].extension || server->extended ? &ops[i] : NULL;
    }
    return NULL;
}

size_t server_handle(struct server *server, const void *request, size_t size)
{
    struct np_cursor header = np_cursor_over((void *)(uintptr_t)request, size);
    np_get(&header, 4);
    uint8_t type = (uint8_t)np_get(&header, 1);
    uint16_t tag = (uint16_t)np_get(&header, 2);
    const struct server_op *op = find_op(server, type);
    server->donated = -1;
    int error;
    if (!op)
        error = -EOPNOTSUPP;
    else if (np_decode(&server->in, request, size) < 0 || (!server->versioned && type != np_type_of_tversion))
        error = -EPROTO;
    else
        error = op->handler(server);
    server->out.type = (uint8_t)(type + 1);
    server->out.tag = tag;
    ptrdiff_t length = -1;
    if (!error) {
        length = np_encode(&server->out, server->reply, server->message_size);
        if (length < 0)
            error = -EMSGSIZE;
    }
    if (length < 0) {
        if (server->donated >= 0)
            close(server->donated);
        server->donated = -1;
        server->out.type = np_type_of_rlerror;
        server->out.rlerror.ecode = (uint32_t)-error;
        length = np_encode(&server->out, server->reply, server->message_size);
    }
    return (size_t)length;
}

int server_fid(struct server *server, uint32_t number, struct fid **out)
{
    struct fid *fid = fid_find(&server->fids, number);
    if (!fid || fid->xattr)
        return -EBADF;
    *out = fid;
    return 0;
}

int server_changed_dir(struct server *server, uint32_t number, struct fid **out)
{
    int error = server_fid(server, number, out);
    if (error)
        return error;
    if (!S_ISDIR((*out)->node->type))
        return -ENOTDIR;
    return node_read_only((*out)->node) ? -EROFS : 0;
}

uint32_t server_room(const struct server *server, uint32_t wanted, uint32_t overhead)
{
    uint32_t room = server->message_size - NP_HEADER_SIZE - overhead;
    return wanted < room ? wanted : room;
}

int server_version(struct server *server)
{
    const struct np_tversion *in = &server->in.tversion;
    static const char plain[] = NP_VERSION_PLAIN;
    fid_remove_all(&server->fids);
    server->versioned = server->extended = false;
    server->message_size = NP_MESSAGE_MIN;
    uint32_t size = in->msize < server->message_limit ? in->msize : server->message_limit;
    struct np_rversion reply = {.msize = size};
    if (np_string_is(in->version, NP_VERSION_SENTRY) && size >= NP_MESSAGE_MIN_EXT) {
        server->extended = true;
        reply.version = np_string(NP_VERSION_SENTRY);
    } else if (in->version.length >= sizeof(plain) - 1 &&
               !memcmp(in->version.bytes, plain, sizeof(plain) - 1) &&
               (in->version.length == sizeof(plain) - 1 || in->version.bytes[sizeof(plain) - 1] == '.')) {
        reply.version = np_string(NP_VERSION_PLAIN);
    } else {
        reply.version = np_string("unknown");
        server->out.rversion = reply;
        return 0;
    }
    if (size < NP_MESSAGE_MIN)
        return -EMSGSIZE;
    server->versioned = true;
    server->message_size = size;
    server->out.rversion = reply;
    return 0;
}

int server_auth(struct server *server)
{
    // What diod's clients take for "not required": who holds the socket is the client.
    return -ENOENT;
}

int server_unsupported(struct server *server)
{
    return -EOPNOTSUPP;
}

int server_flush(struct server *server)
{
    // Requests are answered in order, so what it names was answered before.
    return 0;
}

static int attach(struct server *server, uint32_t number, struct np_str name, struct np_attr *attr,
                  uint32_t *flags)
{
    const struct export *export = host_find_export(server->host, name);
    if (!export)
        return -ENOENT;
    struct node *node;
    int error = node_root(server->host, export, &node);
    if (error)
        return error;
    error = node_stat(server->host, node, attr);
    if (!error)
        error = fid_add(&server->fids, number, node, NULL);
    node_put(node);
    *flags = (export->flags & GOFER_EXPORT_RO ? NP_EXPORT_RO : 0) |
             (export->flags & GOFER_EXPORT_XATTRS ? NP_EXPORT_XATTRS : 0);
    return error;
}

int server_attach(struct server *server)
{
    struct np_attr attr;
    uint32_t flags;
    if (server->in.tattach.afid != NP_NOFID)
        return -EOPNOTSUPP;
    int error = attach(server, server->in.tattach.fid, server->in.tattach.aname, &attr, &flags);
    if (!error)
        server->out.rattach.qid = attr.qid;
    return error;
}

int server_attachattr(struct server *server)
{
    struct np_rattachattr reply;
    int error =
        attach(server, server->in.tattachattr.fid, server->in.tattachattr.aname, &reply.attr, &reply.flags);
    if (!error)
        server->out.rattachattr = reply;
    return error;
}

// Puts newfid on a node: a new fid, or the walked fid itself when the numbers are equal.
static int bind_fid(struct server *server, struct fid *fid, uint32_t newfid, struct node *node)
{
    if (newfid != fid->number)
        return fid_add(&server->fids, newfid, node, NULL);
    if (fid->open_fd >= 0 || fid->dir_fd >= 0)
        return -EBUSY;
    fid_move(&server->fids, fid, node);
    return 0;
}

int server_walk(struct server *server)
{
    const struct np_twalk *in = &server->in.twalk;
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    if (in->names.count > NP_WALK_MAX)
        return -EINVAL;
    struct np_qids *qids = &server->out.rwalk.qids;
    qids->count = 0;
    struct node *node = node_get(fid->node);
    while (qids->count < in->names.count) {
        struct node *next;
        struct np_attr attr;
        error = node_walk(server->host, node, in->names.name[qids->count], &next);
        if (!error) {
            node_put(node);
            node = next;
            error = node_stat(server->host, node, &attr);
        }
        if (error)
            break;
        qids->qid[qids->count++] = attr.qid;
    }
    if (!error)
        error = bind_fid(server, fid, in->newfid, node);
    else if (qids->count)
        error = 0; // a walk that got somewhere tells how far, and binds nothing
    node_put(node);
    return error;
}

int server_link_target(const struct node *node, char *buffer, struct np_str *target)
{
    ssize_t length = readlinkat(node->fd, "", buffer, PATH_MAX);
    if (length < 0)
        return -errno;
    if (length == 0 || length == PATH_MAX)
        return -ENAMETOOLONG;
    *target = (struct np_str){.bytes = buffer, .length = (uint16_t)length};
    return 0;
}

int server_walkattr(struct server *server)
{
    static char target[PATH_MAX];
    const struct np_twalkattr *in = &server->in.twalkattr;
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    struct np_rwalkattr *out = &server->out.rwalkattr;
    out->target = np_string("");
    out->attrs.count = 0;
    out->bound = 0;
    struct node *node = node_get(fid->node);
    if (!in->names.count) {
        error = node_stat(server->host, node, &out->attrs.attr[0]);
        if (!error && S_ISLNK(node->type))
            error = server_link_target(node, target, &out->target);
        out->attrs.count = 1;
        if (error) {
            node_put(node);
            return error;
        }
    }
    for (uint16_t i = 0; i < in->names.count && !error; i++) {
        struct node *next;
        if (S_ISLNK(node->type)) {
            error = -ELOOP;
            break;
        }
        error = node_walk(server->host, node, in->names.name[i], &next);
        if (error)
            break;
        node_put(node);
        node = next;
        error = node_stat(server->host, node, &out->attrs.attr[i]);
        if (!error && S_ISLNK(node->type))
            error = server_link_target(node, target, &out->target);
        if (!error)
            out->attrs.count++;
    }
    out->stop = (uint32_t)-error;
    error = 0;
    if (!out->stop && in->newfid != NP_NOFID) {
        error = bind_fid(server, fid, in->newfid, node);
        out->bound = !error;
    }
    node_put(node);
    return error;
}

int server_clunk(struct server *server)
{
    struct fid *fid = fid_find(&server->fids, server->in.tclunk.fid);
    if (!fid)
        return -EBADF;
    int error = fid->xattr ? server_xattr_finish(server, fid) : 0;
    fid_remove(&server->fids, fid);
    return error;
}

int server_remove(struct server *server)
{
    // A fid holds no path, so it cannot name what to remove: Tunlinkat does. The fid is clunked all the same.
    struct fid *fid = fid_find(&server->fids, server->in.tremove.fid);
    if (!fid)
        return -EBADF;
    fid_remove(&server->fids, fid);
    return -EOPNOTSUPP;
}

int server_clunkmany(struct server *server)
{
    const struct np_fids *fids = &server->in.tclunkmany.fids;
    int error = 0;
    for (uint16_t i = 0; i < fids->count; i++) {
        struct fid *fid = fid_find(&server->fids, fids->fid[i]);
        if (fid)
            fid_remove(&server->fids, fid);
        else
            error = -EBADF;
    }
    return error;
}
