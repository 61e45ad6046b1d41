// TCP between sockets of the sandbox.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/timer.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/tcp_close.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

// Connects that wait for a place are refused: nobody listens any more.
static void refuse_pending(struct inet_sock *s)
{
    while (!list_empty(&s->pending)) {
        struct inet_sock *other = list_first(&s->pending, struct inet_sock, pending_link);
        list_del(&other->pending_link);
        other->state = INET_CLOSED;
        other->sk.err = LX_ECONNREFUSED;
        wake_up(&other->sk.wait, EV_ALL);
    }
}

// The other side's connection is over in both directions (RST).
static void reset_peer(struct inet_sock *s)
{
    struct unix_sock *peer = s->data->peer;
    if (!peer)
        return;
    peer->sk.err = LX_ECONNRESET;
    peer->sk.shutdown = SOCK_SHUT_BOTH;
    wake_up(&peer->sk.wait, EV_ALL);
}

static void tcp_release(struct socket *sk)
{
    struct inet_sock *s = inet_sk(sk);
    inet_unregister(s);
    list_del(&s->pending_link);
    // Closed with a linger time of 0, the connection is reset; with unread bytes as well.
    bool lingers = s->state == INET_CONNECTED && sk->linger.onoff && sk->linger.linger == 0;
    if (lingers)
        reset_peer(s);
    if (s->state == INET_CONNECTED)
        tcp_closed(s, lingers || s->data->sk.err || !list_empty(&s->data->queue));
    s->state = INET_CLOSED;
    refuse_pending(s);
    while (!list_empty(&s->accept_queue)) {
        struct inet_sock *embryo = list_first(&s->accept_queue, struct inet_sock, accept_link);
        list_del(&embryo->accept_link);
        reset_peer(embryo);
        tcp_closed(embryo, true);
        embryo->state = INET_CLOSED;
        tcp_release(&embryo->sk);
    }
    unix_release_sock(s->data);
    inet_free(s);
}

#define CONNECT_NS (127ull * 1000000000) // as long as six retries take (net.ipv4.tcp_syn_retries)

static void join(struct inet_sock *a, struct inet_sock *b)
{
    unix_set_peer(a->data, b->data);
    unix_set_peer(b->data, a->data);
    a->data->state = UNIX_CONNECTED;
    b->data->state = UNIX_CONNECTED;
    a->state = INET_CONNECTED;
    b->state = INET_CONNECTED;
    a->peer = b;
    b->peer = a;
    a->fins = b->fins = 0;
    a->urgent = b->urgent = TCP_URGENT_NONE;
    tcp_wait_forget(&a->local, &a->remote);
    tcp_wait_forget(&b->local, &b->remote);
}

// Makes the connection to who listens at s->remote. 0 or -errno.
static int establish(struct inet_sock *s)
{
    struct inet_sock *listener = inet_lookup(LX_IPPROTO_TCP, &s->remote, &s->local);
    if (!listener)
        return -LX_ECONNREFUSED;
    if (listener->queue_len > listener->backlog) { // its queue is full
        s->state = INET_CONNECTING;
        list_add_tail(&s->pending_link, &listener->pending);
        return -LX_EINPROGRESS;
    }
    struct inet_sock *embryo = inet_alloc(listener->sk.family, LX_SOCK_STREAM, LX_IPPROTO_TCP);
    if (!embryo)
        return -LX_ENOMEM;
    embryo->local = s->remote;
    embryo->remote = s->local;
    embryo->v6only = listener->v6only;
    socket_inherit(&embryo->sk, &listener->sk);
    inet_copy_options(embryo, listener);
    inet_register(embryo);
    join(s, embryo);
    list_add_tail(&embryo->accept_link, &listener->accept_queue);
    listener->queue_len++;
    wake_up(&listener->sk.wait, EV_IN | EV_RDNORM);
    return 0;
}

// There may be room in the queue: those who wait get it in their order.
static void admit_pending(struct inet_sock *s)
{
    while (!list_empty(&s->pending) && s->queue_len <= s->backlog) {
        struct inet_sock *other = list_first(&s->pending, struct inet_sock, pending_link);
        list_del(&other->pending_link);
        other->state = INET_CLOSED;
        int err = establish(other);
        if (err == -LX_EINPROGRESS)
            return; // another listener of the port, and that is full
        if (err)
            other->sk.err = -err;
        wake_up(&other->sk.wait, EV_ALL);
    }
}

