// Threads and processes at their edges: a leader that ends first, exec by another thread, and what is asked of and about them.
#include "guest.h"
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pid_t process;

static void *outlives(void *arg)
{
    while (syscall(SYS_tgkill, process, process, 0) == 0 && arg) {
        siginfo_t info = {0};
        (void)info;
        break;
    }
    sleep_ms(60);
    printf("the thread goes on; leader still has its number: %d\n",
           kill(process, 0) == 0 && getpid() == process);
    fflush(stdout);
    if (arg)
        execl("./prog", "prog", "after", NULL);
    exit(7);
}

static void leader_first(bool then_exec)
{
    process = getpid();
    pthread_t thread;
    pthread_create(&thread, NULL, outlives, then_exec ? &process : NULL);
    pthread_detach(thread);
    syscall(SYS_exit, 3);
}

static void *executes(void *arg)
{
    fflush(stdout);
    char pid[20];
    snprintf(pid, sizeof(pid), "%d", getpid());
    execl("./prog", "prog", "pid", pid, NULL);
    return NULL;
}

static void *idles(void *arg)
{
    pause();
    return NULL;
}

static void exec_by_thread(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, idles, NULL);
    pthread_create(&threads[3], NULL, executes, NULL);
    pthread_join(threads[0], NULL);
}

// A read into a thread's buffer races exec by a sibling: nothing lands in the new program.
#define RACE_SIZE (1 << 20)
static int race_pipe[2];
static char *race_buffer;
static void *reads(void *arg)
{
    for (;;)
        if (read(race_pipe[0], race_buffer, RACE_SIZE) < 0)
            return NULL;
}

static void exec_race(int round)
{
    // Where the new program's image and data lie, too: static programs always, others by chance.
    race_buffer = mmap((void *)0x10000000, RACE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reads, NULL);
    char number[20], fd[20];
    snprintf(number, sizeof(number), "%d", round);
    snprintf(fd, sizeof(fd), "%d", race_pipe[0]);
    struct timespec wait = {0, round * 200000};
    nanosleep(&wait, NULL);
    execl("./prog", "prog", "race", number, fd, NULL);
}

// The fresh program maps the same place, and watches it while bytes still come through the pipe.
static int after_race(int fd)
{
    unsigned char *p = mmap((void *)0x10000000, RACE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    long long end = now_ns(CLOCK_MONOTONIC) + 20000000;
    size_t dirty = 0;
    while (now_ns(CLOCK_MONOTONIC) < end)
        for (size_t i = 0; i < RACE_SIZE; i += 512)
            dirty += p[i] != 0;
    return dirty != 0;
}

static void race(void)
{
    int bad = 0;
    if (pipe(race_pipe))
        return;
    fcntl(race_pipe[1], F_SETPIPE_SZ, RACE_SIZE);
    fflush(stdout);
    pid_t writer = fork();
    if (writer == 0) {
        static char bytes[65536];
        memset(bytes, 0x5a, sizeof(bytes));
        for (;;)
            if (write(race_pipe[1], bytes, sizeof(bytes)) < 0)
                _exit(0);
    }
    for (int round = 0; round < 12; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            exec_race(round);
            _exit(2);
        }
        int status;
        waitpid(pid, &status, 0);
        bad += status != 0;
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    printf("races lost: %d\n", bad);
}

static void personalities(void)
{
    TRUTH(personality(0xffffffff) == 0);
    TRUTH(personality(ADDR_NO_RANDOMIZE) == 0);
    TRUTH(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
    char text[2][200];
    for (int i = 0; i < 2; i++) {
        int fds[2];
        if (pipe(fds))
            return;
        pid_t pid = fork();
        if (pid == 0) {
            dup2(fds[1], 1);
            execl("./prog", "prog", "where", NULL);
            _exit(1);
        }
        close(fds[1]);
        ssize_t n = read(fds[0], text[i], 199);
        text[i][n > 0 ? n : 0] = 0;
        waitpid(pid, NULL, 0);
        close(fds[0]);
    }
    TRUTH(strlen(text[0]) > 10 && strcmp(text[0], text[1]) == 0);
    printf("persona kept: %s", strstr(text[0], "persona"));
}

static void affinity(void)
{
    cpu_set_t all, one, now;
    SHOW(sched_getaffinity(0, sizeof(all), &all));
    int cpus = 0, last = 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all))
            cpus++, last = i;
    for (int i = 0; i <= last; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        long r = sched_setaffinity(0, sizeof(one), &one);
        unsigned cpu = 77, node = 77;
        syscall(SYS_getcpu, &cpu, &node, NULL);
        sched_getaffinity(0, sizeof(now), &now);
        if (r != 0 || sched_getcpu() != i || (int)cpu != i || !CPU_EQUAL(&one, &now))
            printf("cpu %d: %ld, runs on %d, getcpu %u\n", i, r, sched_getcpu(), cpu);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            sched_getaffinity(0, sizeof(now), &now);
            _exit(sched_getcpu() == i && CPU_EQUAL(&one, &now) ? 0 : 1);
        }
        int status;
        waitpid(pid, &status, 0);
        if (status)
            printf("cpu %d: the child runs elsewhere\n", i);
    }
    CPU_ZERO(&one);
    SHOW(sched_setaffinity(0, sizeof(one), &one));
    SHOW(sched_setaffinity(0, sizeof(all), &all));
    SHOW(sched_setaffinity(999999, sizeof(all), &all));
    SHOW(sched_getaffinity(0, 1, &all) == -1 ? -1 : 0);
}

static void pidfds(void)
{
    int gate[2];
    if (pipe(gate))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("prog", O_RDONLY);
        dup2(fd, 77);
        lseek(77, 5, SEEK_SET);
        char c;
        if (write(gate[1], "x", 1) == 1)
            pause();
        _exit((int)read(gate[0], &c, 1));
    }
    char c;
    if (read(gate[0], &c, 1) != 1)
        return;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int got = (int)syscall(SYS_pidfd_getfd, pidfd, 77, 0);
    TRUTH(got >= 0 && lseek(got, 0, SEEK_CUR) == 5 && fcntl(got, F_GETFD) == FD_CLOEXEC);
    SHOW(syscall(SYS_pidfd_getfd, pidfd, 78, 0));
    SHOW(syscall(SYS_pidfd_getfd, pidfd, 77, 1));
    SHOW(syscall(SYS_pidfd_getfd, 0, 77, 0));
    siginfo_t info = {0};
    SHOW(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG));
    SHOW(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0));
    SHOW(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT));
    SHOW(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    printf("code %d, status %d\n", info.si_code, info.si_status);
    SHOW(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    SHOW(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_getfd, pidfd, 77, 0));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        if (!strcmp(argv[1], "race"))
            return after_race(atoi(argv[3]));
        if (!strcmp(argv[1], "pid"))
            printf("same pid %d, is leader %d\n", atoi(argv[2]) == getpid(),
                   getpid() == (pid_t)syscall(SYS_gettid));
        else if (!strcmp(argv[1], "after"))
            printf("after: same number %d\n", getpid() == (pid_t)syscall(SYS_gettid));
        else
            printf("main %p stack %p heap %p map %p persona %#x\n", (void *)(uintptr_t)main, (void *)&argc,
                   malloc(1), mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                   personality(0xffffffff));
        return 0;
    }
    IN_CHILD("leader first", leader_first(false));
    IN_CHILD("leader first, then exec", leader_first(true));
    IN_CHILD("exec by a thread", exec_by_thread());
    race();
    IN_CHILD("personality", personalities());
    IN_CHILD("affinity", affinity());
    IN_CHILD("pidfds", pidfds());
    return 0;
}
