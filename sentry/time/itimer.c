// Interval timers and RLIMIT_CPU (kernel/time/itimer.c). ITIMER_REAL is exact; the CPU ones are sampled, so they come up
// to 4 ms late, and up to 100 ms late after the process was idle.
#include "sentry/time/internal.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include <stdlib.h>

// What only processes with CPU timers have (tg->timers).
struct cpu_timers {
    struct thread_group *tg;
    struct ktimer sampler;
    uint64_t patience_ns;
    uint64_t last_total;               // CPU time at the last look
    struct itimer_value virtual, prof; // value: expiry on their clock
    uint64_t limit_soft;               // RLIMIT_CPU: next SIGXCPU at this CPU time; 0: none
};

static void itimer_real_fire(struct ktimer *timer)
{
    struct thread_group *tg = container_of(timer, struct thread_group, itimer_real);
    if (tg->itimer_real_interval_ns) {
        uint64_t missed;
        ktimer_arm(timer,
                   next_period(timer->expires_ns, tg->itimer_real_interval_ns, mono_now_ns(), &missed));
    }
    send_signal_group(tg, LX_SIGALRM, NULL);
}

void itimer_init(struct thread_group *tg)
{
    tg->itimer_real.fire = itimer_real_fire;
}

static void check_one(struct cpu_timers *c, struct itimer_value *it, uint64_t now, int sig)
{
    if (!it->value || now < it->value)
        return;
    uint64_t missed;
    it->value = it->interval ? next_period(it->value, it->interval, now, &missed) : 0;
    send_signal_group(c->tg, sig, NULL);
}

static void check_limit(struct cpu_timers *c, uint64_t total)
{
    const struct lx_rlimit64 *limit = &c->tg->rlim[LX_RLIMIT_CPU];
    if (!c->limit_soft)
        return;
    if (limit->max != LX_RLIM_INFINITY && total / (uint64_t)LX_NSEC_PER_SEC >= limit->max) {
        send_signal_group(c->tg, LX_SIGKILL, NULL);
        return;
    }
    if (total < c->limit_soft)
        return;
    c->limit_soft = total + (uint64_t)LX_NSEC_PER_SEC;
    send_signal_group(c->tg, LX_SIGXCPU, NULL);
}

static void arm_sampler(struct cpu_timers *c, uint64_t user, uint64_t total)
{
    const struct guest_clock clock = {.cpu = true};
    uint64_t at = KTIMER_NEVER, t;
    if (c->virtual.value && (t = guest_clock_check_at(&clock, user, c->virtual.value, c->patience_ns)) < at)
        at = t;
    if (c->prof.value && (t = guest_clock_check_at(&clock, total, c->prof.value, c->patience_ns)) < at)
        at = t;
    if (c->limit_soft && (t = guest_clock_check_at(&clock, total, c->limit_soft, c->patience_ns)) < at)
        at = t;
    ktimer_arm(&c->sampler, at);
}

static void sample(struct ktimer *timer)
{
    struct cpu_timers *c = container_of(timer, struct cpu_timers, sampler);
    struct thread_group *tg = tg_get(c->tg);
    uint64_t user, system;
    group_cpu_times(tg, &user, &system);
    uint64_t total = user + system;
    c->patience_ns = total != c->last_total                   ? CPU_SAMPLE_MIN_NS
                     : c->patience_ns * 2 < CPU_SAMPLE_MAX_NS ? c->patience_ns * 2
                                                              : CPU_SAMPLE_MAX_NS;
    c->last_total = total;
    check_one(c, &c->virtual, user, LX_SIGVTALRM);
    check_one(c, &c->prof, total, LX_SIGPROF);
    check_limit(c, total);
    if (!tg->zombie)
        arm_sampler(c, user, total);
    tg_put(tg);
}

static struct cpu_timers *cpu_timers(struct thread_group *tg)
{
    struct cpu_timers *c = tg->timers;
    if (c)
        return c;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->tg = tg;
    c->sampler.fire = sample;
    c->patience_ns = CPU_SAMPLE_MIN_NS;
    tg->timers = c;
    return c;
}

void itimers_stop(struct thread_group *tg)
{
    struct cpu_timers *c = tg->timers;
    ktimer_cancel(&tg->itimer_real);
    tg->itimer_real_interval_ns = 0;
    if (!c)
        return;
    ktimer_cancel(&c->sampler);
    c->virtual = c->prof = (struct itimer_value){0};
    c->limit_soft = 0;
}

static uint64_t remaining(uint64_t expires, uint64_t now)
{
    return expires > now ? expires - now : 1; // an armed timer never shows 0
}

void itimer_get(struct thread_group *tg, int which, struct itimer_value *out)
{
    *out = (struct itimer_value){0};
    if (which == LX_ITIMER_REAL) {
        if (ktimer_armed(&tg->itimer_real))
            out->value = remaining(tg->itimer_real.expires_ns, mono_now_ns());
        out->interval = tg->itimer_real_interval_ns;
        return;
    }
    const struct cpu_timers *c = tg->timers;
    if (!c)
        return;
    const struct itimer_value *it = which == LX_ITIMER_VIRTUAL ? &c->virtual : &c->prof;
    if (it->value)
        out->value = remaining(
            it->value, group_cpu_clock(tg, which == LX_ITIMER_VIRTUAL ? LX_CPUCLOCK_VIRT : LX_CPUCLOCK_PROF));
    out->interval = it->interval;
}

int itimer_set(struct thread_group *tg, int which, const struct itimer_value *new, struct itimer_value *old)
{
    itimer_get(tg, which, old);
    if (which == LX_ITIMER_REAL) {
        uint64_t at = KTIMER_NEVER;
        tg->itimer_real_interval_ns = new->interval;
        if (new->value && __builtin_add_overflow(mono_now_ns(), new->value, &at))
            at = KTIMER_NEVER - 1;
        return ktimer_arm(&tg->itimer_real, at);
    }
    if (!new->value && !tg->timers)
        return 0;
    struct cpu_timers *c = cpu_timers(tg);
    if (!c)
        return -LX_ENOMEM;
    uint64_t user, system;
    group_cpu_times(tg, &user, &system);
    struct itimer_value *it = which == LX_ITIMER_VIRTUAL ? &c->virtual : &c->prof;
    uint64_t now = which == LX_ITIMER_VIRTUAL ? user : user + system;
    *it = *new;
    if (new->value && __builtin_add_overflow(now, new->value, &it->value))
        it->value = UINT64_MAX - 1;
    c->patience_ns = CPU_SAMPLE_MIN_NS;
    arm_sampler(c, user, user + system);
    return 0;
}

void time_cpu_limit_changed(struct thread_group *tg)
{
    uint64_t seconds = tg->rlim[LX_RLIMIT_CPU].cur;
    if (seconds == LX_RLIM_INFINITY && !tg->timers)
        return;
    struct cpu_timers *c = cpu_timers(tg);
    if (!c)
        return;
    if (__builtin_mul_overflow(seconds, (uint64_t)LX_NSEC_PER_SEC, &c->limit_soft))
        c->limit_soft = 0;
    uint64_t user, system;
    group_cpu_times(tg, &user, &system);
    arm_sampler(c, user, user + system);
}