static int tcp_listen(struct socket *sk, int backlog)
{
    struct inet_sock *s = inet_sk(sk);
    if (s->state == INET_CONNECTED || s->state == INET_CONNECTING || s->connecting)
        return -LX_EINVAL;
    if (!s->bound) {
        struct inet_addr any = s->local;
        int err = inet_autobind(s, &any);
        if (err)
            return err;
    }
    // Two may be bound to one port, but only one may listen there.
    struct inet_sock *other = inet_lookup(LX_IPPROTO_TCP, &s->local, NULL);
    if (other && other != s && !(other->sk.reuseport && sk->reuseport) && s->state != INET_LISTENING &&
        memcmp(other->local.ip, s->local.ip, 16) == 0)
        return -LX_EADDRINUSE;
    s->backlog = (unsigned)backlog < LX_SOMAXCONN ? (unsigned)backlog : LX_SOMAXCONN;
    s->state = INET_LISTENING;
    sk->listening = true;
    admit_pending(s);
    return 0;
}

static int disconnect(struct inet_sock *s)
{
    struct unix_sock *fresh = unix_alloc_carrier();
    if (!fresh)
        return -LX_ENOMEM;
    if (s->state == INET_CONNECTED) {
        if ((s->fins & (TCP_FIN_SENT | TCP_FIN_RECEIVED)) != (TCP_FIN_SENT | TCP_FIN_RECEIVED))
            reset_peer(s);
        tcp_closed(s, true);
    }
    unix_release_sock(s->data);
    list_del(&s->pending_link);
    s->data = fresh;
    s->state = INET_CLOSED;
    s->connecting = false;
    memset(s->remote.ip, 0, 16);
    s->remote.port = 0;
    s->sk.shutdown = 0;
    return 0;
}

// Waits for a place in the listener's queue.
static int64_t wait_connected(struct inet_sock *s)
{
    bool limited = s->sk.sndtimeo < CONNECT_NS;
    int64_t r = sock_block(&s->sk.wait, EV_OUT, limited ? s->sk.sndtimeo : CONNECT_NS, 0);
    if (r == -LX_EBLOCKED && s->sk.sndtimeo == KTIMER_NEVER)
        current->call.interrupted = -LX_ERESTARTSYS;
    if (r != -LX_EAGAIN)
        return r;
    if (limited)
        return -LX_EINPROGRESS; // the time that sending may take is over; it goes on
    list_del(&s->pending_link);
    s->state = INET_CLOSED;
    return -LX_ETIMEDOUT;
}

static int64_t tcp_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct inet_sock *s = inet_sk(sk);
    struct inet_addr to;
    uint16_t family = 0;
    if (len < sizeof(family))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    if (family == LX_AF_UNSPEC)
        return disconnect(s);
    if (s->state == INET_LISTENING)
        return -LX_EISCONN;
    if (s->state == INET_CONNECTING) {
        if (nonblock)
            return -LX_EALREADY;
        return wait_connected(s);
    }
    if (s->connecting || !current->call.first) { // the one that did not wait, or has waited, is told now
        s->connecting = false;
        if (sk->err || s->state == INET_CONNECTED)
            return sock_take_error(sk);
    }
    if (s->state == INET_CONNECTED)
        return -LX_EISCONN;
    int err = inet_parse(s, addr, len, &to);
    if (!err)
        err = inet_route(s, &to);
    if (!err)
        err = inet_autobind(s, &to);
    if (err)
        return err;
    if (inet_is_any(&s->local))
        memcpy(s->local.ip, to.ip, 16);
    s->remote = to;
    err = establish(s);
    if (!nonblock)
        return err == -LX_EINPROGRESS ? wait_connected(s) : err;
    s->connecting = true;
    if (err != -LX_EINPROGRESS)
        sk->err = -err;
    wake_up(&sk->wait, EV_ALL);
    return -LX_EINPROGRESS;
}

