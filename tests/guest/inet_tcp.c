// variants: dynamic static
// TCP on loopback: urgent data, SO_PEEK_OFF, what is left of a connection that was closed, states.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int client_fd, server_fd, listener_fd;
static struct sockaddr_in address;

// Waits until the other side knows of what was done.
static void settle(void)
{
    sleep_ms(20);
}

static void connect_pair(void)
{
    socklen_t n = sizeof(address);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener_fd, (void *)&address, sizeof(address)) || listen(listener_fd, 5) ||
        getsockname(listener_fd, (void *)&address, &n))
        printf("cannot listen\n");
    client_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client_fd, (void *)&address, sizeof(address)))
        printf("cannot connect\n");
    server_fd = accept(listener_fd, NULL, NULL);
}

static void close_pair(void)
{
    close(client_fd);
    close(server_fd);
    close(listener_fd);
}

static void read_some(const char *what, size_t room, int flags)
{
    char buffer[64] = "";
    ssize_t n = recv(server_fd, buffer, room, flags | MSG_DONTWAIT);
    printf("%s: %zd %s%.*s\n", what, n, n < 0 ? error_name(errno) : "", n > 0 ? (int)n : 0, buffer);
}

static void state_of(const char *what)
{
    struct pollfd p = {server_fd, POLLIN | POLLPRI | POLLRDBAND, 0};
    int mark = -1, queued = -1;
    settle();
    poll(&p, 1, 0);
    ioctl(server_fd, SIOCATMARK, &mark);
    ioctl(server_fd, FIONREAD, &queued);
    printf("%s: events %x, at the mark %d, queued %d\n", what, p.revents, mark, queued);
}

static volatile sig_atomic_t urgent_signals;

static void on_urgent(int sig)
{
    (void)sig;
    urgent_signals++;
}

static void urgent(void)
{
    char byte;
    connect_pair();
    signal(SIGURG, on_urgent);
    read_some("nothing urgent yet", 1, MSG_OOB);
    SHOW(send(client_fd, "abc", 3, MSG_OOB));
    state_of("abc");
    printf("signals without an owner: %d\n", urgent_signals);
    read_some("peek", 1, MSG_OOB | MSG_PEEK);
    read_some("up to the mark", 10, 0);
    state_of("at c");
    read_some("urgent", 1, MSG_OOB);
    read_some("again", 1, MSG_OOB);
    state_of("c was read");
    SHOW(send(client_fd, "de", 2, 0));
    state_of("de");
    read_some("over the mark", 10, 0);
    state_of("nothing");
    // In line.
    int on = 1;
    setsockopt(server_fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    SHOW(fcntl(server_fd, F_SETOWN, getpid()));
    SHOW(send(client_fd, "xyz", 3, MSG_OOB));
    SHOW(send(client_fd, "more", 4, 0));
    state_of("in line");
    printf("signals of the owner: %d\n", urgent_signals);
    read_some("not apart", 1, MSG_OOB);
    read_some("up to z", 10, MSG_PEEK);
    read_some("up to z", 10, 0);
    state_of("at z");
    read_some("the rest", 10, 0);
    on = 0;
    setsockopt(server_fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    // A second urgent byte while the first is unread: it becomes an ordinary one.
    SHOW(send(client_fd, "12", 2, MSG_OOB));
    settle();
    SHOW(send(client_fd, "34", 2, MSG_OOB));
    state_of("two");
    read_some("up to the second", 10, MSG_PEEK);
    read_some("up to the second", 10, 0);
    read_some("the second", 1, MSG_OOB);
    // A read at the mark skips it.
    SHOW(send(client_fd, "!", 1, MSG_OOB));
    state_of("alone");
    read_some("skipped", 10, 0);
    read_some("lost", 1, MSG_OOB);
    state_of("nothing");
    // The next urgent byte while the first is at the mark: it is lost.
    SHOW(send(client_fd, "?", 1, MSG_OOB));
    settle();
    SHOW(send(client_fd, "ab", 2, MSG_OOB));
    state_of("another");
    read_some("what is left", 10, 0);
    read_some("the urgent one", 0, MSG_OOB);
    SHOW(recv(server_fd, &byte, 1, MSG_OOB | MSG_TRUNC));
    SHOW(send(client_fd, "last", 4, 0));
    close(client_fd);
    state_of("closed");
    read_some("after the end", 10, MSG_WAITALL);
    read_some("after the end", 10, 0);
    close(server_fd);
    close(listener_fd);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT));
    SHOW(ioctl(fd, SIOCATMARK, &on));
    close(fd);
}

static int peek_off(int fd)
{
    int value = -7;
    socklen_t n = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, &n) ? -errno : value;
}

static void set_peek_off(int fd, int value)
{
    if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof(value)))
        printf("SO_PEEK_OFF %d: %s\n", value, error_name(errno));
}

