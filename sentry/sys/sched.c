// Priorities and scheduling policies. They are remembered and reported as Linux would; the host's scheduler is not told,
// because the sandbox as a whole has one share of the host (kernel/sched/syscalls.c, block/ioprio.c).
#include "sentry/sys/process.h"
#include "abi/linux/capability.h"
#include "abi/linux/sched.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"
#include <sched.h>
#include <string.h>

#define RT_PRIO_MAX 99
#define RR_SLICE_NS 100000000
#define FAIR_SLICE_NS 4000000
#define CPU_MASK_BYTES (TASK_CPUS_MAX / 8)

struct task *task_or_current(int tid)
{
    if (tid == 0)
        return current;
    struct task *t = find_task(tid);
    if (t)
        return t;
    struct thread_group *tg = find_group(tid);
    return tg ? tg->leader : NULL;
}

static bool same_user(const struct task *t)
{
    return current->cred->euid == t->cred->euid || current->cred->euid == t->cred->uid ||
           capable(LX_CAP_SYS_NICE);
}

// --- nice values ---

typedef void (*task_visit)(struct task *t, void *arg);

// Calls `visit` for what getpriority(2) and ioprio_get(2) mean by (which, who). 0, -LX_EINVAL, -LX_ESRCH.
static int64_t for_each_target(int which, int who, task_visit visit, void *arg)
{
    bool any = false;
    if (which == LX_PRIO_PROCESS) {
        struct task *t = task_or_current(who);
        if (t)
            visit(t, arg);
        return t ? 0 : -LX_ESRCH;
    }
    if (which != LX_PRIO_PGRP && which != LX_PRIO_USER)
        return -LX_EINVAL;
    int pgid = who ? who : current->tg->pgrp->pgid;
    uint32_t uid = who ? (uint32_t)who : current->cred->uid;
    list_for_each(tg, &all_groups, struct thread_group, all_link)
    {
        if (which == LX_PRIO_PGRP && tg->pgrp->pgid != pgid)
            continue;
        list_for_each(t, &tg->threads, struct task, thread_link)
        {
            if (which == LX_PRIO_USER && t->cred->uid != uid)
                continue;
            any = true;
            visit(t, arg);
        }
    }
    return any ? 0 : -LX_ESRCH;
}

static void best_nice(struct task *t, void *arg)
{
    int *best = arg;
    if (20 - t->nice > *best)
        *best = 20 - t->nice;
}

int64_t sys_getpriority(struct call *call)
{
    int best = 0;
    int64_t err = for_each_target(arg_int(call, 0), arg_int(call, 1), best_nice, &best);
    return err ? err : best;
}

struct nice_change {
    int nice;
    int64_t err;
    bool done;
};

static void change_nice(struct task *t, void *arg)
{
    struct nice_change *c = arg;
    uint64_t floor = t->tg->rlim[LX_RLIMIT_NICE].cur; // 20 - nice
    if (!same_user(t))
        c->err = -LX_EPERM;
    else if (c->nice < t->nice && (uint64_t)(20 - c->nice) > floor && !capable(LX_CAP_SYS_NICE))
        c->err = -LX_EACCES;
    else
        t->nice = c->nice, c->done = true;
}

int64_t sys_setpriority(struct call *call)
{
    struct nice_change c = {.nice = arg_int(call, 2)};
    c.nice = c.nice < -20 ? -20 : c.nice > 19 ? 19 : c.nice;
    int64_t err = for_each_target(arg_int(call, 0), arg_int(call, 1), change_nice, &c);
    return err ? err : c.err;
}

#define IOPRIO_CLASS(p) ((p) >> 13)
#define IOPRIO_LEVEL(p) ((p)&7)
#define IOPRIO_CLASS_RT 1
#define IOPRIO_CLASS_IDLE 3

static void set_ioprio(struct task *t, void *arg)
{
    struct nice_change *c = arg;
    if (!same_user(t))
        c->err = -LX_EPERM;
    else
        t->ioprio = c->nice;
}

