// Sockets of the host's network namespace under a policy. As inet.c, with a request where that makes a call.
#include "sentry/net/host/kept.h"
#include "sentry/net/host/recverr.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/inet.h"
#include "sentry/core/kernel.h"
#include "sentry/fs/hostfile/stream.h"
#include "sentry/net/host/header.h"
#include "sentry/net/host/pieces.h"
#include "sentry/task/task.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PASSED_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_MORE)
#define POLLED (EV_IN | EV_OUT | EV_PRI | EV_RDHUP)

struct kept_sock {
    struct socket sk;
    struct kept_watch watch; // and the handle
    bool connecting;
    struct host_recverr recverr;
};

static const struct socket_ops kept_ops;

static struct kept_sock *kept_sk(struct socket *s)
{
    return container_of(s, struct kept_sock, sk);
}

static struct kept_call call_of(const struct kept_sock *s, enum gofer_kept_op op)
{
    return (struct kept_call){.request = {.op = op, .handle = s->watch.handle}};
}

// What a Gofer that is out of step said ends the sandbox.
static void expect(bool good)
{
    if (!good)
        kernel_fatal("the Gofer of the network is out of step");
}

// A short request, under the kernel lock.
static int ask(const struct kept_sock *s, enum gofer_kept_op op, int value)
{
    struct kept_call c = call_of(s, op);
    c.request.value = value;
    return kept_ask(&c, false);
}

// One that may take longer. The kernel lock is dropped meanwhile, so the file is held.
static int ask_long(struct kept_sock *s, struct kept_call *c, const uint8_t *addr, uint32_t len)
{
    struct file *f = s->sk.file;
    c->request.length = len < GOFER_KEPT_ADDRESS_MAX ? len : GOFER_KEPT_ADDRESS_MAX;
    if (c->request.length)
        memcpy(c->request.address, addr, c->request.length);
    if (f)
        file_get(f);
    int err = kept_ask(c, true);
    if (f)
        file_put(f);
    return err;
}

// The socket of a handle.
static int wrap(uint32_t handle, int family, int type, int protocol, struct socket **out)
{
    struct kept_sock *s = socket_available() ? calloc(1, sizeof(*s)) : NULL;
    struct kept_call gone = {.request = {.op = GOFER_KEPT_CLOSE, .handle = handle}};
    if (!s) {
        (void)kept_ask(&gone, false);
        return -LX_ENOMEM;
    }
    socket_init(&s->sk, &kept_ops, family, type, protocol);
    s->watch = (struct kept_watch){&s->sk.wait, handle};
    int err = kept_watch_add(&s->watch);
    if (err) {
        (void)kept_ask(&gone, false);
        socket_done(&s->sk);
        free(s);
        return err;
    }
    *out = &s->sk;
    return 0;
}

int kept_socket(int family, int type, int protocol, struct socket **out)
{
    bool pings = protocol == LX_IPPROTO_ICMP || protocol == LX_IPPROTO_ICMPV6;
    struct kept_call c = {
        .request = {.op = GOFER_KEPT_SOCKET, .family = family, .value = type, .level = pings ? protocol : 0}};
    int err = kept_ask(&c, true);
    return err ? err : wrap((uint32_t)c.reply.value, family, type, protocol, out);
}

static void release(struct socket *sk)
{
    struct kept_sock *s = kept_sk(sk);
    kept_watch_del(&s->watch);
    (void)ask(s, GOFER_KEPT_CLOSE, 0);
    socket_done(sk);
    free(s);
}

static int64_t wait_for(struct socket *sk, uint32_t events, uint64_t timeo, uint64_t done)
{
    int64_t r = sock_block(&sk->wait, events, timeo, done);
    uint32_t want = wanted_events(&sk->wait);
    if (want)
        (void)kept_poll(kept_sk(sk)->watch.handle, 0, want, false);
    return r;
}

static int kept_bind(struct socket *sk, const uint8_t *addr, uint32_t len)
{
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_BIND);
    if (host_address_short(sk, len))
        return -LX_EINVAL;
    return ask_long(kept_sk(sk), &c, addr, len);
}

