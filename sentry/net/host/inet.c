// Sockets of the host's network namespace. The descriptor is the Sentry's and nonblocking; gofer --net makes, binds and
// connects it, everything else is done here.
#include "sentry/net/host/inet.h"
#include "sentry/net/host/recverr.h"
#include "abi/gofer_net.h"
#include "abi/net_options.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/inet.h"
#include "sentry/fs/hostfile/stream.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/host/header.h"
#include "sentry/net/host/kept.h"
#include "sentry/net/host/pieces.h"
#include "sentry/task/task.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSED_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_MORE)

struct host_inet {
    struct socket sk;
    struct host_stream stream; // its descriptor, and who waits for it
    bool connecting;
    struct host_recverr recverr;
};

static const struct socket_ops host_inet_ops;

static struct host_inet *host_sk(struct socket *s)
{
    return container_of(s, struct host_inet, sk);
}

// Takes over the descriptor.
static int wrap(int fd, int family, int type, int protocol, struct socket **out)
{
    struct host_inet *s = calloc(1, sizeof(*s));
    if (!s) {
        close(fd);
        return -LX_ENOMEM;
    }
    socket_init(&s->sk, &host_inet_ops, family, type, protocol);
    int err = host_stream_init(&s->stream, fd, STREAM_SOCKET, &s->sk.wait);
    if (err) {
        close(fd);
        socket_done(&s->sk);
        free(s);
        return err == -EBADF ? -LX_EMFILE : err;
    }
    *out = &s->sk;
    return 0;
}

int host_inet_socket(int family, int type, int protocol, struct socket **out)
{
    if (type == LX_SOCK_RAW)
        return -LX_EPERM;
    if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM)
        return -LX_ESOCKTNOSUPPORT;
    int only = type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
    int ping = family == LX_AF_INET ? LX_IPPROTO_ICMP : LX_IPPROTO_ICMPV6;
    bool pings = type == LX_SOCK_DGRAM && protocol == ping;
    if (pings)
        only = ping;
    if (protocol && protocol != only)
        return -LX_EPROTONOSUPPORT;
    if (net_broker_keeps())
        return kept_socket(family, type, only, out);
    int fd = net_broker_socket(family, type, pings ? ping : 0);
    return fd < 0 ? fd : wrap(fd, family, type, only, out);
}

static void release(struct socket *sk)
{
    struct host_inet *s = host_sk(sk);
    host_stream_release(&s->stream);
    close(s->stream.fd);
    socket_done(sk);
    free(s);
}

static int64_t wait_for(struct socket *sk, uint32_t events, uint64_t timeo, uint64_t done)
{
    int64_t r = sock_block(&sk->wait, events, timeo, done);
    host_stream_arm(&host_sk(sk)->stream);
    return r;
}

// The kernel lock is dropped meanwhile, so the file is held.
static int ask(struct host_inet *s, int op, int value, const uint8_t *addr, uint32_t len)
{
    struct file *f = s->sk.file;
    if (f)
        file_get(f);
    int err = net_broker_ask(op, s->stream.fd, value, addr,
                             len < GOFER_NET_ADDRESS_MAX ? len : GOFER_NET_ADDRESS_MAX);
    if (f)
        file_put(f);
    return err;
}

static int host_bind(struct socket *sk, const uint8_t *addr, uint32_t len)
{
    if (host_address_short(sk, len))
        return -LX_EINVAL;
    return ask(host_sk(sk), GOFER_NET_BIND, 0, addr, len);
}

static int host_listen(struct socket *sk, int backlog)
{
    if (sk->type != LX_SOCK_STREAM)
        return -LX_EOPNOTSUPP;
    int err = ask(host_sk(sk), GOFER_NET_LISTEN, backlog, NULL, 0);
    sk->listening = sk->listening || !err;
    return err;
}

static int take_error(struct socket *sk)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(host_sk(sk)->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static int64_t host_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct host_inet *s = host_sk(sk);
    if (!s->connecting || current->call.first) {
        int err = ask(s, GOFER_NET_CONNECT, 0, addr, len);
        if (err != -LX_EINPROGRESS && err != -LX_EALREADY)
            return err;
        s->connecting = true;
        if (nonblock)
            return err;
    }
    if (!host_stream_ready(&s->stream, EV_OUT)) {
        int64_t r = wait_for(sk, EV_OUT, sk->sndtimeo, 0);
        return r == -LX_EAGAIN ? -LX_EINPROGRESS : r; // its time is over; it goes on
    }
    s->connecting = false;
    int err = take_error(sk);
    if (!err) // the host, too, is to know that the end was told
        (void)ask(s, GOFER_NET_CONNECT, 0, addr, len);
    return err;
}

static int64_t host_accept(struct socket *sk, struct socket **out, bool nonblock)
{
    struct host_inet *s = host_sk(sk);
    if (!sk->listening)
        return sk->type == LX_SOCK_STREAM ? -LX_EINVAL : -LX_EOPNOTSUPP;
    int fd = accept4(s->stream.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN)
        return -errno;
    if (fd < 0)
        return nonblock ? -LX_EAGAIN : wait_for(sk, EV_IN, sk->rcvtimeo, 0);
    int err = wrap(fd, sk->family, sk->type, sk->protocol, out);
    if (!err)
        socket_inherit(*out, sk);
    return err;
}

static int host_getname(struct socket *sk, uint8_t *addr, bool peer)
{
    struct sockaddr_in6 name;
    socklen_t size = sizeof(name);
    int fd = host_sk(sk)->stream.fd;
    if ((peer ? getpeername(fd, (struct sockaddr *)&name, &size)
              : getsockname(fd, (struct sockaddr *)&name, &size)) < 0)
        return -errno;
    if (size > sizeof(name))
        size = sizeof(name);
    memcpy(addr, &name, size);
    return (int)size;
}