int64_t sys_ioprio_set(struct call *call)
{
    struct nice_change c = {.nice = arg_int(call, 2)};
    int class = IOPRIO_CLASS(c.nice);
    if (class < 0 || class > IOPRIO_CLASS_IDLE || (class == 0 && c.nice & 0x1fff))
        return -LX_EINVAL;
    if (class == IOPRIO_CLASS_RT && !capable(LX_CAP_SYS_NICE) && !capable(LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    int64_t err = for_each_target(arg_int(call, 0) - 1, arg_int(call, 1), set_ioprio, &c);
    return err ? err : c.err;
}

static void get_ioprio(struct task *t, void *arg)
{
    int *best = arg;
    if (*best < 0 || (t->ioprio && t->ioprio < *best))
        *best = t->ioprio;
}

int64_t sys_ioprio_get(struct call *call)
{
    int best = -1;
    int64_t err = for_each_target(arg_int(call, 0) - 1, arg_int(call, 1), get_ioprio, &best);
    return err ? err : best;
}

// --- policies ---

static bool is_rt(int policy)
{
    return policy == LX_SCHED_FIFO || policy == LX_SCHED_RR;
}

static bool policy_known(int policy)
{
    return policy >= 0 && policy <= LX_SCHED_IDLE && policy != 4;
}

static int64_t set_policy(struct task *t, int policy, int priority, bool reset)
{
    if (!policy_known(policy) || priority < 0 || priority > RT_PRIO_MAX || is_rt(policy) != (priority > 0))
        return -LX_EINVAL;
    if (!capable(LX_CAP_SYS_NICE)) {
        uint64_t limit = t->tg->rlim[LX_RLIMIT_RTPRIO].cur;
        bool raise = is_rt(policy) && (policy != t->sched_policy || priority > t->sched_priority);
        if ((raise && (limit == 0 || (uint64_t)priority > limit)) || !same_user(t) ||
            (t->sched_reset_on_fork && !reset))
            return -LX_EPERM;
    }
    t->sched_policy = policy;
    t->sched_priority = priority;
    t->sched_reset_on_fork = reset;
    return 0;
}

int64_t sys_sched_setscheduler(struct call *call)
{
    int pid = arg_int(call, 0), policy = arg_int(call, 1), priority;
    if (policy < 0 || !call->args[2] || pid < 0)
        return -LX_EINVAL;
    if (get_user(priority, call->args[2]) != 0)
        return -LX_EFAULT;
    struct task *t = task_or_current(pid);
    if (!t)
        return -LX_ESRCH;
    return set_policy(t, policy & ~LX_SCHED_RESET_ON_FORK, priority, policy & LX_SCHED_RESET_ON_FORK);
}

int64_t sys_sched_setparam(struct call *call)
{
    int pid = arg_int(call, 0), priority;
    if (!call->args[1] || pid < 0)
        return -LX_EINVAL;
    if (get_user(priority, call->args[1]) != 0)
        return -LX_EFAULT;
    struct task *t = task_or_current(pid);
    return t ? set_policy(t, t->sched_policy, priority, t->sched_reset_on_fork) : -LX_ESRCH;
}

int64_t sys_sched_getscheduler(struct call *call)
{
    int pid = arg_int(call, 0);
    if (pid < 0)
        return -LX_EINVAL;
    const struct task *t = task_or_current(pid);
    return t ? t->sched_policy | (t->sched_reset_on_fork ? LX_SCHED_RESET_ON_FORK : 0) : -LX_ESRCH;
}

int64_t sys_sched_getparam(struct call *call)
{
    int pid = arg_int(call, 0);
    if (!call->args[1] || pid < 0)
        return -LX_EINVAL;
    const struct task *t = task_or_current(pid);
    return t ? put_user(t->sched_priority, call->args[1]) : -LX_ESRCH;
}

int64_t sys_sched_get_priority_max(struct call *call)
{
    int policy = arg_int(call, 0);
    if (is_rt(policy))
        return RT_PRIO_MAX;
    return policy_known(policy) || policy == LX_SCHED_DEADLINE ? 0 : -LX_EINVAL;
}

int64_t sys_sched_get_priority_min(struct call *call)
{
    int policy = arg_int(call, 0);
    if (is_rt(policy))
        return 1;
    return policy_known(policy) || policy == LX_SCHED_DEADLINE ? 0 : -LX_EINVAL;
}

int64_t sys_sched_rr_get_interval(struct call *call)
{
    int pid = arg_int(call, 0);
    if (pid < 0)
        return -LX_EINVAL;
    const struct task *t = task_or_current(pid);
    if (!t)
        return -LX_ESRCH;
    struct lx_timespec slice = {0, t->sched_policy == LX_SCHED_FIFO ? 0
                                   : t->sched_policy == LX_SCHED_RR ? RR_SLICE_NS
                                                                    : FAIR_SLICE_NS};
    return put_user(slice, call->args[1]);
}

// struct sched_attr, first version (48 bytes).
struct lx_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
#define SCHED_ATTR_SIZE_VER0 48u
_Static_assert(sizeof(struct lx_sched_attr) == SCHED_ATTR_SIZE_VER0, "sched_attr");
#define SCHED_FLAG_RESET_ON_FORK_LX 1u

int64_t sys_sched_getattr(struct call *call)
{
    int pid = arg_int(call, 0);
    uint32_t size = arg_uint(call, 2);
    if (!call->args[1] || pid < 0 || size > 4096 || size < SCHED_ATTR_SIZE_VER0 || arg_uint(call, 3))
        return -LX_EINVAL;
    const struct task *t = task_or_current(pid);
    if (!t)
        return -LX_ESRCH;
    struct lx_sched_attr attr = {
        .size = SCHED_ATTR_SIZE_VER0,
        .policy = (uint32_t)t->sched_policy,
        .flags = t->sched_reset_on_fork ? SCHED_FLAG_RESET_ON_FORK_LX : 0,
        .nice = is_rt(t->sched_policy) ? 0 : t->nice,
        .priority = (uint32_t)t->sched_priority,
    };
    return put_user(attr, call->args[1]);
}

int64_t sys_sched_setattr(struct call *call)
{
    int pid = arg_int(call, 0);
    struct lx_sched_attr attr;
    if (!call->args[1] || pid < 0 || arg_uint(call, 2))
        return -LX_EINVAL;
    if (get_user(attr, call->args[1]) != 0)
        return -LX_EFAULT;
    if (attr.size && attr.size < SCHED_ATTR_SIZE_VER0)
        return -LX_E2BIG;
    if (attr.flags & ~(uint64_t)SCHED_FLAG_RESET_ON_FORK_LX || attr.priority > RT_PRIO_MAX)
        return -LX_EINVAL;
    struct task *t = task_or_current(pid);
    if (!t)
        return -LX_ESRCH;
    int64_t err =
        set_policy(t, (int)attr.policy, (int)attr.priority, attr.flags & SCHED_FLAG_RESET_ON_FORK_LX);
    if (err || is_rt((int)attr.policy))
        return err;
    struct nice_change c = {.nice = attr.nice < -20 ? -20 : attr.nice > 19 ? 19 : attr.nice};
    change_nice(t, &c);
    return c.err == -LX_EACCES ? -LX_EPERM : c.err;
}

// --- processors ---

// The processors the sandbox may use, in `mask`; how many bytes of it the kernel fills.
static size_t host_mask(uint8_t mask[CPU_MASK_BYTES])
{
    cpu_set_t set;
    memset(mask, 0, CPU_MASK_BYTES);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        mask[0] = 1;
        return 8;
    }
    _Static_assert(sizeof(set) >= CPU_MASK_BYTES, "cpu_set_t");
    memcpy(mask, &set, CPU_MASK_BYTES);
    unsigned seen = 0;
    for (size_t cpu = 0; system_cpus && cpu < CPU_MASK_BYTES * 8; cpu++) {
        uint8_t bit = (uint8_t)(1u << (cpu % 8));
        if (mask[cpu / 8] & bit && ++seen > system_cpus)
            mask[cpu / 8] &= (uint8_t)~bit;
    }
    size_t last = 0;
    for (size_t i = 0; i < CPU_MASK_BYTES; i++)
        if (mask[i])
            last = i;
    return last / 8 * 8 + 8;
}

int64_t sys_sched_getaffinity(struct call *call)
{
    uint32_t len = arg_uint(call, 1);
    uint8_t mask[CPU_MASK_BYTES];
    size_t size = host_mask(mask);
    if (len < size || len & 7)
        return -LX_EINVAL;
    const struct task *t = task_or_current(arg_int(call, 0));
    if (!t)
        return -LX_ESRCH;
    if (t->has_affinity)
        memcpy(mask, t->affinity, sizeof(mask));
    return copy_out(call->args[2], mask, size) != 0 ? -LX_EFAULT : (int64_t)size;
}

int64_t sys_sched_setaffinity(struct call *call)
{
    uint32_t len = arg_uint(call, 1);
    uint8_t mask[CPU_MASK_BYTES] = {0}, host[CPU_MASK_BYTES];
    if (copy_in(mask, call->args[2], len < sizeof(mask) ? len : sizeof(mask)) != 0)
        return -LX_EFAULT;
    struct task *t = task_or_current(arg_int(call, 0));
    if (!t)
        return -LX_ESRCH;
    if (!same_user(t))
        return -LX_EPERM;
    bool any = false;
    host_mask(host);
    for (size_t i = 0; i < sizeof(mask); i++)
        any |= mask[i] &= host[i];
    if (!any)
        return -LX_EINVAL;
    memcpy(t->affinity, mask, sizeof(mask));
    t->has_affinity = true;
    // The stub makes the call for its own thread; of others it is remembered only. No more than the host allows can come of it.
    if (!call->trapped || t != current)
        return 0;
    call->args[0] = 0;
    return CALL_CONTINUE;
}
