// What control messages tell of a datagram's header: from and to which address, hop limit, class of traffic. In a form of its own, so that
// no control message of the guest reaches a socket of the host.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NET_HEADER_INFO 1u // IP_PKTINFO
#define NET_HEADER_TTL 2u
#define NET_HEADER_TOS 4u
#define NET_HEADER_INFO6 8u // IPV6_PKTINFO
#define NET_HEADER_HOPLIMIT 16u
#define NET_HEADER_TCLASS 32u
#define NET_HEADER_ROOM 192 // bytes of control messages, at most

struct net_header {
    uint32_t has;        // NET_HEADER_*
    int32_t ifindex;     // received: of the interface
    int32_t hops, class; // TTL or HOPLIMIT, TOS or TCLASS
    uint8_t address[16]; // sent: the source; received: where to. IPv4 as ::ffff:a.b.c.d
    uint8_t local[4];    // received, IPv4: the address of this host
};
_Static_assert(sizeof(struct net_header) == 36, "net_header layout");

// Writes the control messages of a send into NET_HEADER_ROOM bytes. Their length.
size_t net_header_write(const struct net_header *header, void *control);
// Reads those that came with a message.
void net_header_read(struct msghdr *message, struct net_header *header);
