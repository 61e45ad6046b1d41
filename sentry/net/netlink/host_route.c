// NETLINK_ROUTE with --network=host: the broker asks the kernel of its namespace (abi/gofer_net.h), and what it tells is passed on under
// the guest's own numbers. What would change something is refused before it comes here.
#include "abi/gofer_net.h"
#include "abi/linux/errno.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/netlink/netlink.h"
#include <stdlib.h>
#include <string.h>

#define DUMP_MAX (4u << 20)
#define IFLA_ALT_IFNAME 53

int nl_host_walk(int kind, int family, const uint8_t *address, nl_host_each each, void *arg)
{
    uint8_t *bytes = malloc(GOFER_NET_ROUTE_MAX);
    int r = bytes ? 1 : -LX_ENOMEM;
    for (uint32_t skip = 0; r > 0 && skip < DUMP_MAX; skip += (uint32_t)r) {
        r = net_broker_route(kind, family, skip, address, bytes);
        for (size_t at = 0; r > 0 && at + sizeof(struct lx_nlmsghdr) <= (size_t)r;) {
            uint32_t len;
            memcpy(&len, bytes + at, sizeof(len));
            if (len < sizeof(struct lx_nlmsghdr) || len > (size_t)r - at)
                break;
            int stop = each(bytes + at, len, arg);
            if (stop) {
                free(bytes);
                return stop;
            }
            at += LX_NLMSG_ALIGN(len);
        }
        if (kind == GOFER_ROUTE_LOOKUP)
            break;
    }
    free(bytes);
    return r < 0 ? r : 0;
}

// Which messages are for the guest.
struct choice {
    struct nl_out *out;
    bool dump;
    int32_t index;       // 0: of all interfaces
    const uint8_t *name; // NULL: any
    size_t name_len;
    bool found;
};

static bool has_name(const struct choice *c, const uint8_t *attrs, size_t n)
{
    size_t len = 0, wanted = strnlen((const char *)c->name, c->name_len);
    const uint8_t *name = nl_find_attr(attrs, n, LX_IFLA_IFNAME, &len);
    return name && strnlen((const char *)name, len) == wanted && memcmp(name, c->name, wanted) == 0;
}

// struct ifinfomsg and ifaddrmsg have their index at the same place.
static bool is_chosen(const struct choice *c, const uint8_t *body, size_t n)
{
    struct lx_ifinfomsg head = {0};
    memcpy(&head, body, n < sizeof(head) ? n : sizeof(head));
    if (c->index && head.index != c->index)
        return false;
    return !c->name || (n > sizeof(head) && has_name(c, body + sizeof(head), n - sizeof(head)));
}

static int pass_on(const uint8_t *message, size_t n, void *arg)
{
    struct choice *c = arg;
    struct lx_nlmsghdr h;
    memcpy(&h, message, sizeof(h));
    const uint8_t *body = message + sizeof(h);
    size_t size = n - sizeof(h);
    if (!is_chosen(c, body, size))
        return 0;
    c->found = true;
    nl_begin(c->out, h.type, c->dump ? h.flags | LX_NLM_F_MULTI : 0, body, size);
    nl_end(c->out);
    return c->dump ? 0 : 1;
}

static int lookup(const uint8_t *payload, size_t n, struct choice *c)
{
    struct lx_rtmsg head;
    size_t len = 0;
    if (n < sizeof(head))
        return -LX_EINVAL;
    memcpy(&head, payload, sizeof(head));
    const uint8_t *to = nl_find_attr(payload + sizeof(head), n - sizeof(head), LX_RTA_DST, &len);
    if (head.family != LX_AF_INET && head.family != LX_AF_INET6)
        return -LX_EOPNOTSUPP;
    if (!to || len != (head.family == LX_AF_INET ? 4u : 16u))
        return -LX_EINVAL;
    int err = nl_host_walk(GOFER_ROUTE_LOOKUP, head.family, to, pass_on, c);
    return err > 0 ? 0 : err;
}

static int one_link(const uint8_t *payload, size_t n, struct choice *c)
{
    struct lx_ifinfomsg head;
    if (n < sizeof(head))
        return -LX_EINVAL;
    memcpy(&head, payload, sizeof(head));
    c->index = head.index;
    if (!c->index) {
        c->name = nl_find_attr(payload + sizeof(head), n - sizeof(head), LX_IFLA_IFNAME, &c->name_len);
        if (!c->name)
            c->name = nl_find_attr(payload + sizeof(head), n - sizeof(head), IFLA_ALT_IFNAME, &c->name_len);
    }
    if (head.index < 0 || (!c->index && !c->name))
        return -LX_EINVAL;
    int err = nl_host_walk(GOFER_ROUTE_LINKS, 0, NULL, pass_on, c);
    return err < 0 ? err : c->found ? 0 : -LX_ENODEV;
}

int nl_host_route_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, bool strict,
                      struct nl_out *out)
{
    struct choice c = {.out = out, .dump = dump};
    int family = n ? payload[0] : 0, kind;
    switch (h->type) {
    case LX_RTM_GETLINK:
        if (!dump)
            return one_link(payload, n, &c);
        kind = GOFER_ROUTE_LINKS;
        family = 0;
        break;
    case LX_RTM_GETADDR:
        kind = GOFER_ROUTE_ADDRESSES;
        if (strict && n >= sizeof(struct lx_ifaddrmsg))
            memcpy(&c.index, payload + 4, sizeof(c.index));
        break;
    case LX_RTM_GETROUTE:
        if (!dump)
            return lookup(payload, n, &c);
        kind = GOFER_ROUTE_ROUTES;
        break;
    case LX_RTM_GETRULE:
        kind = GOFER_ROUTE_RULES;
        break;
    case LX_RTM_GETNEIGH:
        kind = GOFER_ROUTE_NEIGHBOURS;
        break;
    case LX_RTM_GETNEIGHTBL:
    case LX_RTM_GETQDISC:
        return dump ? 0 : -LX_ENOENT;
    default:
        return -LX_EOPNOTSUPP;
    }
    if (!dump)
        return -LX_EOPNOTSUPP;
    if (family != 0 && family != LX_AF_INET && family != LX_AF_INET6)
        return 0; // bridges and labels: nothing
    return nl_host_walk(kind, family, NULL, pass_on, &c);
}
