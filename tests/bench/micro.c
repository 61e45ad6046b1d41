// Micro-benchmarks: `micro NAME [SECONDS]` repeats one operation for about so long and prints its name and
// the nanoseconds of one operation, the best of five rounds.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fd = -1, pipes[2], epoll_fd = -1;
static char buffer[65536];
static char *touched;
extern char **environ;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void getppid_once(void)
{
    syscall(SYS_getppid);
}

static void open_zero(void)
{
    fd = open("/dev/zero", O_RDONLY);
}

static void open_null(void)
{
    fd = open("/dev/null", O_WRONLY);
}

static void read_once(void)
{
    if (read(fd, buffer, 1) != 1)
        fail("read");
}

static void write_once(void)
{
    if (write(fd, buffer, 1) != 1)
        fail("write");
}

static void open_file(void)
{
    // A file that lies outside of memory file systems, read through the broker in a sandbox.
    fd = open("/usr/bin/perl", O_RDONLY);
    if (fd < 0)
        fd = open("/bin/bash", O_RDONLY);
    if (fd < 0)
        fail("open");
}

// fstat(2) itself, as musl and glibc from 2.39 on call it.
static void fstat_once(void)
{
    struct stat st;
    if (syscall(SYS_fstat, fd, &st))
        fail("fstat");
}

// fstat() of glibc 2.33 to 2.38: newfstatat(2) with an empty path, which has to be read from memory.
static void fstatat_once(void)
{
    struct stat st;
    if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH))
        fail("newfstatat");
}

static void stat_once(void)
{
    struct stat st;
    if (stat("/usr/bin/env", &st))
        fail("stat");
}

static void open_close_once(void)
{
    int file = open("/usr/bin/env", O_RDONLY);
    if (file < 0)
        fail("open");
    close(file);
}

static void open_directory(void)
{
    fd = open("/usr/lib", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        fail("/usr/lib");
}

static void getdents_once(void)
{
    lseek(fd, 0, SEEK_SET);
    while (syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0)
        ;
}

static void open_pipe(void)
{
    if (pipe(pipes))
        fail("pipe");
}

static void pipe_once(void)
{
    if (write(pipes[1], buffer, 1) != 1 || read(pipes[0], buffer, 1) != 1)
        fail("pipe");
}

static void wait_for(pid_t pid)
{
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        fail("child");
}

static void touch_4m(void)
{
    touched = malloc(4 << 20);
    memset(touched, 1, 4 << 20);
}

static void fork_once(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    wait_for(pid);
}

static void vfork_exec_once(void)
{
    static char *argv[] = {"true", NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/bin/true", argv, environ);
        _exit(1);
    }
    wait_for(pid);
}

static void exec_once(void)
{
    static char *argv[] = {"true", NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/true", argv, environ);
        _exit(1);
    }
    wait_for(pid);
}

static void *nothing(void *argument)
{
    return argument;
}

static void thread_once(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL))
        fail("thread");
    pthread_join(thread, NULL);
}

static void mmap_once(void)
{
    char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        fail("mmap");
    for (int i = 0; i < 1 << 20; i += 4096)
        map[i] = 1;
    munmap(map, 1 << 20);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long shared_count;

static void *contend(void *argument)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        for (int j = 0; j < 50; j++)
            shared_count++;
        pthread_mutex_unlock(&mutex);
    }
    return argument;
}

static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping(void *argument)
{
    int side = (int)(long)argument;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != side)
            pthread_cond_wait(&turn_changed, &mutex);
        turn = !side;
        pthread_cond_signal(&turn_changed);
        pthread_mutex_unlock(&mutex);
    }
    return argument;
}

// Two threads take turns through a mutex and a condition variable, then fight for the mutex: one operation is
// all that.
static void futex_once(void)
{
    pthread_t threads[2];
    for (long i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ping, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, contend, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void on_signal(int signal)
{
    shared_count += signal;
}

static void set_handler(void)
{
    signal(SIGUSR1, on_signal);
}

static void signal_once(void)
{
    kill(getpid(), SIGUSR1);
}

// A signal to another thread that waits for it, and one back.
static pthread_t partner, opener;
static sigset_t question_mask, answer_mask; // what each does not let in while it waits
static volatile sig_atomic_t answered;

static void on_question(int signal)
{
    (void)signal;
    pthread_kill(opener, SIGUSR2);
}

static void on_answer(int signal)
{
    (void)signal;
    answered = 1;
}

static void *answer_signals(void *argument)
{
    for (;;)
        sigsuspend(&question_mask);
    return argument;
}

static void open_signals(void)
{
    signal(SIGUSR1, on_question);
    signal(SIGUSR2, on_answer);
    sigset_t both;
    sigemptyset(&question_mask);
    sigemptyset(&answer_mask);
    sigaddset(&question_mask, SIGUSR2);
    sigaddset(&answer_mask, SIGUSR1);
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &both, NULL);
    opener = pthread_self();
    if (pthread_create(&partner, NULL, answer_signals, NULL))
        fail("pthread_create");
}

static void signal_thread_once(void)
{
    answered = 0;
    pthread_kill(partner, SIGUSR1);
    while (!answered)
        sigsuspend(&answer_mask);
}

// A child that ends, seen through its pidfd.
static void pidfd_once(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    int child = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = child, .events = POLLIN};
    siginfo_t info;
    if (child < 0 || poll(&p, 1, -1) != 1 || waitid((idtype_t)3 /* P_PIDFD */, (id_t)child, &info, WEXITED))
        fail("pidfd");
    close(child);
}

