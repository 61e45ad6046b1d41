#include "sentry/net/host/broker.h"
#include "abi/gofer_net.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/net/host/kept.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MS 5000

static pthread_mutex_t connection_lock =
    PTHREAD_MUTEX_INITIALIZER;    // after the kernel lock, where both are held
static int connection = -1;       // never changes once the kernel runs
static bool keeps;                // the same
static struct host_watch hang_up; // kernel lock
static uint32_t last_serial;      // connection_lock

union fd_control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void lost(struct host_watch *w, uint32_t events)
{
    kernel_fatal("the Gofer of the network is lost");
}

int net_broker_connect(int fd, bool policy)
{
    connection = fd;
    keeps = policy;
    int err = host_watch_add(&hang_up, fd, EV_HUP, lost);
    return err || !policy ? err : kept_start();
}

bool net_broker_keeps(void)
{
    return keeps;
}

bool net_broker_present(void)
{
    return connection >= 0;
}

static int send_request(struct iovec *parts, size_t nr_parts, int fd)
{
    union fd_control control = {
        .head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = nr_parts};
    size_t size = 0;
    for (size_t i = 0; i < nr_parts; i++)
        size += parts[i].iov_len;
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -LX_EPROTO;
}

// The next reply, and the descriptor that came with it (-1: none). Its size or -LX_EPROTO.
static ssize_t receive_reply(struct iovec *parts, size_t nr_parts, int *fd)
{
    union fd_control control;
    // Room for one descriptor and not, with the padding, for two: the kernel drops what is more.
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = nr_parts,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    struct pollfd ready = {.fd = connection, .events = POLLIN};
    int n;
    *fd = -1;
    while ((n = poll(&ready, 1, REPLY_MS)) < 0 && errno == EINTR)
        ;
    ssize_t got = n <= 0 ? -1 : recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 || (message.msg_flags & MSG_TRUNC))
        return -LX_EPROTO;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(fd, CMSG_DATA(c), sizeof(int));
    }
    return got;
}

size_t broker_exchange(struct iovec *request, size_t nr_request, struct iovec *reply, size_t nr_reply, int fd,
                       int *donated)
{
    uint32_t serial, answered;
    pthread_mutex_lock(&connection_lock);
    serial = ++last_serial;
    memcpy(request[0].iov_base, &serial, sizeof(serial));
    ssize_t got = send_request(request, nr_request, fd);
    if (got == 0)
        got = receive_reply(reply, nr_reply, donated);
    pthread_mutex_unlock(&connection_lock);
    if (got >= (ssize_t)reply[0].iov_len)
        memcpy(&answered, reply[0].iov_base, sizeof(answered));
    if (got < (ssize_t)reply[0].iov_len || answered != serial)
        kernel_fatal("the Gofer of the network is out of step");
    return (size_t)got;
}

// One exchange. 0 or -errno of the Gofer; a Gofer that is out of step ends the sandbox.
static int exchange(struct gofer_net_request *request, int fd, int *donated)
{
    struct gofer_net_reply reply;
    struct iovec out = {request, sizeof(*request)}, in = {&reply, sizeof(reply)};
    kernel_blocking_begin();
    broker_exchange(&out, 1, &in, 1, fd, donated);
    kernel_blocking_end();
    if (reply.error < 0 || reply.error >= 4096)
        kernel_fatal("the Gofer of the network is out of step");
    return -reply.error;
}

int net_broker_socket(int family, int type, int protocol)
{
    struct gofer_net_request request = {
        .op = GOFER_NET_SOCKET, .family = family, .value = type, .length = (uint32_t)protocol};
    int fd = -1;
    int err = exchange(&request, -1, &fd);
    if (!err && fd < 0)
        err = -LX_EMFILE; // ours is full: the kernel has dropped it
    if (err && fd >= 0)
        close(fd);
    return err ? err : fd;
}

int net_broker_ask(int op, int fd, int value, const uint8_t *address, uint32_t length)
{
    struct gofer_net_request request = {.op = (uint32_t)op, .value = value, .length = length};
    if (length > sizeof(request.address))
        return -LX_EINVAL;
    if (length)
        memcpy(request.address, address, length);
    int none = -1;
    int err = exchange(&request, fd, &none);
    if (none >= 0)
        close(none);
    return err;
}

int net_broker_route(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes)
{
    struct gofer_net_request request = {
        .op = GOFER_NET_ROUTE, .family = family, .value = kind, .length = skip};
    struct gofer_net_reply reply;
    if (keeps)
        return kept_route(kind, family, skip, address, bytes);
    if (address)
        memcpy(request.address, address, family == AF_INET ? 4 : 16);
    struct iovec out = {&request, sizeof(request)};
    struct iovec in[] = {{&reply, sizeof(reply)}, {bytes, GOFER_NET_ROUTE_MAX}};
    int none = -1;
    size_t got = broker_exchange(&out, 1, in, 2, -1, &none);
    if (none >= 0)
        close(none);
    if (reply.error < 0 || reply.error >= 4096)
        kernel_fatal("the Gofer of the network is out of step");
    return reply.error ? -reply.error : (int)(got - sizeof(reply));
}
