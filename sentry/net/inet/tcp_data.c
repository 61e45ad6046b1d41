// Bytes of a connection: sending, receiving, the urgent byte (net/ipv4/tcp.c, tcp_input.c of Linux).
//
// The bytes lie in the receive queue of the AF_UNIX stream that carries them. The urgent byte is one of them; `urgent_ahead` says
// how many unread ones come before it. Without SO_OOBINLINE a read skips it, and every read stops before it once.
#include "abi/linux/errno.h"
#include "sentry/net/inet/tcp_close.h"
#include "sentry/signal/owner.h"
#include "sentry/task/task.h"

// What a buffer must know of its socket's options.
static struct socket *buffer_of(struct inet_sock *s)
{
    struct socket *d = &s->data->sk;
    d->sndbuf = s->sk.sndbuf;
    d->rcvlowat = s->sk.rcvlowat;
    d->rcvtimeo = s->sk.rcvtimeo;
    d->sndtimeo = s->sk.sndtimeo;
    return d;
}

// n bytes at the head of the queue are read, or skipped.
static void consume(struct inet_sock *s, uint64_t n)
{
    struct unix_sock *u = s->data;
    if (s->urgent && n > s->urgent_ahead)
        s->urgent = TCP_URGENT_NONE;
    else if (s->urgent)
        s->urgent_ahead -= (uint32_t)n;
    while (n > 0 && !list_empty(&u->queue)) {
        struct unix_buf *b = list_first(&u->queue, struct unix_buf, link);
        uint64_t some = n < b->len - b->off ? n : b->len - b->off;
        b->off += (uint32_t)some;
        u->queued_bytes -= some;
        n -= some;
        if (b->off < b->len)
            break;
        unix_unqueue_buf(u, b);
        unix_buf_free(b);
    }
}

bool tcp_at_mark(const struct inet_sock *s)
{
    return s->urgent && s->urgent_ahead == 0;
}

bool tcp_readable(const struct inet_sock *s)
{
    uint64_t target = (uint64_t)s->sk.rcvlowat + (tcp_at_mark(s) && !s->sk.oobinline);
    return s->data->queued_bytes >= target;
}

uint64_t tcp_queued(const struct inet_sock *s)
{
    return s->urgent && !s->sk.oobinline ? s->urgent_ahead : s->data->queued_bytes;
}

// The last byte in the queue of `s` is urgent (tcp_check_urg).
static void mark_urgent(struct inet_sock *s)
{
    struct unix_sock *u = s->data;
    const struct unix_buf *last = list_entry(u->queue.prev, struct unix_buf, link);
    // An urgent byte that was next is lost; one further on becomes an ordinary byte.
    if (tcp_at_mark(s) && !s->sk.oobinline)
        consume(s, 1);
    s->urgent = TCP_URGENT_THERE;
    s->urgent_byte = last->data[last->len - 1];
    s->urgent_ahead = (uint32_t)(u->queued_bytes - 1);
    if (s->sk.file)
        signal_owner_urgent(s->sk.file);
    wake_up(&s->sk.wait, EV_PRI);
}

int64_t tcp_send(struct socket *sk, struct sock_msg *m)
{
    struct inet_sock *s = inet_sk(sk);
    bool urgent = m->flags & LX_MSG_OOB;
    scm_destroy(&m->scm); // control messages mean nothing here
    m->name_len = 0;
    m->flags &= ~LX_MSG_OOB;
    if (sk->err)
        return sock_take_error(sk);
    if (s->data->sk.err && sock_progress() == 0)
        return sock_take_error(&s->data->sk);
    if (s->state == INET_CONNECTING)
        return m->flags & LX_MSG_DONTWAIT ? -LX_EAGAIN : sock_block(&sk->wait, EV_OUT, sk->sndtimeo, 0);
    if (s->state != INET_CONNECTED)
        return sock_epipe(m->flags);
    uint64_t before = s->peer ? s->peer->data->queued_bytes : 0;
    int64_t ret = unix_stream_send(buffer_of(s), m);
    if (urgent && s->peer && s->peer->data->queued_bytes > before)
        mark_urgent(s->peer);
    if (ret > 0)
        s->connecting = false;
    if (ret > 0 && !s->peer &&
        !(s->fins & TCP_FIN_SENT)) // to a closed end: the answer is a reset, which ends that
        tcp_wait_end(s);
    return ret;
}

