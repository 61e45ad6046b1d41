// Resource limits and usage (kernel/sys.c).
#include "sentry/sys/process.h"
#include "sentry/time/time.h"
#include "abi/linux/capability.h"
#include "abi/linux/time.h"
#include "sentry/core/log.h"
#include "syscall_handlers.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

static bool may_limit(const struct thread_group *tg)
{
    const struct cred *me = current->cred, *them = tg->leader->cred;
    if (tg == current->tg || capable(LX_CAP_SYS_RESOURCE))
        return true;
    return me->uid == them->euid && me->uid == them->suid && me->uid == them->uid && me->gid == them->egid &&
           me->gid == them->sgid && me->gid == them->gid;
}

// Address space is the host's, so its limits are the host's to enforce: the soft limit follows below the host's hard one.
static void limit_host(const struct thread_group *tg, uint32_t resource)
{
    struct rlimit host;
    if (resource != LX_RLIMIT_STACK && resource != LX_RLIMIT_AS && resource != LX_RLIMIT_DATA &&
        resource != LX_RLIMIT_MEMLOCK)
        return;
    if (tg->host_pid <= 0 || tg->dead ||
        prlimit(tg->host_pid, (enum __rlimit_resource)resource, NULL, &host) != 0)
        return;
    host.rlim_cur = tg->rlim[resource].cur < host.rlim_max ? tg->rlim[resource].cur : host.rlim_max;
    if (prlimit(tg->host_pid, (enum __rlimit_resource)resource, &host, NULL) != 0)
        log_debug("limit %u of process %d on the host: %s", resource, tg->pid, strerror(errno));
}

static int64_t set_limit(struct thread_group *tg, uint32_t resource, struct lx_rlimit64 new)
{
    struct lx_rlimit64 *limit = &tg->rlim[resource];
    if (new.cur > new.max)
        return -LX_EINVAL;
    if (resource == LX_RLIMIT_NOFILE && new.max > FD_TABLE_MAX)
        return -LX_EPERM;
    if (new.max > limit->max && !capable(LX_CAP_SYS_RESOURCE))
        return -LX_EPERM;
    if (resource == LX_RLIMIT_CPU && new.cur == 0)
        new.cur = 1;
    *limit = new;
    limit_host(tg, resource);
    if (resource == LX_RLIMIT_CPU)
        time_cpu_limit_changed(tg);
    return 0;
}

int64_t sys_prlimit64(struct call *call)
{
    int pid = arg_int(call, 0);
    uint32_t resource = arg_uint(call, 1);
    struct lx_rlimit64 new, old;
    if (resource >= RLIM_NLIMITS_LX)
        return -LX_EINVAL;
    if (call->args[2] && get_user(new, call->args[2]) != 0)
        return -LX_EFAULT;
    struct thread_group *tg = pid ? group_or_current(pid) : current->tg;
    if (!tg)
        return -LX_ESRCH;
    if (!may_limit(tg))
        return -LX_EPERM;
    old = tg->rlim[resource];
    if (call->args[2]) {
        int64_t err = set_limit(tg, resource, new);
        if (err)
            return err;
    }
    if (call->args[3] && put_user(old, call->args[3]) != 0)
        return -LX_EFAULT;
    return 0;
}

int64_t sys_getrlimit(struct call *call)
{
    uint32_t resource = arg_uint(call, 0);
    if (resource >= RLIM_NLIMITS_LX)
        return -LX_EINVAL;
    return put_user(current->tg->rlim[resource], call->args[1]);
}

int64_t sys_setrlimit(struct call *call)
{
    uint32_t resource = arg_uint(call, 0);
    struct lx_rlimit64 new;
    if (get_user(new, call->args[1]) != 0)
        return -LX_EFAULT;
    if (resource >= RLIM_NLIMITS_LX)
        return -LX_EINVAL;
    return set_limit(current->tg, resource, new);
}

static struct lx_timeval timeval_of(uint64_t ns)
{
    return (struct lx_timeval){(int64_t)(ns / LX_NSEC_PER_SEC), (int64_t)(ns % LX_NSEC_PER_SEC / 1000)};
}

void fill_rusage(struct thread_group *tg, int who, struct lx_rusage *out)
{
    uint64_t user = 0, system = 0, rss = 0;
    *out = (struct lx_rusage){0};
    if (who != LX_RUSAGE_CHILDREN) {
        group_cpu_times(tg, &user, &system);
        out->minflt = (int64_t)tg->min_flt;
        out->majflt = (int64_t)tg->maj_flt;
        rss = tg->maxrss;
    }
    if (who == LX_RUSAGE_CHILDREN || who == LX_RUSAGE_BOTH) {
        user += tg->cutime_ns;
        system += tg->cstime_ns;
        out->minflt += (int64_t)tg->cmin_flt;
        out->majflt += (int64_t)tg->cmaj_flt;
        if (tg->cmaxrss > rss)
            rss = tg->cmaxrss;
    }
    out->utime = timeval_of(user);
    out->stime = timeval_of(system);
    out->maxrss = (int64_t)(rss / 1024);
}

// The caller's own usage is read natively; the host knows nothing of waited children, whom it reaped itself.
int64_t sys_getrusage(struct call *call)
{
    int who = arg_int(call, 0);
    struct lx_rusage usage;
    if (who != LX_RUSAGE_SELF && who != LX_RUSAGE_CHILDREN && who != LX_RUSAGE_THREAD)
        return -LX_EINVAL;
    if (who == LX_RUSAGE_CHILDREN)
        current->tg->usage_asked = true;
    fill_rusage(current->tg, who, &usage);
    return put_user(usage, call->args[1]);
}

int64_t sys_times(struct call *call)
{
    const uint64_t tick = LX_NSEC_PER_SEC / LX_USER_HZ;
    struct thread_group *tg = current->tg;
    if (call->args[0]) {
        uint64_t user, system;
        group_cpu_times(tg, &user, &system);
        struct lx_tms tms = {
            (int64_t)(user / tick),
            (int64_t)(system / tick),
            (int64_t)(tg->cutime_ns / tick),
            (int64_t)(tg->cstime_ns / tick),
        };
        if (put_user(tms, call->args[0]) != 0)
            return -LX_EFAULT;
    }
    return (int64_t)(mono_now_ns() / tick);
}
