// Resource limits as Linux enforces them (setrlimit(2)), prlimit on others, and the accounting behind them.
#include "guest.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#define LIMIT(what, soft, hard) setrlimit(what, &(struct rlimit){soft, hard})

static volatile int hits;
static void on_signal(int sig)
{
    hits++;
    printf("signal %d\n", sig);
    fflush(stdout);
}

static void burn(void)
{
    for (volatile unsigned i = 0;; i++)
        ;
}

static void files(void)
{
    SHOW(LIMIT(RLIMIT_NOFILE, 8, 8));
    int last = -1, fd;
    while ((fd = dup(1)) >= 0)
        last = fd;
    printf("last %d: %s\n", last, error_name(errno));
    SHOW(fcntl(1, F_DUPFD, 8));
    SHOW(dup2(1, 8));
    int pair[2];
    SHOW(pipe(pair));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    SHOW(open("prog", O_RDONLY));
    if (geteuid() != 0)
        SHOW(LIMIT(RLIMIT_NOFILE, 9, 9));
    else
        printf("LIMIT(RLIMIT_NOFILE, 9, 9): -1 EPERM\n");
    SHOW(LIMIT(RLIMIT_NOFILE, 9, 8));
}

static void file_size(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGXFSZ, &sa, NULL);
    int fd = open("big", O_CREAT | O_RDWR | O_TRUNC, 0600);
    SHOW(LIMIT(RLIMIT_FSIZE, 1000, 2000));
    char block[600] = {0};
    SHOW(write(fd, block, 600));
    SHOW(write(fd, block, 600));
    SHOW(write(fd, block, 600));
    SHOW(pwrite(fd, block, 10, 5000));
    SHOW(ftruncate(fd, 1001));
    SHOW(ftruncate(fd, 1000));
    SHOW(fallocate(fd, 0, 0, 2000));
    signal(SIGXFSZ, SIG_IGN);
    SHOW(write(fd, block, 1));
    signal(SIGXFSZ, SIG_DFL);
    IN_CHILD("SIGXFSZ", SHOW(write(fd, block, 1)));
    close(fd);
    unlink("big");
}

static void memory(void)
{
    SHOW(LIMIT(RLIMIT_AS, 256 << 20, 256 << 20));
    void *p = mmap(NULL, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRUTH(p == MAP_FAILED && errno == ENOMEM);
    p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRUTH(p != MAP_FAILED);
    TRUTH(mremap(p, 16 << 20, 512 << 20, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    IN_CHILD("inherited", {
        void *q = mmap(NULL, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        TRUTH(q == MAP_FAILED && errno == ENOMEM);
    });
}

static void data(void)
{
    SHOW(LIMIT(RLIMIT_DATA, 1 << 20, 1 << 20));
    TRUTH(sbrk(64 << 20) == (void *)-1 && errno == ENOMEM);
    TRUTH(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == ENOMEM);
}

static int deep(int n)
{
    volatile char room[4096];
    room[0] = (char)n;
    return n ? deep(n - 1) + room[0] : 0;
}

static void stack(void)
{
    SHOW(LIMIT(RLIMIT_STACK, 256 << 10, RLIM_INFINITY));
    IN_CHILD("shallow", deep(20));
    // The guard of the old limit may lie lower: what counts is that it ends.
    IN_CHILD("too deep", deep(1 << 20));
}

static void processor(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGXCPU, &sa, NULL);
    IN_CHILD("SIGXCPU, then SIGKILL", {
        LIMIT(RLIMIT_CPU, 1, 2);
        burn();
    });
    IN_CHILD("SIGXCPU is fatal", {
        signal(SIGXCPU, SIG_DFL);
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        LIMIT(RLIMIT_CPU, 1, RLIM_INFINITY);
        burn();
    });
}

static void processes(void)
{
    if (geteuid() == 0 && (setresgid(54321, 54321, 54321) || setresuid(54321, 54321, 54321)))
        return;
    SHOW(LIMIT(RLIMIT_NPROC, 3, 3));
    pid_t pids[8];
    int made = 0, error = 0;
    int gate[2];
    if (pipe(gate))
        return;
    for (; made < 8; made++) {
        pids[made] = fork();
        if (pids[made] == 0) {
            char c;
            close(gate[1]);
            _exit((int)read(gate[0], &c, 1));
        }
        if (pids[made] < 0) {
            error = errno;
            break;
        }
    }
    // An ordinary user of the test has other processes: that it ends is what counts.
    printf("fork: %s\n", made < 3 ? error_name(error) : "no limit");
    close(gate[1]);
    while (made-- > 0)
        waitpid(pids[made], NULL, 0);
    SHOW(LIMIT(RLIMIT_NPROC, 4, 4));
}

static void others(void)
{
    int gate[2];
    if (pipe(gate))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        if (read(gate[0], &c, 1) != 1)
            _exit(1);
        struct rlimit now;
        getrlimit(RLIMIT_NOFILE, &now);
        printf("the child has %lu %lu\n", now.rlim_cur, now.rlim_max);
        void *p = mmap(NULL, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        TRUTH(p == MAP_FAILED && errno == ENOMEM);
        fflush(stdout);
        _exit(0);
    }
    struct rlimit old, new = {20, 30};
    SHOW(prlimit(pid, RLIMIT_NOFILE, &new, &old));
    SHOW(prlimit(pid, RLIMIT_NOFILE, NULL, &old));
    printf("%lu %lu\n", old.rlim_cur, old.rlim_max);
    new = (struct rlimit){256 << 20, RLIM_INFINITY};
    SHOW(prlimit(pid, RLIMIT_AS, &new, NULL));
    if (write(gate[1], "x", 1) != 1)
        return;
    waitpid(pid, NULL, 0);
    SHOW(prlimit(pid, RLIMIT_NOFILE, NULL, &old));
    SHOW(prlimit(0, 99, NULL, &old));
    if (geteuid() == 0) {
        if (setresuid(54321, 54321, 54321))
            return;
        SHOW(prlimit(getppid(), RLIMIT_NOFILE, NULL, &old));
    } else {
        printf("prlimit(getppid(), RLIMIT_NOFILE, NULL, &old): -1 EPERM\n");
    }
}

static void pending(void)
{
    union sigval v = {.sival_int = 1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(LIMIT(RLIMIT_SIGPENDING, 3, 3));
    int queued = 0;
    while (queued < 10 && sigqueue(getpid(), SIGRTMIN, v) == 0)
        queued++;
    printf("queued at most 3: %d, %s\n", queued <= 3, error_name(errno));
    SHOW(kill(getpid(), SIGUSR2 - SIGUSR2));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    IN_CHILD("files", files());
    IN_CHILD("file size", file_size());
    IN_CHILD("memory", memory());
    IN_CHILD("data", data());
    IN_CHILD("stack", stack());
    IN_CHILD("processor", processor());
    IN_CHILD("processes", processes());
    IN_CHILD("others", others());
    IN_CHILD("pending", pending());
    return 0;
}
