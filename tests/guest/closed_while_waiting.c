// Another thread closes or replaces the descriptor that a call waits for: the call goes on with the file it began with.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

static volatile pid_t waiter; // the thread below, once it is about to wait
static int a[2], b[2];
static char text[8];
static long result; // of its call, shown by the main thread once it is over
static int result_errno;

static void here(void)
{
    __atomic_store_n(&waiter, syscall(SYS_gettid), __ATOMIC_RELEASE);
}

// Until the thread sleeps in its call.
static void until_it_waits(void)
{
    char path[64], line[256], state = 0;
    while (!__atomic_load_n(&waiter, __ATOMIC_ACQUIRE))
        sched_yield();
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", waiter);
    while (state != 'S') {
        sleep_ms(1);
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, line, sizeof(line) - 1);
        close(fd);
        line[n > 0 ? n : 0] = 0;
        char *end = strrchr(line, ')');
        state = end ? end[2] : 0;
    }
}

static pthread_t start(void *(*function)(void *))
{
    pthread_t thread;
    waiter = 0;
    pthread_create(&thread, NULL, function, NULL);
    until_it_waits();
    return thread;
}

static void end(pthread_t thread, const char *what)
{
    pthread_join(thread, NULL);
    errno = result_errno;
    show_value(what, result);
}

static void *reads(void *argument)
{
    here();
    memset(text, 0, sizeof(text));
    result = read(a[0], text, sizeof(text));
    result_errno = errno;
    return NULL;
}

static void *writes(void *argument)
{
    static char much[70000];
    here();
    result = write(a[1], much, sizeof(much));
    result_errno = errno;
    return NULL;
}

static void *accepts(void *argument)
{
    here();
    result = accept(a[0], NULL, NULL) < 0 ? -1 : 0;
    result_errno = errno;
    return NULL;
}

static struct pollfd polled[2];

static void *polls(void *argument)
{
    polled[0] = (struct pollfd){.fd = a[0], .events = POLLIN};
    polled[1] = (struct pollfd){.fd = b[0], .events = POLLIN};
    here();
    result = poll(polled, 2, -1);
    result_errno = errno;
    return NULL;
}

static fd_set set;

static void *selects(void *argument)
{
    FD_ZERO(&set);
    FD_SET(a[0], &set);
    FD_SET(b[0], &set);
    here();
    result = select(64, &set, NULL, NULL, NULL);
    result_errno = errno;
    return NULL;
}

static void *waits(void *argument)
{
    struct epoll_event event;
    here();
    result = epoll_wait(b[0], &event, 1, -1);
    result_errno = errno;
    return NULL;
}

static void *locks(void *argument)
{
    here();
    result = flock(a[0], LOCK_EX);
    result_errno = errno;
    return NULL;
}

static void *splices(void *argument)
{
    here();
    result = splice(a[0], NULL, b[1], NULL, 3, 0);
    result_errno = errno;
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    printf("-- a pipe's reader\n");
    SHOW(pipe(a));
    pthread_t thread = start(reads);
    SHOW(close(a[0]));
    SHOW(fcntl(a[0], F_GETFD));
    SHOW(write(a[1], "one", 3));
    end(thread, "read");
    printf("[%s]\n", text);
    SHOW(write(a[1], "two", 3));
    close(a[1]);

    printf("-- another file takes its number\n");
    SHOW(pipe(a));
    SHOW(pipe(b));
    thread = start(reads);
    SHOW(write(b[1], "other", 5));
    SHOW(dup2(b[0], a[0]) == a[0]);
    SHOW(write(a[1], "own", 3));
    end(thread, "read");
    printf("[%s]\n", text);
    SHOW(read(a[0], text, sizeof(text)));
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);

    printf("-- the end of the writer\n");
    SHOW(pipe(a));
    thread = start(reads);
    SHOW(close(a[0]));
    SHOW(close(a[1]));
    end(thread, "read");

    printf("-- a pipe's writer\n");
    SHOW(pipe(a));
    thread = start(writes);
    SHOW(close(a[1]));
    static char much[100000];
    long total = 0, n;
    while ((n = read(a[0], much, sizeof(much))) > 0)
        total += n;
    printf("read %ld, then %ld\n", total, n);
    end(thread, "write");
    close(a[0]);

    printf("-- sockets\n");
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
    thread = start(reads);
    SHOW(close(a[0]));
    SHOW(send(a[1], "abc", 3, 0));
    end(thread, "read");
    SHOW(send(a[1], "abc", 3, 0));
    close(a[1]);
    // A name that nobody else has: natively abstract names are the machine's, and other variants run beside this one.
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(name);
    OK(a[0] = socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(bind(a[0], (struct sockaddr *)&name, sizeof(name.sun_family)));
    SHOW(getsockname(a[0], (struct sockaddr *)&name, &length));
    SHOW(listen(a[0], 1));
    thread = start(accepts);
    SHOW(close(a[0]));
    OK(b[0] = socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(connect(b[0], (struct sockaddr *)&name, length));
    end(thread, "accept");
    OK(b[1] = socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(connect(b[1], (struct sockaddr *)&name, length));
    close(b[0]), close(b[1]);

    printf("-- poll\n");
    SHOW(pipe(a));
    SHOW(pipe(b));
    thread = start(polls);
    SHOW(close(a[0]));
    SHOW(write(a[1], "x", 1)); // its reader is still there
    end(thread, "poll");
    printf("revents %#x %#x\n", polled[0].revents, polled[1].revents);
    SHOW(write(a[1], "x", 1));
    close(a[1]), close(b[0]), close(b[1]);

    printf("-- select\n");
    SHOW(pipe(a));
    SHOW(pipe(b));
    thread = start(selects);
    SHOW(close(a[0]));
    SHOW(write(a[1], "x", 1));
    end(thread, "select");
    printf("set %d %d\n", FD_ISSET(a[0], &set) != 0, FD_ISSET(b[0], &set) != 0);
    SHOW(write(a[1], "x", 1));
    close(a[1]), close(b[0]), close(b[1]);

    printf("-- epoll\n");
    OK(a[0] = eventfd(0, 0));
    OK(b[0] = epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    SHOW(epoll_ctl(b[0], EPOLL_CTL_ADD, a[0], &event));
    thread = start(waits);
    SHOW(close(b[0]));
    SHOW(eventfd_write(a[0], 1));
    end(thread, "epoll_wait");
    close(a[0]);

    printf("-- eventfd\n");
    OK(a[0] = eventfd(0, 0));
    a[1] = dup(a[0]);
    thread = start(reads);
    SHOW(close(a[0]));
    SHOW(eventfd_write(a[1], 1));
    end(thread, "read");
    close(a[1]);

    printf("-- flock\n");
    OK(a[0] = open("lock", O_RDWR | O_CREAT, 0600));
    OK(a[1] = open("lock", O_RDWR));
    SHOW(flock(a[1], LOCK_EX));
    thread = start(locks);
    SHOW(close(a[0]));
    SHOW(flock(a[1], LOCK_UN));
    end(thread, "flock");
    SHOW(flock(a[1], LOCK_EX | LOCK_NB)); // the thread's lock went with its file
    close(a[1]);
    unlink("lock");

    printf("-- splice\n");
    SHOW(pipe(a));
    SHOW(pipe(b));
    thread = start(splices);
    SHOW(close(a[0]));
    SHOW(close(b[1]));
    SHOW(write(a[1], "sss", 3));
    end(thread, "splice");
    SHOW(read(b[0], text, sizeof(text)));
    SHOW(read(b[0], text, sizeof(text)));
    return 0;
}
