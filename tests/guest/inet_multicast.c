// Multicast and broadcast on the loopback interface. What asks for a route is left out: the host may have one.
#include "guest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#define GROUP "239.1.2.3"

static in_port_t port;

static struct in_addr address(const char *text)
{
    struct in_addr a;
    inet_pton(AF_INET, text, &a);
    return a;
}

static struct sockaddr_in at(const char *text)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = address(text)};
}

static int udp(int family)
{
    struct timeval soon = {0, 30000};
    int fd = socket(family, SOCK_DGRAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return fd;
}

static int membership(int fd, int option, const char *group, const char *interface)
{
    struct ip_mreq r = {address(group), address(interface)};
    return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int by_index(int fd, int option, const char *group, int index)
{
    struct ip_mreqn r = {address(group), address("0.0.0.0"), index};
    return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int with_source(int fd, int option, const char *group, const char *source)
{
    struct ip_mreq_source r = {address(group), address("127.0.0.1"), address(source)};
    return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int of_any_family(int fd, int option, const char *group, unsigned index)
{
    struct group_req r = {.gr_interface = index};
    struct sockaddr_in a = at(group);
    memcpy(&r.gr_group, &a, sizeof(a));
    return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int send_to(int fd, const char *to, const char *text)
{
    struct sockaddr_in a = at(to);
    return (int)sendto(fd, text, strlen(text), 0, (void *)&a, sizeof(a));
}

static void receive(const char *who, int fd)
{
    char data[32] = "", control[128], from[32] = "", to[32] = "";
    struct sockaddr_in name = {0};
    struct iovec part = {data, sizeof(data) - 1};
    struct msghdr m = {&name, sizeof(name), &part, 1, control, sizeof(control), 0};
    if (recvmsg(fd, &m, 0) < 0) {
        printf("%s: %s\n", who, error_name(errno));
        return;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        inet_ntop(AF_INET, &info.ipi_addr, to, sizeof(to));
        printf("%s: interface %d, to %s, ", who, info.ipi_ifindex, to);
        inet_ntop(AF_INET, &info.ipi_spec_dst, to, sizeof(to));
        printf("answer as %s\n", to);
    }
    printf("%s: %s from %s\n", who, data, inet_ntop(AF_INET, &name.sin_addr, from, sizeof(from)));
}

static void memberships(void)
{
    int fd = udp(AF_INET), lo = (int)if_nametoindex("lo");
    SHOW(membership(fd, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(by_index(fd, IP_ADD_MEMBERSHIP, GROUP, lo));
    SHOW(membership(fd, IP_ADD_MEMBERSHIP, "239.1.2.4", "127.0.0.2"));
    SHOW(by_index(fd, IP_ADD_MEMBERSHIP, "239.1.2.5", 9999));
    SHOW(membership(fd, IP_ADD_MEMBERSHIP, "10.1.2.5", "127.0.0.1"));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &lo, 4));
    SHOW(membership(fd, IP_DROP_MEMBERSHIP, "239.9.9.9", "127.0.0.1"));
    int n = 0;
    char group[32];
    do
        snprintf(group, sizeof(group), "239.2.0.%d", n);
    while (membership(fd, IP_ADD_MEMBERSHIP, group, "127.0.0.1") == 0 && ++n < 100);
    printf("%d more, then %s\n", n, error_name(errno));
    SHOW(membership(fd, IP_DROP_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(membership(fd, IP_DROP_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(of_any_family(fd, MCAST_JOIN_GROUP, "239.4.4.4", (unsigned)lo));
    SHOW(of_any_family(fd, MCAST_JOIN_GROUP, "239.4.4.4", (unsigned)lo));
    SHOW(of_any_family(fd, MCAST_LEAVE_GROUP, "239.4.4.4", (unsigned)lo));
    SHOW(of_any_family(fd, MCAST_LEAVE_GROUP, "239.4.4.4", (unsigned)lo));
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(membership(fd, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &lo, sizeof(lo)));
    struct in_addr a = address("127.0.0.1");
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &a, sizeof(a)));
    close(fd);
}

static void show_interface(int fd)
{
    struct in_addr a;
    char text[32];
    socklen_t n = sizeof(a);
    SHOW(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &a, &n));
    printf("%d bytes: %s\n", (int)n, inet_ntop(AF_INET, &a, text, sizeof(text)));
}

static void interfaces(int fd)
{
    int lo = (int)if_nametoindex("lo");
    struct in_addr a = address("127.0.0.1"), bad = address("192.0.2.99");
    struct ip_mreqn r = {.imr_ifindex = lo};
    show_interface(fd);
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &bad, sizeof(bad)));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &a, 2));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)));
    show_interface(fd);
    SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &a, sizeof(a)));
    show_interface(fd);
}

static int ttl(int fd, int value)
{
    socklen_t n = sizeof(value);
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &value, sizeof(value)))
        return -1;
    return getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &value, &n) ? -1 : value;
}

