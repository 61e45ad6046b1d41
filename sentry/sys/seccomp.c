// seccomp(2) and the two options of prctl(2) that are older (kernel/seccomp.c).
#include "sentry/sys/seccomp.h"
#include "sentry/seccomp/filter.h"
#include "sentry/task/user_ns.h"
#include "sentry/trap/seccomp.h"
#include "abi/linux/capability.h"
#include "syscall_handlers.h"
#include <stdlib.h>

#define FLAGS_KNOWN                                                                                  \
    (LX_SECCOMP_FILTER_FLAG_TSYNC | LX_SECCOMP_FILTER_FLAG_LOG | LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
     LX_SECCOMP_FILTER_FLAG_NEW_LISTENER | LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH |                      \
     LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static bool may_assign(int mode)
{
    return current->seccomp_mode == LX_SECCOMP_MODE_DISABLED || current->seccomp_mode == mode;
}

static int64_t set_strict(struct call *call)
{
    if (!may_assign(LX_SECCOMP_MODE_STRICT))
        return -LX_EINVAL;
    return trap_seccomp(call, LX_SECCOMP_MODE_STRICT, NULL, false);
}

// The filter on top of current's. 0 or -errno.
static int64_t read_filter(gaddr_t address, bool log, struct seccomp_filter **out)
{
    struct lx_sock_fprog fprog;
    if (copy_in(&fprog, address, sizeof(fprog)))
        return -LX_EFAULT;
    if (fprog.length == 0 || fprog.length > LX_BPF_MAXINSNS)
        return -LX_EINVAL;
    if (!current->cred->no_new_privs && !ns_capable(current->cred->user_ns, LX_CAP_SYS_ADMIN))
        return -LX_EACCES;
    size_t bytes = fprog.length * sizeof(struct lx_sock_filter);
    struct lx_sock_filter *code = malloc(bytes);
    if (!code)
        return -LX_ENOMEM;
    int64_t r = copy_in(code, fprog.filter, bytes) ? -LX_EFAULT : 0;
    if (!r)
        r = seccomp_filter_create(code, fprog.length, log, current->seccomp, out);
    if (!r)
        (void)seccomp_filter_get(current->seccomp); // it is the new one's now
    free(code);
    return r;
}

// seccomp_can_sync_threads: 0, or the number of a thread that has filters of its own.
static int unsyncable_thread(void)
{
    list_for_each(t, &current->tg->threads, struct task, thread_link)
    {
        bool same = t->seccomp_mode == LX_SECCOMP_MODE_DISABLED ||
                    (t->seccomp_mode == LX_SECCOMP_MODE_FILTER &&
                     seccomp_filter_extends(current->seccomp, t->seccomp));
        if (t != current && !same)
            return t->tid;
    }
    return 0;
}

static int64_t set_filter(struct call *call, uint32_t flags, gaddr_t address)
{
    if (flags & ~FLAGS_KNOWN)
        return -LX_EINVAL;
    bool listener = flags & LX_SECCOMP_FILTER_FLAG_NEW_LISTENER, sync = flags & LX_SECCOMP_FILTER_FLAG_TSYNC,
         esrch = flags & LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    if ((sync && listener && !esrch) || (flags & LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !listener))
        return -LX_EINVAL;
    struct seccomp_filter *filter;
    int64_t r = read_filter(address, flags & LX_SECCOMP_FILTER_FLAG_LOG, &filter);
    if (r)
        return r;
    int other = sync ? unsyncable_thread() : 0;
    if (!may_assign(LX_SECCOMP_MODE_FILTER))
        r = -LX_EINVAL;
    else if (listener)
        r = -LX_EBUSY; // the Sentry is the one listener that a thread can have
    else if (other)
        r = esrch ? -LX_ESRCH : other;
    if (!r)
        return trap_seccomp(call, LX_SECCOMP_MODE_FILTER, filter, sync);
    seccomp_filter_put(filter);
    return r;
}

static int64_t action_available(gaddr_t address)
{
    uint32_t action;
    if (get_user(action, address))
        return -LX_EFAULT;
    switch (action) {
    case LX_SECCOMP_RET_KILL_PROCESS:
    case LX_SECCOMP_RET_KILL_THREAD:
    case LX_SECCOMP_RET_TRAP:
    case LX_SECCOMP_RET_ERRNO:
    case LX_SECCOMP_RET_TRACE:
    case LX_SECCOMP_RET_LOG:
    case LX_SECCOMP_RET_ALLOW:
        return 0;
    default: // a listener is refused, so there is no notification
        return -LX_EOPNOTSUPP;
    }
}

int64_t sys_seccomp(struct call *call)
{
    uint32_t flags = arg_uint(call, 1);
    gaddr_t address = call->args[2];
    switch (arg_uint(call, 0)) {
    case LX_SECCOMP_SET_MODE_STRICT:
        return flags || address ? -LX_EINVAL : set_strict(call);
    case LX_SECCOMP_SET_MODE_FILTER:
        return set_filter(call, flags, address);
    case LX_SECCOMP_GET_ACTION_AVAIL:
        return flags ? -LX_EINVAL : action_available(address);
    case LX_SECCOMP_GET_NOTIF_SIZES: {
        const struct lx_seccomp_notif_sizes sizes = {80, 24, sizeof(struct lx_seccomp_data)};
        return flags ? -LX_EINVAL : copy_out(address, &sizes, sizeof(sizes)) ? -LX_EFAULT : 0;
    }
    default:
        return -LX_EINVAL;
    }
}

int64_t prctl_set_seccomp(struct call *call)
{
    switch (call->args[1]) {
    case LX_SECCOMP_MODE_STRICT:
        return set_strict(call);
    case LX_SECCOMP_MODE_FILTER:
        return set_filter(call, 0, call->args[2]);
    default:
        return -LX_EINVAL;
    }
}
