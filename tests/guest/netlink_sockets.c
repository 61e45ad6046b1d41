// variants: dynamic static musl-static
// AF_NETLINK: what programs ask of the loopback interface, ports, errors. Other interfaces are the host's and not looked at.
#include "guest.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static int nl;
static char buffer[65536];

static void interfaces(void)
{
    struct ifaddrs *list, *i;
    struct if_nameindex *names = if_nameindex();
    printf("first interface: %u %s\n", names[0].if_index, names[0].if_name);
    if_freenameindex(names);
    SHOW(if_nametoindex("lo"));
    OK(if_nametoindex("nosuch0") ? 0 : -1);
    SHOW(getifaddrs(&list));
    for (i = list; i; i = i->ifa_next) {
        char text[64] = "", mask[64] = "";
        if (strcmp(i->ifa_name, "lo") != 0 || !i->ifa_addr)
            continue;
        int family = i->ifa_addr->sa_family;
        if (family == AF_INET) {
            inet_ntop(family, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof(text));
            inet_ntop(family, &((struct sockaddr_in *)i->ifa_netmask)->sin_addr, mask, sizeof(mask));
        } else if (family == AF_INET6) {
            inet_ntop(family, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, text, sizeof(text));
            inet_ntop(family, &((struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr, mask, sizeof(mask));
        }
        printf("lo: family %d %s %s loopback %d up %d\n", family, text, mask,
               (i->ifa_flags & IFF_LOOPBACK) != 0, (i->ifa_flags & IFF_UP) != 0);
    }
    freeifaddrs(list);
}

static long ask(int type, int flags, int family, int index, int seq)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
    } request = {{sizeof(request), type, flags, seq, 0}, {.ifi_family = family, .ifi_index = index}};
    return send(nl, &request, sizeof(request), 0);
}

// What the answers to `seq` say of lo.
static void answers(const char *what, int seq)
{
    for (;;) {
        struct pollfd p = {nl, POLLIN, 0};
        if (poll(&p, 1, 1000) != 1) {
            printf("%s: nothing\n", what);
            return;
        }
        ssize_t n = recv(nl, buffer, sizeof(buffer), 0);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_seq != (unsigned)seq) {
                printf("%s: another sequence\n", what);
                continue;
            }
            if (h->nlmsg_type == NLMSG_DONE) {
                printf("%s: done\n", what);
                return;
            }
            if (h->nlmsg_type == NLMSG_ERROR) {
                struct nlmsgerr *e = NLMSG_DATA(h);
                printf("%s: error %s, of type %d\n", what, e->error ? error_name(-e->error) : "none",
                       e->msg.nlmsg_type);
                return;
            }
            if (h->nlmsg_type == RTM_NEWLINK) {
                struct ifinfomsg *i = NLMSG_DATA(h);
                int left = IFLA_PAYLOAD(h);
                if (i->ifi_index != 1)
                    continue;
                printf("%s: link %d type %d flags %x multi %d", what, i->ifi_index, i->ifi_type,
                       i->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
                       (h->nlmsg_flags & NLM_F_MULTI) != 0);
                for (struct rtattr *a = IFLA_RTA(i); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                    if (a->rta_type == IFLA_IFNAME)
                        printf(" name %s", (char *)RTA_DATA(a));
                    if (a->rta_type == IFLA_MTU)
                        printf(" mtu %u", *(unsigned *)RTA_DATA(a));
                }
                printf("\n");
                if (!(h->nlmsg_flags & NLM_F_MULTI))
                    return;
            } else if (h->nlmsg_type == RTM_NEWADDR) {
                struct ifaddrmsg *i = NLMSG_DATA(h);
                if (i->ifa_index == 1)
                    printf("%s: address family %d /%d scope %d\n", what, i->ifa_family, i->ifa_prefixlen,
                           i->ifa_scope);
            } else if (h->nlmsg_type == RTM_NEWROUTE) {
                struct rtmsg *r = NLMSG_DATA(h);
                int left = RTM_PAYLOAD(h);
                char text[64] = "";
                int out = 0;
                for (struct rtattr *a = RTM_RTA(r); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                    if (a->rta_type == RTA_DST)
                        inet_ntop(r->rtm_family, RTA_DATA(a), text, sizeof(text));
                    if (a->rta_type == RTA_OIF)
                        out = *(int *)RTA_DATA(a);
                }
                if (out == 1 && r->rtm_family == AF_INET)
                    printf("%s: route %s/%d table %d type %d\n", what, text, r->rtm_dst_len, r->rtm_table,
                           r->rtm_type);
            }
        }
    }
}

