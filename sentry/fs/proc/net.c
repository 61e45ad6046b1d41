// /proc/net: a loopback interface and the socket tables.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/socket.h"
#include "abi/linux/stat.h"

#define SOCKETS(name_, family_, type_, head_)                                            \
    {                                                                                    \
        .name = name_, .mode = LX_S_IFREG | 0444, .show = proc_show_inet, .data = head_, \
        .arg = (family_) << 8 | (type_)                                                  \
    }

const struct pseudo_node proc_net_rows[] = {
    PSEUDO_TEXT(
        "dev",
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
        "colls carrier compressed\n"
        "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0   "
        "  "
        "0       0          0\n"),
    PSEUDO_TEXT("route", "Iface\tDestination\tGateway "
                         "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                     "
                         "                                  \n"),
    PSEUDO_TEXT("arp", "IP address       HW type     Flags       HW address            Mask     Device\n"),
    PSEUDO_TEXT("if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n"),
    PSEUDO_TEXT("ipv6_route", ""),
    SOCKETS("tcp", LX_AF_INET, LX_SOCK_STREAM,
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
            "timeout inode      "
            "                                               \n"),
    SOCKETS("tcp6", LX_AF_INET6, LX_SOCK_STREAM,
            "  sl  local_address                         remote_address                        "
            "st tx_queue rx_queue "
            "tr tm->when retrnsmt   uid  timeout inode\n"),
    SOCKETS("udp", LX_AF_INET, LX_SOCK_DGRAM,
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
            "timeout inode ref "
            "pointer drops             \n"),
    SOCKETS("udp6", LX_AF_INET6, LX_SOCK_DGRAM,
            "  sl  local_address                         remote_address                        "
            "st tx_queue rx_queue "
            "tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"),
    PSEUDO_TEXT("raw", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                       "timeout inode ref "
                       "pointer drops\n"),
    PSEUDO_FILE("unix", 0444, proc_show_net_unix),
    PSEUDO_TEXT("netlink",
                "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
    PSEUDO_TEXT("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
    PSEUDO_FILE("protocols", 0444, proc_show_net_protocols),
    PSEUDO_FILE("sockstat", 0444, proc_show_net_sockstat),
    PSEUDO_FILE("sockstat6", 0444, proc_show_net_sockstat6),
    PSEUDO_FILE("snmp", 0444, proc_show_net_snmp),
    PSEUDO_FILE("snmp6", 0444, proc_show_net_snmp6),
    PSEUDO_FILE("netstat", 0444, proc_show_net_netstat),
    PSEUDO_TEXT("raw6", "  sl  local_address                         remote_address                        "
                        "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"),
    PSEUDO_TEXT("udplite",
                "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                "timeout inode ref pointer drops            \n"),
    PSEUDO_TEXT("udplite6",
                "  sl  local_address                         remote_address                        "
                "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"),
    PSEUDO_TEXT("ptype", "Type Device      Function\n"),
    PSEUDO_TEXT("psched", "000003e8 00000040 000f4240 3b9aca00\n"),
    PSEUDO_TEXT("wireless",
                "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
                " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"),
    PSEUDO_TEXT("fib_trie", ""),
    PSEUDO_TEXT("igmp", "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"),
    {.name = NULL},
};
