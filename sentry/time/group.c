// What a thread group has of timers: set up, taken down, and its CPU time.
#include "sentry/time/time.h"
#include "sentry/task/task.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include <time.h>

// Interval timers signal the process and, if asked, start again without drift (it_real_fn).
static void itimer_real_fire(struct ktimer *timer)
{
    struct thread_group *tg = container_of(timer, struct thread_group, itimer_real);
    uint64_t interval = tg->itimer_real_interval_ns, expired = timer->expires_ns;
    if (interval) {
        uint64_t now = mono_now_ns(), next = expired + interval;
        if (next <= now)
            next += (now - next) / interval * interval + interval;
        ktimer_arm(timer, next);
    }
    send_signal_group(tg, LX_SIGALRM, NULL);
}

void time_group_init(struct thread_group *tg)
{
    tg->itimer_real.fire = itimer_real_fire;
    list_init(&tg->posix_timers);
}

void time_group_exit(struct thread_group *tg)
{
    ktimer_cancel(&tg->itimer_real);
    tg->itimer_real_interval_ns = 0;
}

void time_group_exec(struct thread_group *tg)
{
}

void time_group_release(struct thread_group *tg)
{
    ktimer_cancel(&tg->itimer_real);
}

// The host keeps a CPU clock per process, which any process of its pid namespace may read (posix-cpu-timers.c).
static bool host_cpu_clock(int host_pid, int which, uint64_t *ns)
{
    struct timespec ts;
    clockid_t id = (clockid_t)(~(unsigned)host_pid << 3 | (unsigned)which);
    if (host_pid <= 0 || clock_gettime(id, &ts) != 0)
        return false;
    *ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    return true;
}

void group_cpu_times(struct thread_group *tg, uint64_t *user_ns, uint64_t *system_ns)
{
    uint64_t user, total;
    if (!tg->zombie && !tg->dead && host_cpu_clock(tg->host_pid, LX_CPUCLOCK_VIRT, &user) &&
        host_cpu_clock(tg->host_pid, LX_CPUCLOCK_PROF, &total)) {
        tg->utime_ns = user;
        tg->stime_ns = total > user ? total - user : 0;
    }
    *user_ns = tg->utime_ns;
    *system_ns = tg->stime_ns;
}
