// What NETLINK_ROUTE knows of the sandbox: the loopback interface, its two addresses, their routes, the rules of routing.
#include "sentry/net/host/broker.h"
#include "sentry/net/netlink/netlink.h"
#include "abi/linux/errno.h"
#include <string.h>

#define LO_INDEX 1
#define LO_FLAGS 0x10049u // UP, LOOPBACK, RUNNING, LOWER_UP
#define LO_MTU 65536u
#define ARPHRD_LOOPBACK 772
#define SCOPE_LINK 253
#define SCOPE_HOST 254
#define TABLE_DEFAULT 253
#define TABLE_MAIN 254
#define TABLE_LOCAL 255
#define PROTOCOL_KERNEL 2
#define TYPE_UNICAST 1
#define TYPE_LOCAL 2
#define TYPE_BROADCAST 3
#define ACTION_TO_TABLE 1
#define ADDRESS_PERMANENT 0x80

static const uint8_t localhost[4] = {127, 0, 0, 1}, local_net[4] = {127, 0, 0, 0},
                     local_broadcast[4] = {127, 255, 255, 255}, localhost6[16] = {[15] = 1};

static void put_link(struct nl_out *out, uint16_t flags)
{
    const struct lx_ifinfomsg head = {.type = ARPHRD_LOOPBACK, .index = LO_INDEX, .flags = LO_FLAGS};
    static const uint8_t zero[200];
    nl_begin(out, LX_RTM_NEWLINK, flags, &head, sizeof(head));
    nl_attr(out, LX_IFLA_IFNAME, "lo", 3);
    nl_attr_u32(out, LX_IFLA_TXQLEN, 1000);
    nl_attr(out, LX_IFLA_OPERSTATE, zero, 1);
    nl_attr(out, LX_IFLA_LINKMODE, zero, 1);
    nl_attr_u32(out, LX_IFLA_MTU, LO_MTU);
    nl_attr_u32(out, LX_IFLA_GROUP, 0);
    nl_attr_u32(out, LX_IFLA_PROMISCUITY, 0);
    nl_attr_u32(out, LX_IFLA_NUM_TX_QUEUES, 1);
    nl_attr_u32(out, LX_IFLA_NUM_RX_QUEUES, 1);
    nl_attr(out, LX_IFLA_CARRIER, "\1", 1);
    nl_attr(out, LX_IFLA_QDISC, "noqueue", 8);
    nl_attr(out, LX_IFLA_ADDRESS, zero, 6);
    nl_attr(out, LX_IFLA_BROADCAST, zero, 6);
    nl_attr(out, LX_IFLA_STATS64, zero, 200);
    nl_attr(out, LX_IFLA_STATS, zero, 96);
    nl_end(out);
}

static int get_link(const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    struct lx_ifinfomsg head = {0};
    if (dump) {
        put_link(out, LX_NLM_F_MULTI);
        return 0;
    }
    if (n < sizeof(head))
        return -LX_EINVAL;
    memcpy(&head, payload, sizeof(head));
    size_t len = 0;
    const uint8_t *name = nl_find_attr(payload + sizeof(head), n - sizeof(head), LX_IFLA_IFNAME, &len);
    if (head.index < 0 || (!head.index && !name))
        return -LX_EINVAL;
    if (head.index ? head.index != LO_INDEX : strncmp((const char *)name, "lo", len) != 0 || len < 2)
        return -LX_ENODEV;
    put_link(out, 0);
    return 0;
}

static void put_address(struct nl_out *out, uint8_t family)
{
    const struct lx_ifaddrmsg head = {.family = family,
                                      .prefixlen = family == LX_AF_INET ? 8 : 128,
                                      .flags = ADDRESS_PERMANENT,
                                      .scope = SCOPE_HOST,
                                      .index = LO_INDEX};
    const uint32_t lifetime[4] = {UINT32_MAX, UINT32_MAX, 0, 0};
    nl_begin(out, LX_RTM_NEWADDR, LX_NLM_F_MULTI, &head, sizeof(head));
    if (family == LX_AF_INET) {
        nl_attr(out, LX_IFA_ADDRESS, localhost, 4);
        nl_attr(out, LX_IFA_LOCAL, localhost, 4);
        nl_attr(out, LX_IFA_LABEL, "lo", 3);
    } else {
        nl_attr(out, LX_IFA_ADDRESS, localhost6, 16);
    }
    nl_attr_u32(out, LX_IFA_FLAGS, ADDRESS_PERMANENT);
    nl_attr(out, LX_IFA_CACHEINFO, lifetime, sizeof(lifetime));
    nl_end(out);
}

static int get_address(const uint8_t *payload, size_t n, bool dump, bool strict, struct nl_out *out)
{
    struct lx_ifaddrmsg head = {0};
    if (!dump)
        return -LX_EOPNOTSUPP;
    if (strict && n < sizeof(head))
        return -LX_EINVAL;
    memcpy(&head, payload, n < sizeof(head) ? n : sizeof(head));
    if (strict && head.index && head.index != LO_INDEX)
        return -LX_ENODEV;
    if (head.family == 0 || head.family == LX_AF_INET)
        put_address(out, LX_AF_INET);
    if (head.family == 0 || head.family == LX_AF_INET6)
        put_address(out, LX_AF_INET6);
    return 0;
}

