// variants: dynamic static
// eventfd, timerfd, signalfd and pidfd.
#include "guest.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static int ready(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    return p.revents;
}

static void *adds(void *argument)
{
    uint64_t five = 5;
    sleep_ms(20);
    write(*(int *)argument, &five, 8);
    return NULL;
}

static void events(void)
{
    uint64_t value = 3;
    RAW(eventfd, 7);
    int fd = RAW(eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC);
    RAW(eventfd2, 0, 0x3);
    SHOW(read(fd, &value, 8));
    SHOW(write(fd, &value, 8));
    SHOW(write(fd, &value, 8));
    printf("ready %d\n", ready(fd));
    SHOW(read(fd, &value, 8));
    printf("value %d\n", (int)value);
    SHOW(read(fd, &value, 4));
    SHOW(write(fd, &value, 4));
    value = UINT64_MAX;
    SHOW(write(fd, &value, 8));
    value = UINT64_MAX - 1;
    SHOW(write(fd, &value, 8));
    printf("ready %d\n", ready(fd));
    SHOW(write(fd, &(uint64_t){1}, 8));
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    SHOW(read(fd, &value, 8));
    SHOW(read(fd, &value, 8));
    SHOW(read(fd, &value, 8));
    fcntl(fd, F_SETFL, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, adds, &fd);
    SHOW(read(fd, &value, 8));
    printf("value %d\n", (int)value);
    pthread_join(thread, NULL);
    close(fd);
}

static void timers(void)
{
    uint64_t expirations;
    struct itimerspec spec = {.it_value = {0, 20000000}}, current;
    int fd = RAW(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
    RAW(timerfd_create, 99, 0);
    RAW(timerfd_create, CLOCK_MONOTONIC, 1);
    SHOW(read(fd, &expirations, 8));
    RAW(timerfd_gettime, fd, &current);
    printf("disarmed %d\n", current.it_value.tv_sec == 0 && current.it_value.tv_nsec == 0);
    RAW(timerfd_settime, fd, 0, &spec, NULL);
    RAW(timerfd_gettime, fd, &current);
    TRUTH(current.it_value.tv_nsec > 0 && current.it_value.tv_nsec <= 20000000);
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 5000));
    SHOW(read(fd, &expirations, 8));
    printf("expirations %d\n", (int)expirations);
    SHOW(read(fd, &expirations, 4));
    spec = (struct itimerspec){.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
    fcntl(fd, F_SETFL, 0);
    RAW(timerfd_settime, fd, 0, &spec, NULL);
    sleep_ms(30);
    SHOW(read(fd, &expirations, 8));
    TRUTH(expirations >= 5);
    TRUTH(read(fd, &expirations, 8) == 8 && expirations >= 1);
    spec.it_value.tv_nsec = 0;
    RAW(timerfd_settime, fd, 0, &spec, &current);
    TRUTH(current.it_interval.tv_nsec == 5000000);
    spec.it_value.tv_nsec = 2000000000;
    RAW(timerfd_settime, fd, 0, &spec, NULL);
    RAW(timerfd_settime, 0, 0, &spec, NULL);
    RAW(timerfd_settime, 99, 0, &spec, NULL);
    RAW(timerfd_gettime, 99, &current);
    RAW(timerfd_gettime, 0, &current);
    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    spec.it_value.tv_sec -= 5;
    spec.it_interval = (struct timespec){0, 0};
    close(fd);
    fd = timerfd_create(CLOCK_REALTIME, 0);
    RAW(timerfd_settime, fd, TFD_TIMER_ABSTIME, &spec, NULL);
    SHOW(read(fd, &expirations, 8));
    printf("past: %d\n", (int)expirations);
    close(fd);
}

static void signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = RAW(signalfd4, -1, &set, 8, SFD_NONBLOCK);
    RAW(signalfd4, -1, &set, 4, 0);
    RAW(signalfd4, 99, &set, 8, 0);
    RAW(signalfd, 0, &set, 8);
    struct signalfd_siginfo info[4];
    SHOW(read(fd, info, sizeof(info)));
    raise(SIGUSR1);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 6});
    printf("ready %d\n", ready(fd));
    SHOW(read(fd, info, 10));
    int n = read(fd, info, sizeof(info)) / (int)sizeof(info[0]);
    for (int i = 0; i < n; i++)
        printf("signal %d code %d value %d own pid %d\n", info[i].ssi_signo, info[i].ssi_code,
               info[i].ssi_int, (pid_t)info[i].ssi_pid == getpid());
    RAW(signalfd, -1, &set, 8);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    TRUTH(syscall(SYS_signalfd4, fd, &set, 8, 0) == fd);
    raise(SIGUSR1);
    SHOW(read(fd, info, sizeof(info)));
    close(fd);
}

static void processes(void)
{
    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        read(go[0], &byte, 1);
        _exit(9);
    }
    int fd = syscall(SYS_pidfd_open, pid, 0);
    TRUTH(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    RAW(pidfd_open, 999999, 0);
    RAW(pidfd_open, pid, 1);
    RAW(pidfd_open, -1, 0);
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    RAW(pidfd_send_signal, fd, 0, NULL, 0);
    RAW(pidfd_send_signal, fd, 200, NULL, 0);
    RAW(pidfd_send_signal, 0, SIGTERM, NULL, 0);
    close(go[0]);
    close(go[1]);
    SHOW(poll(&p, 1, 5000));
    printf("revents %d\n", p.revents);
    siginfo_t info;
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("status %d\n", info.si_status);
    RAW(pidfd_send_signal, fd, SIGTERM, NULL, 0);
    RAW(pidfd_getfd, fd, 0, 0);
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    events();
    timers();
    signals();
    processes();
    return 0;
}
