// Options and ioctls of internet sockets, and making them.
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/multicast.h"
#include "sentry/net/inet/ping.h"
#include "sentry/task/cred.h"
#include <stdlib.h>
#include <string.h>

struct inet_sock *inet_alloc(int family, int type, int protocol)
{
    struct inet_sock *s = socket_available() ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return NULL;
    if (type == LX_SOCK_STREAM) {
        s->data = unix_alloc_carrier();
        if (!s->data) {
            free(s);
            return NULL;
        }
    }
    bool ping = protocol == LX_IPPROTO_ICMP || protocol == LX_IPPROTO_ICMPV6;
    socket_init(&s->sk,
                type == LX_SOCK_STREAM ? &tcp_ops
                : ping                 ? &ping_ops
                                       : &udp_ops,
                family, type, protocol);
    list_init(&s->port_link);
    list_init(&s->accept_queue);
    list_init(&s->accept_link);
    list_init(&s->pending);
    if (family == LX_AF_INET) { // 0.0.0.0
        s->local.ip[10] = s->local.ip[11] = 0xff;
        s->remote.ip[10] = s->remote.ip[11] = 0xff;
    }
    return s;
}

void inet_free(struct inet_sock *s)
{
    socket_done(&s->sk);
    multicast_leave_all(s);
    free(s->options);
    free(s);
}

// Options that are remembered and told again, and what they are at first. Most change nothing between sockets of one host.
static const struct option {
    uint8_t level, name;
    int32_t initial;
} table[] = {
    {LX_IPPROTO_IP, LX_IP_TOS, 0},
    {LX_IPPROTO_IP, LX_IP_TTL, 64},
    {LX_IPPROTO_IP, 6, 0}, // IP_RECVOPTS
    {LX_IPPROTO_IP, 7, 0}, // IP_RETOPTS
    {LX_IPPROTO_IP, LX_IP_PKTINFO, 0},
    {LX_IPPROTO_IP, LX_IP_MTU_DISCOVER, 1},
    {LX_IPPROTO_IP, 11, 0}, // IP_RECVERR
    {LX_IPPROTO_IP, LX_IP_RECVTTL, 0},
    {LX_IPPROTO_IP, LX_IP_RECVTOS, 0},
    {LX_IPPROTO_IP, 15, 0}, // IP_FREEBIND
    {LX_IPPROTO_IP, 24, 0}, // IP_BIND_ADDRESS_NO_PORT
    {LX_IPPROTO_IP, LX_IP_MULTICAST_TTL, 1},
    {LX_IPPROTO_IP, LX_IP_MULTICAST_LOOP, 1},
    {LX_IPPROTO_IP, LX_IP_MULTICAST_ALL, 1},
    {LX_IPPROTO_IP, 50, 0}, // IP_UNICAST_IF
    {LX_IPPROTO_IP, 51, 0}, // IP_LOCAL_PORT_RANGE
    {LX_IPPROTO_IPV6, LX_IPV6_UNICAST_HOPS, 64},
    {LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_HOPS, 1},
    {LX_IPPROTO_IPV6, LX_IPV6_MULTICAST_LOOP, 1},
    {LX_IPPROTO_IPV6, 29, 1}, // IPV6_MULTICAST_ALL
    {LX_IPPROTO_IPV6, 23, 1}, // IPV6_MTU_DISCOVER
    {LX_IPPROTO_IPV6, 25, 0}, // IPV6_RECVERR
    {LX_IPPROTO_IPV6, LX_IPV6_RECVPKTINFO, 0},
    {LX_IPPROTO_IPV6, LX_IPV6_RECVHOPLIMIT, 0},
    {LX_IPPROTO_IPV6, 56, 0}, // IPV6_RECVRTHDR
    {LX_IPPROTO_IPV6, LX_IPV6_RECVTCLASS, 0},
    {LX_IPPROTO_IPV6, LX_IPV6_TCLASS, 0},
    {LX_IPPROTO_IPV6, 70, 0},    // IPV6_AUTOFLOWLABEL
    {LX_IPPROTO_IPV6, 72, 0},    // IPV6_ADDR_PREFERENCES
    {LX_IPPROTO_IPV6, 73, 0},    // IPV6_MINHOPCOUNT
    {LX_IPPROTO_UDPLITE, 10, 8}, // UDPLITE_SEND_CSCOV
    {LX_IPPROTO_UDPLITE, 11, 0}, // UDPLITE_RECV_CSCOV
    {LX_IPPROTO_TCP, LX_TCP_NODELAY, 0},
    {LX_IPPROTO_TCP, LX_TCP_MAXSEG, 65483},
    {LX_IPPROTO_TCP, LX_TCP_CORK, 0},
    {LX_IPPROTO_TCP, LX_TCP_KEEPIDLE, 7200},
    {LX_IPPROTO_TCP, LX_TCP_KEEPINTVL, 75},
    {LX_IPPROTO_TCP, LX_TCP_KEEPCNT, 9},
    {LX_IPPROTO_TCP, LX_TCP_SYNCNT, 6},
    {LX_IPPROTO_TCP, 8, 60}, // TCP_LINGER2
    {LX_IPPROTO_TCP, 9, 0},  // TCP_DEFER_ACCEPT
    {LX_IPPROTO_TCP, 10, 0}, // TCP_WINDOW_CLAMP
    {LX_IPPROTO_TCP, LX_TCP_QUICKACK, 1},
    {LX_IPPROTO_TCP, 18, 0}, // TCP_USER_TIMEOUT
    {LX_IPPROTO_TCP, 23, 0}, // TCP_FASTOPEN
    {LX_IPPROTO_TCP, 25, 0}, // TCP_NOTSENT_LOWAT
    {LX_IPPROTO_TCP, 30, 0}, // TCP_FASTOPEN_CONNECT
    {LX_IPPROTO_TCP, 36, 0}, // TCP_INQ
    {LX_IPPROTO_TCP, 37, 0}, // TCP_TX_DELAY
};
#define OPTIONS (sizeof(table) / sizeof(table[0]))

