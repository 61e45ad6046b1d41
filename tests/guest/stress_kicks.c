// variants: dynamic musl-static
// Threads in reads, writes, futex waits, file maps, sleeps and forks while another sends them signals as fast as it can:
// no byte, wake-up or signal effect is lost.
#include "guest.h"
#include <semaphore.h>

enum { MESSAGES = 600, ROUNDS = 150 };
static volatile int finished, unexpected;
static pthread_t workers[6];
static int ids[6], ready;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn, channel[2];
static __thread volatile int handled;

static void handler(int signo)
{
    handled++;
}

static void check(const char *what, bool good)
{
    if (!good) {
        printf("%s: %s\n", what, error_name(errno));
        unexpected++;
    }
}

static void writes(void)
{
    for (int i = 0; i < MESSAGES; i++)
        check("write", write(channel[1], &i, sizeof(i)) == sizeof(i));
}

static void reads(void)
{
    for (int i = 0; i < MESSAGES; i++) {
        int got = -1;
        check("read", read(channel[0], &got, sizeof(got)) == sizeof(got));
        check("order", got == i);
    }
}

static void takes_turns(int mine)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 2 != mine)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_signal(&condition);
        pthread_mutex_unlock(&mutex);
    }
}

static void maps(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    for (int i = 0; i < ROUNDS; i++) {
        char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
        check("mmap", p != MAP_FAILED);
        if (p == MAP_FAILED)
            continue;
        check("contents", !memcmp(p, "\177ELF", 4));
        check("munmap", munmap(p, 4096) == 0);
        struct timespec nap = {.tv_nsec = 100000}, left;
        while (nanosleep(&nap, &left) != 0) {
            check("nanosleep", errno == EINTR);
            nap = left;
        }
    }
    close(fd);
}

static void forks(void)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        check("fork", pid > 0);
        int status = -1;
        pid_t got = waitpid(pid, &status, 0);
        check("waitpid", got == pid);
        check("status", WIFEXITED(status) && WEXITSTATUS(status) == i);
    }
}

static void *worker(void *argument)
{
    int number = (int)(intptr_t)argument;
    __atomic_store_n(&ids[number], gettid(), __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    switch (number) {
    case 0:
        writes();
        break;
    case 1:
        reads();
        break;
    case 2:
    case 3:
        takes_turns(number - 2);
        break;
    case 4:
        maps();
        break;
    case 5:
        forks();
        break;
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    return (void *)(intptr_t)(handled > 0);
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    if (pipe(channel))
        return 1;
    for (int i = 0; i < 6; i++)
        pthread_create(&workers[i], NULL, worker, (void *)(intptr_t)i);
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 6)
        usleep(100);
    for (int i = 0; __atomic_load_n(&finished, __ATOMIC_SEQ_CST) < 6; i++) {
        syscall(SYS_tgkill, getpid(), ids[i % 6], i % 7 ? SIGUSR1 : SIGRTMIN + 1);
        usleep(100);
    }
    for (int i = 0; i < 6; i++)
        pthread_join(workers[i], NULL);
    printf("turns %d unexpected %d\n", turn, unexpected);
    return 0;
}
