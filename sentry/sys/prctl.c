// prctl(2) and personality(2). What is not here does not exist: EINVAL, as on a kernel without it.
#include "sentry/sys/seccomp.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "abi/linux/prctl.h"
#include "syscall_handlers.h"
#include <string.h>

#define DEFAULT_TIMER_SLACK_NS 50000u
#define PR_TSC_ENABLE_LX 1
#define PR_MCE_KILL_DEFAULT_LX 2
#define ADDR_NO_RANDOMIZE_LX 0x0040000u

static bool rest_is_zero(const struct call *call, int first)
{
    for (int i = first; i < 5; i++)
        if (call->args[i])
            return false;
    return true;
}

// Changes current's securebits (cap_task_prctl). 0 or -errno.
static int64_t set_securebits(uint64_t bits)
{
    const struct cred *old = current->cred;
    if (((old->securebits & LX_SECURE_ALL_LOCKS) >> 1) & (old->securebits ^ bits))
        return -LX_EPERM;
    if (old->securebits & LX_SECURE_ALL_LOCKS & ~bits ||
        bits & ~(uint64_t)(LX_SECURE_ALL_LOCKS | LX_SECURE_ALL_BITS))
        return -LX_EPERM;
    if (!ns_capable(current->cred->user_ns, LX_CAP_SETPCAP))
        return -LX_EPERM;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    new->securebits = (uint32_t)bits;
    task_set_cred(current, new);
    return 0;
}

static int64_t set_keepcaps(uint64_t on)
{
    if (on > 1)
        return -LX_EINVAL;
    if (current->cred->securebits & (LX_SECBIT_KEEP_CAPS << 1))
        return -LX_EPERM;
    struct cred *new = cred_dup(current->cred);
    if (!new)
        return -LX_ENOMEM;
    new->securebits = on ? new->securebits | LX_SECBIT_KEEP_CAPS : new->securebits & ~LX_SECBIT_KEEP_CAPS;
    task_set_cred(current, new);
    return 0;
}

static int64_t drop_bounding(uint64_t cap)
{
    if (!ns_capable(current->cred->user_ns, LX_CAP_SETPCAP))
        return -LX_EPERM;
    if (cap > LX_CAP_LAST_CAP)
        return -LX_EINVAL;
    struct cred *new = cred_dup(current->cred);
    if (!new)
        return -LX_ENOMEM;
    new->cap_bounding &= ~LX_CAP_BIT(cap);
    task_set_cred(current, new);
    return 0;
}

static int64_t ambient(struct call *call)
{
    uint64_t what = call->args[1], cap = call->args[2];
    const struct cred *old = current->cred;
    if (!rest_is_zero(call, what == LX_PR_CAP_AMBIENT_CLEAR_ALL ? 2 : 3))
        return -LX_EINVAL;
    if (what < LX_PR_CAP_AMBIENT_IS_SET || what > LX_PR_CAP_AMBIENT_CLEAR_ALL || cap > LX_CAP_LAST_CAP)
        return -LX_EINVAL;
    if (what == LX_PR_CAP_AMBIENT_IS_SET)
        return old->cap_ambient >> cap & 1;
    if (what == LX_PR_CAP_AMBIENT_RAISE && (!(old->cap_permitted & old->cap_inheritable & LX_CAP_BIT(cap)) ||
                                            old->securebits & LX_SECBIT_NO_CAP_AMBIENT_RAISE))
        return -LX_EPERM;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (what == LX_PR_CAP_AMBIENT_CLEAR_ALL)
        new->cap_ambient = 0;
    else if (what == LX_PR_CAP_AMBIENT_RAISE)
        new->cap_ambient |= LX_CAP_BIT(cap);
    else
        new->cap_ambient &= ~LX_CAP_BIT(cap);
    task_set_cred(current, new);
    return 0;
}

static int64_t set_no_new_privs(struct call *call)
{
    if (call->args[1] != 1 || !rest_is_zero(call, 2))
        return -LX_EINVAL;
    struct cred *new = cred_dup(current->cred);
    if (!new)
        return -LX_ENOMEM;
    new->no_new_privs = true;
    task_set_cred(current, new);
    return 0;
}

static int64_t set_name(gaddr_t addr)
{
    char name[TASK_COMM_LEN];
    // Bytes up to the first NUL or 15 of them; memory behind the NUL need not exist.
    ssize_t n = copy_in_str(name, addr, sizeof(name));
    if (n == -LX_ENAMETOOLONG) {
        if (copy_in(name, addr, sizeof(name) - 1) != 0)
            return -LX_EFAULT;
        name[sizeof(name) - 1] = 0;
    } else if (n < 0) {
        return n;
    }
    memset(current->comm, 0, sizeof(current->comm));
    memcpy(current->comm, name, strlen(name));
    return 0;
}

