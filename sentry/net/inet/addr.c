// Internet addresses, ports, and who listens where.
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/multicast.h"
#include "sentry/net/inet/ping.h"
#include "sentry/net/inet/tcp_close.h"
#include "sentry/task/cred.h"
#include <endian.h>
#include <string.h>

#define BUCKETS 256u

static struct list_head ports[2][BUCKETS]; // of TCP and of everything else, by port
static bool ports_ready;
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct list_head *bucket(int protocol, uint16_t port)
{
    if (!ports_ready) {
        for (unsigned i = 0; i < BUCKETS; i++) {
            list_init(&ports[0][i]);
            list_init(&ports[1][i]);
        }
        ports_ready = true;
    }
    return &ports[protocol != LX_IPPROTO_TCP][port % BUCKETS];
}

static bool is_v4(const struct inet_addr *a)
{
    return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

static bool is_any_v4(const struct inet_addr *a)
{
    static const uint8_t zero[4];
    return is_v4(a) && memcmp(a->ip + 12, zero, 4) == 0;
}

static bool is_any_v6(const struct inet_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->ip, zero, 16) == 0;
}

bool inet_is_any(const struct inet_addr *a)
{
    return is_any_v4(a) || is_any_v6(a);
}

static bool is_loopback_v6(const struct inet_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return memcmp(a->ip, one, 16) == 0;
}

bool inet_is_local(const struct inet_addr *a)
{
    return is_v4(a) ? a->ip[12] == 127 : is_loopback_v6(a);
}

bool inet_is_broadcast(const struct inet_addr *a)
{
    static const uint8_t all[4] = {127, 255, 255, 255};
    return is_v4(a) && memcmp(a->ip + 12, all, sizeof(all)) == 0;
}

int inet_parse(const struct inet_sock *s, const uint8_t *addr, uint32_t len, struct inet_addr *out)
{
    uint16_t family;
    if (len < sizeof(family))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    memset(out, 0, sizeof(*out));
    if (s->sk.family == LX_AF_INET) {
        struct lx_sockaddr_in in;
        if (len < sizeof(in))
            return -LX_EINVAL;
        memcpy(&in, addr, sizeof(in));
        if (family != LX_AF_INET &&
            !(family == LX_AF_UNSPEC && *(const uint32_t *)(const void *)in.addr == 0))
            return -LX_EAFNOSUPPORT;
        memcpy(out->ip, mapped, sizeof(mapped));
        memcpy(out->ip + 12, in.addr, 4);
        out->port = be16toh(in.port);
        return 0;
    }
    struct lx_sockaddr_in6 in6 = {0};
    if (len < LX_SIN6_LEN_RFC2133)
        return -LX_EINVAL;
    memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
    if (family != LX_AF_INET6)
        return -LX_EAFNOSUPPORT;
    memcpy(out->ip, in6.addr, 16);
    out->port = be16toh(in6.port);
    return 0;
}

int inet_format(const struct inet_sock *s, const struct inet_addr *a, uint8_t *addr)
{
    if (s->sk.family == LX_AF_INET) {
        struct lx_sockaddr_in in = {.family = LX_AF_INET, .port = htobe16(a->port)};
        memcpy(in.addr, a->ip + 12, 4);
        memcpy(addr, &in, sizeof(in));
        return sizeof(in);
    }
    struct lx_sockaddr_in6 in6 = {.family = LX_AF_INET6, .port = htobe16(a->port)};
    memcpy(in6.addr, a->ip, 16);
    memcpy(addr, &in6, sizeof(in6));
    return sizeof(in6);
}

int inet_route(const struct inet_sock *s, struct inet_addr *to)
{
    if (is_any_v4(to))
        memcpy(to->ip + 12, (const uint8_t[4]){127, 0, 0, 1}, 4);
    else if (is_any_v6(to))
        to->ip[15] = 1;
    if (s->sk.family == LX_AF_INET6 && s->v6only && is_v4(to))
        return -LX_ENETUNREACH;
    uint8_t source[16];
    if (inet_is_broadcast(to) && s->sk.type == LX_SOCK_STREAM)
        return -LX_ENETUNREACH;
    if (multicast_is_v4(to))
        return s->sk.type == LX_SOCK_STREAM ? -LX_ENETUNREACH : multicast_source(s, source);
    return inet_is_local(to) ? 0 : -LX_ENETUNREACH;
}

