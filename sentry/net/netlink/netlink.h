#pragma once
// AF_NETLINK: NETLINK_ROUTE answers what programs ask of interfaces, addresses, routes and rules; NETLINK_KOBJECT_UEVENT may be
// listened to and is silent. Nothing can be changed. Kernel lock.
#include "abi/linux/netlink.h"
#include "sentry/net/socket.h"

// Messages under way to one reader, built up in one buffer.
struct nl_out {
    uint8_t *data;
    size_t len, room;
    size_t message;    // where the message in hand begins
    uint32_t seq, pid; // of the request, for every header
    int32_t result;    // with what a dump ends: 0 or -errno
    bool failed;       // out of memory
};
void nl_begin(struct nl_out *out, uint16_t type, uint16_t flags, const void *head, size_t n);
void nl_attr(struct nl_out *out, uint16_t type, const void *data, size_t n);
void nl_attr_u32(struct nl_out *out, uint16_t type, uint32_t value);
void nl_end(struct nl_out *out);
// The bytes of an attribute among n bytes of them; NULL: there is none.
const uint8_t *nl_find_attr(const uint8_t *at, size_t n, uint16_t type, size_t *len);

// A request that reads. `payload` follows its header, n bytes. Writes the answers; with `dump` all that there are. 0 or -errno.
int nl_route_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, bool strict,
                 struct nl_out *out);
// The same with --network=host, of the interfaces there (host_route.c).
int nl_host_route_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, bool strict,
                      struct nl_out *out);
// One message of the host for `each`, n bytes with its header. Not 0 ends the walk and is returned.
typedef int (*nl_host_each)(const uint8_t *message, size_t n, void *arg);
int nl_host_walk(int kind, int family, const uint8_t *address, nl_host_each each, void *arg);
