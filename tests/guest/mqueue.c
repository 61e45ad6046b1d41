// variants: dynamic static
// POSIX message queues: order, sizes, full and empty queues, waiting with deadlines and signals, attributes, errors.
#include "guest.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>

static char name[64], text[8200];
static mqd_t q;

static mqd_t make(int flags, long maxmsg, long msgsize)
{
    struct mq_attr a = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
    return mq_open(name, O_CREAT | flags, 0600, &a);
}

static struct timespec in_ms(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void take(const char *what, size_t room)
{
    unsigned prio = 77;
    memset(text, 0, sizeof(text));
    ssize_t n = mq_receive(q, text, room, &prio);
    if (n < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %zd bytes, priority %u, %s\n", what, n, prio, text);
}

static int put(const char *what, unsigned prio)
{
    return mq_send(q, what, strlen(what), prio);
}

static void show_attr(const char *what)
{
    struct mq_attr a;
    memset(&a, 0x55, sizeof(a));
    if (mq_getattr(q, &a))
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: flags %#lx, at most %ld of %ld, has %ld\n", what, a.mq_flags, a.mq_maxmsg, a.mq_msgsize,
               a.mq_curmsgs);
}

static void order(void)
{
    q = make(O_RDWR | O_NONBLOCK, 10, 32);
    show_attr("new");
    for (int i = 0; i < 10; i++)
        put((char[]){(char)('a' + i), 0}, (unsigned)(i * 7 % 5) * 100);
    SHOW(put("one more", 1));
    show_attr("full");
    for (int i = 0; i < 11; i++)
        take("next", 32);
    SHOW(put("", 32767));
    SHOW(put("x", 32768));
    take("empty text", 32);
    SHOW(put("exactly 32 bytes, neither more nor", 0));
    SHOW(mq_send(q, text, 32, 0));
    take("too little room", 31);
    take("32", 32);
    SHOW(mq_close(q));
    SHOW(mq_unlink(name));
    SHOW(mq_unlink(name));
    // Many messages of few priorities come out in order.
    q = make(O_RDWR | O_NONBLOCK, 10, 4);
    unsigned seed = 1, wrong = 0, rounds = 0, moved = 0;
    for (; rounds < 2000; rounds++) {
        seed = seed * 1103515245 + 12345;
        unsigned prio = seed >> 16 & 3;
        if (seed >> 24 & 1)
            moved += mq_send(q, (char *)&rounds, 4, prio) == 0;
        unsigned number, last[4] = {0}, p;
        if ((seed >> 25 & 1) && mq_receive(q, (char *)&number, 4, &p) == 4) {
            wrong += number < last[p];
            last[p] = number;
        }
    }
    printf("%u sent, %u out of order\n", moved, wrong);
    mq_close(q);
    mq_unlink(name);
}

static void nothing(int sig) {}

static void deadlines(void)
{
    q = make(O_RDWR, 1, 32);
    struct timespec t = in_ms(30), past = {1, 0}, bad = {0, 1000000000}, negative = {-1, 0};
    long long before = now_ns(CLOCK_MONOTONIC);
    SHOW(mq_timedreceive(q, text, 32, NULL, &t));
    TRUTH(now_ns(CLOCK_MONOTONIC) - before > 25000000);
    SHOW(mq_timedreceive(q, text, 32, NULL, &past));
    SHOW(mq_timedreceive(q, text, 32, NULL, &bad));
    SHOW(mq_timedreceive(q, text, 32, NULL, &negative));
    SHOW(put("first", 0));
    SHOW(mq_timedsend(q, "x", 1, 0, &past));
    t = in_ms(30);
    SHOW(mq_timedsend(q, "x", 1, 0, &t));
    SHOW(mq_timedsend(q, "x", 1, 0, &bad));
    SHOW(mq_timedsend(-1, "x", 1, 0, &bad));
    SHOW(syscall(SYS_mq_timedsend, q, "x", 1, 0, (void *)8));
    SHOW(syscall(SYS_mq_timedreceive, q, text, 32, NULL, (void *)8));
    t = (struct timespec){INT64_MAX, 0};
    SHOW(mq_timedreceive(q, text, 32, NULL, &t)); // one is there
    // A signal ends a wait, or the call starts over.
    struct sigaction sa = {.sa_handler = nothing};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(30000, 0);
    SHOW(mq_receive(q, text, 32, NULL));
    SHOW(put("full", 0));
    ualarm(30000, 0);
    SHOW(mq_send(q, "x", 1, 0));
    take("only one", 32);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, NULL);
    ualarm(20000, 0);
    t = in_ms(100);
    SHOW(mq_timedreceive(q, text, 32, NULL, &t));
    mq_close(q);
    mq_unlink(name);
}

