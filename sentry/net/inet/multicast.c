#include "sentry/net/inet/multicast.h"
#include "abi/linux/errno.h"
#include <stdlib.h>
#include <string.h>

#define LO 1u

static struct list_head all_groups_of = LIST_INIT(all_groups_of);
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool multicast_is_v4(const struct inet_addr *a)
{
    return memcmp(a->ip, mapped, sizeof(mapped)) == 0 && (a->ip[12] & 0xf0) == 0xe0;
}

bool multicast_is_v6(const struct inet_addr *a)
{
    return a->ip[0] == 0xff;
}

int multicast_source(const struct inet_sock *s, uint8_t ip[16])
{
    if (!s->groups || !s->groups->v4_interface)
        return -LX_ENETUNREACH;
    memcpy(ip, mapped, sizeof(mapped));
    memcpy(ip + 12, s->groups->address, 4);
    return 0;
}

static struct inet_membership *find(const struct inet_groups *g, const uint8_t group[16],
                                    const uint8_t *source)
{
    for (unsigned i = 0; g && i < g->count; i++) {
        const struct inet_membership *m = &g->members[i];
        if (memcmp(m->group, group, 16) == 0 &&
            (!source || (!m->any_source && memcmp(m->source, source, 16) == 0)))
            return (struct inet_membership *)(uintptr_t)m;
    }
    return NULL;
}

bool multicast_is_heard(const struct inet_addr *to)
{
    list_for_each(g, &all_groups_of, struct inet_groups, link) if (find(g, to->ip, NULL)) return true;
    return false;
}

bool multicast_allows(const struct inet_sock *s, const struct inet_addr *to, const struct inet_addr *from)
{
    const struct inet_membership *m = find(s->groups, to->ip, NULL);
    if (!m)
        return inet_option(s, LX_IPPROTO_IP, LX_IP_MULTICAST_ALL);
    return m->any_source || find(s->groups, to->ip, from->ip);
}

void multicast_leave_all(struct inet_sock *s)
{
    if (s->groups)
        list_del(&s->groups->link);
    free(s->groups);
    s->groups = NULL;
}

static struct inet_groups *groups_of(struct inet_sock *s)
{
    if (s->groups)
        return s->groups;
    s->groups = calloc(1, sizeof(*s->groups));
    if (s->groups)
        list_add_tail(&s->groups->link, &all_groups_of);
    return s->groups;
}

static int join(struct inet_sock *s, const struct inet_membership *m)
{
    struct inet_groups *g = groups_of(s);
    if (!g)
        return -LX_ENOBUFS;
    const struct inet_membership *same = find(g, m->group, NULL);
    if (same && m->any_source)
        return -LX_EADDRINUSE;
    if (same && (same->any_source || find(g, m->group, m->source)))
        return same->any_source ? -LX_EINVAL : -LX_EADDRNOTAVAIL;
    bool six = m->group[0] == 0xff;
    unsigned used = 0;
    for (unsigned i = 0; i < g->count; i++)
        used += (g->members[i].group[0] == 0xff) == six;
    if (used == GROUPS_MAX)
        return six ? -LX_ENOMEM : -LX_ENOBUFS;
    g->members[g->count++] = *m;
    return 0;
}

// Leaves one source of a group, or all of it.
static int leave(struct inet_sock *s, const struct inet_membership *m)
{
    struct inet_membership *gone = find(s->groups, m->group, m->any_source ? NULL : m->source);
    if (!gone)
        return -LX_EADDRNOTAVAIL;
    do
        *gone = s->groups->members[--s->groups->count];
    while (m->any_source && (gone = find(s->groups, m->group, NULL)));
    return 0;
}

static int change(struct inet_sock *s, const struct inet_membership *m, bool joining)
{
    return joining ? join(s, m) : leave(s, m);
}

// Is this lo? By number, or where that is 0 by one of its addresses. Any address would need a route.
static bool is_lo(int32_t index, const uint8_t address[4])
{
    return index ? index == (int32_t)LO : address[0] == 127;
}