static int64_t send_piece(struct socket *sk, const struct sock_msg *m, const struct net_header *header,
                          uint8_t *bytes, size_t size)
{
    _Alignas(struct cmsghdr) uint8_t control[NET_HEADER_ROOM];
    struct iovec part = {bytes, size};
    struct msghdr message = {.msg_name = m->name_len ? (void *)(uintptr_t)m->name : NULL,
                             .msg_namelen = m->name_len,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    if (header->has) {
        message.msg_control = control;
        message.msg_controllen = net_header_write(header, control);
    }
    ssize_t n = sendmsg(host_sk(sk)->stream.fd, &message,
                        (int)(m->flags & PASSED_FLAGS) | MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

static int64_t receive_piece(struct socket *sk, struct sock_msg *m, uint8_t *bytes, size_t room)
{
    const bool stream = sk->type == LX_SOCK_STREAM;
    struct sockaddr_in6 from;
    struct iovec part = {bytes, room};
    _Alignas(struct cmsghdr) uint8_t control[NET_HEADER_ROOM];
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof(from),
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = stream ? NULL : control,
                             .msg_controllen = stream ? 0 : sizeof(control)};
    ssize_t n = recvmsg(host_sk(sk)->stream.fd, &message, (int)(m->flags & PASSED_FLAGS) | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    if (!stream && message.msg_namelen && message.msg_namelen <= sizeof(from)) {
        memcpy(m->name, &from, message.msg_namelen);
        m->name_len = message.msg_namelen;
    }
    if (!stream) {
        net_header_read(&message, &m->header);
        m->stamp = vfs_now();
    }
    if (message.msg_flags & MSG_TRUNC)
        m->out_flags |= LX_MSG_TRUNC;
    return n;
}

static const struct host_mover host_mover = {send_piece, receive_piece, wait_for};

static bool may_send_to(const struct host_inet *s, const struct sock_msg *m)
{
    uint16_t family;
    if (!m->name_len)
        return true;
    // A connection is the broker's: MSG_FASTOPEN and the like do not exist here.
    if (s->sk.type == LX_SOCK_STREAM || m->name_len < sizeof(family))
        return false;
    memcpy(&family, m->name, sizeof(family));
    return family == LX_AF_INET || family == LX_AF_INET6;
}

static int64_t host_send(struct socket *sk, struct sock_msg *m)
{
    const struct net_header header = host_header_of(&m->scm, sk->family);
    scm_destroy(&m->scm);
    if (!may_send_to(host_sk(sk), m))
        return sk->type == LX_SOCK_STREAM ? -LX_EISCONN : -LX_EAFNOSUPPORT;
    return host_send_pieces(sk, m, &header, &host_mover);
}

static int64_t host_recv(struct socket *sk, struct sock_msg *m)
{
    return host_receive_pieces(sk, m, &host_mover);
}

static int host_shutdown(struct socket *sk, int how)
{
    if (shutdown(host_sk(sk)->stream.fd, how) < 0)
        return -errno;
    sk->shutdown |= (uint32_t)how + 1;
    wake_up(&sk->wait, EV_ALL);
    return 0;
}

static uint32_t host_poll(struct socket *sk, struct poll_table *pt)
{
    return host_stream_poll(&host_sk(sk)->stream, pt);
}

static int64_t host_ioctl(struct socket *sk, uint32_t cmd, uint64_t arg)
{
    int value = 0;
    if (cmd != LX_FIONREAD && cmd != LX_SIOCOUTQ)
        return -LX_ENOTTY;
    if (ioctl(host_sk(sk)->stream.fd, cmd, &value) < 0)
        return -errno;
    int32_t out = value;
    return put_user(out, arg);
}

static void host_option_set(struct socket *sk, int name)
{
    uint8_t value[8];
    uint32_t size;
    if (host_option_value(sk, name, value, &size))
        (void)setsockopt(host_sk(sk)->stream.fd, SOL_SOCKET, name, value, size);
}

static int host_setsockopt(struct socket *sk, int level, int name, const void *value, uint32_t len)
{
    if (host_recverr_is(level, name))
        return host_recverr_set(&host_sk(sk)->recverr, level, value, len);
    if (!net_option_settable(level, name))
        return -LX_ENOPROTOOPT;
    return setsockopt(host_sk(sk)->stream.fd, level, name, value, len) < 0 ? -errno : 0;
}

static int host_getsockopt(struct socket *sk, int level, int name, void *value, uint32_t *len)
{
    if (host_recverr_is(level, name))
        return host_recverr_get(&host_sk(sk)->recverr, level, value, len);
    if (!net_option_readable(level, name))
        return -LX_ENOPROTOOPT;
    socklen_t size = *len;
    if (getsockopt(host_sk(sk)->stream.fd, level, name, value, &size) < 0)
        return -errno;
    *len = size;
    return 0;
}

static const struct socket_ops host_inet_ops = {
    .release = release,
    .bind = host_bind,
    .connect = host_connect,
    .listen = host_listen,
    .accept = host_accept,
    .getname = host_getname,
    .sendmsg = host_send,
    .recvmsg = host_recv,
    .shutdown = host_shutdown,
    .poll = host_poll,
    .ioctl = host_ioctl,
    .option_set = host_option_set,
    .take_error = take_error,
    .put_control = host_put_control,
    .setsockopt = host_setsockopt,
    .getsockopt = host_getsockopt,
};
