// Clocks and sleeping (kernel/time/posix-timers.c, hrtimer.c, alarmtimer.c).
#include "sentry/ipc/poll.h"
#include "sentry/task/task.h"
#include "sentry/time/time.h"
#include "abi/linux/capability.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"
#include <time.h>

static struct lx_timespec timespec_of(uint64_t ns)
{
    return (struct lx_timespec){(int64_t)(ns / LX_NSEC_PER_SEC), (int64_t)(ns % LX_NSEC_PER_SEC)};
}

int64_t sys_clock_gettime(struct call *call)
{
    struct guest_clock clock;
    int err = guest_clock_resolve(arg_int(call, 0), &clock);
    if (err)
        return err;
    struct lx_timespec ts = timespec_of(guest_clock_now(&clock));
    return put_user(ts, call->args[1]);
}

int64_t sys_clock_getres(struct call *call)
{
    struct guest_clock clock;
    int err = guest_clock_resolve(arg_int(call, 0), &clock);
    if (err)
        return err;
    struct timespec host = {0, 1};
    if (!clock.cpu)
        clock_getres(clock.host, &host);
    else if (clock.which != LX_CPUCLOCK_SCHED)
        clock_getres(LX_CLOCK_MONOTONIC_COARSE, &host); // one tick
    struct lx_timespec ts = {host.tv_sec, host.tv_nsec};
    return call->args[1] ? put_user(ts, call->args[1]) : 0;
}

static bool valid_timespec(const struct lx_timespec *ts)
{
    return ts->sec >= 0 && ts->nsec >= 0 && ts->nsec < LX_NSEC_PER_SEC;
}

// The host's clocks are nobody's to set.
int64_t sys_clock_settime(struct call *call)
{
    int id = arg_int(call, 0);
    struct lx_timespec ts;
    if (id != LX_CLOCK_REALTIME && id >= 0)
        return -LX_EINVAL;
    if (get_user(ts, call->args[1]) != 0)
        return -LX_EFAULT;
    return id < 0 || valid_timespec(&ts) ? -LX_EPERM : -LX_EINVAL;
}

int64_t sys_settimeofday(struct call *call)
{
    struct lx_timeval tv;
    if (call->args[0]) {
        if (get_user(tv, call->args[0]) != 0)
            return -LX_EFAULT;
        if (tv.usec < 0 || tv.usec > 1000000 || tv.sec < 0)
            return -LX_EINVAL;
    }
    return -LX_EPERM;
}

int64_t sys_gettimeofday(struct call *call)
{
    uint64_t now = clock_now_ns(LX_CLOCK_REALTIME);
    struct lx_timeval tv = {(int64_t)(now / LX_NSEC_PER_SEC), (int64_t)(now % LX_NSEC_PER_SEC / 1000)};
    struct lx_timezone tz = {0, 0};
    if (call->args[0] && put_user(tv, call->args[0]) != 0)
        return -LX_EFAULT;
    if (call->args[1] && put_user(tz, call->args[1]) != 0)
        return -LX_EFAULT;
    return 0;
}

int64_t sys_time(struct call *call)
{
    int64_t now = (int64_t)(clock_now_ns(LX_CLOCK_REALTIME) / LX_NSEC_PER_SEC);
    return call->args[0] && put_user(now, call->args[0]) != 0 ? -LX_EFAULT : now;
}

// --- sleeping. What a sleep goes on with after a signal: task->restart_words.

struct sleep_state {
    struct guest_clock clock;
    uint64_t expires;  // on the clock
    gaddr_t remaining; // where the rest goes; 0: nowhere
    bool absolute;
    uint64_t patience_ns;
};
_Static_assert(sizeof(struct sleep_state) <= CALL_STATE_BYTES, "fits the call");

enum { WORD_CLOCK, WORD_EXPIRES, WORD_REMAINING, WORD_PID_TID };

static int64_t sleep_restart(struct call *call);

