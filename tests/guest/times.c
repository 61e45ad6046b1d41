// variants: dynamic static musl-static
// Clocks, sleeping, interval and POSIX timers.
#include "guest.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static volatile int alarms;
static volatile int last_code, last_value;

static void on_alarm(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    alarms++;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
}

static int between(long long value, long long low, long long high)
{
    return value >= low && value <= high;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct timespec ts, resolution;
    clockid_t clocks[] = {CLOCK_REALTIME,          CLOCK_MONOTONIC,     CLOCK_PROCESS_CPUTIME_ID,
                          CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                          CLOCK_MONOTONIC_COARSE,  CLOCK_BOOTTIME,      CLOCK_TAI};
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
        printf("clock %d: %ld %ld\n", clocks[i], syscall(SYS_clock_gettime, clocks[i], &ts),
               syscall(SYS_clock_getres, clocks[i], &resolution));
    RAW(clock_gettime, 99, &ts);
    RAW(clock_gettime, CLOCK_REALTIME, unmapped_address());
    RAW(clock_getres, 99, &ts);
    RAW(clock_getres, CLOCK_MONOTONIC, &ts);
    printf("resolution %ld\n", ts.tv_nsec);
    struct timeval tv;
    RAW(gettimeofday, &tv, NULL);
    TRUTH(labs(time(NULL) - tv.tv_sec) <= 1);
    RAW(gettimeofday, unmapped_address(), NULL);
    TRUTH(labs(syscall(SYS_time, NULL) - tv.tv_sec) <= 1);
    RAW(time, unmapped_address());
    long long a = now_ns(CLOCK_MONOTONIC), b = now_ns(CLOCK_MONOTONIC);
    TRUTH(b >= a);
    RAW(clock_settime, 99, &ts);

    struct timespec request = {0, 20000000}, left;
    a = now_ns(CLOCK_MONOTONIC);
    RAW(nanosleep, &request, NULL);
    TRUTH(between(now_ns(CLOCK_MONOTONIC) - a, 20000000, 500000000));
    RAW(nanosleep, &(struct timespec){0, -1}, NULL);
    RAW(nanosleep, &(struct timespec){-1, 0}, NULL);
    RAW(nanosleep, unmapped_address(), NULL);
    a = now_ns(CLOCK_MONOTONIC);
    RAW(clock_nanosleep, CLOCK_MONOTONIC, 0, &request, &left);
    TRUTH(between(now_ns(CLOCK_MONOTONIC) - a, 20000000, 500000000));
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    RAW(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    RAW(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    RAW(clock_nanosleep, 99, 0, &request, NULL);
    RAW(clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &request, NULL);

    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    RAW(alarm, 100);
    TRUTH(between(alarm(0), 99, 100));
    RAW(alarm, 0);
    struct itimerval it = {{0, 0}, {0, 20000}}, old;
    RAW(setitimer, ITIMER_REAL, &it, NULL);
    pause();
    printf("alarms %d code %d\n", alarms, last_code);
    it = (struct itimerval){{0, 5000}, {0, 5000}};
    RAW(setitimer, ITIMER_REAL, &it, NULL);
    while (alarms < 4)
        pause();
    RAW(getitimer, ITIMER_REAL, &old);
    TRUTH(old.it_interval.tv_usec == 5000);
    it = (struct itimerval){{0, 0}, {0, 0}};
    RAW(setitimer, ITIMER_REAL, &it, &old);
    RAW(setitimer, 99, &it, NULL);
    RAW(setitimer, ITIMER_REAL, &((struct itimerval){{0, 0}, {0, 1000000}}), NULL);
    RAW(getitimer, 99, &old);
    RAW(getitimer, ITIMER_REAL, unmapped_address());
    // CPU time.
    sigaction(SIGVTALRM, &action, NULL);
    alarms = 0;
    it = (struct itimerval){{0, 0}, {0, 20000}};
    setitimer(ITIMER_VIRTUAL, &it, NULL);
    a = now_ns(CLOCK_MONOTONIC);
    while (alarms == 0 && now_ns(CLOCK_MONOTONIC) - a < 5000000000LL)
        ;
    printf("virtual alarms %d\n", alarms);
    struct rusage usage;
    RAW(getrusage, RUSAGE_SELF, &usage);
    TRUTH(usage.ru_utime.tv_sec > 0 || usage.ru_utime.tv_usec > 5000);
    RAW(getrusage, 99, &usage);
    RAW(getrusage, RUSAGE_CHILDREN, unmapped_address());
    struct tms tms;
    TRUTH(times(&tms) != -1 && tms.tms_utime >= 0);
    RAW(times, unmapped_address());
    TRUTH(now_ns(CLOCK_PROCESS_CPUTIME_ID) > 5000000);

    int id = -1;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 55};
    sigaction(SIGUSR1, &action, NULL);
    alarms = 0;
    RAW(timer_create, CLOCK_MONOTONIC, &event, &id);
    RAW(timer_create, 99, &event, &id);
    event.sigev_notify = 77;
    RAW(timer_create, CLOCK_MONOTONIC, &event, &(int){0});
    struct itimerspec spec = {.it_value = {0, 10000000}}, current;
    RAW(timer_settime, id, 0, &spec, NULL);
    RAW(timer_gettime, id, &current);
    TRUTH(between(current.it_value.tv_nsec, 1, 10000000));
    pause();
    printf("timer: %d code %d value %d\n", alarms, last_code, last_value);
    RAW(timer_getoverrun, id);
    RAW(timer_settime, 77, 0, &spec, NULL);
    RAW(timer_gettime, 77, &current);
    RAW(timer_getoverrun, 77);
    RAW(timer_delete, id);
    RAW(timer_delete, id);
    // exec and fork clear timers; an alarm is not inherited.
    alarm(50);
    IN_CHILD("alarm in a child", SHOW(alarm(0)));
    alarm(0);
    struct timespec never = {0, 0};
    SHOW(nanosleep(&never, NULL));
    SHOW(usleep(100));
    // The first call after a fork waits as long as any other, though the child is only just there.
    for (int i = 0; i < 5; i++) {
        struct timespec start, end, wait = {0, 20000000};
        clock_gettime(CLOCK_MONOTONIC, &start);
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        syscall(SYS_nanosleep, &wait, NULL);
        clock_gettime(CLOCK_MONOTONIC, &end);
        show_value("slept its time",
                   (end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec - start.tv_nsec >= wait.tv_nsec);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return 0;
}