static void ports(void)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK};
    socklen_t n = sizeof(a);
    int other = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    getsockname(other, (void *)&a, &n);
    printf("unbound: family %d port %u groups %u length %u\n", a.nl_family, a.nl_pid, a.nl_groups, n);
    getsockname(nl, (void *)&a, &n);
    printf("it has a port: %d\n", a.nl_pid != 0);
    SHOW(bind(other, (void *)&a, sizeof(a)));
    a.nl_pid = 0;
    a.nl_groups = RTMGRP_LINK;
    SHOW(bind(other, (void *)&a, sizeof(a)));
    getsockname(other, (void *)&a, &n);
    printf("it has a port: %d, groups %u\n", a.nl_pid != 0, a.nl_groups);
    SHOW(bind(other, (void *)&a, 4));
    a.nl_family = AF_INET;
    SHOW(bind(other, (void *)&a, sizeof(a)));
    getpeername(nl, (void *)&a, &n);
    printf("peer: family %d port %u\n", a.nl_family, a.nl_pid);
    int one = 1;
    SHOW(setsockopt(other, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)));
    SHOW(setsockopt(other, SOL_NETLINK, 77, &one, sizeof(one)));
    n = sizeof(one);
    SHOW(getsockopt(other, SOL_NETLINK, NETLINK_EXT_ACK, &one, &n));
    SHOW(one);
    SHOW(getsockopt(other, SOL_SOCKET, SO_PROTOCOL, &one, &n));
    SHOW(one);
    close(other);
}

static void peeking(void)
{
    ask(RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 1, 50);
    char small[8];
    struct sockaddr_nl from;
    struct iovec v = {small, sizeof(small)};
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1};
    ssize_t whole = recvmsg(nl, &m, MSG_PEEK | MSG_TRUNC);
    printf("whole length is told: %d, cut %d, from port %u\n", whole > 100, (m.msg_flags & MSG_TRUNC) != 0,
           from.nl_pid);
    SHOW(recv(nl, small, sizeof(small), 0));
    SHOW(recv(nl, small, sizeof(small), MSG_DONTWAIT));
}

static void ioctls(void)
{
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(ioctl(s, SIOCGIFINDEX, &r));
    SHOW(r.ifr_ifindex);
    SHOW(ioctl(s, SIOCGIFNAME, &r));
    printf("%s\n", r.ifr_name);
    SHOW(ioctl(s, SIOCGIFFLAGS, &r));
    printf("%x\n", r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
    SHOW(ioctl(s, SIOCGIFMTU, &r));
    SHOW(r.ifr_mtu);
    SHOW(ioctl(s, SIOCGIFADDR, &r));
    printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
    strcpy(r.ifr_name, "nosuch0");
    SHOW(ioctl(s, SIOCGIFINDEX, &r));
    SHOW(ioctl(s, SIOCGIFFLAGS, &r));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    interfaces();
    OK(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
    OK(socket(AF_NETLINK, SOCK_RAW, 31));
    OK(socket(AF_NETLINK, SOCK_RAW, 77));
    OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT));
    nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    SHOW(ask(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0, 1));
    answers("links", 1);
    ask(RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 1, 2);
    answers("link 1", 2);
    ask(RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, 4711, 3);
    answers("link 4711", 3);
    ask(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, AF_UNSPEC, 4711, 4);
    answers("link 4711, acknowledged", 4);
    ask(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET, 0, 5);
    answers("IPv4 addresses", 5);
    ask(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, AF_INET, 0, 6);
    answers("IPv4 routes", 6);
    ask(RTM_GETLINK, 0, AF_UNSPEC, 1, 7);
    answers("no request", 7);
    ask(RTM_GETLINK, NLM_F_ACK, AF_UNSPEC, 1, 8);
    answers("no request, acknowledged", 8);
    ask(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, AF_UNSPEC, 1, 9);
    answers("control message", 9);
    ask(999, NLM_F_REQUEST, AF_UNSPEC, 1, 10);
    answers("unknown type", 10);
    ports();
    peeking();
    SHOW(send(nl, buffer, 0, 0));
    SHOW(send(nl, buffer, 10, MSG_OOB));
    SHOW(sendto(nl, buffer, 10, 0, (void *)&(struct sockaddr_nl){.nl_family = AF_INET},
                sizeof(struct sockaddr_nl)));
    SHOW(listen(nl, 1));
    SHOW(shutdown(nl, SHUT_RDWR));
    ioctls();
    if (getuid() == 0 && (setgid(65534) || setuid(65534)))
        return 1;
    ask(RTM_DELLINK, NLM_F_REQUEST, AF_UNSPEC, 1, 11);
    answers("delete without the right", 11);
    SHOW(sendto(nl, buffer, 10, 0, (void *)&(struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = 4711},
                sizeof(struct sockaddr_nl)));
    OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    return 0;
}