// Does a socket bound to `at` get what is sent to `to`? 0 no, 1 as any address, 2 as exactly this one.
static int matches(const struct inet_sock *s, const struct inet_addr *to)
{
    const struct inet_addr *at = &s->local;
    if (at->port != to->port)
        return 0;
    if (memcmp(at->ip, to->ip, 16) == 0)
        return 2;
    if (is_v4(to))
        return is_any_v4(at) || (is_any_v6(at) && !s->v6only);
    return is_any_v6(at);
}

bool inet_is_at(const struct inet_sock *s, const struct inet_addr *to)
{
    return matches(s, to) != 0;
}

struct inet_sock *inet_next(int protocol, uint16_t port, struct inet_sock *after)
{
    struct list_head *head = bucket(protocol, port), *at = after ? after->port_link.next : head->next;
    for (; at != head; at = at->next) {
        struct inet_sock *s = list_entry(at, struct inet_sock, port_link);
        if (s->sk.protocol == protocol && s->local.port == port)
            return s;
    }
    return NULL;
}

// Are the two alternatives for what comes to one of them?
static bool same_place(const struct inet_sock *s, const struct inet_sock *other)
{
    return s->sk.protocol == other->sk.protocol && s->state == other->state &&
           s->local.port == other->local.port &&
           memcmp(s->local.ip, other->local.ip, sizeof(s->local.ip)) == 0 &&
           (s->state != INET_CONNECTED || memcmp(&s->remote, &other->remote, sizeof(s->remote)) == 0);
}

struct inet_sock *inet_lookup(int protocol, const struct inet_addr *to, const struct inet_addr *from)
{
    static unsigned turn;
    struct inet_sock *best = NULL;
    int score = 0;
    unsigned equal = 0, nth = 0;
    list_for_each(s, bucket(protocol, to->port), struct inet_sock, port_link)
    {
        int now = matches(s, to);
        if (!now || s->sk.protocol != protocol || (protocol == LX_IPPROTO_TCP && s->state != INET_LISTENING))
            continue;
        if (protocol != LX_IPPROTO_TCP && s->state == INET_CONNECTED) {
            if (s->remote.port != from->port || memcmp(s->remote.ip, from->ip, 16) != 0)
                continue;
            now += 4;
        }
        if (now > score) {
            score = now;
            best = s;
            equal = 0;
        }
        equal += now == score && s->sk.reuseport;
    }
    if (equal < 2)
        return best;
    // Several share the port (SO_REUSEPORT): they take turns.
    unsigned pick = turn++ % equal;
    list_for_each(s, bucket(protocol, to->port), struct inet_sock, port_link)
    {
        if (s->sk.reuseport && same_place(s, best) && nth++ == pick)
            return s;
    }
    return best;
}

// Does `a` stand for `b`, too?
static bool covers(const struct inet_addr *a, bool v6only, const struct inet_addr *b)
{
    return is_any_v6(a) ? !is_v4(b) || !v6only : is_any_v4(a) && is_v4(b);
}

bool inet_overlap(const struct inet_addr *a, bool a_v6only, const struct inet_addr *b, bool b_v6only)
{
    return memcmp(a->ip, b->ip, 16) == 0 || covers(a, a_v6only, b) || covers(b, b_v6only, a);
}

static bool overlap(const struct inet_sock *s, const struct inet_sock *other)
{
    return s->sk.protocol == other->sk.protocol &&
           inet_overlap(&s->local, s->v6only, &other->local, other->v6only);
}

