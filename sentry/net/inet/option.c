// Options and ioctls of internet sockets, and making them.
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/net/inet/inet.h"
#include "sentry/task/cred.h"
#include <stdlib.h>
#include <string.h>

#define LX_SIOCGIFNAME 0x8910u
#define LX_SIOCGIFCONF 0x8912u
#define LX_SIOCGIFFLAGS 0x8913u
#define LX_SIOCGIFADDR 0x8915u
#define LX_SIOCGIFNETMASK 0x891bu
#define LX_SIOCGIFMTU 0x8921u
#define LX_SIOCGIFHWADDR 0x8927u
#define LX_SIOCGIFINDEX 0x8933u
#define LO_FLAGS 0x49 // UP, LOOPBACK, RUNNING
#define LO_MTU 65536
#define ARPHRD_LOOPBACK 772

struct inet_sock *inet_alloc(int family, int type, int protocol)
{
    struct inet_sock *s = socket_available() ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return NULL;
    if (type == LX_SOCK_STREAM) {
        s->data = unix_alloc(LX_SOCK_STREAM, 0);
        if (!s->data) {
            free(s);
            return NULL;
        }
        s->data->half_close = true;
    }
    socket_init(&s->sk, type == LX_SOCK_STREAM ? &tcp_ops : &udp_ops, family, type, protocol);
    list_init(&s->port_link);
    list_init(&s->accept_queue);
    list_init(&s->accept_link);
    list_init(&s->queue);
    if (family == LX_AF_INET) { // 0.0.0.0
        s->local.ip[10] = s->local.ip[11] = 0xff;
        s->remote.ip[10] = s->remote.ip[11] = 0xff;
    }
    s->ip_options[2] = 64;     // IP_TTL
    s->ip_options[33] = 1;     // IP_MULTICAST_TTL
    s->ip_options[34] = 1;     // IP_MULTICAST_LOOP
    s->ip_options[10] = 1;     // IP_MTU_DISCOVER
    s->ip6_options[16] = 64;   // IPV6_UNICAST_HOPS
    s->ip6_options[18] = 1;    // IPV6_MULTICAST_HOPS
    s->ip6_options[19] = 1;    // IPV6_MULTICAST_LOOP
    s->tcp_options[2] = 65483; // TCP_MAXSEG of the loopback
    s->tcp_options[4] = 7200;  // TCP_KEEPIDLE, seconds
    s->tcp_options[5] = 75;    // TCP_KEEPINTVL, seconds
    s->tcp_options[6] = 9;     // TCP_KEEPCNT
    s->tcp_options[7] = 6;     // TCP_SYNCNT
    s->tcp_options[12] = 1;    // TCP_QUICKACK
    return s;
}

void inet_free(struct inet_sock *s)
{
    socket_done(&s->sk);
    free(s);
}

// The options of a level that are remembered and told again; they change nothing between sockets of one host.
static int32_t *remembered(struct inet_sock *s, int level, int name)
{
    static const uint8_t ip[] = {1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 24, 33, 34, 49, 50, 51};
    static const uint8_t ip6[] = {16, 18, 19, 23, 25, 49, 51, 56, 66, 67, 70, 72, 73};
    static const uint8_t tcp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 18, 23, 25, 30, 36, 37};
    const uint8_t *known = level == LX_IPPROTO_IP ? ip : level == LX_IPPROTO_IPV6 ? ip6 : tcp;
    size_t n = level == LX_IPPROTO_IP ? sizeof(ip) : level == LX_IPPROTO_IPV6 ? sizeof(ip6) : sizeof(tcp);
    int32_t *values = level == LX_IPPROTO_IP     ? s->ip_options
                      : level == LX_IPPROTO_IPV6 ? s->ip6_options
                                                 : s->tcp_options;
    if (level == LX_IPPROTO_TCP && s->sk.type != LX_SOCK_STREAM)
        return NULL;
    if (level == LX_IPPROTO_IPV6 && s->sk.family != LX_AF_INET6)
        return NULL;
    if (level != LX_IPPROTO_IP && level != LX_IPPROTO_IPV6 && level != LX_IPPROTO_TCP)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (known[i] == name)
            return &values[name];
    return NULL;
}

int inet_setsockopt(struct socket *sk, int level, int name, const void *value, uint32_t len)
{
    struct inet_sock *s = inet_sk(sk);
    int32_t v = 0;
    bool v6only = level == LX_IPPROTO_IPV6 && name == LX_IPV6_V6ONLY && sk->family == LX_AF_INET6;
    int32_t *slot = v6only ? NULL : remembered(s, level, name);
    if (!v6only && !slot)
        return -LX_ENOPROTOOPT;
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
    if (level == LX_IPPROTO_TCP && (name == 4 || name == 5) && (v < 1 || v > 32767))
        return -LX_EINVAL;
    if (level == LX_IPPROTO_TCP && (name == 1 || name == 3))
        v = v != 0;
    *slot = level == LX_IPPROTO_IP && name == 2 && v == -1 ? 64 : v;
    return 0;
}

