// variants: dynamic static musl-static
// epoll: level, edge and one-shot, changes, nesting, errors.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static int ep;

static int compare(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;
    return (int)x->data.u32 - (int)y->data.u32;
}

static void collect(const char *what, int timeout)
{
    struct epoll_event events[16];
    int n = epoll_wait(ep, events, 16, timeout);
    if (n > 0)
        qsort(events, n, sizeof(events[0]), compare);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++)
        printf(" (%u: %#x)", events[i].data.u32, events[i].events);
    printf("\n");
}

static int control(int op, int fd, unsigned events, unsigned data)
{
    struct epoll_event event = {.events = events, .data.u32 = data};
    return epoll_ctl(ep, op, fd, &event);
}

static void *writes_later(void *argument)
{
    sleep_ms(20);
    write(*(int *)argument, "x", 1);
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    char buffer[64];
    int fds[2], other[2];
    pipe(fds);
    pipe(other);
    RAW(epoll_create, 1);
    RAW(epoll_create, 0);
    ep = RAW(epoll_create1, EPOLL_CLOEXEC);
    RAW(epoll_create1, 0x1);
    SHOW(fcntl(ep, F_GETFD));
    SHOW(control(EPOLL_CTL_ADD, fds[0], EPOLLIN, 1));
    SHOW(control(EPOLL_CTL_ADD, fds[0], EPOLLIN, 1));
    SHOW(control(EPOLL_CTL_MOD, other[0], EPOLLIN, 1));
    SHOW(control(EPOLL_CTL_DEL, other[0], 0, 0));
    SHOW(control(EPOLL_CTL_ADD, 99, EPOLLIN, 1));
    SHOW(control(77, fds[0], EPOLLIN, 1));
    SHOW(control(EPOLL_CTL_ADD, ep, EPOLLIN, 1));
    SHOW(control(EPOLL_CTL_ADD, open("prog", O_RDONLY), EPOLLIN, 1));
    SHOW(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &(struct epoll_event){0}));
    RAW(epoll_ctl, ep, EPOLL_CTL_ADD, fds[1], unmapped_address());
    struct epoll_event events[2];
    RAW(epoll_wait, ep, events, 0, 0);
    RAW(epoll_wait, fds[0], events, 1, 0);
    RAW(epoll_wait, 99, events, 1, 0);
    RAW(epoll_pwait, ep, events, 2, 0, NULL, 8);
    RAW(epoll_pwait, ep, events, -1, 0, NULL, 8);
    RAW(epoll_pwait2, ep, events, 2, &((struct timespec){0, 1000}), NULL, 8);
    RAW(epoll_pwait2, ep, events, 2, &((struct timespec){0, -1}), NULL, 8);
    collect("nothing", 0);
    collect("time-out", 10);
    write(fds[1], "ab", 2);
    collect("level", -1);
    collect("level again", -1);
    RAW(epoll_wait, ep, unmapped_address(), 1, 0);
    read(fds[0], buffer, 2);
    collect("drained", 0);
    SHOW(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 2));
    write(fds[1], "ab", 2);
    collect("edge", -1);
    collect("edge, nothing new", 0);
    write(fds[1], "c", 1);
    collect("edge, more", 0);
    read(fds[0], buffer, 1);
    collect("edge, partly read", 0);
    SHOW(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 3));
    collect("edge, after modify", 0);
    SHOW(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 4));
    collect("one-shot", 0);
    collect("one-shot, used", 0);
    SHOW(control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 5));
    collect("one-shot, armed again", 0);
    SHOW(control(EPOLL_CTL_ADD, other[1], EPOLLOUT, 6));
    SHOW(control(EPOLL_CTL_MOD, fds[0], EPOLLIN, 7));
    collect("two", 0);
    SHOW(control(EPOLL_CTL_DEL, other[1], 0, 0));
    collect("one", 0);
    SHOW(control(EPOLL_CTL_MOD, fds[0], 0, 8));
    collect("masked", 0);
    close(fds[1]);
    collect("hang-up is always reported", 0);
    // A duplicate keeps the registration alive.
    int copy = dup(fds[0]);
    close(fds[0]);
    collect("duplicate", 0);
    close(copy);
    collect("closed", 0);

    int event_fd = eventfd(0, EFD_NONBLOCK);
    SHOW(control(EPOLL_CTL_ADD, event_fd, EPOLLIN | EPOLLOUT, 9));
    collect("event descriptor", 0);
    uint64_t one = 1;
    write(event_fd, &one, 8);
    collect("event descriptor written", 0);
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(control(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLRDHUP, 10));
    SHOW(control(EPOLL_CTL_DEL, event_fd, 0, 0));
    shutdown(pair[1], SHUT_WR);
    collect("half closed", 0);
    close(pair[1]);
    collect("socket closed", 0);
    SHOW(control(EPOLL_CTL_DEL, pair[0], 0, 0));
    // Wake-up by another thread, and an epoll inside an epoll.
    pthread_t thread;
    SHOW(control(EPOLL_CTL_ADD, other[0], EPOLLIN, 11));
    pthread_create(&thread, NULL, writes_later, &other[1]);
    collect("woken", 5000);
    pthread_join(thread, NULL);
    int inner = ep, outer = epoll_create1(0);
    ep = outer;
    SHOW(control(EPOLL_CTL_ADD, inner, EPOLLIN, 12));
    collect("nested", 1000);
    read(other[0], buffer, 1);
    collect("nested, drained", 0);
    ep = inner;
    SHOW(control(EPOLL_CTL_ADD, outer, EPOLLIN, 13));
    // Round robin when the array is small.
    int many[10];
    for (int i = 0; i < 10; i++) {
        many[i] = eventfd(1, 0);
        control(EPOLL_CTL_ADD, many[i], EPOLLIN, 100 + i);
    }
    unsigned seen = 0;
    for (int i = 0; i < 5; i++) {
        int n = epoll_wait(ep, events, 2, 0);
        for (int j = 0; j < n; j++)
            seen |= 1U << (events[j].data.u32 - 100);
    }
    printf("seen %#x\n", seen);
    return 0;
}
