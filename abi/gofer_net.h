// What the Sentry asks of `gofer --net`: one packet each way on a SOCK_SEQPACKET pair, fixed sizes.
//
// `gofer --net --connection-fd N` is started by the command line in the network namespace that the sandbox is to use. It
// makes TCP, UDP and ping sockets of AF_INET and AF_INET6, close-on-exec and nonblocking, and donates them; a socket that is to be
// bound, connected or listened on comes back with the request (SCM_RIGHTS). What is no such socket, and what is no such
// address, is refused, so that no request reaches a socket of another family.
#pragma once

#include <stdint.h>

enum gofer_net_op {
    GOFER_NET_SOCKET =
        1,          // value: type; length: protocol, 0 or that of ping sockets; the reply carries the socket
    GOFER_NET_BIND, // the request carries the socket, `address` where to
    GOFER_NET_CONNECT, // the same; EINPROGRESS is the usual answer; AF_UNSPEC disconnects
    GOFER_NET_LISTEN,  // value: backlog
    // family; value: enum gofer_net_route; length: how many bytes of the answer to leave out; address: that of a look-up.
    // Netlink messages of the kernel follow the reply, as many whole ones as GOFER_NET_ROUTE_MAX bytes take; none at the end.
    GOFER_NET_ROUTE,
};

// Requests of RTM_GETLINK and its relatives, made by the broker.
enum gofer_net_route {
    GOFER_ROUTE_LINKS,
    GOFER_ROUTE_ADDRESSES,
    GOFER_ROUTE_ROUTES,
    GOFER_ROUTE_RULES,
    GOFER_ROUTE_NEIGHBOURS,
    GOFER_ROUTE_LOOKUP, // the route to an address, 4 or 16 bytes
};
#define GOFER_NET_ROUTE_MAX 65536

#define GOFER_NET_ADDRESS_MAX 28 // struct sockaddr_in6

struct gofer_net_request {
    uint32_t serial; // comes back in the reply
    uint32_t op;     // enum gofer_net_op
    int32_t family;  // AF_INET or AF_INET6
    int32_t value;   // as the operation says
    uint32_t length; // bytes used of address
    uint8_t address[GOFER_NET_ADDRESS_MAX];
};

struct gofer_net_reply {
    uint32_t serial;
    int32_t error; // 0 or an errno
};

_Static_assert(sizeof(struct gofer_net_request) == 48, "gofer_net_request layout");
_Static_assert(sizeof(struct gofer_net_reply) == 8, "gofer_net_reply layout");