int inet_getsockopt(struct socket *sk, int level, int name, void *value, uint32_t *len)
{
    struct inet_sock *s = inet_sk(sk);
    int32_t v;
    if (level == LX_IPPROTO_TCP && name == LX_TCP_INFO && sk->type == LX_SOCK_STREAM) {
        uint8_t info[232] = {s->state == INET_CONNECTED   ? LX_TCP_ESTABLISHED
                             : s->state == INET_LISTENING ? LX_TCP_LISTEN
                                                          : LX_TCP_CLOSE};
        if (*len > sizeof(info))
            *len = sizeof(info);
        memcpy(value, info, *len);
        return 0;
    }
    if (level == LX_IPPROTO_IPV6 && name == LX_IPV6_V6ONLY && sk->family == LX_AF_INET6) {
        v = s->v6only;
    } else {
        int32_t *slot = remembered(s, level, name);
        if (!slot)
            return level == LX_IPPROTO_IP || level == LX_IPPROTO_IPV6 || level == LX_IPPROTO_TCP
                       ? -LX_ENOPROTOOPT
                       : -LX_EOPNOTSUPP;
        v = *slot;
    }
    if (*len > sizeof(v))
        *len = sizeof(v);
    memcpy(value, &v, *len);
    return 0;
}

struct lx_ifreq {
    char name[16];
    union {
        uint8_t addr[16];
        int32_t value;
        int16_t flags;
        uint8_t room[24];
    } u;
};
_Static_assert(sizeof(struct lx_ifreq) == 40, "struct ifreq");

static void lo_address(struct lx_ifreq *r, uint8_t first, uint8_t last)
{
    struct lx_sockaddr_in in = {.family = LX_AF_INET, .addr = {first, 0, 0, last}};
    memcpy(r->u.addr, &in, sizeof(in));
}

static int64_t interface_list(uint64_t arg)
{
    struct {
        int32_t len, pad;
        uint64_t buf;
    } conf;
    struct lx_ifreq r = {.name = "lo"};
    if (get_user(conf, arg))
        return -LX_EFAULT;
    lo_address(&r, 127, 1);
    if (conf.buf && conf.len >= (int32_t)sizeof(r)) {
        if (put_user(r, conf.buf))
            return -LX_EFAULT;
        conf.len = sizeof(r);
    } else {
        conf.len = conf.buf ? 0 : (int32_t)sizeof(r);
    }
    return put_user(conf, arg);
}

int64_t inet_ioctl(struct socket *sk, uint32_t cmd, uint64_t arg)
{
    struct lx_ifreq r;
    if (cmd == LX_SIOCGIFCONF)
        return interface_list(arg);
    switch (cmd) {
    case LX_SIOCGIFNAME:
    case LX_SIOCGIFFLAGS:
    case LX_SIOCGIFADDR:
    case LX_SIOCGIFNETMASK:
    case LX_SIOCGIFMTU:
    case LX_SIOCGIFHWADDR:
    case LX_SIOCGIFINDEX:
        break;
    default:
        return -LX_ENOTTY;
    }
    if (get_user(r, arg))
        return -LX_EFAULT;
    if (cmd == LX_SIOCGIFNAME ? r.u.value != 1 : strncmp(r.name, "lo", sizeof(r.name)) != 0)
        return -LX_ENODEV;
    memcpy(r.name, "lo", 3);
    if (cmd != LX_SIOCGIFNAME)
        memset(&r.u, 0, sizeof(r.u));
    if (cmd == LX_SIOCGIFFLAGS)
        r.u.flags = LO_FLAGS;
    else if (cmd == LX_SIOCGIFADDR)
        lo_address(&r, 127, 1);
    else if (cmd == LX_SIOCGIFNETMASK)
        lo_address(&r, 255, 0);
    else if (cmd == LX_SIOCGIFMTU)
        r.u.value = LO_MTU;
    else if (cmd == LX_SIOCGIFHWADDR)
        r.u.flags = ARPHRD_LOOPBACK;
    else if (cmd == LX_SIOCGIFINDEX)
        r.u.value = 1;
    return put_user(r, arg);
}

int inet_socket(int family, int type, int protocol, struct socket **out)
{
    if (type == LX_SOCK_RAW)
        return capable(LX_CAP_NET_RAW) ? -LX_EPROTONOSUPPORT : -LX_EPERM;
    if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM)
        return -LX_ESOCKTNOSUPPORT;
    int only = type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
    if (type == LX_SOCK_DGRAM && protocol == LX_IPPROTO_ICMP)
        return -LX_EACCES; // net.ipv4.ping_group_range names nobody
    if (protocol && protocol != only)
        return -LX_EPROTONOSUPPORT;
    struct inet_sock *s = inet_alloc(family, type, only);
    if (!s)
        return -LX_ENOMEM;
    *out = &s->sk;
    return 0;
}