static int gate[2];

static void in_order(int i, bool sends)
{
    char c;
    if (sends) {
        _exit(mq_send(q, (char[]){(char)('A' + i)}, 1, (unsigned)i));
    } else {
        ssize_t n = mq_receive(q, text, 32, NULL);
        c = n == 1 ? text[0] : '?';
        write(gate[1], (char[]){(char)('0' + i), c}, 2);
        _exit(0);
    }
}

// Waits until a process waits in a call of a queue.
static void until_asleep(pid_t pid)
{
    char path[64], state = 0, line[256];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    while (state != 'S') {
        FILE *f = fopen(path, "r");
        if (!f || !fgets(line, sizeof(line), f))
            break;
        fclose(f);
        state = strrchr(line, ')')[2];
        sched_yield();
    }
}

static void turns(void)
{
    q = make(O_RDWR, 1, 32);
    pipe(gate);
    char got[3] = "";
    // Receivers get messages in the order they came, whatever others do in between.
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            in_order(i, false);
        until_asleep(pid);
    }
    sleep_ms(20);
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    for (int i = 0; i < 3; i++) {
        put((char[]){(char)('a' + i), 0}, 0);
        SHOW(poll(&p, 1, 0));
        printf("revents %#x\n", p.revents);
        read(gate[0], got, 2);
        printf("receiver and message: %s\n", got);
    }
    int status;
    while (wait(&status) > 0)
        ;
    // Senders too, and theirs are sorted by priority only once there is room.
    put("full", 9);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            in_order(i, true);
        until_asleep(pid);
    }
    sleep_ms(20);
    for (int i = 0; i < 4; i++)
        take("from a waiting sender", 32);
    while (wait(&status) > 0)
        show_status("sender", status);
    mq_close(q);
    mq_unlink(name);
}

static void readiness(void)
{
    q = make(O_RDWR | O_NONBLOCK, 2, 32);
    int ep = epoll_create1(0);
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET, {.u32 = 5}};
    struct pollfd p = {q, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0};
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, q, &e));
    for (int i = 0; i < 5; i++) {
        int n = epoll_wait(ep, &e, 1, 0);
        printf("epoll %d %#x, ", n, n == 1 ? e.events : 0);
        n = epoll_wait(ep, &e, 1, 0);
        printf("again %d, poll %d", n, poll(&p, 1, 0));
        printf(" %#x\n", p.revents);
        if (i < 2)
            put("x", 0);
        else
            mq_receive(q, text, 32, NULL);
    }
    // A wait that a message ends.
    p.events = POLLIN;
    if (fork() == 0) {
        sleep_ms(30);
        _exit(put("late", 0));
    }
    SHOW(poll(&p, 1, 5000));
    wait(NULL);
    take("late", 32);
    close(ep);
    mq_close(q);
    mq_unlink(name);
}

static void attributes(void)
{
    struct mq_attr a = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 77, .mq_msgsize = 77}, old;
    q = make(O_RDWR, 3, 64);
    SHOW(mq_setattr(q, &a, &old));
    printf("before: flags %#lx, %ld, %ld\n", old.mq_flags, old.mq_maxmsg, old.mq_msgsize);
    show_attr("after");
    SHOW(fcntl(q, F_GETFL));
    SHOW(fcntl(q, F_GETFD));
    take("does not block", 64);
    SHOW(fcntl(q, F_SETFL, O_RDWR));
    show_attr("blocks again");
    a.mq_flags = O_NONBLOCK | O_APPEND;
    SHOW(mq_setattr(q, &a, NULL));
    a.mq_flags = 0;
    SHOW(mq_setattr(-1, &a, NULL));
    SHOW(mq_setattr(0, &a, NULL));
    SHOW(syscall(SYS_mq_getsetattr, q, (void *)8, NULL));
    SHOW(syscall(SYS_mq_getsetattr, q, NULL, (void *)8));
    SHOW(syscall(SYS_mq_getsetattr, q, NULL, NULL));
    mq_close(q);
    mq_unlink(name);
}

