#include "gofer/net_route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/gofer_net.h"

#define WAIT_MS 2000

static int netlink = -1;
static uint32_t serial;
static uint8_t packet[65536];

// What is asked for a kind. Nothing of a request comes from the Sentry but a family and an address.
struct request {
    struct nlmsghdr h;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
        struct ndmsg neighbour;
    } u;
    struct rtattr attr;
    uint8_t destination[16];
};

// One answer on its way into the reply.
struct answer {
    uint8_t *bytes;
    size_t room, used;
    size_t skip;
    bool full, over;
    int error;
};

int net_route_prepare(void)
{
    int on = 1;
    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (netlink < 0) {
        fprintf(stderr, "gofer: cannot make a netlink socket: %s\n", strerror(errno));
        return -errno;
    }
    (void)setsockopt(netlink, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
                     sizeof(on)); // kernels before 4.20 ignore more
    return 0;
}

static int build(int kind, int family, const uint8_t *address, struct request *r)
{
    static const struct {
        uint16_t type, size;
    } kinds[] = {[GOFER_ROUTE_LINKS] = {RTM_GETLINK, sizeof(struct ifinfomsg)},
                 [GOFER_ROUTE_ADDRESSES] = {RTM_GETADDR, sizeof(struct ifaddrmsg)},
                 [GOFER_ROUTE_ROUTES] = {RTM_GETROUTE, sizeof(struct rtmsg)},
                 [GOFER_ROUTE_RULES] = {RTM_GETRULE, sizeof(struct rtmsg)},
                 [GOFER_ROUTE_NEIGHBOURS] = {RTM_GETNEIGH, sizeof(struct ndmsg)},
                 [GOFER_ROUTE_LOOKUP] = {RTM_GETROUTE, sizeof(struct rtmsg)}};
    bool lookup = kind == GOFER_ROUTE_LOOKUP;
    if (kind < 0 || kind >= (int)(sizeof(kinds) / sizeof(kinds[0])))
        return -EINVAL;
    if (family != AF_INET && family != AF_INET6 && (family != AF_UNSPEC || lookup))
        return -EAFNOSUPPORT;
    memset(r, 0, sizeof(*r));
    r->h = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(kinds[kind].size),
                             .nlmsg_type = kinds[kind].type,
                             .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (lookup ? 0 : NLM_F_DUMP)),
                             .nlmsg_seq = ++serial};
    r->u.route.rtm_family = (unsigned char)family; // the first byte of each
    if (lookup) {
        size_t size = family == AF_INET ? 4 : 16;
        r->u.route.rtm_dst_len = (unsigned char)(8 * size);
        r->attr = (struct rtattr){.rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = RTA_DST};
        memcpy(r->destination, address, size);
        r->h.nlmsg_len += (uint32_t)RTA_LENGTH(size);
    }
    return 0;
}

static void take(struct answer *a, const struct nlmsghdr *h)
{
    size_t size = NLMSG_ALIGN(h->nlmsg_len);
    if (a->skip >= size) {
        a->skip -= size;
        return;
    }
    a->full = a->full || size > a->room - a->used;
    if (a->full)
        return; // the rest is read and left
    memcpy(a->bytes + a->used, h, h->nlmsg_len);
    memset(a->bytes + a->used + h->nlmsg_len, 0, size - h->nlmsg_len);
    a->used += size;
}

// The messages of one packet.
static void take_packet(struct answer *a, size_t n, bool dump)
{
    for (struct nlmsghdr *h = (void *)packet; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
        if (h->nlmsg_seq != serial)
            continue;
        if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
            int32_t error = 0;
            if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
                memcpy(&error, NLMSG_DATA(h), sizeof(error));
            a->error = error;
            a->over = true;
            return;
        }
        take(a, h);
        a->over = a->over || !dump;
    }
}

ssize_t net_route_ask(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes,
                      size_t room)
{
    struct request r;
    struct answer a = {.bytes = bytes, .room = room, .skip = skip};
    int error = build(kind, family, address, &r);
    if (error)
        return error;
    // The struct of a kind may be shorter than the union that it lies in.
    uint8_t *end = (uint8_t *)&r + NLMSG_LENGTH(sizeof(struct rtmsg));
    if (kind == GOFER_ROUTE_LOOKUP)
        memmove(end, &r.attr, sizeof(r.attr) + sizeof(r.destination));
    if (write(netlink, &r, r.h.nlmsg_len) < 0)
        return -errno;
    while (!a.over) {
        struct pollfd p = {.fd = netlink, .events = POLLIN};
        ssize_t n = read(netlink, packet, sizeof(packet));
        if (n < 0 && errno == EAGAIN && poll(&p, 1, WAIT_MS) > 0)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        take_packet(&a, (size_t)n, kind != GOFER_ROUTE_LOOKUP);
    }
    return a.error < 0 ? a.error : (ssize_t)a.used;
}
