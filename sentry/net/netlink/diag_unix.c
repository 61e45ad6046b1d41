// net/unix/diag.c
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "sentry/net/netlink/diag.h"
#include "sentry/net/open_sockets.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

#define ICONS_MAX 4096u

static uint32_t number_of(const struct unix_sock *u)
{
    return u && u->sk.file ? (uint32_t)u->sk.file->inode->attr.ino : 0;
}

static uint8_t state_of(const struct unix_sock *u)
{
    return u->state == UNIX_LISTENING   ? LX_TCP_LISTEN
           : u->state == UNIX_CONNECTED ? LX_TCP_ESTABLISHED
                                        : LX_TCP_CLOSE;
}

static void put_icons(struct nl_out *out, const struct unix_sock *u)
{
    static uint32_t numbers[ICONS_MAX]; // kernel lock
    size_t n = 0;
    list_for_each(embryo, &u->accept_queue, struct unix_sock, accept_link) if (n < ICONS_MAX) numbers[n++] =
        number_of(embryo->peer);
    nl_attr(out, LX_UNIX_DIAG_ICONS, numbers, n * sizeof(numbers[0]));
}

static void put(const struct unix_sock *u, uint32_t show, uint16_t flags, struct nl_out *out)
{
    const struct lx_unix_diag_msg head = {.family = LX_AF_UNIX,
                                          .type = (uint8_t)u->sk.type,
                                          .state = state_of(u),
                                          .ino = number_of(u),
                                          .cookie = {number_of(u)}};
    const size_t family = sizeof(u->addr->sun.family);
    nl_begin(out, LX_SOCK_DIAG_BY_FAMILY, flags, &head, sizeof(head));
    if ((show & LX_UDIAG_SHOW_NAME) && u->addr)
        nl_attr(out, LX_UNIX_DIAG_NAME, u->addr->sun.path, u->addr->len - family);
    if ((show & LX_UDIAG_SHOW_VFS) && u->path.dentry) {
        const struct kstat *attr = &u->path.dentry->inode->attr;
        const uint32_t vfs[2] = {(uint32_t)attr->ino, (uint32_t)attr->dev};
        nl_attr(out, LX_UNIX_DIAG_VFS, vfs, sizeof(vfs));
    }
    if ((show & LX_UDIAG_SHOW_PEER) && u->peer)
        nl_attr_u32(out, LX_UNIX_DIAG_PEER, number_of(u->peer));
    if ((show & LX_UDIAG_SHOW_ICONS) && u->state == UNIX_LISTENING)
        put_icons(out, u);
    if (show & LX_UDIAG_SHOW_RQLEN) {
        bool listens = u->state == UNIX_LISTENING;
        const uint32_t queues[2] = {listens ? u->queue_len : (uint32_t)u->queued_bytes,
                                    listens ? u->backlog : u->charged};
        nl_attr(out, LX_UNIX_DIAG_RQLEN, queues, sizeof(queues));
    }
    if (show & LX_UDIAG_SHOW_MEMINFO)
        diag_put_memory(out, LX_UNIX_DIAG_MEMINFO, &u->sk, u->queued_bytes, u->charged);
    const uint8_t shutdown = (uint8_t)u->sk.shutdown;
    nl_attr(out, LX_UNIX_DIAG_SHUTDOWN, &shutdown, sizeof(shutdown));
    if (show & LX_UDIAG_SHOW_UID)
        nl_attr_u32(out, LX_UNIX_DIAG_UID, show_uid(u->sk.file->inode->attr.uid));
    nl_end(out);
}

int diag_unix(const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    struct lx_unix_diag_req r;
    if (n < sizeof(r))
        return -LX_EINVAL;
    memcpy(&r, payload, sizeof(r));
    if (!dump && r.ino == 0)
        return -LX_EINVAL;
    struct open_sockets *found = find_open_sockets(LX_AF_UNIX, 0);
    int err = !found ? -LX_ENOMEM : dump ? 0 : -LX_ENOENT;
    for (unsigned i = 0; found && i < found->count; i++) {
        const struct unix_sock *u = unix_sk(found->sockets[i]);
        if (dump ? !(r.states >> state_of(u) & 1) : number_of(u) != r.ino)
            continue;
        if (!dump)
            err = (r.cookie[0] != UINT32_MAX || r.cookie[1] != UINT32_MAX) && r.cookie[0] != r.ino
                      ? -LX_ESTALE
                      : 0;
        if (!err)
            put(u, r.show, dump ? LX_NLM_F_MULTI : 0, out);
        if (!dump)
            break;
    }
    free(found);
    return err;
}
