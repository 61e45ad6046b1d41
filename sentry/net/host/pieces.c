#include "sentry/net/host/pieces.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <stdlib.h>

static size_t piece_of(const struct sock_msg *m)
{
    return m->it.count < HOST_PIECE ? m->it.count : HOST_PIECE;
}

static int64_t send_piece(struct socket *sk, struct sock_msg *m, const struct net_header *header,
                          uint8_t *bytes, const struct host_mover *mover)
{
    const size_t want = piece_of(m);
    const struct iov_iter before = m->it;
    if (want && iter_copy_from(&m->it, bytes, want) != (ssize_t)want)
        return -LX_EFAULT;
    int64_t n = mover->send(sk, m, header, bytes, want);
    if (n < (int64_t)want) { // what was not sent is sent again
        m->it = before;
        if (n > 0)
            iter_advance(&m->it, (size_t)n);
    }
    return n;
}

int64_t host_send_pieces(struct socket *sk, struct sock_msg *m, const struct net_header *header,
                         const struct host_mover *mover)
{
    const bool stream = sk->type == LX_SOCK_STREAM;
    if (!stream && m->it.count > HOST_PIECE)
        return -LX_EMSGSIZE;
    uint64_t done = stream ? sock_progress() : 0;
    iter_advance(&m->it, done);
    const size_t room = piece_of(m);
    uint8_t *bytes = malloc(room ? room : 1);
    if (!bytes)
        return done ? (int64_t)done : -LX_ENOMEM;
    int64_t n = 0;
    do {
        n = send_piece(sk, m, header, bytes, mover);
        if (n > 0)
            done += (uint64_t)n;
    } while (stream && n > 0 && m->it.count && !current->exiting);
    free(bytes);
    if (n == -LX_EAGAIN && !(m->flags & LX_MSG_DONTWAIT))
        return mover->wait(sk, EV_OUT, sk->sndtimeo, done);
    if (n < 0 && !done)
        return n == -LX_EPIPE ? sock_epipe(m->flags) : n;
    return (int64_t)done;
}

static int64_t receive_piece(struct socket *sk, struct sock_msg *m, const struct host_mover *mover)
{
    const size_t room = piece_of(m);
    uint8_t *bytes = malloc(room ? room : 1);
    if (!bytes)
        return -LX_ENOMEM;
    int64_t n = mover->receive(sk, m, bytes, room);
    const size_t got = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
    if (host_throws_away(sk, m))
        iter_advance(&m->it, got);
    else if (got && iter_copy_to(&m->it, bytes, got) != (ssize_t)got)
        n = -LX_EFAULT;
    free(bytes);
    return n;
}

int64_t host_receive_pieces(struct socket *sk, struct sock_msg *m, const struct host_mover *mover)
{
    const bool whole = sk->type == LX_SOCK_STREAM && (m->flags & LX_MSG_WAITALL) && !(m->flags & LX_MSG_PEEK);
    uint64_t done = whole ? sock_progress() : 0;
    int64_t n;
    if (m->flags & LX_MSG_ERRQUEUE)
        return -LX_EAGAIN;
    iter_advance(&m->it, done);
    do {
        n = receive_piece(sk, m, mover);
        if (n > 0)
            done += (uint64_t)n;
    } while (whole && n > 0 && m->it.count && !current->exiting);
    if (n == -LX_EAGAIN && !(m->flags & LX_MSG_DONTWAIT))
        return mover->wait(sk, EV_IN, sk->rcvtimeo, done);
    return n < 0 && !done ? n : (int64_t)done;
}