static void peeks(const char *name, int out, int in)
{
    char buffer[64];
    printf("%s: at first %d\n", name, peek_off(in));
    set_peek_off(in, 0);
    send(out, "hello", 5, 0);
    send(out, "world", 5, 0);
    settle();
    for (int i = 0; i < 5; i++) {
        ssize_t n = recv(in, buffer, 3, MSG_PEEK | MSG_DONTWAIT);
        printf("%s: peek %zd %.*s, then at %d\n", name, n, n > 0 ? (int)n : 0, buffer, peek_off(in));
    }
    set_peek_off(in, 7);
    ssize_t n = recv(in, buffer, 4, MSG_DONTWAIT);
    printf("%s: read %zd %.*s, then at %d\n", name, n, n > 0 ? (int)n : 0, buffer, peek_off(in));
    n = recv(in, buffer, 20, MSG_PEEK | MSG_DONTWAIT);
    printf("%s: peek %zd %.*s, then at %d\n", name, n, n > 0 ? (int)n : 0, buffer, peek_off(in));
    set_peek_off(in, -1);
    n = recv(in, buffer, 20, MSG_PEEK | MSG_DONTWAIT);
    printf("%s: peek %zd %.*s, then at %d\n", name, n, n > 0 ? (int)n : 0, buffer, peek_off(in));
}

static void peek_offsets(void)
{
    int fd[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
    peeks("unix stream", fd[0], fd[1]);
    close(fd[0]);
    close(fd[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, fd);
    peeks("unix datagram", fd[0], fd[1]);
    close(fd[0]);
    close(fd[1]);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
    fd[1] = socket(AF_INET, SOCK_DGRAM, 0);
    bind(fd[1], (void *)&a, sizeof(a));
    getsockname(fd[1], (void *)&a, &n);
    connect(fd[0], (void *)&a, sizeof(a));
    peeks("UDP", fd[0], fd[1]);
    close(fd[0]);
    close(fd[1]);
}

static int state(int fd)
{
    struct tcp_info info;
    socklen_t n = sizeof(info);
    settle();
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) ? -errno : info.tcpi_state;
}

static int bind_again(bool reuse)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    int result = bind(fd, (void *)&address, sizeof(address)) ? -errno : 0;
    close(fd);
    return result;
}

static void bind_both(const char *what)
{
    settle();
    int plain = bind_again(false), reuse = bind_again(true);
    printf("%s: bind %s, with SO_REUSEADDR %s\n", what, plain ? error_name(-plain) : "ok",
           reuse ? error_name(-reuse) : "ok");
}

static void ends(void)
{
    int one = 1;
    struct linger none = {1, 0};
    // The client closes first: its port waits, the server's is free.
    connect_pair();
    close(listener_fd);
    bind_both("a connection");
    close(client_fd);
    printf("server: %d\n", state(server_fd));
    close(server_fd);
    bind_both("the client closed first");
    // The server closes first.
    connect_pair();
    close(listener_fd);
    close(server_fd);
    printf("client: %d\n", state(client_fd));
    bind_both("the server closed first, the client not yet");
    close(client_fd);
    bind_both("both closed");
    // The same with SO_REUSEADDR for the listener, which the connection inherits, and others with it.
    int lowat = 7, inline_data = 0;
    address.sin_port = 0;
    listener_fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(listener_fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
    setsockopt(listener_fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
    lowat = 0;
    socklen_t n = sizeof(address), size = sizeof(int);
    bind(listener_fd, (void *)&address, sizeof(address));
    listen(listener_fd, 5);
    getsockname(listener_fd, (void *)&address, &n);
    client_fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(client_fd, (void *)&address, sizeof(address));
    server_fd = accept(listener_fd, NULL, NULL);
    getsockopt(server_fd, SOL_SOCKET, SO_OOBINLINE, &inline_data, &size);
    getsockopt(server_fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, &size);
    printf("inherited: %d, %d\n", inline_data, lowat);
    close(server_fd);
    close(listener_fd);
    close(client_fd);
    bind_both("with SO_REUSEADDR");
    // Resets leave nothing.
    connect_pair();
    close(listener_fd);
    setsockopt(server_fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(server_fd);
    printf("reset client: %d\n", state(client_fd));
    bind_both("a reset");
    close(client_fd);
    // Ends by shutdown(2).
    connect_pair();
    shutdown(server_fd, SHUT_WR);
    printf("server %d, client %d\n", state(server_fd), state(client_fd));
    shutdown(client_fd, SHUT_WR);
    printf("server %d, client %d\n", state(server_fd), state(client_fd));
    SHOW(shutdown(server_fd, SHUT_RD));
    close_pair();
    bind_both("the server's shutdown was first");
    // Unread bytes: a reset.
    connect_pair();
    close(listener_fd);
    send(client_fd, "unread", 6, 0);
    settle();
    close(server_fd);
    bind_both("unread bytes");
    close(client_fd);
}

static void thrown_away(void)
{
    connect_pair();
    send(client_fd, "0123456789", 10, 0);
    settle();
    SHOW(recv(server_fd, NULL, 4, MSG_TRUNC));
    read_some("rest", 10, 0);
    close_pair();
}

int main(void)
{
    urgent();
    peek_offsets();
    thrown_away();
    ends();
    return 0;
}
