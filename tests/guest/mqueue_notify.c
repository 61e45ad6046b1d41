// variants: dynamic static
// mq_notify(2): signals, threads, nobody; once, for one process, until it closes the queue, ends or runs another program.
#include "guest.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

static char name[64], text[64];
static mqd_t q;
static int line_fd; // the queue as a file; each close of it would end a registration

static void take(const char *what)
{
    memset(text, 0, sizeof(text));
    ssize_t n = mq_receive(q, text, sizeof(text), NULL);
    printf("%s: %s\n", what, n < 0 ? error_name(errno) : text);
}

// The line that a queue's file shows, with pids as words.
static void show_line(const char *what)
{
    char line[128] = "";
    int pid = -1, size = -1, how = -1, signo = -1;
    pread(line_fd, line, sizeof(line) - 1, 0);
    sscanf(line, "QSIZE:%d NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &size, &how, &signo, &pid);
    printf("%s: size %d, notify %d, signal %d, %s\n", what, size, how, signo,
           pid == getpid() ? "us"
           : pid           ? "other"
                           : "nobody");
}

static volatile int seen;
static siginfo_t info;
static pid_t from;

static void handler(int sig, siginfo_t *si, void *context)
{
    seen++;
    info = *si;
}

static int ask(int how, int signo, int value)
{
    struct sigevent e = {.sigev_notify = how, .sigev_signo = signo, .sigev_value.sival_int = value};
    return mq_notify(q, &e);
}

static int put(const char *what)
{
    return mq_send(q, what, strlen(what), 0);
}

static void show_signal(const char *what)
{
    printf("%s: %d signals", what, seen);
    if (seen)
        printf(", number %d, code %d, value %d, %s, %s", info.si_signo, info.si_code, info.si_value.sival_int,
               info.si_pid == from ? "the sender's pid" : "ANOTHER PID",
               info.si_uid == getuid() ? "its uid" : "ANOTHER UID");
    printf("\n");
    seen = 0;
}

static void signals(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGRTMIN + 3, &sa, NULL);
    from = getpid();
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 42));
    show_line("registered");
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 43));
    SHOW(put("first"));
    show_signal("first");
    show_line("told");
    SHOW(put("second"));
    show_signal("second");
    SHOW(ask(SIGEV_SIGNAL, SIGRTMIN + 3, 7)); // there are messages: not before the queue was empty
    SHOW(put("third"));
    show_signal("third");
    for (int i = 0; i < 3; i++)
        take("take");
    from = fork();
    if (from == 0)
        _exit(put("from a child"));
    waitpid(from, NULL, 0);
    show_signal("child's");
    take("take");
    from = getpid();
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 1));
    SHOW(mq_notify(q, NULL));
    show_line("taken back");
    SHOW(mq_notify(q, NULL));
    SHOW(put("silent"));
    show_signal("silent");
    take("take");
    SHOW(ask(SIGEV_SIGNAL, 0, 1)); // no signal, but an end
    SHOW(put("x"));
    show_line("signal 0");
    take("take");
    SHOW(ask(SIGEV_NONE, SIGUSR1, 1));
    show_line("none");
    SHOW(ask(SIGEV_NONE, SIGUSR1, 1));
    SHOW(put("x"));
    show_line("none told");
    show_signal("none");
    take("take");
    // A receiver that waits gets the message, and the registration stays.
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 9));
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(mq_receive(q, text, sizeof(text), NULL) != 4);
    sleep_ms(50);
    SHOW(put("wait"));
    waitpid(pid, &status, 0);
    show_status("receiver", status);
    show_signal("none");
    show_line("still registered");
    mq_notify(q, NULL);
}

static void ends(const char *self)
{
    int status, ready[2], go[2];
    char c;
    // Others may register when the one who did closes its descriptor, even another one of the same queue, or ends.
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 1));
    IN_CHILD("other", {
        SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 1));
        SHOW(mq_notify(q, NULL));
        show_line("other");
        close(q);
    });
    show_line("still ours");
    close(dup(q));
    show_line("closed a copy");
    int again = mq_open(name, O_RDONLY);
    SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 1));
    close(again);
    show_line("closed another");
    IN_CHILD("registers and ends", SHOW(ask(SIGEV_SIGNAL, SIGUSR1, 1)));
    show_line("it ended");
    pipe(ready);
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        ask(SIGEV_SIGNAL, SIGUSR1, 1);
        write(ready[1], "x", 1);
        pause();
    }
    read(ready[0], &c, 1);
    show_line("child has it");
    SHOW(ask(SIGEV_NONE, 0, 0));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    show_line("child was killed");
    // Another program: its descriptor closes unless it is kept, and then it is not told.
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        ask(SIGEV_SIGNAL, SIGUSR1, 1);
        fcntl(q, F_SETFD, 0);
        dup2(ready[1], 20);
        dup2(go[0], 21);
        execl(self, self, "wait", (char *)NULL);
        _exit(127);
    }
    read(ready[0], &c, 1);
    show_line("another program");
    SHOW(put("to it"));
    show_line("not told");
    write(go[1], "x", 1);
    waitpid(pid, &status, 0);
    show_status("it", status);
    take("take");
}