static void errors(void)
{
    struct mq_attr a = {.mq_maxmsg = 0, .mq_msgsize = 10};
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    a = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 0};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    a = (struct mq_attr){.mq_maxmsg = -1, .mq_msgsize = 10};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    a = (struct mq_attr){.mq_maxmsg = 65537, .mq_msgsize = 10};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    a = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 16777217};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    SHOW(mq_open("/", O_RDWR));
    SHOW(syscall(SYS_mq_open, "", O_RDWR, 0, NULL));
    SHOW(syscall(SYS_mq_open, ".", O_RDWR, 0, NULL));
    SHOW(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, (void *)8, O_RDWR, 0, NULL));
    SHOW(syscall(SYS_mq_open, name + 1, O_RDWR | O_CREAT, 0600, (void *)8));
    SHOW(syscall(SYS_mq_unlink, "a/b"));
    SHOW(syscall(SYS_mq_unlink, (void *)8));
    memset(text, 'n', 256);
    text[256] = 0;
    SHOW(syscall(SYS_mq_open, text, O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_unlink, text));
    q = make(O_RDONLY | O_EXCL, 2, 32);
    SHOW(make(O_RDWR | O_EXCL, 2, 32));
    SHOW(put("x", 0));
    int w = mq_open(name, O_WRONLY);
    SHOW(mq_receive(w, text, 32, NULL));
    SHOW(mq_open(name, O_RDWR | O_WRONLY));
    SHOW(mq_send(w, text, 33, 0));
    SHOW(syscall(SYS_mq_timedsend, w, (void *)8, 10, 0, NULL));
    SHOW(syscall(SYS_mq_timedsend, w, (void *)8, 0, 0, NULL));
    SHOW(mq_receive(q, text, 32, NULL));
    SHOW(mq_send(w, "lost", 4, 0));
    SHOW(syscall(SYS_mq_timedreceive, q, (void *)8, 32, NULL, NULL));
    SHOW(mq_send(w, "lost too", 8, 0));
    SHOW(syscall(SYS_mq_timedreceive, q, text, 32, (void *)8, NULL));
    show_attr("empty");
    SHOW(mq_send(0, "x", 1, 0));
    SHOW(mq_receive(0, text, 32, NULL));
    SHOW(mq_send(-1, "x", 1, 0));
    SHOW(write(w, "x", 1));
    SHOW(lseek(w, 3, SEEK_SET));
    SHOW(ftruncate(w, 0));
    struct stat st;
    fstat(q, &st);
    printf("mode %o, size %ld, links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
    mq_close(w);
    // Unlinked and still open.
    SHOW(mq_unlink(name));
    fstat(q, &st);
    printf("links %ld\n", (long)st.st_nlink);
    w = mq_open(name, O_RDWR);
    SHOW(w);
    mq_close(q);
    umask(027);
    mqd_t all = mq_open(name, O_RDWR | O_CREAT, 0777, NULL);
    fstat(all, &st);
    printf("mode %o\n", st.st_mode);
    q = all;
    show_attr("default");
    mq_close(q);
    mq_unlink(name);
}

static void *sender(void *arg)
{
    for (long i = 0; i < 500; i++)
        mq_send(q, (char *)&i, sizeof(i), (unsigned)i % 3);
    return NULL;
}

static void many(void)
{
    q = make(O_RDWR, 4, 8);
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, sender, NULL);
    long sum = 0, value;
    for (int i = 0; i < 1500; i++)
        if (mq_receive(q, (char *)&value, 8, NULL) == 8)
            sum += value;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    printf("sum %ld\n", sum);
    show_attr("all taken");
    mq_close(q);
    mq_unlink(name);
}

// Native runs share the host's names with whatever else runs there.
static unsigned long long random_number(void)
{
    unsigned long long n = 0;
    getrandom(&n, sizeof(n), 0);
    return n;
}

int main(void)
{
    snprintf(name, sizeof(name), "/mqueue-test-%llx", random_number());
    errors();
    order();
    deadlines();
    turns();
    readiness();
    attributes();
    many();
    return 0;
}
