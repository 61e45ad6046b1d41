// The same requests to a server that speaks 9P2000.L without our extension, such as diod: several messages where the
// extension has one, under one hold of the client's lock. Fids that a request needs for itself are clunked before it ends.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "sentry/fs/gofer/client_internal.h"

#define WALK_FID 0xfffffff0u // numbers that no caller uses
#define XATTR_FID 0xfffffff1u
#define GETATTR_ALL (NP_GETATTR_BASIC | NP_GETATTR_BTIME)
#define OPEN_CREATE 0100u
#define OPEN_EXCLUSIVE 0200u

static int rpc(struct gofer_client *client, uint8_t type)
{
    client->request.type = type;
    return gofer_rpc(client, NULL, 0);
}

static void clunk(struct gofer_client *client, uint32_t fid)
{
    client->request.tclunk.fid = fid;
    (void)rpc(client, np_type_of_tclunk);
}

// One Twalk. *reached: names that were found; newfid is bound only when that is all of them.
static int walk_some(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
                     uint16_t count, uint16_t *reached, struct np_qid *qids)
{
    struct np_twalk *request = &client->request.twalk;
    request->fid = fid;
    request->newfid = newfid;
    request->names.count = count;
    for (uint16_t i = 0; i < count; i++)
        request->names.name[i] = names[i];
    *reached = 0;
    int error = rpc(client, np_type_of_twalk);
    const struct np_qids *reply = &client->reply.rwalk.qids;
    if (!error && reply->count > count)
        error = -EIO;
    if (error)
        return error;
    *reached = reply->count;
    memcpy(qids, reply->qid, reply->count * sizeof(*qids));
    return 0;
}

// A walk that stops on its way does not say why: asks for the name after `count` others alone.
static void why_stopped(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                        int *error)
{
    struct np_qid qids[NP_WALK_MAX];
    uint16_t reached;
    if (walk_some(client, fid, WALK_FID, names, count, &reached, qids) || reached < count)
        return;
    *error = walk_some(client, WALK_FID, WALK_FID, names + count, 1, &reached, qids);
    if (!*error)
        *error = -ESTALE; // there by now
    clunk(client, WALK_FID);
}

// Walks all names, 16 in a message. 0 with newfid bound, or the errno of the first name that was not reached.
static int walk_all(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
                    uint16_t count, uint16_t *reached, struct np_qid *qids)
{
    uint32_t from = fid;
    *reached = 0;
    do {
        uint16_t left = count - *reached, some = left < NP_WALK_MAX ? left : NP_WALK_MAX, got;
        int error = walk_some(client, from, newfid, names + *reached, some, &got, qids + *reached);
        *reached = (uint16_t)(*reached + got);
        if (!error && got < some) {
            error = -ENOENT;
            if (from != newfid) {
                clunk(client, newfid); // diod leaves it where the walk stopped; elsewhere it is not bound
                why_stopped(client, from, names + (*reached - got), got, &error);
            }
        }
        if (error) {
            if (from == newfid && newfid != fid)
                clunk(client, newfid);
            return error;
        }
        from = newfid;
    } while (*reached < count);
    return 0;
}

static int get_attr(struct gofer_client *client, uint32_t fid, struct np_attr *attr)
{
    client->request.tgetattr = (struct np_tgetattr){.fid = fid, .mask = GETATTR_ALL};
    int error = rpc(client, np_type_of_tgetattr);
    if (error)
        return error;
    *attr = client->reply.rgetattr.attr;
    // Without a time of birth its fields mean nothing.
    if (!(attr->valid & NP_GETATTR_BTIME))
        attr->btime_sec = attr->btime_nsec = 0;
    return 0;
}

int plain_stat(struct gofer_client *client, uint32_t fid, struct np_attr *attr)
{
    return get_attr(client, fid, attr);
}

int plain_attach(struct gofer_client *client, uint32_t fid, const char *name, struct np_attr *attr)
{
    client->request.tattach = (struct np_tattach){.fid = fid,
                                                  .afid = NP_NOFID,
                                                  .uname = np_string(""),
                                                  .aname = np_string(name),
                                                  .n_uname = client->uid};
    int error = rpc(client, np_type_of_tattach);
    if (error)
        return error;
    error = get_attr(client, fid, attr);
    if (error)
        clunk(client, fid);
    return error;
}

