// POSIX timers, interval timers and CPU clocks: who is told, how often, and how exact the accounts are.
#include "guest.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>

#define MS 1000000LL

static volatile int hits, value, overruns, code;
static volatile pid_t where;
static void on_timer(int sig, siginfo_t *info, void *context)
{
    hits++;
    value = info->si_value.sival_int;
    overruns = info->si_overrun;
    code = info->si_code;
    where = (pid_t)syscall(SYS_gettid);
}

static void burn_ms(long long ms)
{
    long long start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) - start < ms * MS)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

static void arm(timer_t t, long long value_ns, long long interval_ns, int flags)
{
    struct itimerspec its = {{interval_ns / 1000000000, interval_ns % 1000000000},
                             {value_ns / 1000000000, value_ns % 1000000000}};
    if (timer_settime(t, flags, &its, NULL))
        printf("timer_settime: %s\n", error_name(errno));
}

static pid_t thread_tid;
static pthread_t signalled;
static volatile bool stop;
static void *takes_signals(void *arg)
{
    thread_tid = (pid_t)syscall(SYS_gettid);
    while (!stop) {
        struct timespec t = {0, 5000000};
        nanosleep(&t, NULL);
    }
    return NULL;
}

static void to_a_thread(void)
{
    timer_t t;
    pthread_create(&signalled, NULL, takes_signals, NULL);
    while (!__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST))
        sched_yield();
    struct sigevent se = {
        .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    se._sigev_un._tid = thread_tid;
    SHOW(timer_create(CLOCK_MONOTONIC, &se, &t));
    hits = 0;
    arm(t, 5 * MS, 5 * MS, 0);
    while (hits < 3)
        sleep_ms(1);
    SHOW(timer_delete(t));
    printf("value %d, code %d, in the thread %d\n", value, code, where == thread_tid);
    se._sigev_un._tid = 1 << 20;
    SHOW(timer_create(CLOCK_MONOTONIC, &se, &t));
    se._sigev_un._tid = getppid();
    SHOW(timer_create(CLOCK_MONOTONIC, &se, &t));
    stop = true;
    pthread_join(signalled, NULL);
}

static volatile int calls;
static void in_new_thread(union sigval v)
{
    value = v.sival_int;
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static void by_a_thread(void)
{
    timer_t t;
    struct sigevent se = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_new_thread, .sigev_value.sival_int = 7};
    SHOW(timer_create(CLOCK_REALTIME, &se, &t));
    arm(t, 3 * MS, 3 * MS, 0);
    while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) < 5)
        sleep_ms(1);
    SHOW(timer_delete(t));
    printf("value %d\n", value);
}

static void overrun(void)
{
    timer_t t;
    struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    SHOW(timer_create(CLOCK_MONOTONIC, &se, &t));
    sigprocmask(SIG_BLOCK, &set, NULL);
    hits = 0;
    arm(t, 1 * MS, 1 * MS, 0);
    sleep_ms(60);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    arm(t, 0, 0, 0);
    TRUTH(hits >= 1 && overruns >= 30);
    TRUTH(timer_getoverrun(t) >= 0);
    struct itimerspec now;
    SHOW(timer_gettime(t, &now));
    printf("disarmed %d\n", now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    // Absolute, in the past: at once.
    hits = 0;
    arm(t, 1, 0, TIMER_ABSTIME);
    while (!hits)
        sleep_ms(1);
    SHOW(timer_delete(t));
    SHOW(timer_delete(t));
    SHOW(timer_gettime(t, &now));
    SHOW(timer_getoverrun(t));
    struct itimerspec bad = {{0, 0}, {0, 1000000000}};
    timer_create(CLOCK_MONOTONIC, NULL, &t);
    SHOW(timer_settime(t, 0, &bad, NULL));
    SHOW(timer_settime(t, 0, NULL, NULL));
    timer_delete(t);
    // Not inherited by fork.
    se.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_MONOTONIC, &se, &t);
    arm(t, 50000 * MS, 0, 0);
    SHOW(timer_gettime(t, &now));
    IN_CHILD("a child", SHOW(timer_gettime(t, &now)));
}

