// Options of internet sockets that the guest may set on the host's: the behaviour of the socket only, no route and no other interface.
// As in sentry-filter.tbl and gofer-net-filter.tbl, where any other ends the process.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

static inline bool net_option_settable(int level, int name)
{
    static const struct {
        int level, name;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR},
        {SOL_SOCKET, SO_REUSEPORT},
        {SOL_SOCKET, SO_KEEPALIVE},
        {SOL_SOCKET, SO_BROADCAST},
        {SOL_SOCKET, SO_OOBINLINE},
        {SOL_SOCKET, SO_LINGER},
        {SOL_SOCKET, SO_RCVBUF},
        {SOL_SOCKET, SO_SNDBUF},
        {SOL_SOCKET, SO_RCVLOWAT},
        {IPPROTO_TCP, TCP_NODELAY},
        {IPPROTO_TCP, TCP_CORK},
        {IPPROTO_TCP, TCP_KEEPIDLE},
        {IPPROTO_TCP, TCP_KEEPINTVL},
        {IPPROTO_TCP, TCP_KEEPCNT},
        {IPPROTO_TCP, TCP_QUICKACK},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT},
        {IPPROTO_TCP, TCP_CONGESTION},
        {IPPROTO_TCP, TCP_MAXSEG},
        {IPPROTO_TCP, TCP_SYNCNT},
        {IPPROTO_TCP, TCP_LINGER2},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
        {IPPROTO_IP, IP_PKTINFO},
        {IPPROTO_IP, IP_RECVTTL},
        {IPPROTO_IP, IP_RECVTOS},
        {IPPROTO_IP, IP_TOS},
        {IPPROTO_IP, IP_TTL},
        {IPPROTO_IP, IP_MTU_DISCOVER},
        {IPPROTO_IPV6, IPV6_V6ONLY},
        {IPPROTO_IPV6, IPV6_RECVPKTINFO},
        {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
        {IPPROTO_IPV6, IPV6_RECVTCLASS},
        {IPPROTO_IPV6, IPV6_TCLASS},
        {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
        {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].level == level && options[i].name == name)
            return true;
    return false;
}

static inline bool net_option_readable(int level, int name)
{
    return level == IPPROTO_TCP || level == IPPROTO_IP ||
           (level == IPPROTO_IPV6 && net_option_settable(level, name));
}