static int read_link(struct gofer_client *client, uint32_t fid, struct gofer_walk *walk)
{
    client->request.treadlink.fid = fid;
    int error = rpc(client, np_type_of_treadlink);
    const struct np_str *target = &client->reply.rreadlink.target;
    if (!error && target->length >= GOFER_TARGET_MAX)
        error = -EIO;
    if (error)
        return error;
    walk->target_length = target->length;
    memcpy(walk->target, target->bytes, target->length);
    return 0;
}

int plain_walk(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, struct gofer_walk *walk)
{
    struct np_qid qids[NP_NAMES_MAX];
    uint32_t to = newfid == NP_NOFID ? WALK_FID : newfid;
    uint16_t reached;
    walk->bound = false;
    walk->target_length = 0;
    int error = walk_all(client, fid, to, names, count, &reached, qids);
    for (uint16_t i = 0; i < reached; i++) // on the way only the qids are known
        walk->attr[i] = (struct np_attr){.qid = qids[i]};
    walk->count = reached;
    walk->stop = (uint32_t)-error;
    if (error)
        return client->failed ? -EIO : 0;
    uint16_t last = count ? count - 1 : 0;
    error = get_attr(client, to, &walk->attr[last]);
    if (!error && S_ISLNK(walk->attr[last].mode))
        error = read_link(client, to, walk);
    walk->count = last + 1;
    walk->bound = !error && newfid != NP_NOFID;
    if (!walk->bound)
        clunk(client, to);
    return error;
}

int plain_open(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, uint32_t flags, struct np_attr *attr)
{
    struct np_qid qids[NP_NAMES_MAX];
    uint16_t reached;
    int error = walk_all(client, fid, newfid, names, count, &reached, qids);
    if (error)
        return error;
    error = get_attr(client, newfid, attr);
    if (!error && !S_ISREG(attr->mode)) // a device or a pipe of the server's host is not ours to open
        error = S_ISDIR(attr->mode) ? -EISDIR : -EACCES;
    if (!error) {
        client->request.tlopen = (struct np_tlopen){.fid = newfid, .flags = flags};
        error = rpc(client, np_type_of_tlopen);
    }
    if (error)
        clunk(client, newfid);
    return error;
}

int plain_create(struct gofer_client *client, uint32_t dfid, uint32_t newfid, struct np_str name,
                 uint32_t flags, uint32_t mode, uint32_t gid, struct np_attr *attr)
{
    uint16_t reached;
    int error = walk_all(client, dfid, newfid, NULL, 0, &reached, NULL);
    if (error)
        return error;
    client->request.tlcreate = (struct np_tlcreate){
        .fid = newfid, .name = name, .flags = flags | OPEN_CREATE | OPEN_EXCLUSIVE, .mode = mode, .gid = gid};
    error = rpc(client, np_type_of_tlcreate);
    if (!error)
        error = get_attr(client, newfid, attr);
    if (error)
        clunk(client, newfid);
    return error;
}

int plain_make(struct gofer_client *client, uint32_t dfid, uint32_t newfid, const struct gofer_make *make,
               struct np_attr *attr)
{
    struct np_message *m = &client->request;
    int error;
    if (S_ISDIR(make->mode)) {
        m->tmkdir = (struct np_tmkdir){dfid, make->name, make->mode & 07777, make->gid};
        error = rpc(client, np_type_of_tmkdir);
    } else if (S_ISLNK(make->mode)) {
        m->tsymlink = (struct np_tsymlink){dfid, make->name, make->target, make->gid};
        error = rpc(client, np_type_of_tsymlink);
    } else {
        m->tmknod = (struct np_tmknod){dfid, make->name, make->mode, make->major, make->minor, make->gid};
        error = rpc(client, np_type_of_tmknod);
    }
    if (error)
        return error;
    struct np_qid qid;
    uint16_t reached;
    uint32_t to = newfid == NP_NOFID ? WALK_FID : newfid;
    error = walk_all(client, dfid, to, &make->name, 1, &reached, &qid);
    if (error)
        return error;
    error = get_attr(client, to, attr);
    if (error || to != newfid)
        clunk(client, to);
    return error;
}

