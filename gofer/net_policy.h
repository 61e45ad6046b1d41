// Whom the guest may connect to and where it may listen, as the operator said (abi/gofer_net_policy.h).
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi/gofer_net_policy.h"

// An address of either family without what does not matter here. IPv4 in IPv6 is IPv4.
struct flat_address {
    uint8_t family; // 4 or 6
    uint8_t ip[16]; // IPv4 in the first four bytes, the rest 0
    uint16_t port;  // host order
};

// Room for any address that a request may carry.
union net_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

// Reads all rules of a descriptor. 0 or -EINVAL after a message.
int net_policy_read(int fd);
// AF_INET and AF_INET6 of the right length only. False: no such address.
bool net_flatten(const union net_address *address, size_t length, struct flat_address *flat);
// 0.0.0.0 and :: as a destination are this host: says so in the address, so that what is checked is what is reached.
void net_name_this_host(union net_address *address);
// Does a rule of the direction name the address? Of TCP, UDP and ICMP one; ICMP has no ports.
bool net_policy_allows(enum gofer_net_direction direction, unsigned int protocol,
                       const struct flat_address *flat);
// As above for a socket's own address; `both`: `::` stands for all addresses of IPv4, too.
bool net_policy_allows_own(unsigned int protocol, const struct flat_address *flat, bool both);
