// Extended attributes. There is no call on an O_PATH descriptor before Linux 6.13, so they are reached by the
// descriptor's number below the working directory, which is the Gofer's own /proc/self/fd.
#include "gofer/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

// What may be read and written: user.*, and where the operator asks for it capabilities and ACLs.
static int check_name(const struct node *node, const char *name)
{
    if (!strncmp(name, "user.", 5))
        return name[5] ? 0 : -EINVAL;
    if (!(node->export->flags & GOFER_EXPORT_XATTRS))
        return -EOPNOTSUPP;
    static const char *const others[] = {"security.capability", "system.posix_acl_access",
                                         "system.posix_acl_default"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (!strcmp(name, others[i]))
            return 0;
    }
    return -EOPNOTSUPP;
}

static int copy_name(const struct node *node, struct np_str name, char buffer[NP_NAME_MAX + 1])
{
    if (name.length > NP_NAME_MAX)
        return -ERANGE;
    if (memchr(name.bytes, 0, name.length))
        return -EINVAL;
    memcpy(buffer, name.bytes, name.length);
    buffer[name.length] = 0;
    return check_name(node, buffer);
}

// Keeps of a list of names those that may be read. Returns its new size.
static size_t filter_list(const struct node *node, char *list, size_t size)
{
    size_t kept = 0;
    for (size_t at = 0; at < size;) {
        size_t length = strnlen(list + at, size - at) + 1;
        if (at + length > size)
            break;
        if (!check_name(node, list + at)) {
            memmove(list + kept, list + at, length);
            kept += length;
        }
        at += length;
    }
    return kept;
}

// The value of one attribute, or with an empty name the list of names, into `buffer` of XATTR_SIZE_MAX bytes.
static ssize_t fetch(const struct node *node, struct np_str name, uint8_t *buffer)
{
    struct self_name self = host_self_name(node->fd);
    if (!name.length) {
        ssize_t size = listxattr(self.text, (char *)buffer, XATTR_SIZE_MAX);
        return size < 0 ? -errno : (ssize_t)filter_list(node, (char *)buffer, (size_t)size);
    }
    char attribute[NP_NAME_MAX + 1];
    int error = copy_name(node, name, attribute);
    if (error)
        return error == -EOPNOTSUPP ? -ENODATA : error;
    ssize_t size = getxattr(self.text, attribute, buffer, XATTR_SIZE_MAX);
    return size < 0 ? -errno : size;
}

static int store(const struct node *node, const char *name, const void *value, size_t size, int flags)
{
    if (node_read_only(node))
        return -EROFS;
    struct self_name self = host_self_name(node->fd);
    int result = flags & NP_XATTR_REMOVE ? removexattr(self.text, name)
                                         : setxattr(self.text, name, value, size, flags);
    return result < 0 ? -errno : 0;
}

static uint8_t value[XATTR_SIZE_MAX];

int server_getxattr(struct server *server)
{
    const struct np_tgetxattr *in = &server->in.tgetxattr;
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    ssize_t size = fetch(fid->node, in->name, value);
    if (size < 0)
        return (int)size;
    struct np_rgetxattr *out = &server->out.rgetxattr;
    *out = (struct np_rgetxattr){.size = (uint32_t)size, .data = {.bytes = value, .count = (uint32_t)size}};
    // Asked for less: only how long it is, as getxattr(2) with size 0.
    if (in->size < (uint32_t)size || server_room(server, (uint32_t)size, 8) < (uint32_t)size) {
        if (in->size)
            return -ERANGE;
        out->data.count = 0;
    }
    return 0;
}

int server_setxattr(struct server *server)
{
    const struct np_tsetxattr *in = &server->in.tsetxattr;
    struct fid *fid;
    char name[NP_NAME_MAX + 1];
    int error = server_fid(server, in->fid, &fid);
    if (!error && (in->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE | NP_XATTR_REMOVE)))
        error = -EINVAL;
    if (!error && in->value.count > XATTR_SIZE_MAX)
        error = -E2BIG;
    if (!error)
        error = copy_name(fid->node, in->name, name);
    return error ? error : store(fid->node, name, in->value.bytes, in->value.count, (int)in->flags);
}

static struct xattr_state *new_state(struct server *server, size_t size)
{
    if (server->fids.xattr_count >= XATTR_FIDS_MAX)
        return NULL;
    struct xattr_state *state = calloc(1, sizeof(*state) + size);
    if (state) {
        state->size = (uint32_t)size;
        server->fids.xattr_count++;
    }
    return state;
}

int server_xattrwalk(struct server *server)
{
    const struct np_txattrwalk *in = &server->in.txattrwalk;
    struct fid *fid, *made;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    ssize_t size = fetch(fid->node, in->name, value);
    if (size < 0)
        return (int)size;
    struct xattr_state *state = new_state(server, (size_t)size);
    if (!state)
        return -ENOMEM;
    memcpy(state->data, value, (size_t)size);
    state->filled = (uint32_t)size;
    error = fid_add(&server->fids, in->newfid, fid->node, &made);
    if (error) {
        server->fids.xattr_count--;
        free(state);
        return error;
    }
    made->xattr = state;
    server->out.rxattrwalk.size = (uint64_t)size;
    return 0;
}

int server_xattrcreate(struct server *server)
{
    const struct np_txattrcreate *in = &server->in.txattrcreate;
    struct fid *fid;
    char name[NP_NAME_MAX + 1];
    int error = server_fid(server, in->fid, &fid);
    if (!error && (in->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE)))
        error = -EINVAL;
    if (!error && in->size > XATTR_SIZE_MAX)
        error = -E2BIG;
    if (!error && fid->open_fd >= 0)
        error = -EBUSY;
    if (!error)
        error = copy_name(fid->node, in->name, name);
    if (error)
        return error;
    struct xattr_state *state = new_state(server, in->size);
    if (!state)
        return -ENOMEM;
    state->writing = true;
    // The Linux client removes an attribute by creating one of size 0 with XATTR_REPLACE.
    state->flags = !in->size && in->flags == XATTR_REPLACE ? (int)NP_XATTR_REMOVE : (int)in->flags;
    memcpy(state->name, name, sizeof(name));
    fid->xattr = state;
    return 0;
}

int server_xattr_finish(struct server *server, struct fid *fid)
{
    const struct xattr_state *state = fid->xattr;
    if (!state->writing)
        return 0;
    if (state->filled != state->size)
        return -EINVAL;
    return store(fid->node, state->name, state->data, state->size, state->flags);
}
