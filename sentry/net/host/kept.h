#pragma once
// Sockets that gofer --net keeps, because the operator gave a network policy (abi/gofer_net_policy.h): no descriptor of one is
// in the Sentry, each operation is a request. Kernel lock.
#include "abi/gofer_net_policy.h"
#include "sentry/net/socket.h"

// Asks for the epoll that tells of readiness. At boot. 0 or -errno.
int kept_start(void);
// A socket, as host_inet_socket() makes one.
int kept_socket(int family, int type, int protocol, struct socket **out);

// --- requests (kept_client.c)
// A request and what goes along; the reply and what comes along.
struct kept_call {
    struct gofer_kept_request request;
    struct gofer_kept_reply reply;
    const void *data; // request.size bytes of it, unless `room` is given
    void *room;       // for request.size bytes
};
// Who is told of the events of a handle.
struct kept_watch {
    struct wait_queue *wait;
    uint32_t handle;
};
// 0 or -errno. `unlocked`: without the kernel lock, for what moves data; the caller holds the file.
int kept_ask(struct kept_call *c, bool unlocked);
// Readiness, as poll(2) tells it; arms `arm` (EPOLL*), or what of it does not hold with `rest`.
uint32_t kept_poll(uint32_t handle, uint32_t mask, uint32_t arm, bool rest);
// As net_broker_route().
int kept_route(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes);
int kept_watch_add(struct kept_watch *w); // 0 or -LX_ENOMEM
void kept_watch_del(struct kept_watch *w);
