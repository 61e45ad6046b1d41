// UDP between sockets of the sandbox.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/trim.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/multicast.h"
#include "sentry/net/inet/udp.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

static uint64_t bytes_queued;

void udp_release(struct socket *sk)
{
    struct inet_sock *s = inet_sk(sk);
    inet_unregister(s);
    while (!list_empty(&s->queue)) {
        struct inet_datagram *d = list_first(&s->queue, struct inet_datagram, link);
        list_del(&d->link);
        bytes_queued -= d->len + UNIX_BUF_OVERHEAD;
        memory_freed(d->len + UNIX_BUF_OVERHEAD);
        free(d);
    }
    inet_free(s);
}

// The source of what an unbound socket sends to `to`, which it reaches.
static void source_for(const struct inet_sock *s, const struct inet_addr *to, struct inet_addr *from)
{
    memcpy(from->ip, to->ip, sizeof(from->ip));
    if (multicast_is_v4(to))
        (void)multicast_source(s, from->ip);
    else if (inet_is_broadcast(to))
        memcpy(from->ip + 12, (const uint8_t[4]){127, 0, 0, 1}, 4);
}

int64_t udp_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct inet_sock *s = inet_sk(sk);
    struct inet_addr to;
    uint16_t family = 0;
    if (len < sizeof(family))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    if (family == LX_AF_UNSPEC) {
        s->state = INET_CLOSED;
        memset(&s->remote, 0, sizeof(s->remote));
        return 0;
    }
    int err = inet_parse(s, addr, len, &to);
    if (!err)
        err = inet_route(s, &to);
    if (!err && inet_is_broadcast(&to) && !sk->broadcast)
        err = -LX_EACCES;
    struct inet_addr from = to;
    if (!err)
        source_for(s, &to, &from);
    if (!err)
        err = inet_autobind(s, &from);
    if (err)
        return err;
    if (inet_is_any(&s->local))
        memcpy(s->local.ip, from.ip, 16);
    s->remote = to;
    s->state = INET_CONNECTED;
    return 0;
}

// Where a message goes. 0 or -errno.
static int destination(struct inet_sock *s, const struct sock_msg *m, struct inet_addr *to)
{
    if (!m->name_len) {
        if (s->state != INET_CONNECTED)
            return -LX_EDESTADDRREQ;
        *to = s->remote;
        return 0;
    }
    int err = inet_parse(s, m->name, m->name_len, to);
    if (!err && !to->port)
        err = -LX_EINVAL;
    return err ? err : inet_route(s, to);
}

void udp_set_header(const struct inet_sock *s, struct inet_datagram *d, const struct scm *given)
{
    bool six = s->sk.family == LX_AF_INET6, group = multicast_is_v4(&d->to);
    int32_t hops = six && !group ? inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_UNICAST_HOPS)
                                 : inet_option(s, LX_IPPROTO_IP, group ? LX_IP_MULTICAST_TTL : LX_IP_TTL);
    int32_t class =
        six ? inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_TCLASS) : inet_option(s, LX_IPPROTO_IP, LX_IP_TOS);
    d->hops = (uint8_t)(given->has_hops ? given->hops : hops);
    d->class = (uint8_t)(given->has_class ? given->class : class);
}

static bool has_room(const struct inet_sock *s, const struct inet_datagram *d)
{
    uint64_t charge = d->len + UNIX_BUF_OVERHEAD;
    return !(s->sk.shutdown & SOCK_SHUT_RECV) && s->queued_bytes + charge <= (uint64_t)s->sk.rcvbuf &&
           bytes_queued + charge <= UDP_BYTES_MAX;
}

void udp_deliver(struct inet_sock *to, struct inet_datagram *d)
{
    uint64_t charge = d->len + UNIX_BUF_OVERHEAD;
    if (!to || !has_room(to, d)) {
        free(d);
        return;
    }
    list_add_tail(&d->link, &to->queue);
    to->queued_bytes += charge;
    bytes_queued += charge;
    wake_up(&to->sk.wait, EV_IN | EV_RDNORM);
}

