// Ping sockets on loopback, in a network namespace of their own where there are such: the host's may not let us have any.
#include "guest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <grp.h>

#define RANGE "/proc/sys/net/ipv4/ping_group_range"

static long set_range(const char *text)
{
    int fd = open(RANGE, O_WRONLY);
    long n = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return n;
}

static void show_range(void)
{
    char text[64] = "";
    int fd = open(RANGE, O_RDONLY);
    if (read(fd, text, sizeof(text) - 1) < 0)
        printf("cannot read the range\n");
    close(fd);
    printf("range: %s", text);
}

static void prepare(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET)) // the sandbox has but one
        return;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &lo))
        printf("lo stays down\n");
    close(fd);
    set_range("0 2147483647");
}

static uint16_t sum_of(const uint8_t *bytes, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static struct sockaddr_in at(const char *text, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, text, &a.sin_addr);
    return a;
}

static long echo(int fd, const struct sockaddr *to, socklen_t size, int type, int code, size_t payload)
{
    static uint8_t packet[70000];
    struct icmphdr h = {
        .type = (uint8_t)type, .code = (uint8_t)code, .un.echo = {.id = htons(77), .sequence = htons(5)}};
    memcpy(packet, &h, sizeof(h));
    memset(packet + sizeof(h), 'p', payload);
    return sendto(fd, packet, sizeof(h) + payload, 0, to, size);
}

static void reply(int fd, size_t room)
{
    uint8_t packet[256], control[128];
    char text[64] = "";
    struct sockaddr_storage from;
    struct sockaddr_in own;
    socklen_t n = sizeof(own);
    struct iovec part = {packet, room};
    struct msghdr m = {&from, sizeof(from), &part, 1, control, sizeof(control), 0};
    ssize_t got = recvmsg(fd, &m, MSG_DONTWAIT);
    struct icmphdr h;
    if (got < 0) {
        printf("no reply: %s\n", error_name(errno));
        return;
    }
    memcpy(&h, packet, sizeof(h));
    getsockname(fd, (void *)&own, &n);
    const void *a = from.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&from)->sin6_addr
                                               : (void *)&((struct sockaddr_in *)&from)->sin_addr;
    printf("%zd bytes, flags %x, type %d code %d, sequence %d, ours %d, from %s port %d of %u bytes\n", got,
           m.msg_flags, h.type, h.code, ntohs(h.un.echo.sequence), h.un.echo.id == own.sin_port,
           inet_ntop(from.ss_family, a, text, sizeof(text)), ntohs(((struct sockaddr_in *)&from)->sin_port),
           m.msg_namelen);
    if (from.ss_family == AF_INET && !(m.msg_flags & MSG_TRUNC))
        printf("checksum %#x\n", sum_of(packet, (size_t)got));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        printf("control %d/%d: %d\n", c->cmsg_level, c->cmsg_type, *(int *)CMSG_DATA(c));
}

static void version_4(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), one = 1;
    struct sockaddr_in lo = at("127.0.0.1", 0), other = at("127.3.2.1", 0), own = {0};
    socklen_t n = sizeof(own);
    if (fd < 0)
        printf("no ping socket: %s\n", error_name(errno));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)));
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 0, 56));
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 1000));
    reply(fd, 256);
    SHOW(getsockname(fd, (void *)&own, &n));
    TRUTH(own.sin_port != 0 && own.sin_addr.s_addr == 0);
    SHOW(echo(fd, (void *)&other, sizeof(other), ICMP_ECHO, 0, 0));
    reply(fd, 256);
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 0, 100));
    reply(fd, 20);
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHOREPLY, 0, 8));
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 1, 8));
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 0, 69000));
    SHOW(echo(fd, NULL, 0, ICMP_ECHO, 0, 8));
    SHOW(echo(fd, (void *)&lo, 8, ICMP_ECHO, 0, 8));
    SHOW(sendto(fd, "short", 5, 0, (void *)&lo, sizeof(lo)));
    SHOW(sendto(fd, "some bytes", 10, MSG_OOB, (void *)&lo, sizeof(lo)));
    lo.sin_family = AF_INET6;
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 0, 8));
    lo.sin_family = AF_INET;
    reply(fd, 256);
    SHOW(connect(fd, (void *)&lo, sizeof(lo)));
    SHOW(echo(fd, NULL, 0, ICMP_ECHO, 0, 8));
    reply(fd, 256);
    SHOW(shutdown(fd, SHUT_RDWR));
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    int second = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    lo = at("127.0.0.1", 77);
    SHOW(bind(fd, (void *)&lo, sizeof(lo)));
    SHOW(bind(second, (void *)&lo, sizeof(lo)));
    SHOW(bind(fd, (void *)&lo, sizeof(lo)));
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP_ECHO, 0, 8));
    reply(fd, 256);
    SHOW(listen(fd, 1));
    close(fd);
    close(second);
    SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6));
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP));
}

static void version_6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6), one = 1;
    struct sockaddr_in6 lo = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = at("127.0.0.1", 0);
    if (fd < 0)
        printf("no ping socket: %s\n", error_name(errno));
    SHOW(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)));
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP6_ECHO_REQUEST, 0, 56));
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 1000));
    reply(fd, 256);
    SHOW(echo(fd, (void *)&lo, sizeof(lo), ICMP6_ECHO_REPLY, 0, 8));
    SHOW(echo(fd, (void *)&four, sizeof(four), ICMP6_ECHO_REQUEST, 0, 8));
    close(fd);
}

static void ranges(void)
{
    gid_t one = 77;
    show_range();
    SHOW(set_range("1 0"));
    show_range();
    SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    SHOW(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
    SHOW(set_range("70 80"));
    show_range();
    SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    SHOW(setgroups(1, &one));
    OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    SHOW(setgroups(0, NULL));
    SHOW(setegid(75));
    OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    SHOW(setegid(0));
    SHOW(set_range("9 8"));
    show_range();
    SHOW(set_range("nonsense"));
    SHOW(set_range("1 4294967295"));
    show_range();
}

int main(void)
{
    if (getuid() != 0)
        return 0;
    prepare();
    version_4();
    version_6();
    ranges();
    return 0;
}