static int64_t put_int(int value, gaddr_t addr)
{
    return put_user(value, addr) != 0 ? -LX_EFAULT : 0;
}

static int64_t set_timer_slack(int64_t slack)
{
    current->timer_slack_ns = slack <= 0 ? DEFAULT_TIMER_SLACK_NS : (uint64_t)slack;
    return 0;
}

int64_t sys_prctl(struct call *call)
{
    uint64_t arg = call->args[1];
    switch (arg_int(call, 0)) {
    case LX_PR_SET_PDEATHSIG:
        if (arg > LX_NSIG)
            return -LX_EINVAL;
        current->pdeath_signal = (int)arg;
        return 0;
    case LX_PR_GET_PDEATHSIG:
        return put_int(current->pdeath_signal, arg);
    case LX_PR_GET_DUMPABLE:
        return current->mm->dumpable;
    case LX_PR_SET_DUMPABLE:
        if (arg > 1)
            return -LX_EINVAL;
        current->mm->dumpable = arg;
        return 0;
    case LX_PR_GET_KEEPCAPS:
        return !!(current->cred->securebits & LX_SECBIT_KEEP_CAPS);
    case LX_PR_SET_KEEPCAPS:
        return set_keepcaps(arg);
    case LX_PR_GET_TIMING:
        return 0;
    case LX_PR_SET_TIMING:
        return arg ? -LX_EINVAL : 0;
    case LX_PR_SET_NAME:
        return set_name(arg);
    case LX_PR_GET_NAME:
        return copy_out(arg, current->comm, sizeof(current->comm));
    case LX_PR_GET_SECCOMP:
        return current->seccomp_mode;
    case LX_PR_SET_SECCOMP:
        return prctl_set_seccomp(call);
    case LX_PR_CAPBSET_READ:
        return arg > LX_CAP_LAST_CAP ? -LX_EINVAL : (int64_t)(current->cred->cap_bounding >> arg & 1);
    case LX_PR_CAPBSET_DROP:
        return drop_bounding(arg);
    case LX_PR_GET_TSC:
        return put_int(PR_TSC_ENABLE_LX, arg);
    case LX_PR_SET_TSC:
        return arg == PR_TSC_ENABLE_LX ? 0 : -LX_EINVAL;
    case LX_PR_GET_SECUREBITS:
        return current->cred->securebits;
    case LX_PR_SET_SECUREBITS:
        return set_securebits(arg);
    case LX_PR_SET_TIMERSLACK:
        return set_timer_slack((int64_t)arg);
    case LX_PR_GET_TIMERSLACK:
        return (int64_t)current->timer_slack_ns;
    case LX_PR_TASK_PERF_EVENTS_DISABLE:
    case LX_PR_TASK_PERF_EVENTS_ENABLE:
        return 0; // there are none
    case LX_PR_MCE_KILL_GET:
        return rest_is_zero(call, 1) ? PR_MCE_KILL_DEFAULT_LX : -LX_EINVAL;
    case LX_PR_SET_MM:
        return capable(LX_CAP_SYS_RESOURCE) ? -LX_EINVAL : -LX_EPERM;
    case LX_PR_SET_CHILD_SUBREAPER:
        current->tg->child_subreaper = arg != 0;
        return 0;
    case LX_PR_GET_CHILD_SUBREAPER:
        return put_int(current->tg->child_subreaper, arg);
    case LX_PR_SET_NO_NEW_PRIVS:
        return set_no_new_privs(call);
    case LX_PR_GET_NO_NEW_PRIVS:
        return rest_is_zero(call, 1) ? current->cred->no_new_privs : -LX_EINVAL;
    case LX_PR_GET_THP_DISABLE:
        return rest_is_zero(call, 1) ? 0 : -LX_EINVAL;
    case LX_PR_CAP_AMBIENT:
        return ambient(call);
    default:
        return -LX_EINVAL;
    }
}

// The host places stacks and mappings: it is told of ADDR_NO_RANDOMIZE. What the guest sees is then the host's answer, so only
// where that is the same.
int64_t sys_personality(struct call *call)
{
    uint64_t old = current->personality;
    if (arg_uint(call, 0) == 0xffffffffu)
        return (int64_t)old;
    current->personality = arg_uint(call, 0);
    return call->trapped && (old == 0 || old == ADDR_NO_RANDOMIZE_LX) ? CALL_CONTINUE : (int64_t)old;
}
