#pragma once
// Internet addresses and options of the guest's ABI (uapi/linux/in.h, in6.h, tcp.h). Ports and addresses are big-endian.
#include <stdint.h>

struct lx_sockaddr_in {
    uint16_t family, port;
    uint8_t addr[4];
    uint8_t zero[8];
};
_Static_assert(sizeof(struct lx_sockaddr_in) == 16, "struct sockaddr_in");

struct lx_sockaddr_in6 {
    uint16_t family, port;
    uint32_t flowinfo;
    uint8_t addr[16];
    uint32_t scope_id;
};
_Static_assert(sizeof(struct lx_sockaddr_in6) == 28, "struct sockaddr_in6");
#define LX_SIN6_LEN_RFC2133 24u // without scope_id

#define LX_IPPROTO_IP 0
#define LX_IPPROTO_ICMP 1
#define LX_IPPROTO_TCP 6
#define LX_IPPROTO_UDP 17
#define LX_IPPROTO_IPV6 41

#define LX_IPV6_V6ONLY 26
#define LX_TCP_INFO 11
#define LX_TCP_ESTABLISHED 1
#define LX_TCP_CLOSE 7
#define LX_TCP_LISTEN 10
