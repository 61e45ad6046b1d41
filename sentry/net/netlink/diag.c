#include "sentry/net/netlink/diag.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/net/inet/inet.h"
#include "sentry/task/task.h"

void diag_put_memory(struct nl_out *out, uint16_t type, const struct socket *s, uint64_t received,
                     uint64_t sent)
{
    uint32_t memory[LX_SK_MEMINFO_VARS] = {0};
    memory[LX_SK_MEMINFO_RMEM_ALLOC] = (uint32_t)received;
    memory[LX_SK_MEMINFO_RCVBUF] = (uint32_t)s->rcvbuf;
    memory[LX_SK_MEMINFO_WMEM_ALLOC] = (uint32_t)sent;
    memory[LX_SK_MEMINFO_SNDBUF] = (uint32_t)s->sndbuf;
    nl_attr(out, type, memory, sizeof(memory));
}

int nl_diag_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    if (h->type == LX_SOCK_DESTROY)
        return capable(LX_CAP_NET_ADMIN) ? -LX_EOPNOTSUPP : -LX_EPERM;
    if (h->type != LX_SOCK_DIAG_BY_FAMILY || n < 2 || payload[0] >= LX_AF_MAX)
        return -LX_EINVAL;
    if (payload[0] == LX_AF_UNIX)
        return diag_unix(payload, n, dump, out);
    if (payload[0] == LX_AF_INET || payload[0] == LX_AF_INET6)
        return diag_inet(payload, n, dump, out);
    return -LX_ENOENT; // of other families nothing tells
}
