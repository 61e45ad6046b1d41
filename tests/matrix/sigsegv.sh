#!/bin/bash
# A program that takes a SIGSEGV and handles it on its alternate stack.
cat >segv.c <<'END'
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
static char stack[65536];
static sigjmp_buf back;
static int count;
static void handler(int s, siginfo_t *i, void *c)
{
    char here;
    (void)c;
    printf("signal %d code %d on the alternate stack %d\n", s, i->si_code, &here >= stack && &here < stack + sizeof(stack));
    count++;
    siglongjmp(back, 1);
}
static int recurse(int n) { volatile char room[1000]; room[0] = (char)n; return recurse(n + 1) + room[0]; }
int main(void)
{
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    setvbuf(stdout, NULL, _IONBF, 0);
    sigaltstack(&ss, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    if (sigsetjmp(back, 1) == 0)
        *(volatile int *)16 = 1;
    if (sigsetjmp(back, 1) == 0)
        return recurse(0);
    for (int i = 0; i < 100; i++)
        if (sigsetjmp(back, 1) == 0)
            memset((void *)(0x1000UL * (unsigned long)(i + 1)), 0, 10);
    printf("survived %d faults\n", count);
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)16 = 1;
    return 0;
}
END
gcc -O1 -w -o segv segv.c && ./segv | sort | uniq -c
{ ./segv >/dev/null; } 2>/dev/null
echo "status $?"
