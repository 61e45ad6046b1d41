// What a network policy says of one socket.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gofer/net_kept.h"

#define PURGE_MAX 64 // datagrams dropped for one request

static bool own_address(int fd, struct flat_address *flat)
{
    union net_address name;
    socklen_t size = sizeof(name);
    return getsockname(fd, &name.any, &size) == 0 && net_flatten(&name, size, flat);
}

// Does `::` stand for 0.0.0.0, too?
static bool is_dual(const struct kept *k, int fd)
{
    int only = 0;
    socklen_t size = sizeof(only);
    return k->ipv6 && (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) < 0 || !only);
}

int kept_may_bind(const struct kept *k, int fd, const union net_address *address, uint32_t length)
{
    struct flat_address flat;
    if (!net_flatten(address, length, &flat))
        return -EAFNOSUPPORT;
    // A port that the host chooses is what sending and connecting give a socket, too: listen(2) and receiving are looked at.
    if (flat.port == 0 || k->protocol == GOFER_NET_ICMP)
        return 0;
    return net_policy_allows_own(k->protocol, &flat, is_dual(k, fd)) ? 0 : -EACCES;
}

void kept_forget_peers(struct kept *k)
{
    free(k->peers);
    k->peers = NULL;
}

void kept_note_bound(struct kept *k, int fd)
{
    struct flat_address flat;
    k->served = k->protocol == GOFER_NET_UDP && own_address(fd, &flat) && flat.port &&
                net_policy_allows_own(k->protocol, &flat, is_dual(k, fd));
    if (!k->served)
        kept_forget_peers(k);
}

int kept_may_listen(const struct kept *k, int fd)
{
    struct flat_address flat;
    if (!own_address(fd, &flat))
        return -EINVAL;
    if (flat.port == 0) { // listen(2) would choose
        union net_address any = {.in6 = {.sin6_family = k->ipv6 ? AF_INET6 : AF_INET}};
        if (bind(fd, &any.any, k->ipv6 ? sizeof(any.in6) : sizeof(any.in)) < 0)
            return -errno;
        if (!own_address(fd, &flat))
            return -EINVAL;
    }
    return net_policy_allows_own(k->protocol, &flat, is_dual(k, fd)) ? 0 : -EACCES;
}

static bool is_peer(const struct kept *k, const struct flat_address *flat)
{
    for (unsigned int i = 0; k->peers && i < k->peers->count; i++)
        if (memcmp(&k->peers->address[i], flat, sizeof(*flat)) == 0)
            return true;
    return false;
}

// Without memory it cannot be answered.
static void remember_peer(struct kept *k, const struct flat_address *flat)
{
    if (is_peer(k, flat))
        return;
    if (!k->peers)
        k->peers = calloc(1, sizeof(*k->peers));
    if (!k->peers)
        return;
    k->peers->address[k->peers->next] = *flat;
    k->peers->next = (k->peers->next + 1) % KEPT_PEERS;
    if (k->peers->count < KEPT_PEERS)
        k->peers->count++;
}

int kept_may_connect(const struct kept *k, union net_address *address, uint32_t length)
{
    struct flat_address flat;
    net_name_this_host(address);
    if (!net_flatten(address, length, &flat))
        return -EAFNOSUPPORT;
    return net_policy_allows(GOFER_NET_OUT, k->protocol, &flat) || is_peer(k, &flat) ? 0 : -EACCES;
}

bool kept_hears(struct kept *k, const union net_address *from, uint32_t length)
{
    struct flat_address flat;
    if (!k->datagram)
        return true; // a connection has been looked at
    if (!net_flatten(from, length, &flat))
        return false;
    if (k->served)
        remember_peer(k, &flat);
    return k->served || net_policy_allows(GOFER_NET_OUT, k->protocol, &flat);
}

bool kept_purge(struct kept *k, int fd)
{
    for (int i = 0; k->datagram && i < PURGE_MAX; i++) {
        union net_address from;
        struct iovec nothing = {&from, 0};
        struct msghdr head = {
            .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &nothing, .msg_iovlen = 1};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        // An error is the guest's: looking for a datagram would take it away.
        if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN) || (p.revents & POLLERR) ||
            recvmsg(fd, &head, MSG_PEEK | MSG_DONTWAIT) < 0 || kept_hears(k, &from, head.msg_namelen))
            return true;
        (void)recvmsg(fd, &head, MSG_DONTWAIT);
    }
    return !k->datagram;
}
