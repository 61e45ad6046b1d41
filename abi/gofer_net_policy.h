// A network policy, and what the Sentry asks of `gofer --net` under one.
//
// With `--policy-fd N` the descriptor holds structs gofer_net_rule, written by the command line and never by the Sentry. Then
// no socket is donated and none is taken: the broker keeps every internet socket, the Sentry names it by a handle, and each
// request and its reply are one packet each way: a struct of fixed size and up to GOFER_KEPT_DATA_MAX bytes behind it. Only the
// reply to GOFER_KEPT_EVENTS carries a descriptor: an epoll that reports handles which were armed, once each.
#pragma once

#include <stdint.h>

#include "abi/net_header.h"

// --- rules
enum gofer_net_direction { GOFER_NET_OUT, GOFER_NET_IN }; // --allow-connect, --allow-bind

#define GOFER_NET_TCP 1u
#define GOFER_NET_UDP 2u
#define GOFER_NET_ICMP 4u
#define GOFER_NET_RULES_MAX 256

struct gofer_net_rule {
    uint8_t direction;   // enum gofer_net_direction
    uint8_t protocols;   // GOFER_NET_TCP and so on
    uint8_t family;      // 4, 6, or 0: any address of both
    uint8_t bits;        // of the prefix; 0 to 32, or to 128
    uint8_t address[16]; // network order; IPv4 in the first four
    uint16_t first_port, last_port;
};
_Static_assert(sizeof(struct gofer_net_rule) == 24, "gofer_net_rule layout");

// --- requests
enum gofer_kept_op {
    GOFER_KEPT_EVENTS = 32, // once, before all others: the reply carries the epoll
    GOFER_KEPT_SOCKET,      // family; value: type; level: protocol. The reply's value is the handle
    GOFER_KEPT_BIND,        // address
    GOFER_KEPT_CONNECT,     // address; AF_UNSPEC disconnects
    GOFER_KEPT_LISTEN,      // value: backlog
    GOFER_KEPT_ACCEPT,      // the reply's value is a handle
    GOFER_KEPT_NAME,        // value: 0 its own, 1 the peer's
    GOFER_KEPT_SEND,        // value: MSG_*; address of a datagram; data
    GOFER_KEPT_RECV, // value: MSG_*; size: room. The reply's value is what recvmsg(2) returned, `level` its flags
    GOFER_KEPT_SHUTDOWN, // value: how
    GOFER_KEPT_SETOPT,   // level, value: name; data
    GOFER_KEPT_GETOPT,   // level, value: name; size: room
    GOFER_KEPT_POLL,     // value: poll(2) events; level: events to arm. The reply's value is what holds now
    GOFER_KEPT_QUEUED,   // value: FIONREAD or SIOCOUTQ
    GOFER_KEPT_CLOSE,
    GOFER_KEPT_ROUTE, // as GOFER_NET_ROUTE, with the bytes to leave out in `size`
};

#define GOFER_KEPT_DATA_MAX 65536u
#define GOFER_KEPT_OPTION_MAX 256u
#define GOFER_KEPT_ADDRESS_MAX 28 // struct sockaddr_in6
// Of GOFER_KEPT_POLL, in `size`: what holds now is not armed.
#define GOFER_KEPT_ARM_REST 1u
// Sockets that the broker keeps; beyond it there is none (EMFILE).
#define GOFER_KEPT_SOCKETS_MAX 65536u

struct gofer_kept_request {
    uint32_t serial; // comes back in the reply
    uint32_t op;     // enum gofer_kept_op
    uint32_t handle;
    int32_t family, value, level;
    uint32_t size;   // bytes of data that follow, or room for them in the reply
    uint32_t length; // bytes used of address
    uint8_t address[GOFER_KEPT_ADDRESS_MAX];
    struct net_header header; // of GOFER_KEPT_SEND
};

struct gofer_kept_reply {
    uint32_t serial;
    int32_t error; // 0 or an errno
    int32_t value, level;
    uint32_t size;   // bytes of data that follow
    uint32_t length; // bytes used of address
    uint8_t address[GOFER_KEPT_ADDRESS_MAX];
    struct net_header header; // of GOFER_KEPT_RECV
};

_Static_assert(sizeof(struct gofer_kept_request) == 96, "gofer_kept_request layout");
_Static_assert(sizeof(struct gofer_kept_reply) == 88, "gofer_kept_reply layout");
