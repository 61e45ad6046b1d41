// `gofer --net`: makes, binds and connects internet sockets of the sandbox's network namespace (abi/gofer_net.h).
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/gofer_net.h"
#include "gofer/jail.h"
#include "gofer/landlock.h"
#include "gofer/modes.h"
#include "gofer/net_kept.h"
#include "gofer/net_route.h"
#include "seccomp_programs.h"

#ifdef SENTRY_SANITIZED
#define FILTER filter_gofer_net_sanitizer
#else
#define FILTER filter_gofer_net_trap
#endif

static uint8_t routes[GOFER_NET_ROUTE_MAX]; // messages that follow a reply

// A request and the socket that came with it.
struct received {
    struct gofer_net_request request;
    int socket; // -1: none
};

static bool is_internet(int fd)
{
    int domain = 0;
    socklen_t size = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           (domain == AF_INET || domain == AF_INET6);
}

static bool is_address(const struct gofer_net_request *request, bool unspec)
{
    uint16_t family;
    if (request->length > sizeof(request->address) || request->length < sizeof(family))
        return false;
    memcpy(&family, request->address, sizeof(family));
    return (family == AF_INET && request->length >= sizeof(struct sockaddr_in)) ||
           (family == AF_INET6 && request->length >= 24 /* without a scope, RFC 2133 */) ||
           (unspec && family == AF_UNSPEC);
}

static int make_socket(const struct gofer_net_request *request)
{
    if ((request->family != AF_INET && request->family != AF_INET6) ||
        (request->value != SOCK_STREAM && request->value != SOCK_DGRAM))
        return -EPROTONOSUPPORT;
    uint32_t ping = request->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    if (request->length && (request->value != SOCK_DGRAM || request->length != ping))
        return -EPROTONOSUPPORT;
    int fd = socket(request->family, request->value | SOCK_CLOEXEC | SOCK_NONBLOCK, (int)request->length);
    return fd < 0 ? -errno : fd;
}

static int act(const struct received *r)
{
    const struct sockaddr *address = (const struct sockaddr *)(const void *)r->request.address;
    if (r->socket < 0 || !is_internet(r->socket))
        return -ENOTSOCK;
    switch (r->request.op) {
    case GOFER_NET_BIND:
        if (!is_address(&r->request, false))
            return -EAFNOSUPPORT;
        return bind(r->socket, address, r->request.length) < 0 ? -errno : 0;
    case GOFER_NET_CONNECT:
        if (!is_address(&r->request, true))
            return -EAFNOSUPPORT;
        return connect(r->socket, address, r->request.length) < 0 ? -errno : 0;
    case GOFER_NET_LISTEN:
        return listen(r->socket, r->request.value) < 0 ? -errno : 0;
    default:
        return -EINVAL;
    }
}

// 1, 0 at the end of the connection, -1 for what is no request.
static int receive(int connection, struct received *r)
{
    struct iovec vector = {.iov_base = &r->request, .iov_len = sizeof(r->request)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    // Room for one descriptor and not, with the padding, for two: the kernel drops what is more.
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t got;
    do
        got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    r->socket = -1;
    for (struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL; c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&r->socket, CMSG_DATA(c), sizeof(int));
    }
    if (got <= 0)
        return 0;
    return got == sizeof(r->request) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? 1 : -1;
}

// `size` bytes of `routes` follow.
static int reply(int connection, uint32_t serial, int result, int donated, size_t size)
{
    struct gofer_net_reply answer = {.serial = serial, .error = result < 0 ? -result : 0};
    struct iovec parts[] = {{&answer, sizeof(answer)}, {routes, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    if (donated >= 0) {
        memcpy(CMSG_DATA(&control.header), &donated, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    ssize_t sent;
    do
        sent = sendmsg(connection, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)(sizeof(answer) + size) ? 0 : -1;
}

// Bytes in `routes`, or -errno.
static int ask_route(const struct gofer_net_request *r)
{
    return (int)net_route_ask(r->value, r->family, r->length, r->address, routes, sizeof(routes));
}

static int serve(int connection)
{
    for (;;) {
        struct received r;
        int got = receive(connection, &r);
        if (got == 0)
            return 0;
        if (got < 0) {
            fprintf(stderr, "gofer: what is no request refused, closing the connection\n");
            return GOFER_EXIT_FAILED;
        }
        bool make = r.request.op == GOFER_NET_SOCKET, route = r.request.op == GOFER_NET_ROUTE;
        int result = make ? make_socket(&r.request) : route ? ask_route(&r.request) : act(&r);
        int error = reply(connection, r.request.serial, result, make ? result : -1,
                          route && result > 0 ? (size_t)result : 0);
        if (make && result >= 0)
            close(result);
        if (r.socket >= 0)
            close(r.socket);
        if (error < 0)
            return 0;
    }
}

int gofer_net_main(int argc, char **argv)
{
    int connection = gofer_fd_argument(argc, argv, "--connection-fd");
    if (connection < 0) {
        fprintf(stderr, "gofer: --net needs --connection-fd\n");
        return GOFER_EXIT_FAILED;
    }
    static const struct gofer_config config = {
        .run_uid = UINT32_MAX, .run_gid = UINT32_MAX, .waive = GOFER_WAIVE_LANDLOCK, .parent_death = 1};
    int policy = gofer_fd_argument(argc, argv, "--policy-fd");
    if (policy >= 0 && net_policy_read(policy))
        return GOFER_EXIT_FAILED;
    if (jail_close_others(&connection, 1) || jail_empty_root() || net_route_prepare() ||
        (policy >= 0 && kept_prepare()))
        return GOFER_EXIT_FAILED;
    // Its own domain: no file, but ports are what it is for. Before the capabilities go.
    int error = gofer_fd_argument(argc, argv, "--no-landlock") < 0 ? landlock_restrict_files() : 0;
    if (error) {
        fprintf(stderr, "gofer: cannot enter a Landlock domain: %s\n", strerror(-error));
        return GOFER_EXIT_FAILED;
    }
    if (jail_confine(&config, NULL, -1) || jail_filter(&FILTER))
        return GOFER_EXIT_FAILED;
    return policy >= 0 ? kept_serve(connection) : serve(connection);
}
