// Interval timers and POSIX timers as system calls; time/ has the timers.
#include "sentry/task/task.h"
#include "sentry/time/time.h"
#include "abi/linux/capability.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"

static struct lx_itimerval itimerval_of(const struct itimer_value *v)
{
    uint64_t value = (v->value + 999) / 1000, interval = v->interval / 1000;
    return (struct lx_itimerval){
        .interval = {(int64_t)(interval / 1000000), (int64_t)(interval % 1000000)},
        .value = {(int64_t)(value / 1000000), (int64_t)(value % 1000000)},
    };
}

static bool timeval_ns(const struct lx_timeval *tv, uint64_t *ns)
{
    if (tv->sec < 0 || tv->usec < 0 || tv->usec >= 1000000)
        return false;
    *ns = tv->sec >= INT64_MAX / LX_NSEC_PER_SEC ? INT64_MAX
                                                 : (uint64_t)(tv->sec * LX_NSEC_PER_SEC + tv->usec * 1000);
    return true;
}

int64_t sys_getitimer(struct call *call)
{
    int which = arg_int(call, 0);
    struct itimer_value v;
    if (which < LX_ITIMER_REAL || which > LX_ITIMER_PROF)
        return -LX_EINVAL;
    itimer_get(current->tg, which, &v);
    struct lx_itimerval out = itimerval_of(&v);
    return put_user(out, call->args[1]);
}

int64_t sys_setitimer(struct call *call)
{
    int which = arg_int(call, 0);
    struct lx_itimerval in = {0};
    struct itimer_value new, old;
    if (call->args[1] && get_user(in, call->args[1]) != 0)
        return -LX_EFAULT;
    if (!timeval_ns(&in.value, &new.value) || !timeval_ns(&in.interval, &new.interval))
        return -LX_EINVAL;
    if (which < LX_ITIMER_REAL || which > LX_ITIMER_PROF)
        return -LX_EINVAL;
    int err = itimer_set(current->tg, which, &new, &old);
    if (err)
        return err;
    struct lx_itimerval out = itimerval_of(&old);
    return call->args[2] ? put_user(out, call->args[2]) : 0;
}

// alarm(2): seconds that were left, rounded, but never 0 for an alarm that was set.
int64_t sys_alarm(struct call *call)
{
    struct itimer_value new = {.value = arg_uint(call, 0) * (uint64_t)LX_NSEC_PER_SEC}, old;
    int err = itimer_set(current->tg, LX_ITIMER_REAL, &new, &old);
    if (err)
        return err;
    uint64_t seconds = old.value / LX_NSEC_PER_SEC, rest = old.value % LX_NSEC_PER_SEC;
    if ((!seconds && rest) || rest >= LX_NSEC_PER_SEC / 2)
        seconds++;
    return (int64_t)seconds;
}

// Which clocks can have a timer (the k_clock table of posix-timers.c).
static int64_t timer_clock(int id, struct guest_clock *clock)
{
    int err = guest_clock_resolve(id, clock);
    if (err)
        return err;
    if (id == LX_CLOCK_MONOTONIC_RAW || id == LX_CLOCK_REALTIME_COARSE || id == LX_CLOCK_MONOTONIC_COARSE)
        return -LX_EOPNOTSUPP;
    if ((id == LX_CLOCK_REALTIME_ALARM || id == LX_CLOCK_BOOTTIME_ALARM) && !capable(LX_CAP_WAKE_ALARM))
        return -LX_EPERM;
    return 0;
}

// What /proc/PID/timers shows: the CPU clocks of the caller by their general numbers.
static int shown_clock(int id)
{
    const int process = ~0 * 8 | LX_CPUCLOCK_SCHED;
    return id == LX_CLOCK_PROCESS_CPUTIME_ID ? process : id == LX_CLOCK_THREAD_CPUTIME_ID ? process | 4 : id;
}

