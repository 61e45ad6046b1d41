#include "tests/unit/task/world.h"
#include "sentry/time/time.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"
#include <unistd.h>

#define MS 1000000u

static struct task *start(void)
{
    struct task *t = world_init(0);
    for (int sig = 1; sig <= LX_NSIG; sig++)
        if (sig != LX_SIGKILL && sig != LX_SIGSTOP)
            world_handle(t, sig, HANDLER, 0);
    return t;
}
static void pass(unsigned ms)
{
    usleep(ms * 1000);
    ktimer_run(mono_now_ns());
}
static void put(size_t offset, const void *p, size_t n)
{
    memcpy(fixture_guest + offset, p, n);
}

Test(time, an_alarm_rings_once_and_shows_what_was_left)
{
    struct task *t = start();
    cr_assert_eq(world_call(t, sys_alarm, 100), 0);
    cr_assert_eq(world_call(t, sys_alarm, 0), 100);
    struct itimer_value v = {2 * MS, 0}, old;
    cr_assert_eq(itimer_set(t->tg, LX_ITIMER_REAL, &v, &old), 0);
    cr_assert_eq(world_deliver(t), 0);
    pass(3);
    cr_assert_eq(world_deliver(t), LX_SIGALRM);
    pass(3);
    cr_assert_eq(world_deliver(t), 0);
}

Test(time, a_periodic_timer_goes_on_without_drift)
{
    struct task *t = start();
    struct itimer_value v = {2 * MS, 2 * MS}, old;
    itimer_set(t->tg, LX_ITIMER_REAL, &v, &old);
    pass(3);
    cr_assert_eq(world_deliver(t), LX_SIGALRM);
    itimer_get(t->tg, LX_ITIMER_REAL, &old);
    cr_assert(old.value > 0 && old.value <= 2 * MS);
    cr_assert_eq(old.interval, 2 * MS);
    pass(3);
    cr_assert_eq(world_deliver(t), LX_SIGALRM);
}

Test(time, itimers_check_their_arguments)
{
    struct task *t = start();
    struct lx_itimerval bad = {.value = {0, 1000000}};
    put(0, &bad, sizeof(bad));
    cr_assert_eq(world_call(t, sys_setitimer, LX_ITIMER_REAL, fixture_addr(0), 0), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_setitimer, 3, 0, 0), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_getitimer, (uint32_t)-1, fixture_addr(0)), -LX_EINVAL);
}

static int make_timer(struct task *t, int clock, int notify, int signo)
{
    struct posix_timer_spec spec = {.clock = {.host = clock}, .notify = notify, .signo = signo, .value = 77};
    return posix_timer_create(t->tg, &spec);
}

Test(time, a_posix_timer_counts_overruns_while_its_signal_waits)
{
    struct task *t = start();
    int id = make_timer(t, LX_CLOCK_MONOTONIC, LX_SIGEV_SIGNAL, 40);
    cr_assert_geq(id, 0);
    struct posix_timer *timer = posix_timer_find(t->tg, id);
    struct itimer_value v = {1 * MS, 1 * MS}, old;
    posix_timer_set(timer, &v, false, &old);
    pass(2);
    cr_assert(signals_pending_in(t, SIGBIT(40)));
    pass(5);
    struct lx_siginfo info;
    cr_assert_eq(dequeue_signal(t, ~0ull, &info), 40);
    cr_assert_eq(info.code, LX_SI_TIMER);
    cr_assert_eq(info.u.timer.value, 77);
    cr_assert_geq(info.u.timer.overrun, 4);
    cr_assert_eq(posix_timer_overrun(timer), info.u.timer.overrun);
    cr_assert_not(signals_pending_in(t, SIGBIT(40)), "one entry however often it expired");
    pass(2);
    cr_assert(signals_pending_in(t, SIGBIT(40)), "taken, so it goes on");
    posix_timer_delete(timer);
    cr_assert_not(signals_pending_in(t, SIGBIT(40)), "its signal goes with it");
    cr_assert_null(posix_timer_find(t->tg, id));
}

Test(time, a_one_shot_timer_ends_and_an_absolute_one_in_the_past_fires_at_once)
{
    struct task *t = start();
    struct posix_timer *timer =
        posix_timer_find(t->tg, make_timer(t, LX_CLOCK_MONOTONIC, LX_SIGEV_SIGNAL, 40));
    struct itimer_value v = {1, 0}, old;
    posix_timer_set(timer, &v, true, &old);
    pass(0);
    cr_assert_eq(world_deliver(t), 40);
    posix_timer_get(timer, &old);
    cr_assert_eq(old.value, 0);
    pass(2);
    cr_assert_eq(world_deliver(t), 0);
}

Test(time, an_ignored_timer_signal_does_not_stop_the_timer)
{
    struct task *t = start();
    world_handle(t, LX_SIGUSR1, LX_SIG_IGN, 0);
    struct posix_timer *timer =
        posix_timer_find(t->tg, make_timer(t, LX_CLOCK_MONOTONIC, LX_SIGEV_SIGNAL, LX_SIGUSR1));
    struct itimer_value v = {1 * MS, 1 * MS}, old;
    posix_timer_set(timer, &v, false, &old);
    pass(2);
    cr_assert_eq(world_deliver(t), 0);
    world_handle(t, LX_SIGUSR1, HANDLER, 0);
    pass(2);
    cr_assert_eq(world_deliver(t), LX_SIGUSR1);
}

