// variants: dynamic static
// TCP and UDP on the loopback addresses: names, connections, half-closed streams, refusals, options, errors.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int port_of(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);
    getsockname(fd, (struct sockaddr *)&a, &n);
    return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static short events_of(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&p, 1, 0);
    return p.revents;
}

static void streams(void)
{
    char buffer[64] = "";
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = loopback(0), other = {0};
    socklen_t n = sizeof(other);
    printf("fresh %#x\n", events_of(listener));
    SHOW(bind(listener, (struct sockaddr *)&a, sizeof(a)));
    SHOW(bind(listener, (struct sockaddr *)&a, sizeof(a)));
    SHOW(accept(listener, NULL, NULL));
    a = loopback(port_of(listener));
    int client = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(client, (struct sockaddr *)&a, sizeof(a)));
    SHOW(listen(listener, 5));
    printf("listening %#x\n", events_of(listener));
    int second = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(second, (struct sockaddr *)&a, sizeof(a)));
    SHOW(recv(second, buffer, 1, 0));
    SHOW(send(second, buffer, 1, MSG_NOSIGNAL));
    SHOW(getpeername(second, (struct sockaddr *)&other, &n));
    SHOW(shutdown(second, SHUT_WR));
    close(client);
    client = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(client, (struct sockaddr *)&a, sizeof(a)));
    SHOW(connect(client, (struct sockaddr *)&a, sizeof(a)));
    SHOW(send(client, "early", 5, 0));
    int server = accept(listener, (struct sockaddr *)&other, &n);
    printf("family %d length %d same port %d\n", other.sin_family, n,
           ntohs(other.sin_port) == port_of(client));
    n = sizeof(other);
    SHOW(getpeername(client, (struct sockaddr *)&other, &n));
    printf("peer is the listener's port %d\n", other.sin_port == a.sin_port);
    SHOW(recv(server, buffer, sizeof(buffer), 0));
    printf("%s, both ends %#x %#x\n", buffer, events_of(server), events_of(client));
    SHOW(recv(server, buffer, sizeof(buffer), MSG_DONTWAIT));
    SHOW(shutdown(client, SHUT_WR));
    SHOW(recv(server, buffer, sizeof(buffer), 0));
    printf("half closed %#x %#x\n", events_of(server), events_of(client));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    SHOW(send(server, "answer", 6, 0));
    SHOW(recv(client, buffer, sizeof(buffer), 0));
    close(server);
    SHOW(recv(client, buffer, sizeof(buffer), 0));
    close(client);

    int later = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(later, (struct sockaddr *)&a, sizeof(a)));
    struct pollfd p = {later, POLLOUT, 0};
    SHOW(poll(&p, 1, 5000));
    int error = -1;
    n = sizeof(error);
    SHOW(getsockopt(later, SOL_SOCKET, SO_ERROR, &error, &n));
    printf("error %d\n", error);
    SHOW(connect(later, (struct sockaddr *)&a, sizeof(a)));
    SHOW(connect(later, (struct sockaddr *)&a, sizeof(a)));
    close(later);
    close(listener);
    later = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(later, (struct sockaddr *)&a, sizeof(a)));
    p.fd = later;
    SHOW(poll(&p, 1, 5000));
    SHOW(getsockopt(later, SOL_SOCKET, SO_ERROR, &error, &n));
    printf("error %s\n", strerrorname_np(error));
}

static void datagrams(void)
{
    char buffer[64] = "";
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    struct sockaddr_in a = loopback(0), from = {0};
    socklen_t n = sizeof(from);
    SHOW(send(one, "x", 1, 0));
    SHOW(bind(one, (struct sockaddr *)&a, sizeof(a)));
    a = loopback(port_of(one));
    SHOW(sendto(two, "hello", 5, 0, (struct sockaddr *)&a, sizeof(a)));
    SHOW(sendto(two, "", 0, 0, (struct sockaddr *)&a, sizeof(a)));
    SHOW(recvfrom(one, buffer, 3, MSG_TRUNC, (struct sockaddr *)&from, &n));
    printf("from the other's port %d, address %s\n", ntohs(from.sin_port) == port_of(two),
           inet_ntoa(from.sin_addr));
    SHOW(recv(one, buffer, 10, 0));
    SHOW(recv(one, buffer, 10, MSG_DONTWAIT));
    SHOW(connect(two, (struct sockaddr *)&a, sizeof(a)));
    SHOW(send(two, "again", 5, 0));
    SHOW(recv(one, buffer, 10, 0));
    close(one);
    SHOW(send(two, "nobody", 6, 0));
    SHOW(send(two, "nobody", 6, 0));
    SHOW(listen(two, 1));
    static char big[70000];
    SHOW(send(two, big, sizeof(big), 0));
}

static void both_families(void)
{
    int six = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
    if (six < 0) {
        printf("no IPv6\n");
        return;
    }
    struct sockaddr_in6 any = {.sin6_family = AF_INET6}, peer = {0};
    socklen_t n = sizeof(peer);
    SHOW(bind(six, (struct sockaddr *)&any, sizeof(any)));
    SHOW(listen(six, 5));
    struct sockaddr_in a = loopback(port_of(six));
    SHOW(connect(four, (struct sockaddr *)&a, sizeof(a)));
    int server = accept(six, (struct sockaddr *)&peer, &n);
    char text[64];
    printf("length %d, %s\n", n, inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof(text)));
    close(server);
    SHOW(connect(six, (struct sockaddr *)&a, sizeof(a)));
    struct sockaddr_in wrong = loopback(80);
    int other = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(connect(other, (struct sockaddr *)&wrong, sizeof(wrong)));
}

static void options(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
    socklen_t n = sizeof(value);
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
    value = 0;
    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &n));
    printf("no delay %d\n", value);
    value = 1;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &n));
    printf("type %d\n", value);
    SHOW(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &n));
    printf("protocol %d\n", value);
    SHOW(setsockopt(fd, IPPROTO_TCP, 999, &value, sizeof(value)));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, sizeof(value)));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2));
    SHOW(getsockopt(99, SOL_SOCKET, SO_TYPE, &value, &n));
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(AF_INET, SOCK_SEQPACKET, 0));
    int pair[2];
    SHOW(socketpair(AF_INET, SOCK_STREAM, 0, pair));
    struct sockaddr_in elsewhere = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304), .sin_port = htons(9)};
    SHOW(bind(fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere)));
    SHOW(bind(fd, (struct sockaddr *)&elsewhere, 4));
    elsewhere.sin_family = AF_UNIX;
    SHOW(bind(fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere)));
}

int main(void)
{
    streams();
    datagrams();
    both_families();
    options();
    return 0;
}