static int kept_listen(struct socket *sk, int backlog)
{
    if (sk->type != LX_SOCK_STREAM)
        return -LX_EOPNOTSUPP;
    int err = ask(kept_sk(sk), GOFER_KEPT_LISTEN, backlog);
    sk->listening = sk->listening || !err;
    return err;
}

static int get_option(struct kept_sock *s, int level, int name, void *value, uint32_t *len)
{
    struct kept_call c = call_of(s, GOFER_KEPT_GETOPT);
    c.request.level = level;
    c.request.value = name;
    c.request.size = *len;
    c.room = value;
    int err = kept_ask(&c, false);
    if (!err)
        *len = c.reply.size;
    return err;
}

static int take_error(struct socket *sk)
{
    int error = 0;
    uint32_t size = sizeof(error);
    int err = get_option(kept_sk(sk), SOL_SOCKET, SO_ERROR, &error, &size);
    expect(error >= 0 && error < 4096);
    return err ? err : -error;
}

static int64_t kept_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct kept_sock *s = kept_sk(sk);
    struct kept_call c = call_of(s, GOFER_KEPT_CONNECT);
    int err;
    if (!s->connecting || current->call.first) {
        err = ask_long(s, &c, addr, len);
        if (err != -LX_EINPROGRESS && err != -LX_EALREADY)
            return err;
        s->connecting = true;
        if (nonblock)
            return err;
    }
    if (!kept_poll(s->watch.handle, EV_OUT, 0, false)) {
        int64_t r = wait_for(sk, EV_OUT, sk->sndtimeo, 0);
        return r == -LX_EAGAIN ? -LX_EINPROGRESS : r; // its time is over; it goes on
    }
    s->connecting = false;
    err = take_error(sk);
    if (!err) // the host, too, is to know that the end was told
        (void)ask_long(s, &c, addr, len);
    return err;
}

static int64_t kept_accept(struct socket *sk, struct socket **out, bool nonblock)
{
    struct kept_sock *s = kept_sk(sk);
    if (!sk->listening)
        return sk->type == LX_SOCK_STREAM ? -LX_EINVAL : -LX_EOPNOTSUPP;
    struct kept_call c = call_of(s, GOFER_KEPT_ACCEPT);
    int err = kept_ask(&c, false);
    if (err == -LX_EAGAIN)
        return nonblock ? -LX_EAGAIN : wait_for(sk, EV_IN, sk->rcvtimeo, 0);
    if (!err)
        err = wrap((uint32_t)c.reply.value, sk->family, sk->type, sk->protocol, out);
    if (!err)
        socket_inherit(*out, sk);
    return err;
}

static int kept_getname(struct socket *sk, uint8_t *addr, bool peer)
{
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_NAME);
    c.request.value = peer;
    int err = kept_ask(&c, false);
    if (err)
        return err;
    memcpy(addr, c.reply.address, c.reply.length);
    return (int)c.reply.length;
}

static int64_t send_piece(struct socket *sk, const struct sock_msg *m, const struct net_header *header,
                          uint8_t *bytes, size_t size)
{
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_SEND);
    c.request.value = (int32_t)(m->flags & PASSED_FLAGS);
    c.request.size = (uint32_t)size;
    c.request.header = *header;
    c.data = bytes;
    int err = ask_long(kept_sk(sk), &c, m->name, m->name_len);
    if (err)
        return err;
    expect(c.reply.value >= 0 && c.reply.value <= (int64_t)size);
    return c.reply.value;
}