Test(time, exec_and_exit_delete_posix_timers)
{
    struct task *init = start(), *t = world_fork(init);
    cr_assert_geq(make_timer(t, LX_CLOCK_MONOTONIC, LX_SIGEV_NONE, 0), 0);
    cr_assert_not(list_empty(&t->tg->posix_timers));
    time_group_exec(t->tg);
    cr_assert(list_empty(&t->tg->posix_timers));
    current = t;
    make_timer(t, LX_CLOCK_MONOTONIC, LX_SIGEV_SIGNAL, 40);
    world_call(t, sys_exit_group, 0);
    cr_assert(list_empty(&t->tg->posix_timers));
    pass(1);
}

Test(time, timer_create_checks_its_event)
{
    struct task *t = start();
    struct lx_sigevent e = {.notify = LX_SIGEV_SIGNAL, .signo = 65};
    put(0, &e, sizeof(e));
    cr_assert_eq(world_call(t, sys_timer_create, LX_CLOCK_REALTIME, fixture_addr(0), fixture_addr(128)),
                 -LX_EINVAL);
    e = (struct lx_sigevent){.notify = LX_SIGEV_THREAD_ID, .signo = 40, .tid = 4242};
    put(0, &e, sizeof(e));
    cr_assert_eq(world_call(t, sys_timer_create, LX_CLOCK_REALTIME, fixture_addr(0), fixture_addr(128)),
                 -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_timer_create, 99, 0, fixture_addr(128)), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_timer_create, LX_CLOCK_MONOTONIC, 0, 8), -LX_EFAULT);
    cr_assert(list_empty(&t->tg->posix_timers), "a failed call leaves none");
    cr_assert_eq(world_call(t, sys_timer_delete, 5), -LX_EINVAL);
}

Test(time, nanosleep_ends_in_time_and_a_signal_leaves_the_rest)
{
    struct task *t = start();
    struct lx_timespec ts = {0, 5 * MS};
    put(0, &ts, sizeof(ts));
    cr_assert_eq(world_call(t, sys_nanosleep, fixture_addr(0), fixture_addr(64)), -LX_EBLOCKED);
    pass(6);
    cr_assert_eq(t->call.phase, CALL_RUNNABLE);
    cr_assert_eq(world_run(t, sys_nanosleep, false), 0);
    ts.sec = 100;
    put(0, &ts, sizeof(ts));
    cr_assert_eq(world_call(t, sys_nanosleep, fixture_addr(0), fixture_addr(64)), -LX_EBLOCKED);
    send_signal_task(t, LX_SIGUSR1, NULL);
    cr_assert_eq(world_run(t, sys_nanosleep, false), -LX_ERESTART_RESTARTBLOCK);
    memcpy(&ts, fixture_guest + 64, sizeof(ts));
    cr_assert(ts.sec == 100 || ts.sec == 99);
    cr_assert_eq(world_deliver(t), LX_SIGUSR1);
    cr_assert_eq(world_call(t, sys_restart_syscall), -LX_EBLOCKED, "goes on with the same end");
    ts = (struct lx_timespec){0, 1000000000};
    put(0, &ts, sizeof(ts));
    cr_assert_eq(world_call(t, sys_nanosleep, fixture_addr(0), 0), -LX_EINVAL);
}

Test(time, clocks_and_their_errors)
{
    struct task *t = start();
    cr_assert_eq(world_call(t, sys_clock_gettime, LX_CLOCK_MONOTONIC, fixture_addr(0)), 0);
    cr_assert_eq(world_call(t, sys_clock_gettime, 10, fixture_addr(0)), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_clock_gettime, LX_CLOCK_REALTIME, 8), -LX_EFAULT);
    put(0, &(struct lx_timespec){0, 0}, 16);
    cr_assert_eq(world_call(t, sys_clock_settime, LX_CLOCK_REALTIME, fixture_addr(0)), -LX_EPERM);
    cr_assert_eq(world_call(t, sys_clock_settime, LX_CLOCK_MONOTONIC, fixture_addr(0)), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_clock_nanosleep, LX_CLOCK_MONOTONIC_RAW, 0, fixture_addr(0), 0),
                 -LX_EOPNOTSUPP);
    cr_assert_eq(world_call(t, sys_clock_nanosleep, LX_CLOCK_THREAD_CPUTIME_ID, 0, fixture_addr(0), 0),
                 -LX_EOPNOTSUPP);
    t->tg->host_pid = getpid();
    uint64_t before = group_cpu_clock(t->tg, LX_CPUCLOCK_SCHED);
    for (volatile int i = 0; i < 1000000; i++)
        ;
    cr_assert_gt(group_cpu_clock(t->tg, LX_CPUCLOCK_SCHED), before);
}
