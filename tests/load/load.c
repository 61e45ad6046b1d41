// Loads for the sandbox. `load bomb` forks until it is refused, and goes on; `load churn` makes and ends threads, processes,
// signals, timers, filters and namespaces, prints "round" after each round and waits for a line before the next; `load deaf`
// has a thread that masks every host signal from inside the stub's own code, and a process beside it that goes on.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void bomb(void)
{
    bool told = false;
    for (;;) {
        pid_t pid = fork();
        if (pid < 0 && !told) {
            told = true;
            char text[64];
            int n =
                snprintf(text, sizeof(text), "refused: %s\n", errno == EAGAIN ? "EAGAIN" : strerror(errno));
            (void)!write(1, text, (size_t)n);
        }
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static void threads(void)
{
    enum { N = 500 };
    static pthread_t all[N];
    for (int i = 0; i < N; i++)
        pthread_create(&all[i], NULL, nothing, NULL);
    for (int i = 0; i < N; i++)
        pthread_join(all[i], NULL);
}

static void processes(void)
{
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct sock_filter code[64];
            for (int j = 0; j < 64; j++)
                code[j] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
            struct sock_fprog prog = {64, code};
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
            if (i % 10 == 0)
                unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS);
            timer_t timer;
            timer_create(CLOCK_MONOTONIC, NULL, &timer);
            for (int s = 0; s < 100; s++)
                sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = s});
            if (i % 7 == 0)
                raise(SIGKILL);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

static void churn(void)
{
    signal(SIGRTMIN, SIG_IGN);
    char line[8];
    do {
        threads();
        processes();
        (void)!write(1, "round\n", 6);
    } while (read(0, line, sizeof(line)) > 0);
}

static void hears(int sig) {}

// The stub's rt_sigreturn runs natively: with a frame that blocks everything the thread hears no kick any more.
static void *deaf(void *arg)
{
    static struct {
        uint64_t words[38]; // struct ucontext
        char rest[1024];
    } frame __attribute__((aligned(64)));
    static char stack[65536] __attribute__((aligned(16)));
    // Registers as they are where the next lines leave off: a loop without calls.
    extern char deaf_loop[];
    frame.words[20] = (uint64_t)(uintptr_t)(stack + sizeof(stack) - 256); // rsp
    frame.words[21] = (uint64_t)(uintptr_t)deaf_loop;                     // rip
    frame.words[22] = 0x202;
    frame.words[23] = 0x002b000000000033;
    frame.words[37] = ~0ull; // the mask
    uint64_t restorer = *(uint64_t *)arg;
    __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n jmpq *%1\n"
                     ".globl deaf_loop\n deaf_loop: pause\n jmp deaf_loop\n" ::"r"(&frame),
                     "r"(restorer)
                     : "rax", "memory");
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "bomb"))
        bomb();
    if (argc > 1 && !strcmp(argv[1], "churn"))
        churn();
    if (argc > 1 && !strcmp(argv[1], "deaf")) {
        uint64_t restorer =
            (uint64_t)(uintptr_t)memmem((void *)0x700000000000, 4096, "\xb8\x0f\0\0\0\x0f\x05", 7);
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGUSR1, hears);
            pthread_t thread;
            pthread_create(&thread, NULL, deaf, &restorer);
            struct timespec t = {0, 300000000};
            nanosleep(&t, NULL);
            pthread_kill(thread, SIGUSR1); // a kick that is never answered
            for (;;)
                pause();
        }
        // Meanwhile others are answered.
        unsigned long calls = 0;
        int status;
        while (waitpid(pid, &status, WNOHANG) == 0)
            calls += getppid() >= 0;
        printf("killed by %d, others went on: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
               calls > 1000);
    }
    return 0;
}