static pthread_t main_thread;
static int called, other_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void on_message(union sigval v)
{
    pthread_mutex_lock(&lock);
    called += v.sival_int == 99;
    other_thread += !pthread_equal(main_thread, pthread_self());
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
}

static void threads(void)
{
    struct sigevent e = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message, .sigev_value.sival_int = 99};
    main_thread = pthread_self();
    for (int i = 1; i <= 3; i++) {
        SHOW(mq_notify(q, &e));
        show_line("thread");
        SHOW(put("x"));
        pthread_mutex_lock(&lock);
        while (called < i)
            pthread_cond_wait(&cond, &lock);
        printf("called %d times, in another thread %d\n", called, other_thread);
        pthread_mutex_unlock(&lock);
        take("take");
    }
    SHOW(mq_notify(q, &e));
    SHOW(mq_notify(q, NULL));
    SHOW(put("x"));
    show_line("taken back");
    take("take");
    printf("called %d times\n", called);
}

// What SIGEV_THREAD is made of: a cookie that comes over a netlink socket.
static int ask_cookie(int fd, const void *cookie)
{
    struct sigevent e = {
        .sigev_notify = SIGEV_THREAD, .sigev_signo = fd, .sigev_value.sival_ptr = (void *)cookie};
    return (int)syscall(SYS_mq_notify, q, &e);
}

static void show_cookie(int fd)
{
    unsigned char got[64];
    struct sockaddr_nl from;
    socklen_t len = sizeof(from);
    struct pollfd p = {fd, POLLIN, 0};
    int ready = poll(&p, 1, 0);
    ssize_t n = ready == 1 ? recvfrom(fd, got, sizeof(got), MSG_DONTWAIT, (void *)&from, &len) : -1;
    if (n < 1)
        printf("no cookie\n");
    else
        printf("%zd bytes, begins with %d, ends with %d, from %u\n", n, got[0], got[n - 1], from.nl_pid);
}

static void cookies(void)
{
    unsigned char cookie[32] = {17};
    int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(ask_cookie(nl, cookie));
    show_cookie(nl);
    SHOW(ask_cookie(nl, cookie));
    put("x");
    show_cookie(nl);
    show_cookie(nl);
    take("take");
    SHOW(ask_cookie(nl, cookie));
    SHOW(mq_notify(q, NULL));
    show_cookie(nl);
    SHOW(ask_cookie(nl, cookie));
    close(dup(q));
    show_cookie(nl);
    SHOW(ask_cookie(nl, (void *)8));
    SHOW(ask_cookie(other, cookie));
    SHOW(ask_cookie(1, cookie));
    SHOW(ask_cookie(-1, cookie));
    // The socket goes first.
    SHOW(ask_cookie(nl, cookie));
    close(nl);
    SHOW(put("x"));
    take("take");
    show_line("socket gone");
    close(other);
}

// What notices took of the room of all netlink sockets is given back when they are read, and when their socket goes.
static void many_cookies(void)
{
    unsigned char cookie[32] = {17};
    struct ifaddrs *all = NULL;
    int came = 0;
    for (int i = 0; i < 300; i++) {
        int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
        ask_cookie(nl, cookie);
        mq_send(q, "x", 1, 0);
        came += recv(nl, cookie, sizeof(cookie), MSG_DONTWAIT) == sizeof(cookie);
        mq_receive(q, text, sizeof(text), NULL);
        ask_cookie(nl, cookie);
        close(nl);
        mq_notify(q, NULL);
    }
    printf("%d cookies came\n", came);
    SHOW(getifaddrs(&all));
    printf("addresses: %s\n", all ? "some" : "none");
    freeifaddrs(all);
}

static void errors(void)
{
    SHOW(ask(3, SIGUSR1, 0));
    SHOW(ask(SIGEV_THREAD_ID, SIGUSR1, 0));
    SHOW(ask(SIGEV_SIGNAL, 65, 0));
    SHOW(ask(SIGEV_SIGNAL, -1, 0));
    SHOW(syscall(SYS_mq_notify, q, (void *)8));
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    SHOW(mq_notify(-1, &e));
    SHOW(mq_notify(0, &e));
    SHOW(mq_notify(0, NULL));
}

// Native runs share the host's names with whatever else runs there.
static unsigned long long random_number(void)
{
    unsigned long long n = 0;
    getrandom(&n, sizeof(n), 0);
    return n;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        char c;
        signal(SIGUSR1, SIG_DFL);
        write(20, "x", 1);
        read(21, &c, 1);
        return 5;
    }
    snprintf(name, sizeof(name), "/mqueue-notify-%llx", random_number());
    struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 64};
    q = mq_open(name, O_CREAT | O_RDWR, 0600, &a);
    TRUTH(q >= 0);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", q);
    line_fd = open(path, O_RDONLY);
    errors();
    signals();
    ends(argv[0]);
    cookies();
    threads();
    many_cookies();
    mq_unlink(name);
    return 0;
}