// A signal ends the sleep: the rest goes to the guest, and restart_syscall may go on.
static int64_t interrupted(const struct sleep_state *s, uint64_t now)
{
    if (s->absolute)
        return -LX_ERESTARTNOHAND;
    if (s->remaining) {
        struct lx_timespec left = timespec_of(s->expires - now);
        if (put_user(left, s->remaining) != 0)
            return -LX_EFAULT;
    }
    current->restart_fn = sleep_restart;
    current->restart_words[WORD_CLOCK] =
        s->clock.cpu ? 1u << 16 | (unsigned)s->clock.which : (unsigned)s->clock.host;
    current->restart_words[WORD_EXPIRES] = s->expires;
    current->restart_words[WORD_REMAINING] = s->remaining;
    current->restart_words[WORD_PID_TID] = (uint64_t)(uint32_t)s->clock.pid << 32 | (uint32_t)s->clock.tid;
    return -LX_ERESTART_RESTARTBLOCK;
}

static int64_t sleep_on(struct call *call, struct sleep_state *s)
{
    uint64_t now = guest_clock_now(&s->clock);
    if (now >= s->expires)
        return 0;
    if (signal_pending(current))
        return interrupted(s, now);
    if (!call->first)
        s->patience_ns = s->patience_ns * 2 < CPU_SAMPLE_MAX_NS ? s->patience_ns * 2 : CPU_SAMPLE_MAX_NS;
    call->interrupted = s->absolute ? -LX_ERESTARTNOHAND : -LX_ERESTART_RESTARTBLOCK;
    return block_until(guest_clock_check_at(&s->clock, now, s->expires, s->patience_ns));
}

static int64_t sleep_restart(struct call *call)
{
    struct sleep_state *s = call_state(call, struct sleep_state);
    if (call->first) {
        const uint64_t *w = current->restart_words;
        s->clock.cpu = w[WORD_CLOCK] >> 16;
        s->clock.which = s->clock.host = (int)(w[WORD_CLOCK] & 0xffff);
        s->clock.pid = (int)(w[WORD_PID_TID] >> 32);
        s->clock.tid = (int)(uint32_t)w[WORD_PID_TID];
        s->expires = w[WORD_EXPIRES];
        s->remaining = w[WORD_REMAINING];
        s->patience_ns = CPU_SAMPLE_MIN_NS;
    }
    return sleep_on(call, s);
}

static int64_t sleep_begin(struct sleep_state *s, gaddr_t request)
{
    struct lx_timespec ts;
    if (get_user(ts, request) != 0)
        return -LX_EFAULT;
    int64_t ns = timespec_ns(&ts);
    if (ns < 0)
        return ns;
    s->expires = (uint64_t)ns;
    s->patience_ns = CPU_SAMPLE_MIN_NS;
    if (!s->absolute && __builtin_add_overflow(guest_clock_now(&s->clock), (uint64_t)ns, &s->expires))
        s->expires = UINT64_MAX - 1;
    return 0;
}

int64_t sys_nanosleep(struct call *call)
{
    struct sleep_state *s = call_state(call, struct sleep_state);
    if (call->first) {
        s->clock = (struct guest_clock){.host = LX_CLOCK_MONOTONIC};
        s->remaining = call->args[1];
        int64_t err = sleep_begin(s, call->args[0]);
        if (err)
            return err;
    }
    return sleep_on(call, s);
}

// Which clocks can be slept on; EOPNOTSUPP is ENOTSUP.
static int64_t sleep_clock(int id, struct guest_clock *clock)
{
    int err = guest_clock_resolve(id, clock);
    if (err)
        return err;
    if (clock->cpu && clock->tid == current->tid && id < 0)
        return -LX_EINVAL;
    if (id == LX_CLOCK_THREAD_CPUTIME_ID || id == LX_CLOCK_MONOTONIC_RAW || id == LX_CLOCK_REALTIME_COARSE ||
        id == LX_CLOCK_MONOTONIC_COARSE)
        return -LX_EOPNOTSUPP;
    if ((id == LX_CLOCK_REALTIME_ALARM || id == LX_CLOCK_BOOTTIME_ALARM) && !capable(LX_CAP_WAKE_ALARM))
        return -LX_EPERM;
    return 0;
}

int64_t sys_clock_nanosleep(struct call *call)
{
    struct sleep_state *s = call_state(call, struct sleep_state);
    if (call->first) {
        int64_t err = sleep_clock(arg_int(call, 0), &s->clock);
        if (err)
            return err;
        s->absolute = arg_int(call, 1) & LX_TIMER_ABSTIME;
        s->remaining = s->absolute ? 0 : call->args[3];
        err = sleep_begin(s, call->args[2]);
        if (err)
            return err;
    }
    return sleep_on(call, s);
}
