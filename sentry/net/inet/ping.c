// An echo request to an address of this host is answered at once: the reply goes into the sender's own queue, because the
// identifier, which is the socket's port, says whose it is. There are no other messages.
#include "sentry/net/inet/ping.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/net/inet/udp.h"
#include "sentry/task/task.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_REQUEST 8
#define ECHO_REPLY 0
#define ECHO_REQUEST_V6 128
#define ECHO_REPLY_V6 129

struct icmp_head {
    uint8_t type, code;
    uint16_t checksum, id, sequence; // big-endian
};
_Static_assert(sizeof(struct icmp_head) == 8, "struct icmphdr");

uint32_t ping_groups[2] = {0, INT32_MAX};

int ping_permitted(void)
{
    const struct cred *c = current->cred;
    bool may = c->egid >= ping_groups[0] && c->egid <= ping_groups[1];
    for (uint32_t i = 0; i < c->nr_groups; i++)
        may = may || (c->groups[i] >= ping_groups[0] && c->groups[i] <= ping_groups[1]);
    return may ? 0 : -LX_EACCES;
}

static uint32_t sum(uint32_t so_far, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        so_far += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return so_far;
}

// The checksum of a message; that of IPv6 covers the addresses, too.
static uint16_t checksum(const struct inet_datagram *d, bool six)
{
    uint32_t total = sum(0, d->data, d->len);
    if (six)
        total = sum(sum(total, d->from.ip, 16), d->to.ip, 16) + d->len + LX_IPPROTO_ICMPV6;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return htobe16((uint16_t)~total);
}

static int destination(const struct inet_sock *s, const struct sock_msg *m, struct inet_addr *to)
{
    uint16_t family;
    if (!m->name_len) {
        *to = s->remote;
        return s->state == INET_CONNECTED ? 0 : -LX_EDESTADDRREQ;
    }
    bool six = s->sk.family == LX_AF_INET6;
    if (m->name_len < (six ? sizeof(struct lx_sockaddr_in6) : sizeof(struct lx_sockaddr_in)))
        return -LX_EINVAL;
    memcpy(&family, m->name, sizeof(family));
    if (family != s->sk.family)
        return six ? -LX_EINVAL : -LX_EAFNOSUPPORT;
    int err = inet_parse(s, m->name, m->name_len, to);
    return err ? err : inet_route(s, to);
}

// Turns the request into the reply to it.
static void answer(struct inet_sock *s, struct inet_datagram *d, const struct inet_addr *to)
{
    bool six = s->sk.family == LX_AF_INET6;
    struct icmp_head h;
    memcpy(&h, d->data, sizeof(h));
    h.type = six ? ECHO_REPLY_V6 : ECHO_REPLY;
    h.id = htobe16(s->local.port);
    h.checksum = 0;
    memcpy(d->data, &h, sizeof(h));
    d->from = *to;
    d->from.port = 0;
    d->to = inet_is_any(&s->local) ? *to : s->local;
    h.checksum = checksum(d, six);
    memcpy(d->data, &h, sizeof(h));
    d->hops = 64;
    d->stamp = vfs_now();
}

// Of the sockets with this identifier the last one that was bound gets the reply (ping_lookup). NULL: nobody.
static struct inet_sock *find(const struct inet_sock *s, const struct inet_addr *at)
{
    struct inet_sock *found = NULL;
    for (struct inet_sock *i = NULL; (i = inet_next(s->sk.protocol, s->local.port, i));)
        if (inet_is_any(&i->local) || memcmp(i->local.ip, at->ip, sizeof(at->ip)) == 0)
            found = i;
    return found;
}

static int64_t ping_send(struct socket *sk, struct sock_msg *m)
{
    struct inet_sock *s = inet_sk(sk);
    const struct scm given = m->scm;
    struct inet_addr any = s->local, to;
    struct icmp_head h;
    size_t n = m->it.count;
    scm_destroy(&m->scm);
    int err = inet_autobind(s, &any);
    if (err)
        return err;
    if (n > UINT16_MAX)
        return -LX_EMSGSIZE;
    if (n < sizeof(h))
        return -LX_EINVAL;
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    struct inet_datagram *d = malloc(sizeof(*d) + n);
    if (!d)
        return -LX_ENOMEM;
    d->len = (uint32_t)n;
    err = iter_copy_from(&m->it, d->data, n) == (ssize_t)n ? 0 : -LX_EFAULT;
    if (!err)
        memcpy(&h, d->data, sizeof(h));
    if (!err && (h.type != (sk->family == LX_AF_INET6 ? ECHO_REQUEST_V6 : ECHO_REQUEST) || h.code))
        err = -LX_EINVAL;
    if (!err)
        err = destination(s, m, &to);
    if (!err && n > UDP_PAYLOAD_MAX + 8)
        err = -LX_EMSGSIZE;
    if (err) {
        free(d);
        return err;
    }
    d->to = to;
    udp_set_header(s, d, &given);
    answer(s, d, &to);
    // Groups and broadcasts are not answered (net.ipv4.icmp_echo_ignore_broadcasts).
    udp_deliver(inet_is_local(&to) && !inet_is_broadcast(&to) ? find(s, &d->to) : NULL, d);
    return (int64_t)n;
}

const struct socket_ops ping_ops = {
    .release = udp_release,
    .bind = inet_bind,
    .connect = udp_connect,
    .getname = inet_getname,
    .sendmsg = ping_send,
    .recvmsg = udp_recv,
    .shutdown = udp_shutdown,
    .poll = udp_poll,
    .put_control = udp_put_control,
    .setsockopt = inet_setsockopt,
    .getsockopt = inet_getsockopt,
};
