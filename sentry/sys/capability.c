// capget(2) and capset(2) (kernel/capability.c, security/commoncap.c).
#include "sentry/sys/process.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "syscall_handlers.h"

// How many struct lx_cap_data the version has; 0 when it is unknown, and the one we prefer was written back.
static int64_t header(gaddr_t addr, struct lx_cap_header *h, unsigned *count)
{
    if (get_user(*h, addr) != 0)
        return -LX_EFAULT;
    *count = h->version == LX_CAPABILITY_VERSION_1 ? 1 : 2;
    if (h->version == LX_CAPABILITY_VERSION_1 || h->version == LX_CAPABILITY_VERSION_2 ||
        h->version == LX_CAPABILITY_VERSION_3)
        return 0;
    uint32_t preferred = LX_CAPABILITY_VERSION_3;
    return put_user(preferred, addr) != 0 ? -LX_EFAULT : -LX_EINVAL;
}

int64_t sys_capget(struct call *call)
{
    struct lx_cap_header h;
    unsigned count;
    int64_t err = header(call->args[0], &h, &count);
    if (!call->args[1] && (!err || err == -LX_EINVAL))
        return 0;
    if (err)
        return err;
    if (h.pid < 0)
        return -LX_EINVAL;
    const struct task *t = task_or_current(h.pid);
    if (!t)
        return -LX_ESRCH;
    const struct cred *c = t->cred;
    struct lx_cap_data data[2];
    for (unsigned i = 0; i < 2; i++)
        data[i] = (struct lx_cap_data){
            (uint32_t)(c->cap_effective >> 32 * i),
            (uint32_t)(c->cap_permitted >> 32 * i),
            (uint32_t)(c->cap_inheritable >> 32 * i),
        };
    return copy_out(call->args[1], data, count * sizeof(data[0]));
}

int64_t sys_capset(struct call *call)
{
    struct lx_cap_header h;
    struct lx_cap_data data[2] = {0};
    unsigned count;
    int64_t err = header(call->args[0], &h, &count);
    if (err)
        return err;
    if (h.pid != 0 && h.pid != current->tid)
        return -LX_EPERM;
    if (copy_in(data, call->args[1], count * sizeof(data[0])) != 0)
        return -LX_EFAULT;
    uint64_t effective = ((uint64_t)data[1].effective << 32 | data[0].effective) & LX_CAP_FULL;
    uint64_t permitted = ((uint64_t)data[1].permitted << 32 | data[0].permitted) & LX_CAP_FULL;
    uint64_t inheritable = ((uint64_t)data[1].inheritable << 32 | data[0].inheritable) & LX_CAP_FULL;
    const struct cred *old = current->cred;
    if (!ns_capable(current->cred->user_ns, LX_CAP_SETPCAP) &&
        inheritable & ~(old->cap_inheritable | old->cap_permitted))
        return -LX_EPERM;
    if (inheritable & ~(old->cap_inheritable | old->cap_bounding) || permitted & ~old->cap_permitted ||
        effective & ~permitted)
        return -LX_EPERM;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    new->cap_effective = effective;
    new->cap_permitted = permitted;
    new->cap_inheritable = inheritable;
    new->cap_ambient &= permitted &inheritable;
    task_set_cred(current, new);
    return 0;
}
