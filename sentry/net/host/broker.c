#include "sentry/net/host/broker.h"
#include "abi/gofer_net.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MS 5000

static pthread_mutex_t connection_lock = PTHREAD_MUTEX_INITIALIZER; // never taken with the kernel lock held
static int connection = -1;                                         // never changes once the kernel runs
static struct host_watch hang_up;                                   // kernel lock
static uint32_t last_serial;                                        // connection_lock

union fd_control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void lost(struct host_watch *w, uint32_t events)
{
    kernel_fatal("the Gofer of the network is lost");
}

int net_broker_connect(int fd)
{
    connection = fd;
    int err = host_watch_add(&hang_up, fd, lost);
    return err ? err : host_watch_arm(&hang_up, EV_HUP);
}

bool net_broker_present(void)
{
    return connection >= 0;
}

static int send_request(const struct gofer_net_request *request, int fd)
{
    struct iovec part = {(void *)(uintptr_t)request, sizeof(*request)};
    union fd_control control = {
        .head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*request) ? 0 : -LX_EPROTO;
}

// The reply with this serial, and the descriptor that came with it (-1: none).
static int receive_reply(uint32_t serial, struct gofer_net_reply *reply, int *fd)
{
    struct iovec part = {reply, sizeof(*reply)};
    union fd_control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct pollfd ready = {.fd = connection, .events = POLLIN};
    int n;
    *fd = -1;
    while ((n = poll(&ready, 1, REPLY_MS)) < 0 && errno == EINTR)
        ;
    if (n <= 0 || recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(*reply))
        return -LX_EPROTO;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(fd, CMSG_DATA(c), sizeof(int));
    }
    return reply->serial == serial && reply->error >= 0 && reply->error < 4096 ? 0 : -LX_EPROTO;
}

// One exchange. 0 or -errno of the Gofer; a Gofer that is out of step ends the sandbox.
static int exchange(struct gofer_net_request *request, int fd, int *donated)
{
    struct gofer_net_reply reply;
    kernel_blocking_begin();
    pthread_mutex_lock(&connection_lock);
    request->serial = ++last_serial;
    int err = send_request(request, fd);
    if (!err)
        err = receive_reply(request->serial, &reply, donated);
    pthread_mutex_unlock(&connection_lock);
    kernel_blocking_end();
    if (err)
        kernel_fatal("the Gofer of the network is out of step");
    return -reply.error;
}

int net_broker_socket(int family, int type)
{
    struct gofer_net_request request = {.op = GOFER_NET_SOCKET, .family = family, .value = type};
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
