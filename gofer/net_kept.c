#include "gofer/net_kept.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>

#include "abi/net_options.h"
#include "gofer/modes.h"
#include "gofer/net_route.h"

#define FD_BITS 16 // of a handle
#define PASSED_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_MORE)
_Static_assert(GOFER_KEPT_SOCKETS_MAX == 1u << FD_BITS, "a descriptor fits into a handle");

// One request with its data, and the reply in the making.
struct exchange {
    struct gofer_kept_request request;
    struct gofer_kept_reply reply;
    size_t size; // bytes of data that came with the request
    int donated; // goes with the reply; -1: none
};

static struct kept *table; // by descriptor
static int events = -1;
static uint8_t data[GOFER_KEPT_DATA_MAX];

int kept_prepare(void)
{
    table = calloc(GOFER_KEPT_SOCKETS_MAX, sizeof(*table));
    events = epoll_create1(EPOLL_CLOEXEC);
    if (table && events >= 0)
        return 0;
    fprintf(stderr, "gofer: cannot keep sockets: %s\n", strerror(errno));
    return -errno;
}

// The socket of a handle, or NULL.
static struct kept *find(uint32_t handle, int *fd)
{
    *fd = (int)(handle & (GOFER_KEPT_SOCKETS_MAX - 1));
    struct kept *k = &table[*fd];
    return k->used && k->generation == handle >> FD_BITS ? k : NULL;
}

// Takes over a socket: 0 with its handle, or -errno.
static int keep(int fd, const struct kept *like, struct exchange *x)
{
    if (fd < 0)
        return -errno;
    if (fd >= (int)GOFER_KEPT_SOCKETS_MAX) {
        close(fd);
        return -EMFILE;
    }
    struct kept *k = &table[fd];
    uint16_t generation = (uint16_t)((k->generation + 1) & 0x7fff); // a handle is never negative
    uint32_t handle = (uint32_t)generation << FD_BITS | (uint32_t)fd;
    struct epoll_event none = {.events = EPOLLONESHOT, .data.u64 = handle};
    if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &none) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *k = *like;
    k->used = true;
    k->generation = generation;
    x->reply.value = (int32_t)handle;
    return 0;
}

static int make(struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    int ping = r->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    if ((r->family != AF_INET && r->family != AF_INET6) ||
        (r->value != SOCK_STREAM && r->value != SOCK_DGRAM) ||
        (r->level != 0 && (r->value != SOCK_DGRAM || r->level != ping)))
        return -EPROTONOSUPPORT;
    const struct kept like = {.datagram = r->value == SOCK_DGRAM,
                              .ipv6 = r->family == AF_INET6,
                              .protocol = r->value == SOCK_STREAM ? GOFER_NET_TCP
                                          : r->level              ? GOFER_NET_ICMP
                                                                  : GOFER_NET_UDP};
    return keep(socket(r->family, r->value | SOCK_CLOEXEC | SOCK_NONBLOCK, r->level), &like, x);
}

static int accept_one(const struct kept *listener, int fd, struct exchange *x)
{
    const struct kept like = {.ipv6 = listener->ipv6, .protocol = listener->protocol};
    if (listener->datagram)
        return -EOPNOTSUPP;
    return keep(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), &like, x);
}

static union net_address address_of(const struct gofer_kept_request *r)
{
    union net_address address = {.in6 = {.sin6_family = AF_UNSPEC}};
    memcpy(&address, r->address, r->length);
    return address;
}

static int bind_it(struct kept *k, int fd, const struct gofer_kept_request *r)
{
    union net_address address = address_of(r);
    int error = kept_may_bind(k, fd, &address, r->length);
    if (error || bind(fd, &address.any, r->length) < 0)
        return error ? error : -errno;
    kept_note_bound(k, fd);
    return 0;
}

static int connect_it(struct kept *k, int fd, const struct gofer_kept_request *r)
{
    union net_address address = address_of(r);
    bool disconnect = r->length >= sizeof(address.any.sa_family) && address.any.sa_family == AF_UNSPEC;
    int error = disconnect ? 0 : kept_may_connect(k, &address, r->length);
    if (error)
        return error;
    int result = connect(fd, &address.any, r->length) < 0 ? -errno : 0;
    // Disconnecting may give the port back.
    if (disconnect)
        kept_note_bound(k, fd);
    return result;
}

