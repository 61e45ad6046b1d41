// The broker of the network under a policy that allows nothing, asked arbitrary requests: each reply is whole, and nothing is ever
// connected, sent to an address, listened on or received.
#include "tests/fuzz/fuzz.h"
#include "gofer/net_kept.h"
#include "gofer/net_route.h"
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDLES 64

static int ends[2] = {-1, -1};
static uint32_t handles[HANDLES]; // that the broker gave
static unsigned nr_handles;

static void *broker(void *unused)
{
    kept_serve(ends[1]);
    close(ends[1]);
    return unused;
}

static void prepare(void)
{
    pthread_t thread;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 || kept_prepare() ||
        net_route_prepare() || pthread_create(&thread, NULL, broker, NULL))
        abort();
}

// Would the policy have to be asked for this to work? Connections, and datagrams with an address.
static bool is_forbidden(const struct gofer_kept_request *r)
{
    uint16_t family = 0;
    if (r->length >= sizeof(family))
        memcpy(&family, r->address, sizeof(family));
    return r->op == GOFER_KEPT_LISTEN || r->op == GOFER_KEPT_ACCEPT ||
           (r->op == GOFER_KEPT_CONNECT && family != AF_UNSPEC) || r->op == GOFER_KEPT_SEND;
}

static void ask(struct gofer_kept_request *r, const uint8_t *data, size_t n)
{
    static uint8_t answer[GOFER_KEPT_DATA_MAX];
    struct gofer_kept_reply reply;
    struct iovec out[] = {{r, sizeof(*r)}, {(void *)(uintptr_t)data, n}},
                 in[] = {{&reply, sizeof(reply)}, {answer, sizeof(answer)}};
    struct msghdr request = {.msg_iov = out, .msg_iovlen = 2}, message = {.msg_iov = in, .msg_iovlen = 2};
    if (sendmsg(ends[0], &request, MSG_NOSIGNAL) != (ssize_t)(sizeof(*r) + n))
        abort();
    ssize_t got = recvmsg(ends[0], &message, 0);
    if (got < (ssize_t)sizeof(reply) || reply.serial != r->serial ||
        reply.size != (size_t)got - sizeof(reply) || reply.error < 0 || reply.error > 4095 ||
        reply.length > sizeof(reply.address) || (reply.error && reply.size))
        abort();
    if (!reply.error && is_forbidden(r))
        abort();
    if (!reply.error && r->op == GOFER_KEPT_RECV && reply.size)
        abort();
    if (!reply.error && r->op == GOFER_KEPT_SOCKET)
        handles[nr_handles++ % HANDLES] = (uint32_t)reply.value;
}

static void smoke(unsigned long rounds)
{
    static const int32_t levels[] = {0, 1, 6, 17, 41, 58};
    static uint8_t data[4096];
    prepare();
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t luck = next();
        struct gofer_kept_request r = {.serial = (uint32_t)i,
                                       .op = 32 + (uint32_t)(luck % 18),
                                       .handle = handles[(luck >> 8) % HANDLES]};
        if (luck >> 60 == 0)
            r.handle = (uint32_t)next();
        r.family = (luck >> 16) % 8 ? (luck >> 19 & 1 ? AF_INET : AF_INET6) : (int32_t)(next() % 50);
        r.value = (luck >> 20) % 4 ? (int32_t)(next() % 64) : (int32_t)next();
        r.level = r.op == GOFER_KEPT_SOCKET && luck >> 63 ? 0 : levels[next() % 6];
        r.size = luck >> 24 & 1 ? (uint32_t)(next() % 5000) : (uint32_t)next();
        r.length = luck >> 25 & 1 ? 16 : (uint32_t)(next() % (GOFER_KEPT_ADDRESS_MAX + 1));
        for (size_t k = 0; k < sizeof(r.address); k++)
            r.address[k] = luck >> 26 & 1 ? (uint8_t)next() : 0;
        uint16_t family = luck >> 27 & 1 ? AF_INET : AF_INET6;
        if (luck >> 28 & 3)
            memcpy(r.address, &family, sizeof(family));
        if (luck >> 30 & 1)
            memcpy(r.address + 4, (const uint8_t[4]){127, 0, 0, 1}, 4);
        for (size_t k = 0; k < sizeof(r.header); k++)
            ((uint8_t *)&r.header)[k] = luck >> 31 & 1 ? (uint8_t)next() : 0;
        ask(&r, data, next() % sizeof(data));
    }
}

static void one(const uint8_t *bytes, size_t size)
{
    prepare();
    for (; size >= sizeof(struct gofer_kept_request); size -= sizeof(struct gofer_kept_request)) {
        struct gofer_kept_request r;
        memcpy(&r, bytes, sizeof(r));
        bytes += sizeof(r);
        if (r.length <= GOFER_KEPT_ADDRESS_MAX)
            ask(&r, bytes, size - sizeof(r) < 100 ? size - sizeof(r) : 100);
    }
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, one);
}