static void delivery(void)
{
    int one = 1, none = 0, r = udp(AF_INET), s = udp(AF_INET);
    struct sockaddr_in a = at("0.0.0.0");
    socklen_t n = sizeof(a);
    bind(r, (void *)&a, sizeof(a));
    getsockname(r, (void *)&a, &n);
    port = a.sin_port;
    interfaces(s);
    setsockopt(r, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
    SHOW(send_to(s, GROUP, "nobody"));
    receive("nobody joined", r);
    int other = udp(AF_INET);
    SHOW(membership(other, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(send_to(s, GROUP, "another socket"));
    receive("another has joined", r);
    setsockopt(r, IPPROTO_IP, IP_MULTICAST_ALL, &none, sizeof(none));
    SHOW(send_to(s, GROUP, "not all"));
    receive("without IP_MULTICAST_ALL", r);
    SHOW(membership(r, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1"));
    close(other);
    SHOW(send_to(s, GROUP, "joined"));
    receive("joined", r);
    int q = udp(AF_INET);
    a = at(GROUP);
    SHOW(bind(q, (void *)&a, sizeof(a)));
    SHOW(send_to(s, GROUP, "both"));
    receive("first", r);
    receive("second", q);
    SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &none, sizeof(none)));
    SHOW(send_to(s, GROUP, "no loop"));
    receive("first", r);
    receive("second", q);
    SHOW(ttl(s, 0));
    SHOW(ttl(s, 300));
    SHOW(ttl(s, 7));
    SHOW(ttl(s, -1));
    SHOW(send_to(s, "127.0.0.1", "unicast"));
    receive("first", r);
    receive("second", q);
    int c = udp(AF_INET);
    struct in_addr lo = address("127.0.0.1");
    setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo));
    a = at(GROUP);
    SHOW(connect(c, (void *)&a, sizeof(a)));
    SHOW(send(c, "connected", 9, 0));
    receive("first", r);
    receive("second", q);
    SHOW(send(q, "unconnected", 11, 0));
    // Sources.
    int x = udp(AF_INET);
    a = at("0.0.0.0");
    bind(x, (void *)&a, sizeof(a));
    SHOW(with_source(x, IP_ADD_SOURCE_MEMBERSHIP, "239.3.3.3", "127.0.0.1"));
    SHOW(with_source(x, IP_ADD_SOURCE_MEMBERSHIP, "239.3.3.3", "127.0.0.1"));
    SHOW(with_source(x, IP_ADD_SOURCE_MEMBERSHIP, "239.3.3.3", "127.0.0.9"));
    SHOW(membership(x, IP_ADD_MEMBERSHIP, "239.3.3.3", "127.0.0.1"));
    SHOW(send_to(s, "239.3.3.3", "source"));
    receive("its source", x);
    SHOW(with_source(x, IP_DROP_SOURCE_MEMBERSHIP, "239.3.3.3", "127.0.0.1"));
    SHOW(with_source(x, IP_DROP_SOURCE_MEMBERSHIP, "239.3.3.3", "127.0.0.1"));
    SHOW(send_to(s, "239.3.3.3", "source"));
    receive("another source", x);
    // Broadcast.
    SHOW(send_to(s, "127.255.255.255", "broadcast"));
    setsockopt(s, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
    SHOW(send_to(s, "127.255.255.255", "broadcast"));
    receive("first", r);
    receive("third", x);
    receive("second", q);
    int t = socket(AF_INET, SOCK_STREAM, 0);
    a = at("127.255.255.255");
    SHOW(connect(t, (void *)&a, sizeof(a)));
}

static int join_v6(int fd, int option, const char *group, unsigned index)
{
    struct ipv6_mreq r = {.ipv6mr_interface = index};
    inet_pton(AF_INET6, group, &r.ipv6mr_multiaddr);
    return setsockopt(fd, IPPROTO_IPV6, option, &r, sizeof(r));
}

static int number_v6(int fd, int option, int value)
{
    socklen_t n = sizeof(value);
    if (setsockopt(fd, IPPROTO_IPV6, option, &value, sizeof(value)))
        return -1;
    return getsockopt(fd, IPPROTO_IPV6, option, &value, &n) ? -1 : value;
}

static int bind_v6(const char *group, unsigned scope)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
    int fd = udp(AF_INET6);
    inet_pton(AF_INET6, group, &a.sin6_addr);
    int result = bind(fd, (void *)&a, sizeof(a)), error = errno;
    close(fd);
    errno = error;
    return result;
}

static void version_6(void)
{
    unsigned lo = if_nametoindex("lo");
    int fd = udp(AF_INET6), t = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(join_v6(fd, IPV6_JOIN_GROUP, "ff02::77", lo));
    SHOW(join_v6(fd, IPV6_JOIN_GROUP, "ff02::77", lo));
    SHOW(join_v6(fd, IPV6_JOIN_GROUP, "ff02::78", 9999));
    SHOW(join_v6(fd, IPV6_JOIN_GROUP, "::1", lo));
    SHOW(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &lo, sizeof(lo)));
    SHOW(join_v6(fd, IPV6_LEAVE_GROUP, "ff02::99", lo));
    SHOW(join_v6(fd, IPV6_LEAVE_GROUP, "ff02::77", lo));
    SHOW(join_v6(fd, IPV6_LEAVE_GROUP, "ff02::77", lo));
    SHOW(number_v6(fd, IPV6_MULTICAST_IF, (int)lo));
    SHOW(number_v6(fd, IPV6_MULTICAST_IF, 9999));
    SHOW(number_v6(fd, IPV6_MULTICAST_IF, 0));
    SHOW(number_v6(fd, IPV6_MULTICAST_HOPS, 3));
    SHOW(number_v6(fd, IPV6_MULTICAST_HOPS, -1));
    SHOW(number_v6(fd, IPV6_MULTICAST_HOPS, 256));
    SHOW(number_v6(fd, IPV6_MULTICAST_LOOP, 0));
    SHOW(membership(fd, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1"));
    SHOW(bind_v6("ff02::77", 0));
    SHOW(bind_v6("ff02::77", lo));
    SHOW(join_v6(t, IPV6_JOIN_GROUP, "ff02::77", lo));
}

int main(void)
{
    // Memberships are the machine's: another variant that runs natively beside this one would show.
    int turn = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (turn < 0 || flock(turn, LOCK_EX))
        return 1;
    memberships();
    delivery();
    version_6();
    return 0;
}