static int send_it(struct kept *k, int fd, struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    union net_address address = address_of(r);
    _Alignas(struct cmsghdr) uint8_t control[NET_HEADER_ROOM];
    struct iovec part = {data, x->size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (r->length) {
        // A connection is made by connecting: MSG_FASTOPEN and the like do not exist here.
        int error = k->datagram ? kept_may_connect(k, &address, r->length) : -EISCONN;
        if (error)
            return error;
        message.msg_name = &address;
        message.msg_namelen = r->length;
    }
    if (k->datagram && r->header.has) {
        message.msg_control = control;
        message.msg_controllen = net_header_write(&r->header, control);
    }
    ssize_t n = sendmsg(fd, &message, (r->value & PASSED_FLAGS) | MSG_DONTWAIT | MSG_NOSIGNAL);
    x->reply.value = (int32_t)n;
    return n < 0 ? -errno : 0;
}

static int receive_it(struct kept *k, int fd, struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    union net_address from;
    struct iovec part = {data, r->size < sizeof(data) ? r->size : sizeof(data)};
    _Alignas(struct cmsghdr) uint8_t control[NET_HEADER_ROOM];
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof(from),
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = k->datagram ? control : NULL,
                             .msg_controllen = k->datagram ? sizeof(control) : 0};
    if (!kept_purge(k, fd))
        return -EAGAIN;
    ssize_t n = recvmsg(fd, &message, (r->value & PASSED_FLAGS) | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    if (k->datagram && !kept_hears(k, &from, message.msg_namelen))
        return -EAGAIN;
    x->reply.value = (int32_t)n;
    x->reply.level = message.msg_flags & MSG_TRUNC;
    if (k->datagram)
        net_header_read(&message, &x->reply.header);
    // Bytes of a stream that MSG_TRUNC throws away are none.
    bool thrown = !k->datagram && (r->value & MSG_TRUNC);
    x->reply.size = thrown ? 0 : (size_t)n < part.iov_len ? (uint32_t)n : (uint32_t)part.iov_len;
    if (k->datagram && message.msg_namelen <= sizeof(from)) {
        x->reply.length = message.msg_namelen;
        memcpy(x->reply.address, &from, message.msg_namelen);
    }
    return 0;
}

static int name_it(int fd, struct exchange *x)
{
    union net_address name;
    socklen_t size = sizeof(name);
    int result = x->request.value ? getpeername(fd, &name.any, &size) : getsockname(fd, &name.any, &size);
    if (result < 0)
        return -errno;
    x->reply.length = size < sizeof(name) ? size : sizeof(name);
    memcpy(x->reply.address, &name, x->reply.length);
    return 0;
}

static bool may_get(int level, int name)
{
    return net_option_readable(level, name) || (level == SOL_SOCKET && name == SO_ERROR);
}

static int set_option(int fd, struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    if (!net_option_settable(r->level, r->value))
        return -ENOPROTOOPT;
    return setsockopt(fd, r->level, r->value, data, (socklen_t)x->size) < 0 ? -errno : 0;
}

static int get_option(int fd, struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    socklen_t size = r->size < GOFER_KEPT_OPTION_MAX ? r->size : GOFER_KEPT_OPTION_MAX;
    if (!may_get(r->level, r->value))
        return -ENOPROTOOPT;
    memset(data, 0, size);
    if (getsockopt(fd, r->level, r->value, data, &size) < 0)
        return -errno;
    x->reply.size = size < GOFER_KEPT_OPTION_MAX ? size : GOFER_KEPT_OPTION_MAX;
    return 0;
}

static int poll_it(struct kept *k, int fd, struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    struct pollfd p = {.fd = fd, .events = (short)(r->value & (POLLIN | POLLOUT | POLLPRI | POLLRDHUP))};
    bool quiet = kept_purge(k, fd);
    if (poll(&p, 1, 0) < 0)
        return -errno;
    if (!quiet)
        p.revents &= ~POLLIN; // asked again when the event fires
    x->reply.value = (uint16_t)p.revents;
    uint32_t arm = (uint32_t)r->level & (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP);
    if (r->size & GOFER_KEPT_ARM_REST)
        arm &= ~(uint32_t)p.revents;
    struct epoll_event event = {.events = arm | EPOLLONESHOT, .data.u64 = r->handle};
    return arm && epoll_ctl(events, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

static int queued(int fd, struct exchange *x)
{
    int value = 0;
    if (x->request.value != FIONREAD && x->request.value != SIOCOUTQ)
        return -EINVAL;
    if (ioctl(fd, (unsigned long)(uint32_t)x->request.value, &value) < 0)
        return -errno;
    x->reply.value = value;
    return 0;
}

static int close_it(struct kept *k, int fd)
{
    kept_forget_peers(k);
    k->used = false;
    // The broker waits for nobody: a linger with a time would make close(2) wait, on a socket that does not block, too.
    struct linger linger = {0};
    socklen_t length = sizeof(linger);
    // A time beyond all bounds reads as a negative one.
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0 && linger.l_onoff &&
        linger.l_linger != 0) {
        linger.l_onoff = 0;
        if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
            shutdown(fd, SHUT_RDWR);
    }
    close(fd); // and with it what was armed
    return 0;
}

static int listen_it(const struct kept *k, int fd, int backlog)
{
    int error = k->datagram ? -EOPNOTSUPP : kept_may_listen(k, fd);
    return error ? error : listen(fd, backlog) < 0 ? -errno : 0;
}

static int route(struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    ssize_t n = net_route_ask(r->value, r->family, r->size, r->address, data, sizeof(data));
    x->reply.size = n < 0 ? 0 : (uint32_t)n;
    return n < 0 ? (int)n : 0;
}

static int act(struct exchange *x)
{
    const struct gofer_kept_request *r = &x->request;
    int fd;
    struct kept *k = find(r->handle, &fd);
    if (r->op == GOFER_KEPT_SOCKET)
        return make(x);
    if (r->op == GOFER_KEPT_ROUTE)
        return route(x);
    if (!k)
        return -EBADF;
    switch (r->op) {
    case GOFER_KEPT_BIND:
        return bind_it(k, fd, r);
    case GOFER_KEPT_CONNECT:
        return connect_it(k, fd, r);
    case GOFER_KEPT_LISTEN:
        return listen_it(k, fd, r->value);
    case GOFER_KEPT_ACCEPT:
        return accept_one(k, fd, x);
    case GOFER_KEPT_NAME:
        return name_it(fd, x);
    case GOFER_KEPT_SEND:
        return send_it(k, fd, x);
    case GOFER_KEPT_RECV:
        return receive_it(k, fd, x);
    case GOFER_KEPT_SHUTDOWN:
        return shutdown(fd, r->value) < 0 ? -errno : 0;
    case GOFER_KEPT_SETOPT:
        return set_option(fd, x);
    case GOFER_KEPT_GETOPT:
        return get_option(fd, x);
    case GOFER_KEPT_POLL:
        return poll_it(k, fd, x);
    case GOFER_KEPT_QUEUED:
        return queued(fd, x);
    case GOFER_KEPT_CLOSE:
        return close_it(k, fd);
    default:
        return -EINVAL;
    }
}

// 1, 0 at the end of the connection, -1 for what is no request. A descriptor that comes along never gets a number here.
static int receive(int connection, struct exchange *x)
{
    struct iovec parts[] = {{&x->request, sizeof(x->request)}, {data, sizeof(data)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t got;
    do
        got = recvmsg(connection, &message, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return 0;
    if (got < (ssize_t)sizeof(x->request) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
        x->request.length > GOFER_KEPT_ADDRESS_MAX)
        return -1;
    x->size = (size_t)got - sizeof(x->request);
    x->reply = (struct gofer_kept_reply){.serial = x->request.serial};
    x->donated = -1;
    return 1;
}

static int reply(int connection, struct exchange *x)
{
    struct iovec parts[] = {{&x->reply, sizeof(x->reply)}, {data, x->reply.size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    if (x->donated >= 0) {
        memcpy(CMSG_DATA(&control.header), &x->donated, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    ssize_t sent;
    do
        sent = sendmsg(connection, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)(sizeof(x->reply) + x->reply.size) ? 0 : -1;
}

int kept_serve(int connection)
{
    for (;;) {
        struct exchange x;
        int got = receive(connection, &x);
        if (got == 0)
            return 0;
        if (got < 0) {
            fprintf(stderr, "gofer: what is no request refused, closing the connection\n");
            return GOFER_EXIT_FAILED;
        }
        int result = 0;
        if (x.request.op == GOFER_KEPT_EVENTS)
            x.donated = events;
        else
            result = act(&x);
        x.reply.error = result < 0 ? -result : 0;
        if (result < 0)
            x.reply.size = 0;
        if (reply(connection, &x) < 0)
            return 0;
    }
}
