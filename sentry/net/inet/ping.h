#pragma once
// Ping sockets: SOCK_DGRAM of IPPROTO_ICMP and IPPROTO_ICMPV6 (net/ipv4/ping.c of Linux). Kernel lock.
#include "sentry/net/inet/inet.h"

// Of net.ipv4.ping_group_range: who may have one. At first everybody, as systemd and container engines set it.
extern uint32_t ping_groups[2];

extern const struct socket_ops ping_ops;
// May current make one? 0 or -LX_EACCES.
int ping_permitted(void);
