// Mapping files of a plain server, which donates no descriptors: a copy in memory of what the file holds when it is mapped.
// It serves private mappings and those of files open for reading only; changes made later are not seen in it.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sentry/fs/gofer/fs.h"
#include "sentry/fs/tmpfs/data.h"

#define SNAPSHOTS_MAX (512u << 20) // bytes of all of one server
#define CHUNK (64u << 10)

static bool same_time(struct timespec64 a, struct timespec64 b)
{
    return a.sec == b.sec && a.nsec == b.nsec;
}

void gofer_snapshot_forget(struct gofer_inode *node)
{
    struct gofer_connection *c = gofer_connection_of(node->inode);
    for (unsigned i = 0; i < node->nr_retired; i++)
        close(node->retired[i]);
    c->snapshot_bytes -= node->retired_bytes;
    node->nr_retired = 0;
    node->retired_bytes = 0;
    if (node->snapshot < 0)
        return;
    close(node->snapshot);
    node->snapshot = -1;
    c->snapshot_bytes -= node->snapshot_size;
}

// A mapping that is under way knows the descriptor by its number and holds the inode: it must not come to name something else.
static int retire(struct gofer_inode *node)
{
    if (node->snapshot < 0)
        return 0;
    if (node->nr_retired == GOFER_RETIRED_MAX)
        return -LX_ENOMEM;
    node->retired[node->nr_retired++] = node->snapshot;
    node->retired_bytes += node->snapshot_size;
    node->snapshot = -1;
    return 0;
}

// Copies `size` bytes of the open fid into the descriptor. Runs without the kernel lock.
static int copy_contents(struct gofer_client *client, uint32_t fid, uint64_t size, int to)
{
    void *buffer = malloc(CHUNK);
    int err = buffer ? 0 : -LX_ENOMEM;
    for (uint64_t at = 0; !err && at < size;) {
        int64_t got = gofer_read(client, fid, at, buffer, size - at < CHUNK ? (size_t)(size - at) : CHUNK);
        if (got <= 0) {
            err = (int)got;
            break; // shorter than it was: what is missing reads as zeroes
        }
        if (pwrite(to, buffer, (size_t)got, (off_t)at) != got)
            err = -LX_ENOMEM;
        at += (uint64_t)got;
    }
    free(buffer);
    return err;
}

static int make(struct inode *inode, uint32_t fid)
{
    struct gofer_inode *node = gofer_inode(inode);
    struct gofer_connection *c = gofer_connection_of(inode);
    uint64_t size = inode->attr.size;
    struct timespec64 mtime = inode->attr.mtime;
    int rw, ro;
    int err = retire(node);
    if (err)
        return err;
    if (size > SNAPSHOTS_MAX - c->snapshot_bytes || !mem_data_make_pair)
        return -LX_ENOMEM;
    err = mem_data_make_pair(false, &rw, &ro);
    if (err)
        return err == -LX_EMFILE ? -LX_ENFILE : err;
    c->snapshot_bytes += size;
    node->fd_pins++;
    err = GOFER_BLOCKING(ftruncate(rw, (off_t)size) < 0 ? -errno : copy_contents(&c->client, fid, size, rw));
    node->fd_pins--;
    close(rw);
    if (err || node->snapshot >= 0) { // or another call was faster
        close(ro);
        c->snapshot_bytes -= size;
        return err;
    }
    node->snapshot = ro;
    node->snapshot_size = size;
    node->snapshot_mtime = mtime;
    return 0;
}

int gofer_snapshot(struct file *f, uint64_t offset, struct host_map *out)
{
    struct gofer_inode *node = gofer_inode(f->inode);
    int fid;
    int err = gofer_handle(f->inode, LX_O_RDONLY, false, &fid);
    if (!err)
        err = gofer_getattr(f->inode);
    if (!err && (node->snapshot < 0 || node->snapshot_size != f->inode->attr.size ||
                 !same_time(node->snapshot_mtime, f->inode->attr.mtime))) {
        err = gofer_handle(f->inode, LX_O_RDONLY, false, &fid);
        if (!err)
            err = make(f->inode, (uint32_t)fid);
    }
    if (!err)
        *out = (struct host_map){.fd = node->snapshot, .offset = offset};
    return err;
}
