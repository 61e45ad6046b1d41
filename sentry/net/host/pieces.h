#pragma once
// Data of the host's sockets in pieces of at most HOST_PIECE bytes: what a send and a receive do around what moves one.
#include "sentry/net/socket.h"

#define HOST_PIECE 65536u

// How a kind of socket moves a piece, and blocks. Bytes (what sendmsg(2) and recvmsg(2) return), or -errno.
struct host_mover {
    int64_t (*send)(struct socket *sk, const struct sock_msg *m, const struct net_header *header,
                    uint8_t *bytes, size_t size);
    int64_t (*receive)(struct socket *sk, struct sock_msg *m, uint8_t *bytes, size_t room);
    int64_t (*wait)(struct socket *sk, uint32_t events, uint64_t timeo, uint64_t done);
};

// socket_ops.sendmsg, once it is known that the message may be sent: a stream's in pieces, a datagram whole.
int64_t host_send_pieces(struct socket *sk, struct sock_msg *m, const struct net_header *header,
                         const struct host_mover *mover);
// socket_ops.recvmsg.
int64_t host_receive_pieces(struct socket *sk, struct sock_msg *m, const struct host_mover *mover);
// Does a receive of a stream throw its bytes away (MSG_TRUNC, tcp(7))?
static inline bool host_throws_away(const struct socket *sk, const struct sock_msg *m)
{
    return sk->type == LX_SOCK_STREAM && (m->flags & LX_MSG_TRUNC);
}
