// Reading directories.
#include "gofer/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct host_dirent {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static uint8_t batch[32768] __attribute__((aligned(8)));

static bool is_dot(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

// Puts one entry at the cursor. False when it does not fit; the cursor is then where it was.
static bool put_entry(struct server *server, const struct node *node, int directory,
                      const struct host_dirent *entry, bool attributes, struct np_cursor *cursor)
{
    struct np_cursor before = *cursor;
    struct np_dirent out = {
        .qid = {.type = entry->type == DT_DIR   ? NP_QTDIR
                        : entry->type == DT_LNK ? NP_QTSYMLINK
                                                : NP_QTFILE,
                .path = host_qid_path(entry->inode, node->dev_index)},
        .offset = (uint64_t)entry->offset,
        .type = entry->type,
        .name = np_string(entry->name),
    };
    if (is_dot(entry->name))
        return true; // no name that may be walked to; a client makes them itself
    if (attributes) {
        struct np_attr attr;
        if (host_stat_entry(server->host, directory, entry->name, &attr) < 0)
            return true; // gone meanwhile
        out.qid = attr.qid;
        out.type = (uint8_t)(attr.mode >> 12 & 15);
        np_put_dirent(cursor, &out);
        np_put_attr(cursor, &attr);
    } else {
        np_put_dirent(cursor, &out);
    }
    if (cursor->overflow) {
        *cursor = before;
        return false;
    }
    return true;
}

// Entries from `offset` on until `count` bytes are full, into the place of the data in the reply. `overhead`
// bytes precede the data's count. 1 when the end was reached, 0 when there may be more, or -errno.
static int read_entries(struct server *server, const struct node *node, int fd, uint64_t offset,
                        uint32_t count, uint32_t overhead, bool attributes, struct np_data *data)
{
    uint8_t *place = server->reply + NP_HEADER_SIZE + overhead + 4;
    struct np_cursor cursor = np_cursor_over(place, server_room(server, count, overhead + 4));
    if (offset > INT64_MAX || lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return offset > INT64_MAX ? -EINVAL : -errno;
    int end = 0;
    bool skipped = false;
    for (bool full = false; !full;) {
        // No more from the host than about what fits: what does not is read again.
        size_t room = cursor.size - cursor.position + 1024;
        long got = syscall(SYS_getdents64, fd, batch, room < sizeof(batch) ? room : sizeof(batch));
        if (got < 0) {
            if (cursor.position)
                break;
            return -errno;
        }
        if (got == 0) {
            end = 1;
            break;
        }
        for (long at = 0; at < got && !full;) {
            const struct host_dirent *entry = (const void *)(batch + at);
            full = !put_entry(server, node, fd, entry, attributes, &cursor);
            at += entry->length;
            skipped = !full;
        }
    }
    if (!cursor.position && !end && !skipped)
        return -EINVAL; // not even one entry fits
    *data = (struct np_data){.bytes = place, .count = (uint32_t)cursor.position};
    return end;
}

int server_readdir(struct server *server)
{
    const struct np_treaddir *in = &server->in.treaddir;
    struct fid *fid;
    int error = server_fid(server, in->fid, &fid);
    if (error)
        return error;
    if (!S_ISDIR(fid->node->type))
        return -ENOTDIR;
    if (fid->open_fd < 0)
        return -EBADF;
    int result = read_entries(server, fid->node, fid->open_fd, in->offset, in->count, 0, false,
                              &server->out.rreaddir.data);
    return result < 0 ? result : 0;
}

int server_put_directory(struct server *server, const struct node *node, int fd, struct np_cursor *cursor)
{
    for (;;) {
        long got = syscall(SYS_getdents64, fd, batch, sizeof(batch));
        if (got <= 0)
            return got < 0 ? -errno : 1;
        for (long at = 0; at < got;) {
            const struct host_dirent *entry = (const void *)(batch + at);
            if (!put_entry(server, node, fd, entry, true, cursor))
                return 0;
            at += entry->length;
        }
    }
}

int server_walk_to(struct server *server, struct node *from, const struct np_names *names, struct node **out)
{
    struct node *node = node_get(from);
    for (uint16_t i = 0; i < names->count; i++) {
        struct node *next;
        int error = node_walk(server->host, node, names->name[i], &next);
        node_put(node);
        if (error)
            return error;
        node = next;
    }
    *out = node;
    return 0;
}

int server_readdirattr(struct server *server)
{
    const struct np_treaddirattr *in = &server->in.treaddirattr;
    struct fid *fid;
    struct node *node;
    int error = server_fid(server, in->fid, &fid);
    if (!error)
        error = server_walk_to(server, fid->node, &in->names, &node);
    if (error)
        return error;
    // A fid keeps its directory open between the parts of one reading; one named by a path is opened for each
    // part.
    bool own = node == fid->node;
    int fd = own ? (fid->open_fd >= 0 ? fid->open_fd : fid->dir_fd) : -1;
    if (!S_ISDIR(node->type))
        fd = -ENOTDIR;
    else if (fd < 0)
        fd = node_reopen(server->host, node, O_RDONLY);
    if (fd < 0) {
        node_put(node);
        return fd;
    }
    struct np_rreaddirattr *out = &server->out.rreaddirattr;
    int result = read_entries(server, node, fd, in->offset, in->count, 1, true, &out->data);
    node_put(node);
    if (own && fd != fid->open_fd)
        fid->dir_fd = result ? -1 : fd;
    if (fd != fid->open_fd && fd != fid->dir_fd)
        close(fd);
    out->end = result == 1;
    return result < 0 ? result : 0;
}
