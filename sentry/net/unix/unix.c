// AF_UNIX: life cycle, connecting, accepting, polling (net/unix/af_unix.c of Linux).
#include "sentry/net/unix/unix.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

static const struct socket_ops stream_ops, dgram_ops, seqpacket_ops;

struct unix_sock *unix_get(struct unix_sock *u)
{
    u->refs++;
    return u;
}

void unix_put(struct unix_sock *u)
{
    if (!u || --u->refs > 0)
        return;
    if (!u->carrier) {
        wait_queue_release(&u->room_wait);
        unix_addr_put(u->addr);
        tg_put(u->peer_group);
    }
    socket_done(&u->sk);
    free(u);
}

static struct unix_sock *alloc(int type, int protocol, size_t size)
{
    struct unix_sock *u = socket_available() ? calloc(1, size) : NULL;
    if (!u)
        return NULL;
    const struct socket_ops *ops = type == LX_SOCK_STREAM      ? &stream_ops
                                   : type == LX_SOCK_SEQPACKET ? &seqpacket_ops
                                                               : &dgram_ops;
    socket_init(&u->sk, ops, LX_AF_UNIX, type, protocol);
    u->refs = 1;
    u->backlog = UNIX_MAX_DGRAM_QLEN;
    list_init(&u->queue);
    return u;
}

struct unix_sock *unix_alloc_carrier(void)
{
    struct unix_sock *u = alloc(LX_SOCK_STREAM, 0, offsetof(struct unix_sock, addr));
    if (u)
        u->carrier = true;
    return u;
}

struct unix_sock *unix_alloc(int type, int protocol)
{
    struct unix_sock *u = alloc(type, protocol, sizeof(*u));
    if (!u)
        return NULL;
    u->peercred = (struct lx_ucred){0, UINT32_MAX, UINT32_MAX};
    list_init(&u->name_link);
    list_init(&u->peers_link);
    list_init(&u->senders);
    list_init(&u->accept_queue);
    list_init(&u->accept_link);
    list_init(&u->inflight_link);
    wait_queue_init(&u->room_wait);
    return u;
}

static bool is_dgram(const struct unix_sock *u)
{
    return u->sk.type == LX_SOCK_DGRAM;
}

void unix_set_peer(struct unix_sock *u, struct unix_sock *peer)
{
    struct unix_sock *old = u->peer;
    if (is_dgram(u))
        list_del(&u->peers_link);
    u->peer = peer ? unix_get(peer) : NULL;
    if (peer && is_dgram(u))
        list_add_tail(&u->peers_link, &peer->senders);
    unix_put(old);
}

static void hang_up_peer(struct unix_sock *u)
{
    struct unix_sock *peer = u->peer;
    if (!peer || is_dgram(u))
        return;
    peer->sk.shutdown |= u->carrier ? SOCK_SHUT_RECV : SOCK_SHUT_BOTH;
    // What the other side sent and nobody will read is lost: it is told.
    if (!list_empty(&u->queue) && !peer->dead) {
        peer->sk.err = LX_ECONNRESET;
        peer->sk.shutdown = SOCK_SHUT_BOTH;
    }
    wake_up(&peer->sk.wait, EV_IN | EV_RDNORM | EV_OUT | EV_WRNORM | EV_HUP | EV_RDHUP | EV_ERR);
}

// Who waits for it to accept, or to read, learns that it goes.
static void turn_away(struct unix_sock *u)
{
    while (!list_empty(&u->accept_queue)) {
        struct unix_sock *embryo = list_first(&u->accept_queue, struct unix_sock, accept_link);
        list_del(&embryo->accept_link);
        u->queue_len--;
        // The connector sees a reset, as with unread data.
        if (embryo->peer)
            embryo->peer->sk.err = LX_ECONNRESET;
        unix_release_sock(embryo);
    }
    // Datagram sockets connected to this one find out when they send; those that wait, now.
    while (!list_empty(&u->senders)) {
        struct unix_sock *sender = list_first(&u->senders, struct unix_sock, peers_link);
        list_del(&sender->peers_link);
        wake_up(&sender->sk.wait, EV_OUT | EV_WRNORM);
    }
    wake_up(&u->room_wait, EV_OUT);
}

void unix_release_sock(struct unix_sock *u)
{
    u->dead = true;
    u->sk.file = NULL;
    u->sk.shutdown = SOCK_SHUT_BOTH;
    hang_up_peer(u);
    u->state = UNIX_CLOSED;
    if (!u->carrier)
        unix_unname(u);
    unix_set_peer(u, NULL);
    unix_flush(u);
    if (!u->carrier)
        turn_away(u);
    wait_queue_release(&u->sk.wait);
    unix_put(u);
    unix_gc();
}

static void unix_release(struct socket *s)
{
    unix_release_sock(unix_sk(s));
}

static void remember_cred(struct unix_sock *u)
{
    sock_current_cred(&u->peercred);
    tg_put(u->peer_group);
    u->peer_group = tg_get(current->tg);
}

static void copy_cred(struct unix_sock *to, const struct unix_sock *from)
{
    to->peercred = from->peercred;
    tg_put(to->peer_group);
    to->peer_group = from->peer_group ? tg_get(from->peer_group) : NULL;
}