static int64_t receive_piece(struct socket *sk, struct sock_msg *m, uint8_t *bytes, size_t room)
{
    const bool stream = sk->type == LX_SOCK_STREAM;
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_RECV);
    c.request.value = (int32_t)(m->flags & PASSED_FLAGS);
    c.request.size = (uint32_t)room;
    c.room = bytes;
    int err = ask_long(kept_sk(sk), &c, NULL, 0);
    if (err)
        return err;
    const int64_t n = c.reply.value, most = (int64_t)room, there = n < most ? n : most;
    expect(n >= 0 && (n <= most || (!stream && (m->flags & LX_MSG_TRUNC))));
    expect(c.reply.size == (host_throws_away(sk, m) ? 0 : there));
    if (c.reply.level & MSG_TRUNC)
        m->out_flags |= LX_MSG_TRUNC;
    m->header = c.reply.header;
    m->stamp = vfs_now();
    if (!stream && c.reply.length) {
        memcpy(m->name, c.reply.address, c.reply.length);
        m->name_len = c.reply.length;
    }
    return n;
}

static const struct host_mover kept_mover = {send_piece, receive_piece, wait_for};
_Static_assert(HOST_PIECE <= GOFER_KEPT_DATA_MAX, "a request takes a piece");

static int64_t kept_send(struct socket *sk, struct sock_msg *m)
{
    const struct net_header header = host_header_of(&m->scm, sk->family);
    scm_destroy(&m->scm);
    if (sk->type == LX_SOCK_STREAM && m->name_len)
        return -LX_EISCONN;
    return host_send_pieces(sk, m, &header, &kept_mover);
}

static int64_t kept_recv(struct socket *sk, struct sock_msg *m)
{
    return host_receive_pieces(sk, m, &kept_mover);
}

static int kept_shutdown(struct socket *sk, int how)
{
    int err = ask(kept_sk(sk), GOFER_KEPT_SHUTDOWN, how);
    if (err)
        return err;
    sk->shutdown |= (uint32_t)how + 1;
    wake_up(&sk->wait, EV_ALL);
    return 0;
}

static uint32_t kept_poll_op(struct socket *sk, struct poll_table *pt)
{
    struct kept_sock *s = kept_sk(sk);
    poll_wait(pt, &sk->wait);
    // Whoever registers hears of what holds already, too: it may have come after the caller looked.
    return guest_events(kept_poll(s->watch.handle, POLLED, wanted_events(&sk->wait), !pt));
}

static int64_t kept_ioctl(struct socket *sk, uint32_t cmd, uint64_t arg)
{
    if (cmd != LX_FIONREAD && cmd != LX_SIOCOUTQ)
        return -LX_ENOTTY;
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_QUEUED);
    c.request.value = (int32_t)cmd;
    int err = kept_ask(&c, false);
    int32_t out = c.reply.value;
    return err ? err : put_user(out, arg);
}

static int kept_setsockopt(struct socket *sk, int level, int name, const void *value, uint32_t len)
{
    if (host_recverr_is(level, name))
        return host_recverr_set(&kept_sk(sk)->recverr, level, value, len);
    struct kept_call c = call_of(kept_sk(sk), GOFER_KEPT_SETOPT);
    c.request.level = level;
    c.request.value = name;
    c.request.size = len;
    c.data = value;
    return kept_ask(&c, false);
}

static void kept_option_set(struct socket *sk, int name)
{
    uint8_t value[8];
    uint32_t size;
    if (host_option_value(sk, name, value, &size))
        (void)kept_setsockopt(sk, SOL_SOCKET, name, value, size);
}

static int kept_getsockopt(struct socket *sk, int level, int name, void *value, uint32_t *len)
{
    if (host_recverr_is(level, name))
        return host_recverr_get(&kept_sk(sk)->recverr, level, value, len);
    return get_option(kept_sk(sk), level, name, value, len);
}

static const struct socket_ops kept_ops = {
    .release = release,
    .bind = kept_bind,
    .connect = kept_connect,
    .listen = kept_listen,
    .accept = kept_accept,
    .getname = kept_getname,
    .sendmsg = kept_send,
    .recvmsg = kept_recv,
    .shutdown = kept_shutdown,
    .poll = kept_poll_op,
    .ioctl = kept_ioctl,
    .option_set = kept_option_set,
    .take_error = take_error,
    .put_control = host_put_control,
    .setsockopt = kept_setsockopt,
    .getsockopt = kept_getsockopt,
};
