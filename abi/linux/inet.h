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
#define LX_IPPROTO_ICMPV6 58
#define LX_IPPROTO_UDP 17
#define LX_IPPROTO_IPV6 41
#define LX_IPPROTO_UDPLITE 136
#define LX_IPPROTO_RAW 255

#define LX_IP_TOS 1
#define LX_IP_TTL 2
#define LX_IP_PKTINFO 8
#define LX_IP_MTU_DISCOVER 10
#define LX_IP_RECVTTL 12
#define LX_IP_RECVTOS 13
#define LX_IP_MULTICAST_IF 32
#define LX_IP_ADD_MEMBERSHIP 35
#define LX_IP_DROP_MEMBERSHIP 36
#define LX_IP_ADD_SOURCE_MEMBERSHIP 39
#define LX_IP_DROP_SOURCE_MEMBERSHIP 40
#define LX_MCAST_JOIN_GROUP 42
#define LX_MCAST_LEAVE_GROUP 45
#define LX_MCAST_JOIN_SOURCE_GROUP 46
#define LX_MCAST_LEAVE_SOURCE_GROUP 47
#define LX_IP_MULTICAST_ALL 49
#define LX_IP_MULTICAST_TTL 33
#define LX_IP_MULTICAST_LOOP 34
#define LX_IPV6_UNICAST_HOPS 16
#define LX_IPV6_MULTICAST_IF 17
#define LX_IPV6_JOIN_GROUP 20
#define LX_IPV6_LEAVE_GROUP 21
#define LX_IPV6_MULTICAST_HOPS 18
#define LX_IPV6_MULTICAST_LOOP 19
#define LX_IPV6_V6ONLY 26
#define LX_IPV6_RECVPKTINFO 49
#define LX_IPV6_PKTINFO 50
#define LX_IPV6_RECVHOPLIMIT 51
#define LX_IPV6_HOPLIMIT 52
#define LX_IPV6_RECVTCLASS 66
#define LX_IPV6_TCLASS 67

struct lx_in_pktinfo {
    int32_t ifindex;
    uint8_t spec_dst[4], addr[4];
};
_Static_assert(sizeof(struct lx_in_pktinfo) == 12, "struct in_pktinfo");

struct lx_ipv6_mreq {
    uint8_t group[16];
    uint32_t ifindex;
};
_Static_assert(sizeof(struct lx_ipv6_mreq) == 20, "struct ipv6_mreq");

// struct group_req and struct group_source_req: an index and one or two addresses of 128 bytes.
#define LX_GROUP_REQ_ADDRESS 8
#define LX_GROUP_REQ_SOURCE 136
#define LX_GROUP_REQ_SIZE 136u
#define LX_GROUP_SOURCE_REQ_SIZE 264u

struct lx_in6_pktinfo {
    uint8_t addr[16];
    int32_t ifindex;
};
_Static_assert(sizeof(struct lx_in6_pktinfo) == 20, "struct in6_pktinfo");

#define LX_TCP_NODELAY 1
#define LX_TCP_MAXSEG 2
#define LX_TCP_CORK 3
#define LX_TCP_KEEPIDLE 4
#define LX_TCP_KEEPINTVL 5
#define LX_TCP_KEEPCNT 6
#define LX_TCP_SYNCNT 7
#define LX_TCP_QUICKACK 12
#define LX_TCP_INFO 11
#define LX_TCP_CONGESTION 13
#define LX_TCP_ESTABLISHED 1
#define LX_TCP_SYN_SENT 2
#define LX_TCP_FIN_WAIT2 5
#define LX_TCP_TIME_WAIT 6
#define LX_TCP_CLOSE_WAIT 8
#define LX_TCP_LAST_ACK 9
#define LX_TCP_CLOSE 7
#define LX_TCP_LISTEN 10