// A copy for each socket that hears the group, or a broadcast (__udp4_lib_mcast_deliver). Takes over the datagram.
static void deliver_to_group(int protocol, struct inet_datagram *d)
{
    bool group = multicast_is_v4(&d->to), heard = !group || multicast_is_heard(&d->to);
    for (struct inet_sock *to = NULL; heard && (to = inet_next(protocol, d->to.port, to));) {
        bool others = to->state == INET_CONNECTED &&
                      (to->remote.port != d->from.port || memcmp(to->remote.ip, d->from.ip, 16) != 0);
        if (others || !inet_is_at(to, &d->to) || !has_room(to, d) ||
            (group && !multicast_allows(to, &d->to, &d->from)))
            continue;
        struct inet_datagram *copy = malloc(sizeof(*copy) + d->len);
        if (!copy)
            break;
        memcpy(copy, d, sizeof(*d) + d->len);
        udp_deliver(to, copy);
    }
    free(d);
}

static int64_t udp_send(struct socket *sk, struct sock_msg *m)
{
    struct inet_sock *s = inet_sk(sk);
    struct inet_addr to, from;
    struct inet_addr source = {.port = 0};
    const struct scm given = m->scm;
    bool has_source = given.has_source;
    memcpy(source.ip, m->scm.source, sizeof(source.ip));
    scm_destroy(&m->scm);
    from = s->local;
    int err = inet_autobind(s, &from); // before anything else is looked at (inet_send_prepare)
    if (err)
        return err;
    if (m->it.count > UDP_PAYLOAD_MAX)
        return -LX_EMSGSIZE;
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    err = destination(s, m, &to);
    if (err)
        return err;
    if (inet_is_broadcast(&to) && !sk->broadcast)
        return -LX_EACCES;
    if (sk->err)
        return sock_take_error(sk);
    if (sk->shutdown & SOCK_SHUT_SEND)
        return sock_epipe(m->flags);
    from = s->local;
    if (has_source && !inet_is_local(&source))
        return -LX_EINVAL;
    if (has_source)
        memcpy(from.ip, source.ip, 16);
    else if (inet_is_any(&from) || multicast_is_v4(&from) || multicast_is_v6(&from))
        source_for(s, &to, &from);
    size_t n = m->it.count;
    struct inet_datagram *d = malloc(sizeof(*d) + n);
    if (!d)
        return -LX_ENOMEM;
    if (n && iter_copy_from(&m->it, d->data, n) != (ssize_t)n) {
        free(d);
        return -LX_EFAULT;
    }
    d->from = from;
    d->to = to;
    d->stamp = vfs_now();
    d->len = (uint32_t)n;
    udp_set_header(s, d, &given);
    if (multicast_is_v4(&to) || inet_is_broadcast(&to)) {
        deliver_to_group(sk->protocol, d);
        return (int64_t)n;
    }
    struct inet_sock *other = inet_lookup(sk->protocol, &to, &from);
    // Lost. That nobody is there, only a connected socket learns, with its next call.
    if (!other && s->state == INET_CONNECTED) {
        sk->err = LX_ECONNREFUSED;
        wake_up(&sk->wait, EV_ERR | EV_IN);
    }
    udp_deliver(other, d);
    return (int64_t)n;
}

// The datagram that a receive is about: the first, or where SO_PEEK_OFF says; *off bytes into it. NULL: none yet.
static struct inet_datagram *datagram_at(struct inet_sock *s, uint64_t *off)
{
    list_for_each(d, &s->queue, struct inet_datagram, link)
    {
        if (*off < d->len || (*off == 0 && d->len == 0))
            return d;
        *off -= d->len;
    }
    return NULL;
}

int64_t udp_recv(struct socket *sk, struct sock_msg *m)
{
    struct inet_sock *s = inet_sk(sk);
    if (m->flags & LX_MSG_ERRQUEUE)
        return -LX_EAGAIN;
    if (sk->err)
        return sock_take_error(sk);
    uint64_t off = sock_peek_start(sk, m->flags);
    struct inet_datagram *d = datagram_at(s, &off);
    if (!d) {
        if (sk->shutdown & SOCK_SHUT_RECV)
            return 0;
        return m->flags & LX_MSG_DONTWAIT ? -LX_EAGAIN : sock_block(&sk->wait, EV_IN, sk->rcvtimeo, 0);
    }
    size_t left = d->len - off, n = m->it.count < left ? m->it.count : left;
    if (m->it.count <= left && n < d->len) // as udp_recvmsg has it, also where SO_PEEK_OFF leaves less
        m->out_flags |= LX_MSG_TRUNC;
    if (n && iter_copy_to(&m->it, d->data + off, n) != (ssize_t)n)
        return -LX_EFAULT;
    m->name_len = (uint32_t)inet_format(s, &d->from, m->name);
    m->stamp = d->stamp;
    memcpy(m->to, d->to.ip, sizeof(m->to));
    m->has_to = true;
    m->hops = d->hops;
    m->class = d->class;
    int64_t ret = m->flags & LX_MSG_TRUNC ? (int64_t)d->len : (int64_t)n;
    sock_peek_moved(sk, m->flags, (uint64_t)ret);
    if (!(m->flags & LX_MSG_PEEK)) {
        list_del(&d->link);
        s->queued_bytes -= d->len + UNIX_BUF_OVERHEAD;
        bytes_queued -= d->len + UNIX_BUF_OVERHEAD;
        memory_freed(d->len + UNIX_BUF_OVERHEAD);
        free(d);
    }
    return ret;
}