// How late a sleep of 1 ms to an absolute time ends while every processor has work to do.
static void *spin(void *argument)
{
    for (;;)
        __asm__ volatile("");
    return argument;
}

static double timer_late(double seconds)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < processors; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, spin, NULL))
            fail("pthread_create");
    }
    long long late = 0, end = now() + (long long)(seconds * 1e9);
    long count = 0;
    while (now() < end) {
        long long due = now() + 1000000;
        struct timespec t = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        late += now() - due;
        count++;
    }
    return (double)late / (double)count;
}

static void open_epoll(void)
{
    open_pipe();
    write(pipes[1], buffer, 1);
    epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipes[0], &event))
        fail("epoll_ctl");
}

static void epoll_once(void)
{
    struct epoll_event event;
    if (epoll_wait(epoll_fd, &event, 1, -1) != 1)
        fail("epoll_wait");
}

static void open_poll(void)
{
    open_pipe();
    write(pipes[1], buffer, 1);
}

static void poll_once(void)
{
    struct pollfd p[2] = {{pipes[0], POLLIN, 0}, {pipes[1], POLLOUT, 0}};
    if (poll(p, 2, -1) != 2)
        fail("poll");
}

static void sleep_once(void)
{
    nanosleep(&(struct timespec){0, 1000}, NULL);
}

static void unlink_once(void)
{
    int file = open("unlinked", O_CREAT | O_WRONLY, 0600);
    if (file < 0)
        fail("unlink");
    close(file);
    unlink("unlinked");
}

static void pread4k_once(void)
{
    if (pread(fd, buffer, 4096, 8192) != 4096)
        fail("pread");
}

static void pread64k_once(void)
{
    if (pread(fd, buffer, 65536, 65536) != 65536)
        fail("pread");
}

static const struct benchmark {
    const char *name;
    void (*prepare)(void);
    void (*once)(void);
    double (*measure)(double seconds); // instead: nanoseconds of its own
} benchmarks[] = {
    {"getppid", NULL, getppid_once, NULL},
    {"read", open_zero, read_once, NULL},
    {"write", open_null, write_once, NULL},
    {"fstat", open_file, fstat_once, NULL},
    {"fstatat", open_file, fstatat_once, NULL},
    {"stat", NULL, stat_once, NULL},
    {"open_close", NULL, open_close_once, NULL},
    {"getdents", open_directory, getdents_once, NULL},
    {"pipe", open_pipe, pipe_once, NULL},
    {"fork", touch_4m, fork_once, NULL},
    {"fork_tiny", NULL, fork_once, NULL},
    {"vfork_exec", NULL, vfork_exec_once, NULL},
    {"exec", NULL, exec_once, NULL},
    {"thread", NULL, thread_once, NULL},
    {"mmap", NULL, mmap_once, NULL},
    {"futex", NULL, futex_once, NULL},
    {"signal", set_handler, signal_once, NULL},
    {"signal_thread", open_signals, signal_thread_once, NULL},
    {"pidfd_wait", NULL, pidfd_once, NULL},
    {"timer_late", NULL, NULL, timer_late},
    {"epoll", open_epoll, epoll_once, NULL},
    {"poll", open_poll, poll_once, NULL},
    {"sleep", NULL, sleep_once, NULL},
    {"unlink", NULL, unlink_once, NULL},
    {"pread_4k", open_file, pread4k_once, NULL},
    {"pread_64k", open_file, pread64k_once, NULL},
};

static void run(const struct benchmark *b, double seconds)
{
    if (b->prepare)
        b->prepare();
    if (b->measure) {
        printf("%s %.1f\n", b->name, b->measure(seconds));
        return;
    }
    long count = 1;
    long long elapsed;
    b->once(); // warm
    for (;;) {
        long long start = now();
        for (long i = 0; i < count; i++)
            b->once();
        elapsed = now() - start;
        if (elapsed > 2000000 || count > 100000000)
            break;
        count *= 2;
    }
    long rounds = (long)((double)count * seconds * 1e9 / 5 / (double)elapsed) + 1;
    double best = 0;
    for (int round = 0; round < 5; round++) {
        long long start = now();
        for (long i = 0; i < rounds; i++)
            b->once();
        double each = (double)(now() - start) / (double)rounds;
        if (round == 0 || each < best)
            best = each;
    }
    printf("%s %.1f\n", b->name, best);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    double seconds = argc > 2 ? atof(argv[2]) : 0.25;
    for (size_t i = 0; i < sizeof(benchmarks) / sizeof(benchmarks[0]); i++)
        if (argc > 1 && strcmp(argv[1], benchmarks[i].name) == 0) {
            run(&benchmarks[i], seconds);
            return 0;
        }
    for (size_t i = 0; i < sizeof(benchmarks) / sizeof(benchmarks[0]); i++)
        puts(benchmarks[i].name);
    return argc > 1;
}