// The place of an option that the socket has, or -1.
static int place(const struct inet_sock *s, int level, int name)
{
    if ((level == LX_IPPROTO_TCP && s->sk.type != LX_SOCK_STREAM) ||
        (level == LX_IPPROTO_IPV6 && s->sk.family != LX_AF_INET6) ||
        (level == LX_IPPROTO_UDPLITE && s->sk.protocol != level))
        return -1;
    for (size_t i = 0; i < OPTIONS; i++)
        if (table[i].level == level && table[i].name == name)
            return (int)i;
    return -1;
}

int32_t inet_option(const struct inet_sock *s, int level, int name)
{
    int i = place(s, level, name);
    return i < 0 ? 0 : s->options ? s->options[i] : table[i].initial;
}

static int remember(struct inet_sock *s, int i, int32_t value)
{
    if (!s->options) {
        s->options = malloc(OPTIONS * sizeof(*s->options));
        if (!s->options)
            return -LX_ENOBUFS;
        for (size_t n = 0; n < OPTIONS; n++)
            s->options[n] = table[n].initial;
    }
    s->options[i] = value;
    return 0;
}

void inet_copy_options(struct inet_sock *to, const struct inet_sock *from)
{
    if (from->options && remember(to, 0, from->options[0]) == 0)
        memcpy(to->options, from->options, OPTIONS * sizeof(*to->options));
}

static int set_congestion(struct inet_sock *s, const void *value, uint32_t len)
{
    if (s->sk.type != LX_SOCK_STREAM)
        return -LX_ENOPROTOOPT;
    if (len < 1)
        return -LX_EINVAL;
    return (len >= 5 && memcmp(value, "cubic", 5) == 0) || (len >= 4 && memcmp(value, "reno", 4) == 0)
               ? 0
               : -LX_ENOENT;
}