int plain_clunk(struct gofer_client *client, const uint32_t *fids, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++)
        clunk(client, fids[i]);
    return client->failed ? -EIO : 0;
}

static bool is_dot(struct np_str name)
{
    return np_string_is(name, ".") || np_string_is(name, "..");
}

// The part of an open directory from *offset on. *end when nothing follows it.
static int read_part(struct gofer_client *client, uint64_t *offset, uint32_t size, gofer_entry_fn *entry,
                     void *context, unsigned *entries, bool *end)
{
    client->request.treaddir = (struct np_treaddir){.fid = WALK_FID, .offset = *offset, .count = size};
    int error = rpc(client, np_type_of_treaddir);
    if (error)
        return error;
    const struct np_data *data = &client->reply.rreaddir.data;
    struct np_cursor cursor = np_cursor_over((void *)(uintptr_t)data->bytes, data->count);
    *end = !data->count;
    while (cursor.position < cursor.size) {
        struct np_dirent dirent;
        np_get_dirent(&cursor, &dirent);
        if (cursor.overflow || dirent.offset > INT64_MAX)
            return -EIO;
        *offset = dirent.offset;
        if (is_dot(dirent.name))
            continue;
        if (!gofer_is_component(dirent.name))
            return -EIO;
        // What kind of file it is, and nothing more.
        const struct np_attr attr = {.qid = dirent.qid, .mode = (uint32_t)(dirent.type & 15) << 12};
        ++*entries;
        if (!entry(context, &dirent, &attr))
            break;
    }
    return 0;
}

int plain_readdir(struct gofer_client *client, uint32_t fid, const struct np_str *names, uint16_t count,
                  uint64_t offset, uint32_t size, gofer_entry_fn *entry, void *context, bool *end)
{
    struct np_qid qids[NP_NAMES_MAX];
    uint16_t reached;
    unsigned entries = 0;
    uint32_t most = client->message_size - NP_IO_HEADER_SIZE;
    int error = walk_all(client, fid, WALK_FID, names, count, &reached, qids);
    if (error)
        return error;
    client->request.tlopen = (struct np_tlopen){.fid = WALK_FID, .flags = 0};
    error = rpc(client, np_type_of_tlopen);
    *end = false;
    // A part with nothing but dots in it is none.
    while (!error && !*end && !entries)
        error = read_part(client, &offset, size < most ? size : most, entry, context, &entries, end);
    clunk(client, WALK_FID);
    return error;
}

int plain_sync_dir(struct gofer_client *client, uint32_t fid, bool datasync)
{
    uint16_t reached;
    int error = walk_all(client, fid, WALK_FID, NULL, 0, &reached, NULL);
    if (error)
        return error;
    client->request.tlopen = (struct np_tlopen){.fid = WALK_FID, .flags = 0};
    error = rpc(client, np_type_of_tlopen);
    if (!error) {
        client->request.tfsync = (struct np_tfsync){.fid = WALK_FID, .datasync = datasync};
        error = rpc(client, np_type_of_tfsync);
    }
    clunk(client, WALK_FID);
    return error;
}

int plain_change(struct gofer_client *client, const struct np_tsetattrget *change, struct np_attr *attr)
{
    _Static_assert(sizeof(client->request.tsetattr) == sizeof(*change), "the same request");
    memcpy(&client->request.tsetattr, change, sizeof(*change));
    int error = rpc(client, np_type_of_tsetattr);
    return error ? error : get_attr(client, change->fid, attr);
}

static bool is_unknown(int error)
{
    return error == -EOPNOTSUPP || error == -ENOSYS;
}