static void set_v4(uint8_t ip[16], const uint8_t address[4])
{
    memcpy(ip, mapped, sizeof(mapped));
    memcpy(ip + 12, address, 4);
}

// IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP; with a source those of IP_ADD_SOURCE_MEMBERSHIP.
static int change_v4(struct inet_sock *s, const void *value, uint32_t len, bool source, bool joining)
{
    struct {
        uint8_t group[4], interface[4], third[4]; // the third is an index, or the source
    } r = {0};
    struct inet_membership m = {.any_source = !source};
    int32_t index = 0;
    if (len < (source ? 12u : 8u))
        return -LX_EINVAL;
    memcpy(&r, value, len < sizeof(r) ? len : sizeof(r));
    if (!source)
        memcpy(&index, r.third, sizeof(index));
    if (!is_lo(index, r.interface))
        return -LX_ENODEV;
    if ((r.group[0] & 0xf0) != 0xe0)
        return -LX_EINVAL;
    set_v4(m.group, r.group);
    if (source)
        set_v4(m.source, r.third);
    return change(s, &m, joining);
}

// IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP
static int change_v6(struct inet_sock *s, const void *value, uint32_t len, bool joining)
{
    struct lx_ipv6_mreq r;
    struct inet_membership m = {.any_source = true};
    if (len < sizeof(r))
        return -LX_EINVAL;
    memcpy(&r, value, sizeof(r));
    if (r.group[0] != 0xff)
        return -LX_EINVAL;
    memcpy(m.group, r.group, sizeof(m.group));
    if (r.ifindex != LO)
        return joining || !find(s->groups, m.group, NULL) ? -LX_ENODEV : -LX_EADDRNOTAVAIL;
    return change(s, &m, joining);
}

// An address inside of struct group_req and struct group_source_req.
static bool address_at(const struct inet_sock *s, const uint8_t *at, uint8_t ip[16])
{
    struct lx_sockaddr_in in;
    struct lx_sockaddr_in6 in6;
    memcpy(&in, at, sizeof(in));
    memcpy(&in6, at, sizeof(in6));
    if (in.family == LX_AF_INET)
        set_v4(ip, in.addr);
    else if (in.family == LX_AF_INET6 && s->sk.family == LX_AF_INET6)
        memcpy(ip, in6.addr, 16);
    else
        return false;
    return true;
}

// MCAST_JOIN_GROUP and its relatives, of both levels.
static int change_any(struct inet_sock *s, const void *value, uint32_t len, bool source, bool joining)
{
    const uint8_t *bytes = value;
    struct inet_membership m = {.any_source = !source};
    uint32_t index;
    if (len < (source ? LX_GROUP_SOURCE_REQ_SIZE : LX_GROUP_REQ_SIZE))
        return -LX_EINVAL;
    memcpy(&index, bytes, sizeof(index));
    if (!address_at(s, bytes + LX_GROUP_REQ_ADDRESS, m.group) ||
        (source && !address_at(s, bytes + LX_GROUP_REQ_SOURCE, m.source)))
        return source ? -LX_EADDRNOTAVAIL : -LX_EINVAL;
    struct inet_addr group = {.port = 0};
    memcpy(group.ip, m.group, sizeof(group.ip));
    if (!multicast_is_v4(&group) && !multicast_is_v6(&group))
        return -LX_EINVAL;
    return index == LO ? change(s, &m, joining) : -LX_ENODEV;
}