// What IP_PKTINFO, IP_RECVTTL and the like ask for (ip_cmsg_recv, ip6_datagram_recv_common_ctl).
int udp_put_control(struct socket *sk, const struct sock_msg *m, struct scm_out *out)
{
    const struct inet_sock *s = inet_sk(sk);
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    const int32_t hops = m->hops, class = m->class;
    int err = 0;
    if (!m->has_to)
        return 0;
    bool four = memcmp(m->to, mapped, sizeof(mapped)) == 0;
    if (four && inet_option(s, LX_IPPROTO_IP, LX_IP_PKTINFO)) {
        struct lx_in_pktinfo info = {.ifindex = 1};
        struct inet_addr to = {.port = 0};
        memcpy(to.ip, m->to, sizeof(to.ip));
        bool many = multicast_is_v4(&to) || inet_is_broadcast(&to);
        memcpy(info.spec_dst, many ? (const uint8_t[4]){127, 0, 0, 1} : m->to + 12, 4);
        memcpy(info.addr, m->to + 12, 4);
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_PKTINFO, &info, sizeof(info));
    }
    if (!err && four && inet_option(s, LX_IPPROTO_IP, LX_IP_RECVTTL))
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_TTL, &hops, sizeof(hops));
    if (!err && four && inet_option(s, LX_IPPROTO_IP, LX_IP_RECVTOS))
        err = scm_put(out, LX_IPPROTO_IP, LX_IP_TOS, &class, 1);
    if (!err && inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_RECVPKTINFO)) {
        struct lx_in6_pktinfo info = {.ifindex = 1};
        memcpy(info.addr, m->to, sizeof(info.addr));
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_PKTINFO, &info, sizeof(info));
    }
    if (!err && inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_RECVHOPLIMIT))
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (!err && inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_RECVTCLASS))
        err = scm_put(out, LX_IPPROTO_IPV6, LX_IPV6_TCLASS, &class, sizeof(class));
    return err;
}

int udp_shutdown(struct socket *sk, int how)
{
    if (inet_sk(sk)->state != INET_CONNECTED)
        return -LX_ENOTCONN;
    sk->shutdown |= (uint32_t)how + 1;
    wake_up(&sk->wait, EV_ALL);
    return 0;
}

uint32_t udp_poll(struct socket *sk, struct poll_table *pt)
{
    struct inet_sock *s = inet_sk(sk);
    poll_wait(pt, &sk->wait);
    uint32_t events = EV_OUT | EV_WRNORM | EV_WRBAND;
    if (sk->err)
        events |= EV_ERR;
    if (sk->shutdown == SOCK_SHUT_BOTH)
        events |= EV_HUP;
    if (sk->shutdown & SOCK_SHUT_RECV)
        events |= EV_RDHUP | EV_IN | EV_RDNORM;
    if (!list_empty(&s->queue))
        events |= EV_IN | EV_RDNORM;
    return events;
}

static int64_t udp_ioctl(struct socket *sk, uint32_t cmd, uint64_t arg)
{
    struct inet_sock *s = inet_sk(sk);
    int32_t value = 0;
    if (cmd == LX_FIONREAD && !list_empty(&s->queue))
        value = (int32_t)list_first(&s->queue, struct inet_datagram, link)->len;
    if (cmd == LX_FIONREAD || cmd == LX_SIOCOUTQ)
        return put_user(value, arg);
    return -LX_ENOTTY;
}

const struct socket_ops udp_ops = {
    .peeks = true,
    .release = udp_release,
    .bind = inet_bind,
    .connect = udp_connect,
    .getname = inet_getname,
    .sendmsg = udp_send,
    .recvmsg = udp_recv,
    .shutdown = udp_shutdown,
    .poll = udp_poll,
    .put_control = udp_put_control,
    .ioctl = udp_ioctl,
    .setsockopt = inet_setsockopt,
    .getsockopt = inet_getsockopt,
};
