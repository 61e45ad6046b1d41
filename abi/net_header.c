#include "abi/net_header.h"

#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void put(uint8_t *control, size_t *used, int level, int type, const void *data, size_t n)
{
    const struct cmsghdr head = {.cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type};
    memset(control + *used, 0, CMSG_SPACE(n));
    memcpy(control + *used, &head, sizeof(head));
    memcpy(control + *used + CMSG_LEN(0), data, n);
    *used += CMSG_SPACE(n);
}

size_t net_header_write(const struct net_header *header, void *control)
{
    const int hops = header->hops, class = header->class;
    size_t used = 0;
    if (header->has & NET_HEADER_INFO) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, header->address + sizeof(mapped), sizeof(info.ipi_spec_dst));
        put(control, &used, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (header->has & NET_HEADER_TTL)
        put(control, &used, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
    if (header->has & NET_HEADER_TOS)
        put(control, &used, IPPROTO_IP, IP_TOS, &class, sizeof(class));
    if (header->has & NET_HEADER_INFO6) {
        struct in6_pktinfo info = {.ipi6_ifindex = 0};
        memcpy(&info.ipi6_addr, header->address, sizeof(info.ipi6_addr));
        put(control, &used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (header->has & NET_HEADER_HOPLIMIT)
        put(control, &used, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (header->has & NET_HEADER_TCLASS)
        put(control, &used, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
    return used;
}

static void read_one(const struct cmsghdr *c, struct net_header *header)
{
    const uint8_t *data = CMSG_DATA(c);
    size_t n = c->cmsg_len - CMSG_LEN(0);
    int number = 0;
    if (n >= sizeof(number))
        memcpy(&number, data, sizeof(number));
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && n >= sizeof(struct in_pktinfo)) {
        struct in_pktinfo info;
        memcpy(&info, data, sizeof(info));
        header->has |= NET_HEADER_INFO;
        header->ifindex = info.ipi_ifindex;
        memcpy(header->address, mapped, sizeof(mapped));
        memcpy(header->address + sizeof(mapped), &info.ipi_addr, 4);
        memcpy(header->local, &info.ipi_spec_dst, 4);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
        header->has |= NET_HEADER_TTL;
        header->hops = number;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS && n >= 1) {
        header->has |= NET_HEADER_TOS;
        header->class = data[0];
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
               n >= sizeof(struct in6_pktinfo)) {
        struct in6_pktinfo info;
        memcpy(&info, data, sizeof(info));
        header->has |= NET_HEADER_INFO6;
        header->ifindex = (int32_t)info.ipi6_ifindex;
        memcpy(header->address, &info.ipi6_addr, 16);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
        header->has |= NET_HEADER_HOPLIMIT;
        header->hops = number;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
        header->has |= NET_HEADER_TCLASS;
        header->class = number;
    }
}

void net_header_read(struct msghdr *message, struct net_header *header)
{
    memset(header, 0, sizeof(*header));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_len >= CMSG_LEN(0))
            read_one(c, header);
}