// IP_MULTICAST_IF: an address, a struct ip_mreq (its second address) or ip_mreqn.
static int set_v4_interface(struct inet_sock *s, const void *value, uint32_t len)
{
    static const uint8_t none[4], loopback[4] = {127, 0, 0, 1};
    const uint8_t *bytes = value;
    int32_t index = 0;
    if (s->sk.type == LX_SOCK_STREAM || len < 4)
        return -LX_EINVAL;
    const uint8_t *address = len >= 8 ? bytes + 4 : bytes;
    if (len >= 12)
        memcpy(&index, bytes + 8, sizeof(index));
    bool off = index == 0 && memcmp(address, none, 4) == 0;
    if (!off && !is_lo(index, address))
        return -LX_EADDRNOTAVAIL;
    struct inet_groups *g = groups_of(s);
    if (!g)
        return -LX_ENOBUFS;
    g->v4_interface = !off;
    g->by_index = index != 0 && memcmp(address, none, 4) == 0;
    memcpy(g->address, off || !g->by_index ? address : loopback, 4);
    return 0;
}

static int set_v6_interface(struct inet_sock *s, const void *value, uint32_t len)
{
    uint32_t index;
    if (s->sk.type == LX_SOCK_STREAM)
        return -LX_ENOPROTOOPT;
    if (len < sizeof(index))
        return -LX_EINVAL;
    memcpy(&index, value, sizeof(index));
    if (index > LO)
        return -LX_ENODEV;
    struct inet_groups *g = groups_of(s);
    if (!g)
        return -LX_ENOBUFS;
    g->v6_interface = index;
    return 0;
}

int multicast_setsockopt(struct inet_sock *s, int level, int name, const void *value, uint32_t len)
{
    bool stream = s->sk.type == LX_SOCK_STREAM;
    bool four = level == LX_IPPROTO_IP, six = level == LX_IPPROTO_IPV6 && s->sk.family == LX_AF_INET6;
    if (four && name == LX_IP_MULTICAST_IF)
        return set_v4_interface(s, value, len);
    if (six && name == LX_IPV6_MULTICAST_IF)
        return set_v6_interface(s, value, len);
    if (four && (name == LX_IP_ADD_MEMBERSHIP || name == LX_IP_DROP_MEMBERSHIP))
        return stream ? -LX_EPROTO : change_v4(s, value, len, false, name == LX_IP_ADD_MEMBERSHIP);
    if (four && (name == LX_IP_ADD_SOURCE_MEMBERSHIP || name == LX_IP_DROP_SOURCE_MEMBERSHIP))
        return stream ? -LX_EPROTO : change_v4(s, value, len, true, name == LX_IP_ADD_SOURCE_MEMBERSHIP);
    if (six && (name == LX_IPV6_JOIN_GROUP || name == LX_IPV6_LEAVE_GROUP))
        return stream ? -LX_EPROTO : change_v6(s, value, len, name == LX_IPV6_JOIN_GROUP);
    if ((four || six) && (name == LX_MCAST_JOIN_GROUP || name == LX_MCAST_LEAVE_GROUP))
        return stream ? -LX_EPROTO : change_any(s, value, len, false, name == LX_MCAST_JOIN_GROUP);
    if ((four || six) && (name == LX_MCAST_JOIN_SOURCE_GROUP || name == LX_MCAST_LEAVE_SOURCE_GROUP))
        return stream ? -LX_EPROTO : change_any(s, value, len, true, name == LX_MCAST_JOIN_SOURCE_GROUP);
    return -LX_ENOPROTOOPT;
}

int multicast_getsockopt(const struct inet_sock *s, int level, int name, void *value, uint32_t *len)
{
    const struct inet_groups *g = s->groups;
    uint8_t out[4] = {0};
    if (level == LX_IPPROTO_IP && name == LX_IP_MULTICAST_IF) {
        if (g && !g->by_index)
            memcpy(out, g->address, 4);
    } else if (level == LX_IPPROTO_IPV6 && name == LX_IPV6_MULTICAST_IF && s->sk.family == LX_AF_INET6) {
        out[0] = g && g->v6_interface;
    } else {
        return -LX_ENOPROTOOPT;
    }
    *len = *len < sizeof(out) ? *len : sizeof(out);
    memcpy(value, out, *len);
    return 0;
}
