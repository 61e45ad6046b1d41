// Requests on files and names.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sentry/fs/gofer/client_internal.h"

int gofer_stat(struct gofer_client *client, uint32_t fid, struct np_attr *attr)
{
    gofer_begin(client, np_type_of_tgetattr);
    return gofer_finish(client, plain_stat(client, fid, attr)); // the same in both
}

// The number of an open fid, where the extension would give a descriptor.
static int as_handle(int error, uint32_t fid, int *handle)
{
    if (!error)
        *handle = (int)fid;
    return error;
}

int gofer_open(struct gofer_client *client, uint32_t fid, uint32_t newfid, const struct np_str *names,
               uint16_t count, uint32_t flags, struct np_attr *attr, int *host_fd)
{
    if (count > NP_NAMES_MAX)
        return -EINVAL;
    if (client->plain) {
        gofer_begin(client, np_type_of_twalk);
        int plain = plain_open(client, fid, newfid, names, count, flags, attr);
        return gofer_finish(client, as_handle(plain, newfid, host_fd));
    }
    struct np_topenfd *request = &gofer_begin(client, np_type_of_topenfd)->topenfd;
    request->fid = fid;
    request->flags = flags;
    request->names.count = count;
    for (uint16_t i = 0; i < count; i++)
        request->names.name[i] = names[i];
    int error = gofer_rpc(client, host_fd, flags);
    if (!error)
        *attr = client->reply.ropenfd.attr;
    return gofer_finish(client, error);
}

int gofer_create(struct gofer_client *client, uint32_t dfid, uint32_t newfid, struct np_str name,
                 uint32_t flags, uint32_t mode, uint32_t uid, uint32_t gid, struct np_attr *attr,
                 int *host_fd)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_tlcreate);
        int plain = plain_create(client, dfid, newfid, name, flags, mode, gid, attr);
        return gofer_finish(client, as_handle(plain, newfid, host_fd));
    }
    gofer_begin(client, np_type_of_tcreatefd)->tcreatefd = (struct np_tcreatefd){
        .dfid = dfid, .newfid = newfid, .name = name, .flags = flags, .mode = mode, .uid = uid, .gid = gid};
    int error = gofer_rpc(client, host_fd, flags);
    if (!error)
        *attr = client->reply.rcreatefd.attr;
    return gofer_finish(client, error);
}

int gofer_make(struct gofer_client *client, uint32_t dfid, uint32_t newfid, const struct gofer_make *make,
               struct np_attr *attr)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_tmkdir);
        return gofer_finish(client, plain_make(client, dfid, newfid, make, attr));
    }
    gofer_begin(client, np_type_of_tmake)->tmake = (struct np_tmake){
        .dfid = dfid,
        .newfid = newfid,
        .name = make->name,
        .mode = make->mode,
        .major = make->major,
        .minor = make->minor,
        .target = make->target,
        .uid = make->uid,
        .gid = make->gid,
    };
    int error = gofer_rpc(client, NULL, 0);
    if (!error)
        *attr = client->reply.rmake.attr;
    return gofer_finish(client, error);
}

bool gofer_is_component(struct np_str name)
{
    if (!name.length || name.length > NP_NAME_MAX || memchr(name.bytes, '/', name.length) ||
        memchr(name.bytes, 0, name.length))
        return false;
    return name.bytes[0] != '.' || (name.length > 1 && (name.bytes[1] != '.' || name.length > 2));
}

int gofer_change(struct gofer_client *client, const struct np_tsetattrget *change, struct np_attr *attr)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_tsetattr);
        return gofer_finish(client, plain_change(client, change, attr));
    }
    gofer_begin(client, np_type_of_tsetattrget)->tsetattrget = *change;
    int error = gofer_rpc(client, NULL, 0);
    if (!error)
        *attr = client->reply.rsetattrget.attr;
    return gofer_finish(client, error);
}

int gofer_statfs(struct gofer_client *client, uint32_t fid, struct np_rstatfs *out)
{
    gofer_begin(client, np_type_of_tstatfs)->tstatfs.fid = fid;
    int error = gofer_rpc(client, NULL, 0);
    if (!error)
        *out = client->reply.rstatfs;
    return gofer_finish(client, error);
}

int gofer_fsync(struct gofer_client *client, uint32_t fid, bool datasync)
{
    gofer_begin(client, np_type_of_tfsync)->tfsync = (struct np_tfsync){.fid = fid, .datasync = datasync};
    return gofer_simple(client);
}

int gofer_sync_dir(struct gofer_client *client, uint32_t fid, bool datasync)
{
    if (!client->plain)
        return gofer_fsync(client, fid, datasync);
    gofer_begin(client, np_type_of_tfsync);
    return gofer_finish(client, plain_sync_dir(client, fid, datasync));
}

int gofer_link(struct gofer_client *client, uint32_t dfid, uint32_t fid, struct np_str name)
{
    gofer_begin(client, np_type_of_tlink)->tlink = (struct np_tlink){.dfid = dfid, .fid = fid, .name = name};
    return gofer_simple(client);
}

