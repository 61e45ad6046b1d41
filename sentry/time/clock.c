// The guest's clocks: the host's, and CPU time of guests (kernel/time/posix-cpu-timers.c).
#include "sentry/core/hostcall.h"
#include "sentry/time/internal.h"
#include "abi/linux/time.h"
#include <time.h>
#include <unistd.h>

int (*thread_cpu_time_hook)(struct task *t, int which, uint64_t *ns);

// The host keeps CPU clocks per process, which any process of its pid namespace may read.
static bool host_cpu_clock(int host_pid, int which, uint64_t *ns)
{
    struct timespec ts;
    clockid_t id = (clockid_t)(~(unsigned)host_pid << 3 | (unsigned)which);
    if (host_pid <= 0 || clock_gettime(id, &ts) != 0)
        return false;
    *ns = (uint64_t)ts.tv_sec * (uint64_t)LX_NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
    return true;
}

// cputime_adjust: the exact sum, split as the samples of the host's tick were. Neither part ever goes back.
static void adjust(struct thread_group *tg, uint64_t exact, uint64_t user, uint64_t sampled)
{
    if (exact <= tg->utime_ns + tg->stime_ns)
        return;
    uint64_t system = sampled > user ? sampled - user : 0;
    if (system && user)
        system = (uint64_t)((unsigned __int128)exact * system / (system + user));
    else if (system)
        system = exact;
    if (system < tg->stime_ns)
        system = tg->stime_ns;
    if (exact - system < tg->utime_ns)
        system = exact - tg->utime_ns;
    tg->utime_ns = exact - system;
    tg->stime_ns = system;
}

void group_cpu_times(struct thread_group *tg, uint64_t *user_ns, uint64_t *system_ns)
{
    uint64_t user, sampled, exact;
    if (!tg->zombie && !tg->dead && host_cpu_clock(tg->host_pid, LX_CPUCLOCK_VIRT, &user) &&
        host_cpu_clock(tg->host_pid, LX_CPUCLOCK_PROF, &sampled) &&
        host_cpu_clock(tg->host_pid, LX_CPUCLOCK_SCHED, &exact))
        adjust(tg, exact, user, sampled);
    *user_ns = tg->utime_ns;
    *system_ns = tg->stime_ns;
}

uint64_t group_cpu_clock(struct thread_group *tg, int which)
{
    uint64_t user, system, ns;
    if (which == LX_CPUCLOCK_SCHED && !tg->zombie && !tg->dead && host_cpu_clock(tg->host_pid, which, &ns))
        return ns;
    group_cpu_times(tg, &user, &system);
    return which == LX_CPUCLOCK_VIRT ? user : user + system;
}

static uint64_t thread_cpu_clock(struct task *t, int which)
{
    uint64_t ns;
    if (t->tg->nr_threads > 1 && thread_cpu_time_hook && thread_cpu_time_hook(t, which, &ns) == 0)
        return ns;
    return group_cpu_clock(t->tg, which);
}

static int resolve_cpu(int id, struct guest_clock *out)
{
    int number = ~(id >> 3);
    bool thread = id & 4;
    out->cpu = true;
    out->which = id & 3;
    if (out->which == 3)
        return -LX_EINVAL;
    if (thread) {
        struct task *t = number ? find_task(number) : current;
        if (!t || t->tg != current->tg)
            return -LX_EINVAL;
        out->tid = t->tid;
        out->pid = t->tg->pid;
        return 0;
    }
    out->pid = number ? number : current->tg->pid;
    struct thread_group *tg = find_group(out->pid);
    return tg && !tg->zombie ? 0 : -LX_EINVAL;
}

int guest_clock_resolve(int id, struct guest_clock *out)
{
    *out = (struct guest_clock){.host = id};
    switch (id) {
    case LX_CLOCK_REALTIME:
    case LX_CLOCK_MONOTONIC:
    case LX_CLOCK_MONOTONIC_RAW:
    case LX_CLOCK_REALTIME_COARSE:
    case LX_CLOCK_MONOTONIC_COARSE:
    case LX_CLOCK_BOOTTIME:
    case LX_CLOCK_TAI:
        return 0;
    case LX_CLOCK_REALTIME_ALARM:
        out->host = LX_CLOCK_REALTIME;
        return 0;
    case LX_CLOCK_BOOTTIME_ALARM:
        out->host = LX_CLOCK_BOOTTIME;
        return 0;
    case LX_CLOCK_PROCESS_CPUTIME_ID:
        *out = (struct guest_clock){.cpu = true, .pid = current->tg->pid, .which = LX_CPUCLOCK_SCHED};
        return 0;
    case LX_CLOCK_THREAD_CPUTIME_ID:
        *out = (struct guest_clock){
            .cpu = true, .pid = current->tg->pid, .tid = current->tid, .which = LX_CPUCLOCK_SCHED};
        return 0;
    default:
        return id < 0 ? resolve_cpu(id, out) : -LX_EINVAL;
    }
}

uint64_t guest_clock_now(const struct guest_clock *c)
{
    if (!c->cpu)
        return clock_now_ns(c->host);
    if (c->tid) {
        struct task *t = find_task(c->tid);
        return t ? thread_cpu_clock(t, c->which) : 0;
    }
    struct thread_group *tg = find_group(c->pid);
    return tg ? group_cpu_clock(tg, c->which) : 0;
}

uint64_t guest_clock_check_at(const struct guest_clock *c, uint64_t now, uint64_t expires,
                              uint64_t patience_ns)
{
    static unsigned processors;
    uint64_t left = expires > now ? expires - now : 0, at;
    if (c->cpu && left) {
        if (!processors)
            processors = host_cpus();
        left /= processors;
        if (left < patience_ns)
            left = patience_ns;
    }
    if (__builtin_add_overflow(mono_now_ns(), left, &at))
        return KTIMER_NEVER - 1;
    return at;
}
