#pragma once
// Multicast on the loopback interface (net/ipv4/igmp.c, net/ipv6/mcast.c of Linux): which groups a socket has joined, and from
// which interface it sends to one. Without a route for them, which a host with nothing but lo has not, groups of IPv4 are reached
// only by sockets that name the interface, and those of IPv6 not at all. Kernel lock.
#include "sentry/net/inet/inet.h"

#define GROUPS_MAX 20u // of each family; net.ipv4.igmp_max_memberships

struct inet_membership {
    uint8_t group[16];  // IPv4 as ::ffff:a.b.c.d
    uint8_t source[16]; // only from there
    bool any_source;
};

struct inet_groups {
    struct list_head link; // of all sockets with memberships or interfaces
    uint8_t address[4];    // IP_MULTICAST_IF; as source of what is sent
    bool v4_interface, v6_interface;
    bool by_index; // IP_MULTICAST_IF was told a number and shows no address
    unsigned count;
    struct inet_membership members[2 * GROUPS_MAX];
};

bool multicast_is_v4(const struct inet_addr *a); // 224.0.0.0/4
bool multicast_is_v6(const struct inet_addr *a); // ff00::/8
// The source of what `s` sends to a group of IPv4. 0 or -LX_ENETUNREACH.
int multicast_source(const struct inet_sock *s, uint8_t ip[16]);
// Has any socket joined the group, so that the interface listens to it? Looks at all that have joined one.
bool multicast_is_heard(const struct inet_addr *to);
// Does `s` get what `from` sends to a group that is heard? (ip_mc_sf_allow)
bool multicast_allows(const struct inet_sock *s, const struct inet_addr *to, const struct inet_addr *from);
void multicast_leave_all(struct inet_sock *s);

// 0 or -errno; -LX_ENOPROTOOPT: no option of theirs.
int multicast_setsockopt(struct inet_sock *s, int level, int name, const void *value, uint32_t len);
int multicast_getsockopt(const struct inet_sock *s, int level, int name, void *value, uint32_t *len);