int gofer_rename(struct gofer_client *client, uint32_t old_dfid, struct np_str old_name, uint32_t new_dfid,
                 struct np_str new_name, uint32_t flags)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_trenameat);
        return gofer_finish(client, plain_rename(client, old_dfid, old_name, new_dfid, new_name, flags));
    }
    gofer_begin(client, np_type_of_trenameflags)->trenameflags =
        (struct np_trenameflags){old_dfid, old_name, new_dfid, new_name, flags};
    return gofer_simple(client);
}

int gofer_unlink(struct gofer_client *client, uint32_t dfid, struct np_str name, bool directory)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_tunlinkat);
        return gofer_finish(client, plain_unlink(client, dfid, name, directory));
    }
    gofer_begin(client, np_type_of_tunlinkat)->tunlinkat =
        (struct np_tunlinkat){.dirfid = dfid, .name = name, .flags = directory ? NP_AT_REMOVEDIR : 0};
    return gofer_simple(client);
}

int64_t gofer_getxattr(struct gofer_client *client, uint32_t fid, struct np_str name, void *value,
                       size_t size)
{
    if (client->plain) {
        gofer_begin(client, np_type_of_txattrwalk);
        int64_t plain = plain_getxattr(client, fid, name, value, size);
        gofer_finish(client, 0);
        return plain;
    }
    uint32_t wanted = size > UINT16_MAX + 1 ? UINT16_MAX + 1 : (uint32_t)size;
    gofer_begin(client, np_type_of_tgetxattr)->tgetxattr =
        (struct np_tgetxattr){.fid = fid, .name = name, .size = wanted};
    int error = gofer_rpc(client, NULL, 0);
    if (error)
        return gofer_finish(client, error);
    const struct np_rgetxattr *reply = &client->reply.rgetxattr;
    int64_t length = reply->size;
    if (length > UINT16_MAX + 1 || (size && (reply->data.count != reply->size || reply->data.count > wanted)))
        length = -EIO;
    else if (size)
        memcpy(value, reply->data.bytes, reply->data.count);
    gofer_finish(client, 0);
    return length;
}

int gofer_setxattr(struct gofer_client *client, uint32_t fid, struct np_str name, const void *value,
                   size_t size, uint32_t flags)
{
    if (size > UINT16_MAX + 1)
        return -E2BIG;
    if (client->plain) {
        gofer_begin(client, np_type_of_txattrcreate);
        return gofer_finish(client, plain_setxattr(client, fid, name, value, size, flags));
    }
    gofer_begin(client, np_type_of_tsetxattr)->tsetxattr = (struct np_tsetxattr){
        .fid = fid, .name = name, .flags = flags, .value = {.bytes = value, .count = (uint32_t)size}};
    return gofer_simple(client);
}

int gofer_lopen(struct gofer_client *client, uint32_t fid, uint32_t flags)
{
    gofer_begin(client, np_type_of_tlopen)->tlopen = (struct np_tlopen){.fid = fid, .flags = flags};
    return gofer_simple(client);
}

int64_t gofer_read(struct gofer_client *client, uint32_t fid, uint64_t offset, void *buffer, size_t size)
{
    uint32_t most = client->message_size - NP_IO_HEADER_SIZE;
    uint32_t count = size < most ? (uint32_t)size : most;
    gofer_begin(client, np_type_of_tread)->tread =
        (struct np_tread){.fid = fid, .offset = offset, .count = count};
    int error = gofer_rpc(client, NULL, 0);
    if (error)
        return gofer_finish(client, error);
    const struct np_data *data = &client->reply.rread.data;
    int64_t got = data->count <= count ? (int64_t)data->count : -EIO;
    if (got > 0)
        memcpy(buffer, data->bytes, data->count);
    gofer_finish(client, 0);
    return got;
}

int64_t gofer_write(struct gofer_client *client, uint32_t fid, uint64_t offset, const void *buffer,
                    size_t size)
{
    uint32_t most = client->message_size - NP_IO_HEADER_SIZE;
    uint32_t count = size < most ? (uint32_t)size : most;
    gofer_begin(client, np_type_of_twrite)->twrite =
        (struct np_twrite){.fid = fid, .offset = offset, .data = {.bytes = buffer, .count = count}};
    int error = gofer_rpc(client, NULL, 0);
    uint32_t done = client->reply.rwrite.count;
    if (!error && done > count)
        error = -EIO;
    gofer_finish(client, 0);
    return error ? error : (int64_t)done;
}

int gofer_memfd(struct gofer_client *client, bool store, int *rw, int *ro)
{
    // One pair at a time: the second request means the file of the first.
    gofer_begin(client, np_type_of_tmemfd)->tmemfd =
        (struct np_tmemfd){.read_only = store ? NP_MEMFD_STORE : NP_MEMFD_FRESH};
    int error = gofer_rpc(client, rw, O_RDWR);
    if (!error) {
        client->request.type = np_type_of_tmemfd;
        client->request.tmemfd = (struct np_tmemfd){.read_only = NP_MEMFD_READ_ONLY};
        error = gofer_rpc(client, ro, O_RDONLY);
        if (error)
            close(*rw);
    }
    return gofer_finish(client, error);
}
