// variants: dynamic static
// Internet sockets on loopback: full listening queues, resets, shared ports, packet information, times, control messages.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct sockaddr_in local(const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &a.sin_addr);
    return a;
}

static int listener(struct sockaddr_in *a, int backlog, bool share)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    socklen_t n = sizeof(*a);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (bind(fd, (void *)a, sizeof(*a)) || listen(fd, backlog))
        printf("cannot listen: %s\n", error_name(errno));
    getsockname(fd, (void *)a, &n);
    return fd;
}

static int client(const struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)a, sizeof(*a)))
        printf("cannot connect: %s\n", error_name(errno));
    return fd;
}

static int error_of(int fd)
{
    int error = 0;
    socklen_t n = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
    return error;
}

static void full_queue(void)
{
    struct sockaddr_in a = local("127.0.0.1", 0);
    int l = listener(&a, 0, false), fd[3];
    struct pollfd p = {.events = POLLOUT};
    for (int i = 0; i < 3; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        SHOW(connect(fd[i], (void *)&a, sizeof(a)));
    }
    p.fd = fd[0];
    SHOW(poll(&p, 1, 1000));
    p.fd = fd[2];
    SHOW(poll(&p, 1, 20));
    SHOW(connect(fd[2], (void *)&a, sizeof(a)));
    SHOW(send(fd[2], "x", 1, MSG_DONTWAIT));
    SHOW(recv(fd[2], &p, 1, MSG_DONTWAIT));
    struct timeval soon = {0, 50000};
    int waits = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(waits, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
    SHOW(connect(waits, (void *)&a, sizeof(a)));
    OK(accept(l, NULL, NULL));
    p.fd = fd[1];
    SHOW(poll(&p, 1, 5000));
    SHOW(error_of(fd[1]));
    OK(accept(l, NULL, NULL));
    close(l);
}

static void resets(void)
{
    struct sockaddr_in a = local("127.0.0.1", 0);
    struct linger linger = {1, 0};
    char buffer[16];
    int l = listener(&a, 5, false);
    int c = client(&a), s = accept(l, NULL, NULL);
    setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    send(c, "data", 4, 0);
    close(c);
    struct pollfd p = {s, POLLIN, 0};
    SHOW(poll(&p, 1, 1000));
    printf("reset: %x\n", p.revents & (POLLERR | POLLHUP));
    recv(s, buffer, sizeof(buffer), MSG_DONTWAIT); // the data, or the error
    SHOW(send(s, "x", 1, MSG_NOSIGNAL));
    close(s);
    // Unread data at a close resets too.
    c = client(&a), s = accept(l, NULL, NULL);
    send(c, "unread", 6, 0);
    p.fd = s;
    poll(&p, 1, 1000);
    close(s);
    p.fd = c;
    SHOW(poll(&p, 1, 1000));
    SHOW(recv(c, buffer, sizeof(buffer), 0));
    SHOW(recv(c, buffer, sizeof(buffer), 0));
    close(c);
    // What nobody accepted is reset when the listener goes.
    c = client(&a);
    close(l);
    p.fd = c;
    SHOW(poll(&p, 1, 1000));
    SHOW(recv(c, buffer, sizeof(buffer), 0));
    c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&a, sizeof(a)));
}

static void shared_port(void)
{
    struct sockaddr_in a = local("127.0.0.1", 0);
    int l[3];
    for (int i = 0; i < 3; i++) {
        l[i] = listener(&a, 100, true);
        fcntl(l[i], F_SETFL, O_NONBLOCK);
    }
    for (int i = 0; i < 90; i++)
        client(&a);
    int total = 0;
    bool each = true;
    for (int i = 0; i < 3; i++) {
        int n = 0;
        while (accept(l[i], NULL, NULL) >= 0)
            n++;
        each = each && n > 0;
        total += n;
    }
    printf("each has some: %d, together %d\n", each, total);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(other, (void *)&a, sizeof(a)));
}

static void information(void)
{
    struct sockaddr_in a = local("127.0.0.1", 0);
    struct tcp_info info;
    char name[16] = "";
    int l = listener(&a, 7, false), c = client(&a), s = accept(l, NULL, NULL);
    socklen_t n = sizeof(info);
    SHOW(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &n));
    printf("state %d\n", info.tcpi_state);
    shutdown(s, SHUT_WR);
    sleep_ms(20);
    n = sizeof(info);
    getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &n);
    printf("state after the other side's end %d\n", info.tcpi_state);
    n = sizeof(info);
    getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &n);
    printf("listener: state %d, backlog %d\n", info.tcpi_state, info.tcpi_sacked);
    n = sizeof(name);
    SHOW(getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, name, &n));
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6));
}