int inet_setsockopt(struct socket *sk, int level, int name, const void *value, uint32_t len)
{
    struct inet_sock *s = inet_sk(sk);
    int32_t v = 0;
    int err = multicast_setsockopt(s, level, name, value, len);
    if (err != -LX_ENOPROTOOPT)
        return err;
    bool v6only = level == LX_IPPROTO_IPV6 && name == LX_IPV6_V6ONLY && sk->family == LX_AF_INET6;
    int slot = v6only ? -1 : place(s, level, name);
    if (!v6only && slot < 0)
        return level == LX_IPPROTO_TCP && name == LX_TCP_CONGESTION ? set_congestion(s, value, len)
                                                                    : -LX_ENOPROTOOPT;
    if (len >= sizeof(v))
        memcpy(&v, value, sizeof(v));
    else if (level == LX_IPPROTO_IP && len >= 1)
        v = *(const uint8_t *)value;
    else
        return -LX_EINVAL;
    if (v6only) {
        if (s->bound)
            return -LX_EINVAL;
        s->v6only = v;
        return 0;
    }
    if (level == LX_IPPROTO_IP && name == 2 && v != -1 && (v < 1 || v > 255))
        return -LX_EINVAL;
    bool hops = level == LX_IPPROTO_IP ? name == LX_IP_MULTICAST_TTL
                                       : level == LX_IPPROTO_IPV6 && name == LX_IPV6_MULTICAST_HOPS;
    if (hops && (v < -1 || v > 255 || (sk->type == LX_SOCK_STREAM && level == LX_IPPROTO_IP)))
        return -LX_EINVAL;
    if (level == LX_IPPROTO_TCP && (name == 4 || name == 5) && (v < 1 || v > 32767))
        return -LX_EINVAL;
    if (level == LX_IPPROTO_TCP && (name == 1 || name == 3))
        v = v != 0;
    if (level == LX_IPPROTO_IPV6 && (name == LX_IPV6_UNICAST_HOPS || name == LX_IPV6_TCLASS) &&
        (v < -1 || v > 255))
        return -LX_EINVAL;
    return remember(s, slot, v == -1 ? table[slot].initial : v);
}

int inet_getsockopt(struct socket *sk, int level, int name, void *value, uint32_t *len)
{
    struct inet_sock *s = inet_sk(sk);
    int32_t v;
    int err = multicast_getsockopt(s, level, name, value, len);
    if (err != -LX_ENOPROTOOPT)
        return err;
    if (level == LX_IPPROTO_TCP && name == LX_TCP_INFO && sk->type == LX_SOCK_STREAM) {
        *len = tcp_info(s, value, *len);
        return 0;
    }
    if (level == LX_IPPROTO_TCP && name == LX_TCP_CONGESTION && sk->type == LX_SOCK_STREAM) {
        *len = *len < 16 ? *len : 16;
        memcpy(value, "cubic\0\0\0\0\0\0\0\0\0\0", *len);
        return 0;
    }
    if (level == LX_IPPROTO_IPV6 && name == LX_IPV6_V6ONLY && sk->family == LX_AF_INET6) {
        v = s->v6only;
    } else {
        int slot = place(s, level, name);
        if (slot < 0)
            return level == LX_IPPROTO_IP || level == LX_IPPROTO_IPV6 || level == LX_IPPROTO_TCP
                       ? -LX_ENOPROTOOPT
                       : -LX_EOPNOTSUPP;
        v = inet_option(s, level, name);
    }
    if (*len > sizeof(v))
        *len = sizeof(v);
    memcpy(value, &v, *len);
    return 0;
}

int inet_socket(int family, int type, int protocol, struct socket **out)
{
    if (type == LX_SOCK_RAW)
        return capable(LX_CAP_NET_RAW) ? -LX_EPROTONOSUPPORT : -LX_EPERM;
    if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM)
        return -LX_ESOCKTNOSUPPORT;
    int only = type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
    int ping = family == LX_AF_INET ? LX_IPPROTO_ICMP : LX_IPPROTO_ICMPV6;
    if (type == LX_SOCK_DGRAM && protocol == ping) {
        int err = ping_permitted();
        if (err)
            return err;
        only = protocol;
    }
    if (type == LX_SOCK_DGRAM && protocol == LX_IPPROTO_UDPLITE)
        only = protocol;
    if (protocol && protocol != only)
        return -LX_EPROTONOSUPPORT;
    struct inet_sock *s = inet_alloc(family, type, only);
    if (!s)
        return -LX_ENOMEM;
    *out = &s->sk;
    return 0;
}
