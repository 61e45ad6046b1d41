// variants: dynamic static musl
// Faults as signals: on an alternate stack, with the right code and address, and recoverable.
#include "guest.h"
#include <setjmp.h>
#include <ucontext.h>

static char alternate[65536];
static sigjmp_buf back;
static char *expected;
static char *page;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    char here;
    stack_t stack;
    sigaltstack(NULL, &stack);
    printf("signal %d code %d address %s, on the alternate stack %d, reported %d\n", signal, info->si_code,
           info->si_addr == expected ? "as expected" : "other",
           &here >= alternate && &here < alternate + sizeof(alternate), stack.ss_flags == SS_ONSTACK);
    (void)context;
    siglongjmp(back, 1);
}

static void repair(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    mprotect((void *)((uintptr_t)info->si_addr & -4096UL), 4096, PROT_READ | PROT_WRITE);
}

static void skips(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    printf("signal %d code %d\n", signal, info->si_code);
    u->uc_mcontext.gregs[REG_RIP] += 2; // the length of ud2
}

static void traps(int signal, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    printf("signal %d\n", signal);
}

static int overflow(int depth)
{
    volatile char fill[4096];
    fill[0] = (char)depth;
    return overflow(depth + 1) + fill[0];
}

#define FAULT(what, address, ...)      \
    do {                               \
        expected = (char *)(address);  \
        printf("%s: ", what);          \
        if (sigsetjmp(back, 1) == 0) { \
            __VA_ARGS__;               \
            printf("no fault\n");      \
        }                              \
    } while (0)

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)}, old;
    SHOW(sigaltstack(NULL, &old));
    printf("disabled at first: %d\n", old.ss_flags == SS_DISABLE);
    SHOW(sigaltstack(&stack, NULL));
    SHOW(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 100}, NULL));
    SHOW(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 65536, .ss_flags = 99}, NULL));
    SHOW(syscall(SYS_sigaltstack, unmapped_address(), NULL));
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &action, NULL);

    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULT("null", NULL, *(volatile int *)0 = 1);
    mprotect(page, 4096, PROT_READ);
    FAULT("write to a read-only page", page + 8, *(volatile char *)(page + 8) = 1);
    mprotect(page, 4096, PROT_NONE);
    FAULT("read of PROT_NONE", page, (void)*(volatile char *)page);
    munmap(page + 4096, 4096);
    FAULT("unmapped", page + 4096, (void)*(volatile char *)(page + 4096));
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    FAULT("jump to data", page, ((void (*)(void))page)());
    FAULT("non-canonical", NULL, *(volatile char *)0x8000000000000000UL = 1);
    write_file("small", "hello");
    int fd = open("small", O_RDWR);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    FAULT("past the end of a file", map + 4096, (void)*(volatile char *)(map + 4096));
    volatile int zero = 0;
    printf("divide: ");
    fflush(stdout);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("idivl %1" : : "a"(1), "m"(zero), "d"(0));
    printf("illegal: ");
    fflush(stdout);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("ud2");
    printf("stack overflow: ");
    fflush(stdout);
    if (sigsetjmp(back, 1) == 0)
        printf("%d\n", overflow(0));

    action.sa_sigaction = skips;
    sigaction(SIGILL, &action, NULL);
    __asm__ volatile("ud2");
    printf("went on\n");
    action.sa_sigaction = traps;
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("int3");
    printf("went on\n");
    action.sa_sigaction = repair;
    sigaction(SIGSEGV, &action, NULL);
    page = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 16; i++)
        page[i * 4096] = (char)i;
    int sum = 0;
    for (int i = 0; i < 16; i++)
        sum += page[i * 4096];
    printf("repaired 16 pages, sum %d\n", sum);

    signal(SIGSEGV, SIG_DFL);
    IN_CHILD("default", *(volatile int *)8 = 1);
    signal(SIGSEGV, SIG_IGN);
    IN_CHILD("ignored", *(volatile int *)8 = 1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    action.sa_sigaction = repair;
    sigaction(SIGSEGV, &action, NULL);
    IN_CHILD("blocked", sigprocmask(SIG_BLOCK, &set, NULL); *(volatile int *)8 = 1);
    signal(SIGBUS, SIG_DFL);
    IN_CHILD("bus error", *(volatile char *)(map + 4096) = 1);
    // No room for the frame on the alternate stack: killed.
    IN_CHILD("frame does not fit",
             stack.ss_sp = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             sigaltstack(&stack, NULL); *(volatile int *)8 = 1);
    return 0;
}