static void put_route4(struct nl_out *out, uint16_t flags, uint8_t type, const uint8_t dst[4], uint8_t bits)
{
    const struct lx_rtmsg head = {.family = LX_AF_INET,
                                  .dst_len = bits,
                                  .table = TABLE_LOCAL,
                                  .protocol = PROTOCOL_KERNEL,
                                  .scope = type == TYPE_BROADCAST ? SCOPE_LINK : SCOPE_HOST,
                                  .type = type};
    nl_begin(out, LX_RTM_NEWROUTE, flags, &head, sizeof(head));
    nl_attr_u32(out, LX_RTA_TABLE, TABLE_LOCAL);
    nl_attr(out, LX_RTA_DST, dst, 4);
    nl_attr(out, LX_RTA_PREFSRC, localhost, 4);
    nl_attr_u32(out, LX_RTA_OIF, LO_INDEX);
    nl_end(out);
}

static void put_route6(struct nl_out *out, uint16_t flags, uint8_t type, uint8_t table, uint32_t metric)
{
    const struct lx_rtmsg head = {
        .family = LX_AF_INET6, .dst_len = 128, .table = table, .protocol = PROTOCOL_KERNEL, .type = type};
    nl_begin(out, LX_RTM_NEWROUTE, flags, &head, sizeof(head));
    nl_attr_u32(out, LX_RTA_TABLE, table);
    nl_attr(out, LX_RTA_DST, localhost6, 16);
    nl_attr_u32(out, LX_RTA_PRIORITY, metric);
    nl_attr_u32(out, LX_RTA_OIF, LO_INDEX);
    nl_end(out);
}

static int get_route(const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    struct lx_rtmsg head = {0};
    memcpy(&head, payload, n < sizeof(head) ? n : sizeof(head));
    if (dump) {
        if (head.family == 0 || head.family == LX_AF_INET) {
            put_route4(out, LX_NLM_F_MULTI, TYPE_LOCAL, local_net, 8);
            put_route4(out, LX_NLM_F_MULTI, TYPE_LOCAL, localhost, 32);
            put_route4(out, LX_NLM_F_MULTI, TYPE_BROADCAST, local_broadcast, 32);
        }
        if (head.family == 0 || head.family == LX_AF_INET6) {
            put_route6(out, LX_NLM_F_MULTI, TYPE_UNICAST, TABLE_MAIN, 256);
            put_route6(out, LX_NLM_F_MULTI, TYPE_LOCAL, TABLE_LOCAL, 0);
        }
        return 0;
    }
    if (n < sizeof(head))
        return -LX_EINVAL;
    size_t len = 0;
    const uint8_t *dst = nl_find_attr(payload + sizeof(head), n - sizeof(head), LX_RTA_DST, &len);
    if (head.family == LX_AF_INET && dst && len == 4 && dst[0] == 127)
        put_route4(out, 0, TYPE_LOCAL, dst, 32);
    else if (head.family == LX_AF_INET6 && dst && len == 16 && memcmp(dst, localhost6, 16) == 0)
        put_route6(out, 0, TYPE_LOCAL, TABLE_LOCAL, 0);
    else
        return head.family == LX_AF_INET || head.family == LX_AF_INET6 ? -LX_ENETUNREACH : -LX_EOPNOTSUPP;
    return 0;
}

static void put_rule(struct nl_out *out, uint8_t family, uint8_t table, uint32_t priority)
{
    const struct lx_rtmsg head = {.family = family, .table = table, .type = ACTION_TO_TABLE};
    nl_begin(out, LX_RTM_NEWRULE, LX_NLM_F_MULTI, &head, sizeof(head));
    nl_attr_u32(out, LX_FRA_TABLE, table);
    if (priority)
        nl_attr_u32(out, LX_FRA_PRIORITY, priority);
    nl_end(out);
}

static int get_rules(const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    if (!dump)
        return -LX_EOPNOTSUPP;
    uint8_t family = n ? payload[0] : 0;
    if (family == 0 || family == LX_AF_INET) {
        put_rule(out, LX_AF_INET, TABLE_LOCAL, 0);
        put_rule(out, LX_AF_INET, TABLE_MAIN, 32766);
        put_rule(out, LX_AF_INET, TABLE_DEFAULT, 32767);
    }
    if (family == 0 || family == LX_AF_INET6) {
        put_rule(out, LX_AF_INET6, TABLE_LOCAL, 0);
        put_rule(out, LX_AF_INET6, TABLE_MAIN, 32766);
    }
    return 0;
}

int nl_route_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, bool strict,
                 struct nl_out *out)
{
    if (net_broker_present())
        return nl_host_route_get(h, payload, n, dump, strict, out);
    switch (h->type) {
    case LX_RTM_GETLINK:
        return get_link(payload, n, dump, out);
    case LX_RTM_GETADDR:
        return get_address(payload, n, dump, strict, out);
    case LX_RTM_GETROUTE:
        return get_route(payload, n, dump, out);
    case LX_RTM_GETRULE:
        return get_rules(payload, n, dump, out);
    case LX_RTM_GETNEIGH:
    case LX_RTM_GETNEIGHTBL:
    case LX_RTM_GETQDISC:
        return dump ? 0 : -LX_ENOENT; // there are none
    default:
        return -LX_EOPNOTSUPP;
    }
}