// good_sigevent
static bool take_event(struct posix_timer_spec *spec, const struct lx_sigevent *e)
{
    spec->notify = e->notify;
    spec->signo = e->signo;
    spec->value = e->value;
    if (e->notify == LX_SIGEV_NONE)
        return true;
    if (e->notify == LX_SIGEV_THREAD_ID) {
        const struct task *t = find_task(e->tid);
        if (!t || t->tg != current->tg)
            return false;
        spec->tid = e->tid;
    } else if (e->notify != LX_SIGEV_SIGNAL && e->notify != LX_SIGEV_THREAD) {
        return false;
    }
    return e->signo > 0 && e->signo <= LX_NSIG;
}

int64_t sys_timer_create(struct call *call)
{
    struct posix_timer_spec spec = {.clock_id = shown_clock(arg_int(call, 0)),
                                    .notify = LX_SIGEV_SIGNAL,
                                    .signo = LX_SIGALRM,
                                    .default_event = true};
    struct lx_sigevent event;
    if (call->args[1] && get_user(event, call->args[1]) != 0)
        return -LX_EFAULT;
    int64_t err = timer_clock(arg_int(call, 0), &spec.clock);
    if (err)
        return err;
    if (call->args[1]) {
        spec.default_event = false;
        if (!take_event(&spec, &event))
            return -LX_EINVAL;
    }
    int id = posix_timer_create(current->tg, &spec);
    if (id < 0)
        return id;
    if (put_user(id, call->args[2]) != 0) {
        posix_timer_delete(posix_timer_find(current->tg, id));
        return -LX_EFAULT;
    }
    return 0;
}

static struct posix_timer *timer_of(struct call *call)
{
    return posix_timer_find(current->tg, arg_int(call, 0));
}

static bool timespec_to_ns(const struct lx_timespec *ts, uint64_t *ns)
{
    if (ts->sec < 0 || ts->nsec < 0 || ts->nsec >= LX_NSEC_PER_SEC)
        return false;
    *ns =
        ts->sec >= INT64_MAX / LX_NSEC_PER_SEC ? INT64_MAX : (uint64_t)(ts->sec * LX_NSEC_PER_SEC + ts->nsec);
    return true;
}

static struct lx_itimerspec itimerspec_of(const struct itimer_value *v)
{
    return (struct lx_itimerspec){
        .interval = {(int64_t)(v->interval / LX_NSEC_PER_SEC), (int64_t)(v->interval % LX_NSEC_PER_SEC)},
        .value = {(int64_t)(v->value / LX_NSEC_PER_SEC), (int64_t)(v->value % LX_NSEC_PER_SEC)},
    };
}

int64_t sys_timer_settime(struct call *call)
{
    struct lx_itimerspec in;
    struct itimer_value new, old;
    if (!call->args[2])
        return -LX_EINVAL;
    if (get_user(in, call->args[2]) != 0)
        return -LX_EFAULT;
    if (!timespec_to_ns(&in.value, &new.value) || !timespec_to_ns(&in.interval, &new.interval))
        return -LX_EINVAL;
    struct posix_timer *t = timer_of(call);
    if (!t)
        return -LX_EINVAL;
    int err = posix_timer_set(t, &new, arg_int(call, 1) & LX_TIMER_ABSTIME, &old);
    if (err)
        return err;
    struct lx_itimerspec out = itimerspec_of(&old);
    return call->args[3] ? put_user(out, call->args[3]) : 0;
}

int64_t sys_timer_gettime(struct call *call)
{
    struct posix_timer *t = timer_of(call);
    struct itimer_value v;
    if (!t)
        return -LX_EINVAL;
    posix_timer_get(t, &v);
    struct lx_itimerspec out = itimerspec_of(&v);
    return put_user(out, call->args[1]);
}

int64_t sys_timer_getoverrun(struct call *call)
{
    const struct posix_timer *t = timer_of(call);
    return t ? posix_timer_overrun(t) : -LX_EINVAL;
}

int64_t sys_timer_delete(struct call *call)
{
    struct posix_timer *t = timer_of(call);
    if (!t)
        return -LX_EINVAL;
    posix_timer_delete(t);
    return 0;
}