static void cpu_timers(void)
{
    timer_t t;
    struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 2; i++) {
        SHOW(timer_create(clocks[i], &se, &t));
        hits = 0;
        long long start = now_ns(clocks[i]);
        arm(t, 30 * MS, 0, 0);
        sleep_ms(60); // asleep: no processor time, no signal
        printf("asleep: %d\n", hits);
        while (!hits)
            burn_ms(1);
        long long used = now_ns(clocks[i]) - start;
        printf("fired %s\n", used < 29 * MS ? "EARLY" : used > 400 * MS ? "LATE" : "in time");
        SHOW(timer_delete(t));
    }
    int which[] = {ITIMER_VIRTUAL, ITIMER_PROF};
    int signals[] = {SIGVTALRM, SIGPROF};
    for (int i = 0; i < 2; i++) {
        struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
        sigaction(signals[i], &sa, NULL);
        struct itimerval it = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}}, old;
        hits = 0;
        setitimer(which[i], &it, NULL);
        while (hits < 3)
            burn_ms(1);
        SHOW(setitimer(which[i], &off, &old));
        printf("interval %ld, code %d\n", (long)old.it_interval.tv_usec, code);
    }
}

// The accounts agree with each other, and with what was burnt.
static void accounts(void)
{
    long long p = now_ns(CLOCK_PROCESS_CPUTIME_ID), t = now_ns(CLOCK_THREAD_CPUTIME_ID);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    struct tms start, end;
    times(&start);
    burn_ms(200);
    getrusage(RUSAGE_SELF, &after);
    times(&end);
    long long process = now_ns(CLOCK_PROCESS_CPUTIME_ID) - p, thread = now_ns(CLOCK_THREAD_CPUTIME_ID) - t;
    TRUTH(thread >= 200 * MS && thread < 1200 * MS);
    TRUTH(process >= thread - MS && process < 1200 * MS);
    long long us =
        (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
            1000000LL +
        after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    TRUTH(us >= 190000 && us < 1200000);
    long ticks = end.tms_utime - start.tms_utime + end.tms_stime - start.tms_stime;
    TRUTH(ticks >= 18 && ticks <= 120);
    // Of another process and of another thread.
    int gate[2];
    char c;
    if (pipe(gate))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        burn_ms(100);
        if (write(gate[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    if (read(gate[0], &c, 1) != 1)
        return;
    clockid_t clock;
    SHOW(clock_getcpuclockid(pid, &clock));
    long long other = now_ns(clock);
    TRUTH(other >= 100 * MS && other < 1200 * MS);
    kill(pid, SIGKILL);
    struct rusage child;
    int status;
    wait4(pid, &status, 0, &child);
    us = (child.ru_utime.tv_sec + child.ru_stime.tv_sec) * 1000000LL + child.ru_utime.tv_usec +
         child.ru_stime.tv_usec;
    TRUTH(us >= 95000 && us < 1200000);
    getrusage(RUSAGE_CHILDREN, &after);
    TRUTH(after.ru_utime.tv_usec + after.ru_utime.tv_sec * 1000000LL >= child.ru_utime.tv_usec);
    SHOW(clock_gettime(clock, &(struct timespec){0, 0}));
}

static volatile int alarms;
static void on_alarm(int sig)
{
    alarms++;
}

static void real_timer(void)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval it = {{0, 5000}, {0, 5000}}, now;
    long long start = now_ns(CLOCK_MONOTONIC);
    setitimer(ITIMER_REAL, &it, NULL);
    while (alarms < 20)
        pause();
    long long took = now_ns(CLOCK_MONOTONIC) - start;
    printf("20 alarms of 5 ms: %s\n", took < 99 * MS ? "EARLY" : took > 2000 * MS ? "LATE" : "in time");
    getitimer(ITIMER_REAL, &now);
    TRUTH(now.it_interval.tv_usec == 5000 && now.it_value.tv_usec <= 5000);
    SHOW(alarm(0) <= 1);
    fflush(stdout);
    // A child has none, a program keeps it.
    it = (struct itimerval){{0, 0}, {100, 0}};
    setitimer(ITIMER_REAL, &it, NULL);
    IN_CHILD("a child", {
        getitimer(ITIMER_REAL, &now);
        printf("%ld\n", (long)now.it_value.tv_sec);
    });
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    to_a_thread();
    by_a_thread();
    overrun();
    cpu_timers();
    accounts();
    real_timer();
    return 0;
}
