// variants: dynamic static musl-static
// poll, ppoll, select, pselect: readiness, time-outs, masks, errors.
#include "guest.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static volatile int handled;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
}

static long long elapsed(long long since)
{
    return (now_ns(CLOCK_MONOTONIC) - since) / 1000000;
}

static void write_later(int fd, int ms)
{
    if (fork() == 0) {
        sleep_ms(ms);
        write(fd, "x", 1);
        _exit(0);
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fds[2];
    pipe(fds);
    struct pollfd p = {fds[0], POLLIN, 0x7777};
    long long start = now_ns(CLOCK_MONOTONIC);
    RAW(poll, &p, 1, 30);
    printf("revents %d, waited %d\n", p.revents, elapsed(start) >= 29 && elapsed(start) < 1000);
    write_later(fds[1], 20);
    RAW(poll, &p, 1, -1);
    printf("revents %d\n", p.revents);
    wait(NULL);
    p.fd = 99;
    RAW(poll, &p, 1, 0);
    printf("revents %d\n", p.revents);
    p.fd = -5;
    RAW(poll, &p, 1, 0);
    printf("revents %d\n", p.revents);
    RAW(poll, unmapped_address(), 1, 0);
    RAW(poll, NULL, 0, 5);
    RAW(poll, &p, 1 << 30, 0);
    int file = open("prog", O_RDONLY), dir = open(".", O_RDONLY), null = open("/dev/null", O_RDWR);
    struct pollfd several[4] = {{file, POLLIN | POLLOUT, 0},
                                {dir, POLLIN, 0},
                                {null, POLLIN | POLLOUT, 0},
                                {fds[1], POLLOUT | POLLIN, 0}};
    RAW(poll, several, 4, -1);
    printf("%d %d %d %d\n", several[0].revents, several[1].revents, several[2].revents, several[3].revents);
    struct timespec zero = {0, 0}, little = {0, 10000000}, bad = {0, 2000000000};
    p = (struct pollfd){fds[0], POLLIN, 0};
    RAW(ppoll, &p, 1, &zero, NULL, 8);
    RAW(ppoll, &p, 1, &bad, NULL, 8);
    char byte;
    read(fds[0], &byte, 1);
    RAW(ppoll, &p, 1, &little, NULL, 8);
    // The mask is swapped atomically: a blocked pending signal ends the wait.
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    signal(SIGUSR1, on_signal);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    struct timespec long_time = {5, 0};
    RAW(ppoll, &p, 1, &long_time, &none, 8);
    printf("handled %d\n", handled);
    RAW(ppoll, &p, 1, &zero, &none, 4);
    sigprocmask(SIG_UNBLOCK, &block, NULL);

    fd_set in, out, error;
    struct timeval tv = {0, 10000};
    FD_ZERO(&in);
    FD_SET(fds[0], &in);
    SHOW(select(fds[0] + 1, &in, NULL, NULL, &tv));
    printf("set %d, time left %ld\n", FD_ISSET(fds[0], &in), (long)tv.tv_usec);
    write_later(fds[1], 20);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&error);
    FD_SET(fds[0], &in);
    FD_SET(fds[0], &error);
    tv = (struct timeval){5, 0};
    SHOW(select(fds[1] + 1, &in, &out, &error, &tv));
    printf("in %d out %d error %d, time left %d\n", FD_ISSET(fds[0], &in), FD_ISSET(fds[1], &out),
           FD_ISSET(fds[0], &error), tv.tv_sec == 4);
    wait(NULL);
    FD_SET(fds[1], &out);
    SHOW(select(fds[1] + 1, &in, &out, NULL, NULL));
    FD_ZERO(&in);
    FD_SET(40, &in);
    SHOW(select(41, &in, NULL, NULL, NULL));
    RAW(select, -1, NULL, NULL, NULL, NULL);
    RAW(select, 0, NULL, NULL, NULL, &tv.tv_usec - 1 == NULL ? NULL : &(struct timeval){0, 1000});
    RAW(select, 10, unmapped_address(), NULL, NULL, NULL);
    RAW(select, 0, NULL, NULL, NULL, &(struct timeval){-1, 0});
    struct {
        const sigset_t *mask;
        size_t size;
    } with_mask = {&none, 8};
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    RAW(pselect6, 0, NULL, NULL, NULL, &long_time, &with_mask);
    printf("handled %d\n", handled);
    with_mask.size = 9;
    RAW(pselect6, 0, NULL, NULL, NULL, &zero, &with_mask);
    FD_ZERO(&in);
    FD_SET(fds[0], &in);
    RAW(pselect6, fds[0] + 1, &in, NULL, NULL, &zero, NULL);
    // Closing the other end wakes.
    read(fds[0], &byte, 1);
    if (fork() == 0) {
        sleep_ms(20);
        _exit(0);
    }
    close(fds[1]);
    p = (struct pollfd){fds[0], POLLIN, 0};
    SHOW(poll(&p, 1, 5000));
    printf("revents %d\n", p.revents);
    wait(NULL);
    // poll is not restarted after a handler.
    pipe(fds);
    p.fd = fds[0];
    signal(SIGALRM, on_signal);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    if (fork() == 0) {
        sleep_ms(20);
        kill(getppid(), SIGALRM);
        _exit(0);
    }
    SHOW(poll(&p, 1, 5000));
    wait(NULL);
    // Many descriptors.
    struct pollfd many[200];
    for (int i = 0; i < 200; i++) {
        int pair[2];
        pipe(pair);
        many[i] = (struct pollfd){pair[0], POLLIN, 0};
        if (i % 3 == 0)
            write(pair[1], "x", 1);
    }
    SHOW(poll(many, 200, 1000));
    return 0;
}