static void show_control(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo i;
            memcpy(&i, CMSG_DATA(c), sizeof(i));
            printf("  to %s on %d\n", inet_ntoa(i.ipi_addr), i.ipi_ifindex);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo i;
            char text[64];
            memcpy(&i, CMSG_DATA(c), sizeof(i));
            printf("  to %s on %d\n", inet_ntop(AF_INET6, &i.ipi6_addr, text, sizeof(text)), i.ipi6_ifindex);
        } else if (c->cmsg_level == SOL_SOCKET &&
                   (c->cmsg_type == SO_TIMESTAMP || c->cmsg_type == SO_TIMESTAMPNS)) {
            struct timeval now, then;
            gettimeofday(&now, NULL);
            memcpy(&then, CMSG_DATA(c), sizeof(then));
            printf("  a time of type %d, now: %d\n", c->cmsg_type, now.tv_sec - then.tv_sec <= 5);
        } else {
            printf("  level %d type %d: %d\n", c->cmsg_level, c->cmsg_type,
                   c->cmsg_len == CMSG_LEN(1) ? *CMSG_DATA(c) : *(int *)CMSG_DATA(c));
        }
    }
}

static void receive(const char *what, int fd, size_t room)
{
    char buffer[64];
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    struct sockaddr_storage from;
    struct iovec v = {buffer, sizeof(buffer)};
    struct msghdr m = {&from, sizeof(from), &v, 1, control.bytes, room, 0};
    ssize_t n = recvmsg(fd, &m, 0);
    printf("%s: %zd bytes, flags %x\n", what, n, m.msg_flags);
    show_control(&m);
}

static void packet_information(void)
{
    int u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0), one = 1, ttl = 9, tos = 0x10;
    struct sockaddr_in a = local("0.0.0.0", 0), to, from;
    socklen_t n = sizeof(a);
    bind(u, (void *)&a, sizeof(a));
    getsockname(u, (void *)&a, &n);
    to = local("127.0.0.5", ntohs(a.sin_port));
    SHOW(setsockopt(u, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)));
    SHOW(setsockopt(u, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)));
    sendto(v, "x", 1, 0, (void *)&to, sizeof(to));
    receive("one", u, 512);
    SHOW(setsockopt(u, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)));
    SHOW(setsockopt(u, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)));
    SHOW(setsockopt(u, IPPROTO_IP, IP_PKTINFO, &(int){0}, sizeof(one)));
    SHOW(setsockopt(v, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
    SHOW(setsockopt(v, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
    SHOW(setsockopt(u, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)));
    sendto(v, "xx", 2, 0, (void *)&to, sizeof(to));
    receive("two", u, 512);
    sendto(v, "xxx", 3, 0, (void *)&to, sizeof(to));
    receive("no room", u, 0);
    // An answer from the address that was asked.
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {.head = {CMSG_LEN(sizeof(struct in_pktinfo)), IPPROTO_IP, IP_PKTINFO}};
    struct in_pktinfo info = {.ipi_spec_dst = to.sin_addr};
    memcpy(CMSG_DATA(&control.head), &info, sizeof(info));
    n = sizeof(from);
    getsockname(v, (void *)&from, &n);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct iovec part = {"answer", 6};
    struct msghdr m = {&from, sizeof(from), &part, 1, &control, sizeof(control), 0};
    SHOW(sendmsg(u, &m, 0));
    recvfrom(v, &control, sizeof(control), 0, (void *)&from, &n);
    printf("from %s\n", inet_ntoa(from.sin_addr));
    control.head = (struct cmsghdr){CMSG_LEN(2), IPPROTO_IP, IP_PKTINFO};
    SHOW(sendmsg(u, &m, 0));
    control.head = (struct cmsghdr){CMSG_LEN(4), IPPROTO_IP, IP_TTL};
    *(int *)CMSG_DATA(&control.head) = 300;
    SHOW(sendmsg(u, &m, 0));
    // IPv6
    int six = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    n = sizeof(b);
    bind(six, (void *)&b, sizeof(b));
    getsockname(six, (void *)&b, &n);
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)));
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)));
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)));
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){300}, sizeof(ttl)));
    sendto(six, "six", 3, 0, (void *)&b, sizeof(b));
    receive("six", six, 512);
}

static void lite(void)
{
    int u = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), one = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    struct sockaddr_in a = local("127.0.0.1", 0);
    socklen_t n = sizeof(a);
    char c;
    bind(u, (void *)&a, sizeof(a));
    getsockname(u, (void *)&a, &n);
    SHOW(bind(one, (void *)&a, sizeof(a))); // ports of its own
    int two = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    sendto(two, "x", 1, 0, (void *)&a, sizeof(a));
    SHOW(recv(u, &c, 1, MSG_DONTWAIT));
    SHOW(recv(one, &c, 1, 0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    full_queue();
    resets();
    shared_port();
    information();
    packet_information();
    lite();
    return 0;
}
