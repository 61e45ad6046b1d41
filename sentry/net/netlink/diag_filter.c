// Programs that choose sockets: conditions with jumps forward (inet_diag_bc_run, inet_diag_bc_audit).
#include "sentry/net/netlink/diag.h"
#include <endian.h>
#include <string.h>

// The condition at `at` and what follows its head. 0: it ends behind the program. Else the length of its arguments.
static bool operation(const uint8_t *code, size_t n, size_t at, struct lx_inet_diag_op *op, size_t *arguments)
{
    if (at > n || n - at < sizeof(*op))
        return false;
    memcpy(op, code + at, sizeof(*op));
    struct lx_inet_diag_hostcond host;
    switch (op->code) {
    case LX_DIAG_S_COND:
    case LX_DIAG_D_COND:
        if (n - at < sizeof(*op) + sizeof(host))
            return false;
        memcpy(&host, code + at + sizeof(*op), sizeof(host));
        *arguments = sizeof(host) + (host.family == LX_AF_INET ? 4 : host.family == LX_AF_INET6 ? 16 : 0);
        if (host.prefix_len > 8 * (*arguments - sizeof(host)))
            return false;
        break;
    case LX_DIAG_DEV_COND:
    case LX_DIAG_S_GE:
    case LX_DIAG_S_LE:
    case LX_DIAG_D_GE:
    case LX_DIAG_D_LE:
    case LX_DIAG_S_EQ:
    case LX_DIAG_D_EQ:
        *arguments = 4;
        break;
    case LX_DIAG_NOP:
    case LX_DIAG_JMP:
    case LX_DIAG_AUTO:
        *arguments = 0;
        break;
    default:
        return false;
    }
    size_t size = sizeof(*op) + *arguments;
    return n - at >= size && op->yes >= size && op->yes % 4 == 0 && op->no % 4 == 0 && op->no >= 4 &&
           op->yes <= n - at && op->no <= n - at + 4;
}

bool diag_filter_valid(const uint8_t *code, size_t n)
{
    struct lx_inet_diag_op op;
    size_t arguments;
    if (n < sizeof(op))
        return false;
    for (size_t at = 0; at < n; at += op.yes)
        if (!operation(code, n, at, &op, &arguments))
            return false;
    return true;
}

static bool in_host(const uint8_t *at, const struct lx_inet_diag_msg *m, bool source)
{
    struct lx_inet_diag_hostcond host;
    memcpy(&host, at, sizeof(host));
    const uint8_t *wanted = at + sizeof(host), *address = source ? m->id.src : m->id.dst;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (host.port != -1 && host.port != be16toh(source ? m->id.sport : m->id.dport))
        return false;
    if (host.family != 0 && host.family != m->family) {
        if (m->family != LX_AF_INET6 || host.family != LX_AF_INET ||
            memcmp(address, mapped, sizeof(mapped)) != 0)
            return false;
        address += sizeof(mapped);
    }
    size_t whole = host.prefix_len / 8;
    uint8_t rest = (uint8_t)(0xff00 >> host.prefix_len % 8);
    return memcmp(address, wanted, whole) == 0 && (!rest || ((address[whole] ^ wanted[whole]) & rest) == 0);
}

bool diag_filter_matches(const uint8_t *code, size_t n, const struct lx_inet_diag_msg *m, bool bound_by_user)
{
    const unsigned sport = be16toh(m->id.sport), dport = be16toh(m->id.dport);
    struct lx_inet_diag_op op;
    size_t at = 0, arguments;
    while (operation(code, n, at, &op, &arguments)) {
        const uint8_t *argument = code + at + sizeof(op);
        uint16_t port = 0; // the argument is an operation of its own, whose `no` is the port
        uint32_t device = 0;
        if (arguments == 4) {
            memcpy(&port, argument + 2, sizeof(port));
            memcpy(&device, argument, sizeof(device));
        }
        bool yes = op.code == LX_DIAG_NOP                                                    ? true
                   : op.code == LX_DIAG_S_GE                                                 ? sport >= port
                   : op.code == LX_DIAG_S_LE                                                 ? sport <= port
                   : op.code == LX_DIAG_S_EQ                                                 ? sport == port
                   : op.code == LX_DIAG_D_GE                                                 ? dport >= port
                   : op.code == LX_DIAG_D_LE                                                 ? dport <= port
                   : op.code == LX_DIAG_D_EQ                                                 ? dport == port
                   : op.code == LX_DIAG_AUTO                                                 ? !bound_by_user
                   : op.code == LX_DIAG_DEV_COND                                             ? device == m->id.interface
                   : op.code == LX_DIAG_S_COND || op.code == LX_DIAG_D_COND ? in_host(argument, m, op.code == LX_DIAG_S_COND)
                                                                                             : false;
        at += yes ? op.yes : op.no;
    }
    return at == n; // behind that, and not further, the socket was chosen
}
