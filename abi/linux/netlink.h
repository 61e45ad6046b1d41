#pragma once
// Netlink of the guest's ABI (uapi/linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, fib_rules.h): what is answered here.
#include <stdint.h>

#define LX_NETLINK_ROUTE 0
#define LX_NETLINK_SOCK_DIAG 4
#define LX_NETLINK_KOBJECT_UEVENT 15
#define LX_NETLINK_MAX 32

struct lx_sockaddr_nl {
    uint16_t family, pad;
    uint32_t pid, groups;
};
_Static_assert(sizeof(struct lx_sockaddr_nl) == 12, "struct sockaddr_nl");

struct lx_nlmsghdr {
    uint32_t len;
    uint16_t type, flags;
    uint32_t seq, pid;
};
_Static_assert(sizeof(struct lx_nlmsghdr) == 16, "struct nlmsghdr");
#define LX_NLMSG_ALIGN(n) (((n) + 3u) & ~3u)

#define LX_NLM_F_REQUEST 1
#define LX_NLM_F_MULTI 2
#define LX_NLM_F_ACK 4
#define LX_NLM_F_DUMP 0x300
#define LX_NLM_F_CAPPED 0x100
#define LX_NLMSG_ERROR 2
#define LX_NLMSG_DONE 3
#define LX_NLMSG_MIN_TYPE 16

#define LX_RTM_BASE 16
#define LX_RTM_NEWLINK 16
#define LX_RTM_GETLINK 18
#define LX_RTM_NEWADDR 20
#define LX_RTM_GETADDR 22
#define LX_RTM_NEWROUTE 24
#define LX_RTM_GETROUTE 26
#define LX_RTM_GETNEIGH 30
#define LX_RTM_NEWRULE 32
#define LX_RTM_GETRULE 34
#define LX_RTM_GETQDISC 38
#define LX_RTM_GETNEIGHTBL 66
#define LX_RTM_MAX 123

#define LX_SOL_NETLINK 270
#define LX_NETLINK_ADD_MEMBERSHIP 1
#define LX_NETLINK_DROP_MEMBERSHIP 2
#define LX_NETLINK_PKTINFO 3
#define LX_NETLINK_BROADCAST_ERROR 4
#define LX_NETLINK_NO_ENOBUFS 5
#define LX_NETLINK_CAP_ACK 10
#define LX_NETLINK_EXT_ACK 11
#define LX_NETLINK_GET_STRICT_CHK 12

struct lx_ifinfomsg {
    uint8_t family, pad;
    uint16_t type;
    int32_t index;
    uint32_t flags, change;
};
struct lx_ifaddrmsg {
    uint8_t family, prefixlen, flags, scope;
    uint32_t index;
};
struct lx_rtmsg { // and struct fib_rule_hdr
    uint8_t family, dst_len, src_len, tos, table, protocol, scope, type;
    uint32_t flags;
};
struct lx_rtattr {
    uint16_t len, type;
};

#define LX_IFLA_ADDRESS 1
#define LX_IFLA_BROADCAST 2
#define LX_IFLA_IFNAME 3
#define LX_IFLA_MTU 4
#define LX_IFLA_QDISC 6
#define LX_IFLA_STATS 7
#define LX_IFLA_TXQLEN 13
#define LX_IFLA_OPERSTATE 16
#define LX_IFLA_LINKMODE 17
#define LX_IFLA_STATS64 23
#define LX_IFLA_GROUP 27
#define LX_IFLA_PROMISCUITY 30
#define LX_IFLA_NUM_TX_QUEUES 31
#define LX_IFLA_NUM_RX_QUEUES 32
#define LX_IFLA_CARRIER 33

#define LX_IFA_ADDRESS 1
#define LX_IFA_LOCAL 2
#define LX_IFA_LABEL 3
#define LX_IFA_BROADCAST 4
#define LX_IFA_CACHEINFO 6
#define LX_IFA_FLAGS 8

#define LX_RTA_DST 1
#define LX_RTA_OIF 4
#define LX_RTA_PRIORITY 6
#define LX_RTA_PREFSRC 7
#define LX_RTA_TABLE 15
#define LX_FRA_PRIORITY 6
#define LX_FRA_TABLE 15