static int64_t tcp_accept(struct socket *sk, struct socket **out, bool nonblock)
{
    struct inet_sock *s = inet_sk(sk);
    if (s->state != INET_LISTENING)
        return -LX_EINVAL;
    if (list_empty(&s->accept_queue))
        return nonblock ? -LX_EAGAIN : sock_block(&sk->wait, EV_IN, sk->rcvtimeo, 0);
    struct inet_sock *embryo = list_first(&s->accept_queue, struct inet_sock, accept_link);
    list_del(&embryo->accept_link);
    s->queue_len--;
    admit_pending(s);
    *out = &embryo->sk;
    return 0;
}

static int tcp_shutdown(struct socket *sk, int how)
{
    struct inet_sock *s = inet_sk(sk);
    if (s->state == INET_LISTENING) {
        if (how != LX_SHUT_WR) { // stops listening
            s->state = INET_CLOSED;
            sk->listening = false;
            refuse_pending(s);
            wake_up(&sk->wait, EV_ALL);
        }
        return 0;
    }
    if (s->state != INET_CONNECTED)
        return -LX_ENOTCONN;
    struct socket *d = &s->data->sk;
    // Reading on this side ends without the other side's knowledge.
    if (how == LX_SHUT_RD) {
        bool closed = tcp_state(s) == LX_TCP_CLOSE;
        d->shutdown |= SOCK_SHUT_RECV;
        wake_up(&d->wait, EV_ALL);
        return closed ? -LX_ENOTCONN : 0;
    }
    if (how == LX_SHUT_RDWR)
        d->shutdown |= SOCK_SHUT_RECV;
    bool over = tcp_state(s) == LX_TCP_CLOSE;
    tcp_fin(s);
    int err = d->ops->shutdown(d, LX_SHUT_WR);
    return over ? -LX_ENOTCONN : err;
}

static uint32_t tcp_poll(struct socket *sk, struct poll_table *pt)
{
    struct inet_sock *s = inet_sk(sk);
    poll_wait(pt, &sk->wait);
    poll_wait(pt, &s->data->sk.wait);
    if (s->state == INET_LISTENING)
        return list_empty(&s->accept_queue) ? 0 : EV_IN | EV_RDNORM;
    if (s->state == INET_CONNECTING)
        return 0;
    uint32_t events = s->data->sk.ops->poll(&s->data->sk, NULL);
    if (!tcp_readable(s) && !(s->data->sk.shutdown & SOCK_SHUT_RECV))
        events &= ~(EV_IN | EV_RDNORM);
    if (s->urgent == TCP_URGENT_THERE)
        events |= EV_PRI;
    if (sk->err)
        events |= EV_ERR | EV_IN | EV_RDNORM | EV_RDHUP;
    return events & ~EV_WRBAND;
}

static int tcp_take_error(struct socket *sk)
{
    return sk->err ? sock_take_error(sk) : sock_take_error(&inet_sk(sk)->data->sk);
}

static int64_t tcp_ioctl(struct socket *sk, uint32_t cmd, uint64_t arg)
{
    struct inet_sock *s = inet_sk(sk);
    if (cmd == LX_FIONREAD && s->state == INET_LISTENING)
        return -LX_EINVAL;
    if (cmd == LX_FIONREAD || cmd == LX_SIOCATMARK) {
        int32_t value = cmd == LX_FIONREAD ? (int32_t)tcp_queued(s) : tcp_at_mark(s);
        return put_user(value, arg);
    }
    if (cmd == LX_SIOCOUTQ)
        return s->data->sk.ops->ioctl(&s->data->sk, cmd, arg);
    return -LX_ENOTTY;
}

const struct socket_ops tcp_ops = {
    .peeks = true,
    .release = tcp_release,
    .bind = inet_bind,
    .connect = tcp_connect,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .getname = inet_getname,
    .sendmsg = tcp_send,
    .recvmsg = tcp_recv,
    .shutdown = tcp_shutdown,
    .poll = tcp_poll,
    .take_error = tcp_take_error,
    .ioctl = tcp_ioctl,
    .setsockopt = inet_setsockopt,
    .getsockopt = inet_getsockopt,
};
