// Host descriptors of regular files, or open fids of a plain server: kept for the next open, closed least recently
// used first.
#include <stdlib.h>
#include <unistd.h>

#include "sentry/fs/gofer/fs.h"

void gofer_discard_handle(struct gofer_connection *c, int handle)
{
    if (c->plain)
        gofer_fid_give_back(c, (uint32_t)handle, true);
    else
        close(handle);
}

static void close_slot(struct gofer_inode *node, enum gofer_slot slot)
{
    if (node->fd[slot] < 0)
        return;
    struct gofer_connection *c = gofer_connection_of(node->inode);
    gofer_discard_handle(c, node->fd[slot]);
    node->fd[slot] = -1;
    c->nr_fds--;
}

void gofer_close_handles(struct gofer_inode *node)
{
    close_slot(node, GOFER_RD);
    close_slot(node, GOFER_WR);
    list_del(&node->fd_link);
}

static void touch(struct gofer_inode *node)
{
    list_del(&node->fd_link);
    list_add_tail(&node->fd_link, &gofer_connection_of(node->inode)->fd_lru);
}

// Closes descriptors until fewer than `limit` are open: first of files that nobody has open, then also of
// open ones, which ask for them again.
static void evict_fds(struct gofer_connection *c, unsigned limit)
{
    for (int open = 0; open < 2; open++) {
        list_for_each_safe(node, &c->fd_lru, struct gofer_inode, fd_link)
        {
            if (c->nr_fds < limit)
                return;
            if (node->fd_pins == 0 && (open ? !node->orphan : !node->opens))
                gofer_close_handles(node);
        }
    }
}

void gofer_keep_handle(struct inode *inode, enum gofer_slot slot, int fd, int access)
{
    struct gofer_inode *node = gofer_inode(inode);
    struct gofer_connection *c = gofer_connection_of(inode);
    if (node->fd[slot] >= 0) {
        gofer_discard_handle(c, fd);
        return;
    }
    if (c->nr_fds >= c->max_fds)
        evict_fds(c, c->max_fds - c->max_fds / 8);
    node->fd[slot] = fd;
    if (slot == GOFER_WR)
        node->wr_access = access;
    c->nr_fds++;
    touch(node);
}

int gofer_cached_handle(const struct inode *inode, uint32_t access, bool exact)
{
    struct gofer_inode *node = gofer_inode(inode);
    int fd = -1;
    if (access == LX_O_RDONLY) {
        fd = node->fd[GOFER_RD];
        if (fd < 0 && !exact && node->wr_access == LX_O_RDWR)
            fd = node->fd[GOFER_WR];
    } else if (access == LX_O_WRONLY || node->wr_access == LX_O_RDWR) {
        fd = node->fd[GOFER_WR];
    }
    return fd;
}

static int fetch(struct inode *inode, uint32_t access)
{
    struct gofer_connection *c = gofer_connection_of(inode);
    struct gofer_reach reach;
    uint32_t newfid = NP_NOFID;
    int err = c->plain ? gofer_fid_take(c, &newfid) : 0;
    if (err)
        return err;
    err = gofer_reach(inode, 0, &reach);
    if (err) {
        if (c->plain)
            gofer_fid_give_back(c, newfid, false);
        return err;
    }
    struct np_attr attr;
    int fd = -1;
    err = GOFER_BLOCKING(
        gofer_open(&c->client, reach.fid, newfid, reach.names, reach.count, access, &attr, &fd));
    gofer_reach_end(&reach);
    if (err) {
        if (c->plain)
            gofer_fid_give_back(c, newfid, false);
        return err;
    }
    struct gofer_inode *node = gofer_inode(inode);
    if (attr.qid.path != node->qid_path) {
        gofer_discard_handle(c, fd);
        return -LX_ESTALE;
    }
    if (access == LX_O_RDWR && node->fd[GOFER_WR] >= 0 && node->wr_access == LX_O_WRONLY) {
        if (node->fd_pins) { // in use this moment
            gofer_discard_handle(c, fd);
            return -LX_EACCES;
        }
        close_slot(node, GOFER_WR); // the better one takes its place
    }
    gofer_keep_handle(inode, access == LX_O_RDONLY ? GOFER_RD : GOFER_WR, fd, (int)access);
    gofer_set_attr(inode, &attr);
    return 0;
}

int gofer_handle(struct inode *inode, uint32_t access, bool exact, int *fd)
{
    // Both directions are asked for at once where that is allowed, so that a reader need not ask again.
    uint32_t ask = access == LX_O_WRONLY && !exact ? LX_O_RDWR : access;
    int err = 0;
    for (int attempt = 0; attempt < 4; attempt++) {
        *fd = gofer_cached_handle(inode, access, exact);
        if (*fd >= 0) {
            touch(gofer_inode(inode));
            return 0;
        }
        err = fetch(inode, ask);
        if (err == -LX_EACCES && ask != access)
            ask = access;
        else if (err == -LX_EMFILE || err == -LX_ENFILE)
            evict_fds(gofer_connection_of(inode), gofer_connection_of(inode)->nr_fds / 2);
        else if (err && err != -LX_ESTALE)
            return err;
    }
    // The limit of this process is no business of the guest's.
    return err == -LX_EMFILE ? -LX_ENFILE : err ? err : -LX_EIO;
}