int plain_rename(struct gofer_client *client, uint32_t old_dfid, struct np_str old_name, uint32_t new_dfid,
                 struct np_str new_name, uint32_t flags)
{
    if (flags)
        return -EINVAL; // as a file system that knows none of them
    if (!client->no_at) {
        client->request.trenameat = (struct np_trenameat){old_dfid, old_name, new_dfid, new_name};
        int error = rpc(client, np_type_of_trenameat);
        if (!is_unknown(error))
            return error;
        client->no_at = true;
    }
    // An older server: it renames and removes what a fid stands on.
    struct np_qid qid;
    uint16_t reached;
    int error = walk_all(client, old_dfid, WALK_FID, &old_name, 1, &reached, &qid);
    if (error)
        return error;
    client->request.trename = (struct np_trename){WALK_FID, new_dfid, new_name};
    error = rpc(client, np_type_of_trename);
    clunk(client, WALK_FID);
    return error;
}

int plain_unlink(struct gofer_client *client, uint32_t dfid, struct np_str name, bool directory)
{
    if (!client->no_at) {
        client->request.tunlinkat = (struct np_tunlinkat){dfid, name, directory ? NP_AT_REMOVEDIR : 0};
        int error = rpc(client, np_type_of_tunlinkat);
        if (!is_unknown(error))
            return error;
        client->no_at = true;
    }
    struct np_qid qid;
    uint16_t reached;
    int error = walk_all(client, dfid, WALK_FID, &name, 1, &reached, &qid);
    if (error)
        return error;
    if (directory != !!(qid.type & NP_QTDIR)) {
        clunk(client, WALK_FID);
        return directory ? -ENOTDIR : -EISDIR;
    }
    client->request.tremove.fid = WALK_FID; // clunks it too
    return rpc(client, np_type_of_tremove);
}

int64_t plain_getxattr(struct gofer_client *client, uint32_t fid, struct np_str name, void *value,
                       size_t size)
{
    client->request.txattrwalk = (struct np_txattrwalk){.fid = fid, .newfid = XATTR_FID, .name = name};
    int error = rpc(client, np_type_of_txattrwalk);
    if (error)
        return error;
    uint64_t length = client->reply.rxattrwalk.size, done = 0;
    if (length > UINT16_MAX + 1)
        error = -EIO;
    else if (size && length > size)
        error = -ERANGE;
    while (!error && size && done < length) {
        uint32_t most = client->message_size - NP_IO_HEADER_SIZE;
        uint32_t count = length - done < most ? (uint32_t)(length - done) : most;
        client->request.tread = (struct np_tread){.fid = XATTR_FID, .offset = done, .count = count};
        error = rpc(client, np_type_of_tread);
        const struct np_data *data = &client->reply.rread.data;
        if (!error && (!data->count || data->count > count))
            error = -EIO;
        if (!error) {
            memcpy((char *)value + done, data->bytes, data->count);
            done += data->count;
        }
    }
    clunk(client, XATTR_FID);
    return error ? error : (int64_t)length;
}

int plain_setxattr(struct gofer_client *client, uint32_t fid, struct np_str name, const void *value,
                   size_t size, uint32_t flags)
{
    uint16_t reached;
    // The protocol removes an attribute by setting it to nothing where it must exist.
    if (flags & NP_XATTR_REMOVE) {
        flags = XATTR_REPLACE;
        size = 0;
    }
    int error = walk_all(client, fid, XATTR_FID, NULL, 0, &reached, NULL);
    if (error)
        return error;
    client->request.txattrcreate =
        (struct np_txattrcreate){.fid = XATTR_FID, .name = name, .size = size, .flags = flags};
    error = rpc(client, np_type_of_txattrcreate);
    for (size_t done = 0; !error && done < size;) {
        uint32_t most = client->message_size - NP_IO_HEADER_SIZE;
        uint32_t count = size - done < most ? (uint32_t)(size - done) : most;
        client->request.twrite =
            (struct np_twrite){.fid = XATTR_FID,
                               .offset = done,
                               .data = {.bytes = (const uint8_t *)value + done, .count = count}};
        error = rpc(client, np_type_of_twrite);
        if (!error && (!client->reply.rwrite.count || client->reply.rwrite.count > count))
            error = -EIO;
        if (!error)
            done += client->reply.rwrite.count;
    }
    // What it was set to takes effect when the fid is clunked.
    client->request.tclunk.fid = XATTR_FID;
    int last = rpc(client, np_type_of_tclunk);
    return error ? error : last;
}