static int unix_listen(struct socket *s, int backlog)
{
    struct unix_sock *u = unix_sk(s);
    if (is_dgram(u))
        return -LX_EOPNOTSUPP;
    if (!u->addr)
        return -LX_EINVAL;
    if (u->state == UNIX_CONNECTED)
        return -LX_EINVAL;
    unsigned limit = (unsigned)backlog < LX_SOMAXCONN ? (unsigned)backlog : LX_SOMAXCONN;
    bool more = limit > u->backlog;
    u->backlog = limit;
    u->state = UNIX_LISTENING;
    s->listening = true;
    remember_cred(u);
    if (more)
        wake_up(&u->room_wait, EV_OUT);
    return 0;
}

static int64_t connect_stream(struct unix_sock *u, const uint8_t *addr, uint32_t len, bool nonblock)
{
    int err = 0;
    struct unix_sock *other = unix_find(addr, len, u->sk.type, &err);
    if (!other)
        return err;
    int64_t ret = -LX_ECONNREFUSED;
    struct unix_sock *embryo = NULL;
    if (other->state != UNIX_LISTENING || (other->sk.shutdown & SOCK_SHUT_RECV))
        goto out;
    if (unix_queue_full(other)) {
        // A lost wait ends with the time that sending may take.
        ret = nonblock ? -LX_EAGAIN : sock_block(&other->room_wait, EV_OUT, u->sk.sndtimeo, 0);
        goto out;
    }
    ret = u->state == UNIX_CONNECTED ? -LX_EISCONN : -LX_EINVAL;
    if (u->state != UNIX_CLOSED || u->peer)
        goto out;
    ret = -LX_ENOMEM;
    embryo = unix_alloc(u->sk.type, u->sk.protocol);
    if (!embryo)
        goto out;
    embryo->state = UNIX_CONNECTED;
    remember_cred(embryo);
    unix_set_peer(embryo, u);
    if (other->addr) {
        embryo->addr = other->addr;
        embryo->addr->refs++;
    }
    embryo->sk.sndbuf = other->sk.sndbuf;
    embryo->sk.passcred = other->sk.passcred;
    copy_cred(u, other);
    unix_set_peer(u, embryo);
    u->state = UNIX_CONNECTED;
    list_add_tail(&embryo->accept_link, &other->accept_queue);
    other->queue_len++;
    wake_up(&other->sk.wait, EV_IN | EV_RDNORM);
    ret = 0;
out:
    unix_put(other);
    return ret;
}

// Datagram sockets of a pair, or connected to each other, may not be sent to by third ones.
static bool may_send(const struct unix_sock *u, const struct unix_sock *other)
{
    return !other->peer || other->peer == u;
}

static int64_t connect_dgram(struct unix_sock *u, const uint8_t *addr, uint32_t len)
{
    uint16_t family;
    memcpy(&family, addr, sizeof(family));
    struct unix_sock *other = NULL;
    if (family != LX_AF_UNSPEC) {
        int err = 0;
        other = unix_find(addr, len, u->sk.type, &err);
        if (!other)
            return err;
        if (!may_send(u, other)) {
            unix_put(other);
            return -LX_EPERM;
        }
    }
    if (u->peer && u->peer != other)
        unix_flush(u); // messages of the old peer
    unix_set_peer(u, other);
    u->state = other ? UNIX_CONNECTED : UNIX_CLOSED;
    unix_put(other);
    return 0;
}

static int64_t unix_connect(struct socket *s, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct unix_sock *u = unix_sk(s);
    uint16_t family;
    if (len < sizeof(family))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    if (is_dgram(u) && family == LX_AF_UNSPEC)
        return connect_dgram(u, addr, len);
    int err = unix_check_name(addr, len);
    if (err)
        return err;
    if (s->passcred && !u->addr) {
        uint16_t unix_family = LX_AF_UNIX;
        err = unix_bind(s, (const uint8_t *)&unix_family, sizeof(unix_family));
        if (err)
            return err;
    }
    return is_dgram(u) ? connect_dgram(u, addr, len) : connect_stream(u, addr, len, nonblock);
}

static int64_t unix_accept(struct socket *s, struct socket **out, bool nonblock)
{
    struct unix_sock *u = unix_sk(s);
    if (is_dgram(u))
        return -LX_EOPNOTSUPP;
    if (u->state != UNIX_LISTENING)
        return -LX_EINVAL;
    if (list_empty(&u->accept_queue)) {
        if (u->sk.shutdown & SOCK_SHUT_RECV)
            return -LX_EINVAL;
        return nonblock ? -LX_EAGAIN : sock_block(&s->wait, EV_IN, s->rcvtimeo, 0);
    }
    struct unix_sock *embryo = list_first(&u->accept_queue, struct unix_sock, accept_link);
    bool was_full = unix_queue_full(u);
    list_del(&embryo->accept_link);
    u->queue_len--;
    if (was_full && !unix_queue_full(u))
        wake_up(&u->room_wait, EV_OUT);
    *out = &embryo->sk;
    return 0;
}