// May `s` have its local address beside the sockets that are bound already? (inet_csk_get_port)
static bool port_free(const struct inet_sock *s)
{
    list_for_each(other, bucket(s->sk.protocol, s->local.port), struct inet_sock, port_link)
    {
        if (other == s || other->local.port != s->local.port || !overlap(s, other))
            continue;
        bool reuse = s->sk.reuseaddr && other->sk.reuseaddr && other->state != INET_LISTENING;
        if (!reuse && !(s->sk.reuseport && other->sk.reuseport))
            return false;
    }
    return s->sk.protocol != LX_IPPROTO_TCP || !tcp_wait_blocks(s);
}

void inet_register(struct inet_sock *s)
{
    s->bound = true;
    list_add_tail(&s->port_link, bucket(s->sk.protocol, s->local.port));
}

void inet_unregister(struct inet_sock *s)
{
    s->bound = false;
    list_del(&s->port_link);
}

// Finds a free port for the address that is set; `connecting`: for a socket that was not bound. 0 or -LX_EADDRINUSE.
static int pick_port(struct inet_sock *s, bool connecting)
{
    static unsigned next;
    const unsigned range = INET_EPHEMERAL_LAST - INET_EPHEMERAL_FIRST + 1;
    for (unsigned i = 0; i < range; i++) {
        s->local.port = (uint16_t)(INET_EPHEMERAL_FIRST + next++ % range);
        // Nobody shares a port that was not asked for.
        bool taken = false;
        list_for_each(other, bucket(s->sk.protocol, s->local.port), struct inet_sock, port_link) taken =
            taken || (other->local.port == s->local.port && overlap(s, other));
        // A connection may take the place of one that waits.
        if (!taken && (connecting || s->sk.protocol != LX_IPPROTO_TCP || !tcp_wait_blocks(s)))
            return 0;
    }
    s->local.port = 0;
    return -LX_EADDRINUSE;
}

int inet_autobind(struct inet_sock *s, const struct inet_addr *local)
{
    if (s->bound)
        return 0;
    memcpy(s->local.ip, local->ip, 16);
    if (pick_port(s, true))
        return s->sk.type == LX_SOCK_STREAM ? -LX_EADDRNOTAVAIL : -LX_EAGAIN;
    inet_register(s);
    return 0;
}

// Does an address of a group say which interface is meant, as those of a link must?
static bool has_scope(const uint8_t *addr, uint32_t len)
{
    struct lx_sockaddr_in6 in6 = {0};
    memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
    unsigned scope = in6.addr[1] & 0xf;
    return (scope != 1 && scope != 2) || in6.scope_id == 1;
}

int inet_bind(struct socket *sk, const uint8_t *addr, uint32_t len)
{
    struct inet_sock *s = inet_sk(sk);
    struct inet_addr a;
    int err = inet_parse(s, addr, len, &a);
    if (err)
        return err;
    if (multicast_is_v6(&a) && (sk->type == LX_SOCK_STREAM || !has_scope(addr, len)))
        return -LX_EINVAL;
    if (!inet_is_any(&a) && !inet_is_local(&a) && !multicast_is_v4(&a) && !multicast_is_v6(&a))
        return -LX_EADDRNOTAVAIL;
    if (sk->family == LX_AF_INET6 && s->v6only && is_v4(&a))
        return -LX_EINVAL;
    bool ping = sk->ops == &ping_ops; // its port is an identifier, which several may have
    if (a.port && a.port < 1024 && !ping && !capable(LX_CAP_NET_BIND_SERVICE))
        return -LX_EACCES;
    if (s->bound || s->state != INET_CLOSED)
        return -LX_EINVAL;
    struct inet_addr before = s->local;
    s->local = a;
    err = a.port ? (ping || port_free(s) ? 0 : -LX_EADDRINUSE) : pick_port(s, false);
    if (err)
        s->local = before;
    else
        inet_register(s);
    return err;
}

int inet_getname(struct socket *sk, uint8_t *addr, bool peer)
{
    struct inet_sock *s = inet_sk(sk);
    bool ended = sk->type == LX_SOCK_STREAM && tcp_state(s) == LX_TCP_CLOSE; // also by a reset
    if (peer && (s->state != INET_CONNECTED || ended))
        return -LX_ENOTCONN;
    return inet_format(s, peer ? &s->remote : &s->local, addr);
}
