// Requests to a broker that keeps the sockets, and what it tells of their readiness.
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/fs/hostfile/stream.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/host/kept.h"
#include "abi/gofer_net.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENT_BATCH 32

static struct host_watch readiness; // of the epoll that the broker gave
static struct kept_watch **watches; // by the lower half of the handle; kernel lock
static uint32_t watches_size;       // kernel lock

static uint32_t place(uint32_t handle)
{
    return handle & (GOFER_KEPT_SOCKETS_MAX - 1);
}

int kept_ask(struct kept_call *c, bool unlocked)
{
    struct iovec out[] = {{&c->request, sizeof(c->request)},
                          {(void *)(uintptr_t)c->data, c->room || !c->data ? 0 : c->request.size}};
    struct iovec in[] = {{&c->reply, sizeof(c->reply)}, {c->room, c->room ? c->request.size : 0}};
    int none = -1;
    if (unlocked)
        kernel_blocking_begin();
    size_t got = broker_exchange(out, 2, in, 2, -1, &none);
    if (unlocked)
        kernel_blocking_end();
    const struct gofer_kept_reply *r = &c->reply;
    if (none >= 0)
        close(none);
    if (r->error < 0 || r->error >= 4096 || r->size != got - sizeof(*r) || r->length > sizeof(r->address))
        kernel_fatal("the Gofer of the network is out of step");
    return -r->error;
}

uint32_t kept_poll(uint32_t handle, uint32_t mask, uint32_t arm, bool rest)
{
    struct kept_call c = {.request = {.op = GOFER_KEPT_POLL,
                                      .handle = handle,
                                      .value = (int32_t)mask,
                                      .level = (int32_t)arm,
                                      .size = rest ? GOFER_KEPT_ARM_REST : 0}};
    return kept_ask(&c, false) ? EV_ERR : (uint32_t)c.reply.value;
}

int kept_route(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes)
{
    struct kept_call c = {.request = {.op = GOFER_KEPT_ROUTE, .family = family, .value = kind, .size = skip}};
    if (address)
        memcpy(c.request.address, address, family == LX_AF_INET ? 4 : 16);
    // Here `size` is no room, so the exchange is made by hand.
    struct iovec out = {&c.request, sizeof(c.request)};
    struct iovec in[] = {{&c.reply, sizeof(c.reply)}, {bytes, GOFER_NET_ROUTE_MAX}};
    int none = -1;
    size_t got = broker_exchange(&out, 1, in, 2, -1, &none);
    if (none >= 0)
        close(none);
    if (c.reply.error < 0 || c.reply.error >= 4096 || c.reply.size != got - sizeof(c.reply))
        kernel_fatal("the Gofer of the network is out of step");
    return c.reply.error ? -c.reply.error : (int)c.reply.size;
}

int kept_watch_add(struct kept_watch *w)
{
    uint32_t at = place(w->handle);
    if (at >= watches_size) {
        uint32_t size = watches_size ? watches_size : 64;
        while (size <= at)
            size *= 2;
        void *grown = realloc(watches, size * sizeof(*watches));
        if (!grown)
            return -LX_ENOMEM;
        watches = grown;
        memset(&watches[watches_size], 0, (size - watches_size) * sizeof(*watches));
        watches_size = size;
    }
    watches[at] = w;
    return 0;
}

void kept_watch_del(struct kept_watch *w)
{
    uint32_t at = place(w->handle);
    if (at < watches_size && watches[at] == w)
        watches[at] = NULL;
}

// Whoever still waits has seen the events that fired and asks again when it has dealt with them; what did not fire stays armed.
static void tell(uint32_t handle, uint32_t events)
{
    uint32_t at = place(handle);
    struct kept_watch *w = at < watches_size ? watches[at] : NULL;
    if (!w || w->handle != handle)
        return;
    wake_up(w->wait, guest_events(events));
    uint32_t rest = wanted_events(w->wait) & ~events;
    if (rest && !(events & (EV_ERR | EV_HUP)))
        (void)kept_poll(handle, 0, rest, false);
}

static void fired(struct host_watch *watch, uint32_t events)
{
    struct epoll_event batch[EVENT_BATCH];
    int n = epoll_wait(watch->fd, batch, EVENT_BATCH, 0);
    for (int i = 0; i < n; i++)
        tell((uint32_t)batch[i].data.u64, batch[i].events);
    host_watch_arm(watch, EV_IN);
}

int kept_start(void)
{
    struct gofer_kept_request request = {.op = GOFER_KEPT_EVENTS};
    struct gofer_kept_reply reply;
    struct iovec out = {&request, sizeof(request)}, in = {&reply, sizeof(reply)};
    int fd = -1;
    broker_exchange(&out, 1, &in, 1, -1, &fd);
    if (fd < 0)
        return -LX_EPROTO;
    return host_watch_add(&readiness, fd, EV_IN, fired);
}