static int unix_getname(struct socket *s, uint8_t *addr, bool peer)
{
    struct unix_sock *u = unix_sk(s);
    if (peer) {
        u = u->peer;
        if (!u)
            return -LX_ENOTCONN;
    }
    if (!u->addr) {
        uint16_t family = LX_AF_UNIX;
        memcpy(addr, &family, sizeof(family));
        return sizeof(family);
    }
    memcpy(addr, &u->addr->sun, u->addr->len);
    return (int)u->addr->len;
}

static int unix_shutdown(struct socket *s, int how)
{
    struct unix_sock *u = unix_sk(s);
    uint32_t mode = (uint32_t)how + 1;
    s->shutdown |= mode;
    struct unix_sock *peer = is_dgram(u) ? NULL : u->peer;
    if (peer) {
        uint32_t peer_mode =
            (mode & SOCK_SHUT_RECV ? SOCK_SHUT_SEND : 0) | (mode & SOCK_SHUT_SEND ? SOCK_SHUT_RECV : 0);
        peer->sk.shutdown |= peer_mode;
        wake_up(&peer->sk.wait, EV_ALL);
    }
    wake_up(&s->wait, EV_ALL);
    return 0;
}

static uint32_t unix_poll(struct socket *s, struct poll_table *pt)
{
    struct unix_sock *u = unix_sk(s);
    uint32_t events = 0;
    poll_wait(pt, &s->wait);
    if (s->err)
        events |= EV_ERR;
    if (s->shutdown == SOCK_SHUT_BOTH)
        events |= EV_HUP;
    if (s->shutdown & SOCK_SHUT_RECV)
        events |= EV_RDHUP | EV_IN | EV_RDNORM;
    if (!list_empty(&u->queue) || (u->state == UNIX_LISTENING && !list_empty(&u->accept_queue)))
        events |= EV_IN | EV_RDNORM;
    if (!is_dgram(u) && u->state == UNIX_CLOSED)
        events |= EV_HUP;
    bool writable = unix_writable(u);
    if (writable && is_dgram(u) && u->peer && u->peer->peer != u && unix_queue_full(u->peer) &&
        !u->peer->dead)
        writable = false;
    return events | (writable ? EV_OUT | EV_WRNORM | EV_WRBAND : 0);
}

static int64_t unix_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
    struct unix_sock *u = unix_sk(s);
    int32_t value;
    switch (cmd) {
    case LX_SIOCOUTQ:
        value = (int32_t)u->charged;
        break;
    case LX_FIONREAD:
        if (u->state == UNIX_LISTENING)
            return -LX_EINVAL;
        value = (int32_t)u->queued_bytes;
        if (s->type != LX_SOCK_STREAM)
            value = list_empty(&u->queue) ? 0 : (int32_t)list_first(&u->queue, struct unix_buf, link)->len;
        break;
    default:
        return -LX_ENOTTY;
    }
    return put_user(value, arg);
}

#define COMMON_OPS                                                                                    \
    .peeks = true, .release = unix_release, .bind = unix_bind, .connect = unix_connect,               \
    .listen = unix_listen, .accept = unix_accept, .getname = unix_getname, .shutdown = unix_shutdown, \
    .poll = unix_poll, .ioctl = unix_ioctl
static const struct socket_ops stream_ops = {COMMON_OPS, .sendmsg = unix_stream_send,
                                             .recvmsg = unix_stream_recv};
static const struct socket_ops dgram_ops = {COMMON_OPS, .sendmsg = unix_dgram_send,
                                            .recvmsg = unix_dgram_recv};
static const struct socket_ops seqpacket_ops = {COMMON_OPS, .sendmsg = unix_seqpacket_send,
                                                .recvmsg = unix_seqpacket_recv};

static int check_type(int *type, int protocol)
{
    if (protocol && protocol != LX_AF_UNIX)
        return -LX_EPROTONOSUPPORT;
    if (*type == LX_SOCK_RAW) // believe it or not, that is a datagram socket
        *type = LX_SOCK_DGRAM;
    return *type == LX_SOCK_STREAM || *type == LX_SOCK_DGRAM || *type == LX_SOCK_SEQPACKET
               ? 0
               : -LX_ESOCKTNOSUPPORT;
}

int unix_socket(int type, int protocol, struct socket **out)
{
    int err = check_type(&type, protocol);
    if (err)
        return err;
    struct unix_sock *u = unix_alloc(type, protocol);
    if (!u)
        return -LX_ENOMEM;
    *out = &u->sk;
    return 0;
}

int unix_socketpair(int type, int protocol, struct socket *out[2])
{
    int err = check_type(&type, protocol);
    if (err)
        return err;
    struct unix_sock *a = unix_alloc(type, protocol), *b = a ? unix_alloc(type, protocol) : NULL;
    if (!b) {
        unix_put(a);
        return -LX_ENOMEM;
    }
    unix_set_peer(a, b);
    unix_set_peer(b, a);
    a->state = UNIX_CONNECTED;
    b->state = UNIX_CONNECTED;
    remember_cred(a);
    remember_cred(b);
    out[0] = &a->sk;
    out[1] = &b->sk;
    return 0;
}