// tcp_recv_urg
static int64_t receive_urgent(struct inet_sock *s, struct sock_msg *m)
{
    if (s->sk.oobinline || s->urgent != TCP_URGENT_THERE)
        return -LX_EINVAL;
    m->out_flags |= LX_MSG_OOB;
    if (!(m->flags & LX_MSG_PEEK))
        s->urgent = TCP_URGENT_READ;
    if (m->it.count == 0) {
        m->out_flags |= LX_MSG_TRUNC;
        return 0;
    }
    if (!(m->flags & LX_MSG_TRUNC) && iter_copy_to(&m->it, &s->urgent_byte, 1) != 1)
        return -LX_EFAULT;
    return 1;
}

// Copies up to m->it.count bytes that begin `at` bytes into the queue. Bytes or -LX_EFAULT.
static int64_t copy_out_of(const struct unix_sock *u, uint64_t at, uint64_t most, struct sock_msg *m)
{
    uint64_t done = 0;
    list_for_each(b, &u->queue, struct unix_buf, link)
    {
        uint64_t left = b->len - b->off;
        if (at >= left) {
            at -= left;
            continue;
        }
        uint64_t n = left - at;
        n = n < most - done ? n : most - done;
        n = n < m->it.count ? n : m->it.count;
        if (n == 0)
            break;
        ssize_t got = (ssize_t)n;
        if (m->flags & LX_MSG_TRUNC)
            iter_advance(&m->it, n);
        else
            got = iter_copy_to(&m->it, b->data + b->off + at, n);
        at = 0;
        done += got > 0 ? (uint64_t)got : 0;
        if (got != (ssize_t)n)
            return done ? (int64_t)done : -LX_EFAULT;
    }
    return (int64_t)done;
}

// Reads what there is from `at` on, up to the urgent byte. *stop: the call must not go on to wait for more.
static int64_t take(struct inet_sock *s, struct sock_msg *m, uint64_t at, bool has_some, bool *stop)
{
    const bool peek = m->flags & LX_MSG_PEEK;
    int64_t moved = 0;
    *stop = false;
    while (m->it.count > 0) { // what is read goes: the next byte then stays at the same place
        bool mark = s->urgent && at == s->urgent_ahead;
        *stop = mark && (has_some || moved);
        if (*stop)
            break;
        if (mark && !s->sk.oobinline) {
            if (peek)
                at++;
            else
                consume(s, 1);
            continue;
        }
        uint64_t most = s->urgent && at < s->urgent_ahead ? s->urgent_ahead - at : UINT64_MAX;
        int64_t n = copy_out_of(s->data, at, most, m);
        if (n <= 0) {
            *stop = n < 0;
            return moved ? moved : n;
        }
        moved += n;
        if (peek)
            at += (uint64_t)n;
        else
            consume(s, (uint64_t)n);
    }
    return moved;
}

int64_t tcp_recv(struct socket *sk, struct sock_msg *m)
{
    struct inet_sock *s = inet_sk(sk);
    struct socket *d = buffer_of(s);
    const bool peek = m->flags & LX_MSG_PEEK;
    if (sk->err)
        return sock_take_error(sk);
    if (s->state == INET_CONNECTING)
        return m->flags & LX_MSG_DONTWAIT ? -LX_EAGAIN : sock_block(&sk->wait, EV_IN, sk->rcvtimeo, 0);
    if (s->state != INET_CONNECTED)
        return -LX_ENOTCONN;
    if (m->flags & LX_MSG_OOB)
        return receive_urgent(s, m);
    uint64_t done = peek ? 0 : sock_progress(); // what is only looked at is looked at again
    const uint64_t wanted = m->it.count;
    bool stop;
    iter_advance(&m->it, done);
    int64_t got = take(s, m, sock_peek_start(sk, m->flags), done > 0, &stop);
    if (got < 0)
        return done ? (int64_t)done : got;
    done += (uint64_t)got;
    uint64_t target =
        m->flags & LX_MSG_WAITALL || (uint64_t)sk->rcvlowat > wanted ? wanted : (uint64_t)sk->rcvlowat;
    bool ended =
        stop || done >= target || d->err || (d->shutdown & SOCK_SHUT_RECV) || (m->flags & LX_MSG_DONTWAIT);
    if (!peek && got)
        sock_peek_moved(sk, m->flags, (uint64_t)got);
    if (peek && ended)
        sock_peek_moved(sk, m->flags, done);
    if (done && ended)
        return (int64_t)done;
    if (stop || done >= target)
        return (int64_t)done;
    if (d->err)
        return sock_take_error(d);
    if (d->shutdown & SOCK_SHUT_RECV)
        return 0;
    if (m->flags & LX_MSG_DONTWAIT)
        return -LX_EAGAIN;
    return sock_block(&d->wait, EV_IN, sk->rcvtimeo, done);
}
