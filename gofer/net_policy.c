#include "gofer/net_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/mutate.h"

static struct gofer_net_rule rules[GOFER_NET_RULES_MAX]; // never change once the policy is read
static size_t nr_rules;

static bool valid(const struct gofer_net_rule *rule)
{
    unsigned int most = rule->family == 4 ? 32 : rule->family == 6 ? 128 : 0;
    return rule->direction <= GOFER_NET_IN && rule->protocols &&
           !(rule->protocols & ~(GOFER_NET_TCP | GOFER_NET_UDP | GOFER_NET_ICMP)) &&
           (rule->family == 0 || rule->family == 4 || rule->family == 6) && rule->bits <= most &&
           rule->first_port <= rule->last_port;
}

int net_policy_read(int fd)
{
    size_t done = 0;
    ssize_t got;
    while (done < sizeof(rules)) {
        got = read(fd, (char *)rules + done, sizeof(rules) - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    char beyond;
    nr_rules = done / sizeof(rules[0]);
    bool good = done % sizeof(rules[0]) == 0 && read(fd, &beyond, 1) == 0;
    for (size_t i = 0; i < nr_rules; i++)
        good = good && valid(&rules[i]);
    if (good)
        return 0;
    fprintf(stderr, "gofer: cannot use the network policy on descriptor %d\n", fd);
    return -EINVAL;
}

bool net_flatten(const union net_address *address, size_t length, struct flat_address *flat)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(flat, 0, sizeof(*flat));
    if (address->any.sa_family == AF_INET && length >= sizeof(address->in)) {
        flat->family = 4;
        memcpy(flat->ip, &address->in.sin_addr, 4);
        flat->port = ntohs(address->in.sin_port);
        return true;
    }
    if (address->any.sa_family != AF_INET6 || length < 24 /* without a scope, RFC 2133 */)
        return false;
    flat->port = ntohs(address->in6.sin6_port);
    if (memcmp(&address->in6.sin6_addr, mapped, sizeof(mapped)) == 0) {
        flat->family = 4;
        memcpy(flat->ip, (const uint8_t *)&address->in6.sin6_addr + 12, 4);
    } else {
        flat->family = 6;
        memcpy(flat->ip, &address->in6.sin6_addr, 16);
    }
    return true;
}

static bool is_any(const struct flat_address *flat)
{
    static const uint8_t zero[16];
    return memcmp(flat->ip, zero, sizeof(zero)) == 0;
}

void net_name_this_host(union net_address *address)
{
    struct flat_address flat;
    if (!net_flatten(address, sizeof(*address), &flat) || !is_any(&flat))
        return;
    const struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
    if (address->any.sa_family == AF_INET)
        address->in.sin_addr = loopback;
    else if (flat.family == 4)
        memcpy((uint8_t *)&address->in6.sin6_addr + 12, &loopback, sizeof(loopback));
    else
        address->in6.sin6_addr = in6addr_loopback;
}

static bool in_prefix(const struct gofer_net_rule *rule, const struct flat_address *flat)
{
    if (rule->family == 0)
        return true;
    if (rule->family != flat->family)
        return false;
    // All addresses at once are more than those of a prefix.
    if (is_any(flat) && rule->bits != 0 && rule->bits != (flat->family == 4 ? 32 : 128))
        return false;
    size_t whole = rule->bits / 8;
    uint8_t rest = (uint8_t)(0xff00 >> rule->bits % 8);
    return memcmp(rule->address, flat->ip, whole) == 0 &&
           (rest == 0 || ((rule->address[whole] ^ flat->ip[whole]) & rest) == 0);
}

bool net_policy_allows(enum gofer_net_direction direction, unsigned int protocol,
                       const struct flat_address *flat)
{
    if (mutated("network-policy"))
        return true;
    for (size_t i = 0; i < nr_rules; i++) {
        const struct gofer_net_rule *rule = &rules[i];
        if (rule->direction == direction && (rule->protocols & protocol) && in_prefix(rule, flat) &&
            (protocol == GOFER_NET_ICMP || (flat->port >= rule->first_port && flat->port <= rule->last_port)))
            return true;
    }
    return false;
}

bool net_policy_allows_own(unsigned int protocol, const struct flat_address *flat, bool both)
{
    struct flat_address four = {.family = 4, .port = flat->port};
    if (!net_policy_allows(GOFER_NET_IN, protocol, flat))
        return false;
    return !both || flat->family != 6 || !is_any(flat) || net_policy_allows(GOFER_NET_IN, protocol, &four);
}
