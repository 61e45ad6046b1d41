// ptrace(2): debug registers. Watchpoints for writes and breakpoints for instructions, what they report, and values that are refused.
#include "tracer.h"
#include <linux/ptrace.h>
#include <sys/user.h>

#define DR(n) (offsetof(struct user, u_debugreg) + 8 * (n))
#define ENABLE(n) (1ul << (2 * (n)))
#define EXECUTE 0ul
#define WRITE 1ul
#define TYPE(n, type, length) (((type) | ((length)-1ul) << 2) << (16 + 4 * (n)))
#define LENGTH_8 3ul // 2 in the register: TYPE takes one more

static long debug_of(pid_t pid, int n)
{
    long word = 0;
    long err = trace(PTRACE_PEEKUSR, pid, DR((unsigned)n), (uintptr_t)&word);
    return err ? err : word;
}

static long set_debug(pid_t pid, int n, unsigned long value)
{
    return trace(PTRACE_POKEUSR, pid, DR((unsigned)n), value);
}

// Goes on; how it stopped, and which debug registers say why.
static bool go_on(const char *what, pid_t pid)
{
    int status;
    siginfo_t info;
    struct user_regs_struct r;
    trace(PTRACE_CONT, pid, 0, 0);
    waitpid(pid, &status, __WALL);
    if (!WIFSTOPPED(status)) {
        show_status(what, status);
        return false;
    }
    trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
    trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&r);
    printf("%s: signal %d code %d at rip %d hits %lx\n", what, WSTOPSIG(status), info.si_code,
           (unsigned long)info.si_addr == r.rip, debug_of(pid, 6) & 0xf);
    set_debug(pid, 6, 0);
    return true;
}

static volatile long watched[4];
static volatile char small[8] __attribute__((aligned(8)));

static void on_alarm(int sig)
{
    (void)sig;
    watched[2] = 30;
}

__attribute__((noinline)) static void called(long n)
{
    __asm__ volatile("" : : "r"(n));
}

static void write_body(void)
{
    for (int i = 0; i < 100; i++)
        watched[3]++; // nobody watches
    watched[0] = 1;
    watched[1] = 2;
    small[1] = 3;
    small[3] = 4;
    called(5);
    signal(SIGUSR1, on_alarm);
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1); // in a handler
    if (fork() == 0) {                                // a child is not watched
        watched[0] = 77;
        _exit(watched[0] == 77 ? 4 : 5);
    }
    int status;
    wait(&status);
    called(WEXITSTATUS(status));
    syscall(SYS_getcwd, (long)(uintptr_t)&watched[1], 8); // the kernel's writes do not count
    watched[0] = 9;
}

static long value_of(pid_t pid, volatile void *at)
{
    long word = 0;
    trace(PTRACE_PEEKDATA, pid, (uintptr_t)at, (uintptr_t)&word);
    return word;
}

static void writes(void)
{
    pid_t pid = traced(write_body);
    printf("before: 0 %ld 6 %lx 7 %lx 4 %ld\n", debug_of(pid, 0), debug_of(pid, 6), debug_of(pid, 7),
           debug_of(pid, 4));
    printf("addresses %ld", set_debug(pid, 0, (uintptr_t)&watched[0]));
    printf(" %ld", set_debug(pid, 1, (uintptr_t)&watched[1]));
    printf(" %ld", set_debug(pid, 2, (uintptr_t)&small[2]));
    printf(" %ld\n", set_debug(pid, 3, (uintptr_t)&called));
    unsigned long control = ENABLE(0) | ENABLE(1) | ENABLE(2) | ENABLE(3) | TYPE(0, WRITE, LENGTH_8) |
                            TYPE(1, WRITE, 4ul) | TYPE(2, WRITE, 2ul) | TYPE(3, EXECUTE, 1ul);
    printf("control %ld", set_debug(pid, 7, control));
    printf(" as written %d\n", (unsigned long)debug_of(pid, 7) == control);
    go_on("the first", pid);
    printf("it is %ld\n", value_of(pid, &watched[0]));
    go_on("the second", pid);
    go_on("two bytes", pid);
    printf("the byte before was not watched %d %d\n", (int)(value_of(pid, small) >> 8 & 0xff),
           (int)(value_of(pid, small) >> 24 & 0xff));
    go_on("an instruction", pid);
    printf("one off, another on %ld",
           set_debug(pid, 7,
                     ENABLE(0) | ENABLE(1) | ENABLE(3) | TYPE(0, WRITE, LENGTH_8) | TYPE(1, WRITE, 4ul)));
    printf(" %ld\n", set_debug(pid, 1, (uintptr_t)&watched[2]));
    int status;
    trace(PTRACE_CONT, pid, 0, 0);
    waitpid(pid, &status, __WALL);
    printf("the signal first %d\n", WSTOPSIG(status));
    trace(PTRACE_CONT, pid, 0, SIGUSR1);
    waitpid(pid, &status, __WALL);
    printf("in the handler %d hits %lx value %ld\n", WSTOPSIG(status), debug_of(pid, 6) & 0xf,
           value_of(pid, &watched[2]));
    set_debug(pid, 6, 0);
    trace(PTRACE_CONT, pid, 0, 0);
    waitpid(pid, &status, __WALL);
    if (WSTOPSIG(status) == SIGCHLD)
        trace(PTRACE_CONT, pid, 0, 0), waitpid(pid, &status, __WALL);
    struct user_regs_struct r;
    trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&r);
    printf("called again %d with %lld\n", WSTOPSIG(status), (long long)r.rdi);
    set_debug(pid, 6, 0);
    go_on("the last write", pid);
    go_on("end", pid);
}

static void steps_too(void)
{
    pid_t pid = traced(write_body);
    int status;
    siginfo_t info;
    set_debug(pid, 0, (uintptr_t)&called);
    set_debug(pid, 7, ENABLE(0));
    trace(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &status, __WALL);
    trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
    printf("a step under a watch: %d code %d step bit %d\n", WSTOPSIG(status), info.si_code,
           (int)(debug_of(pid, 6) >> 14 & 1));
    go_on("then the breakpoint", pid);
    printf("off %ld\n", set_debug(pid, 7, 0));
    trace(PTRACE_CONT, pid, 0, 0);
    do {
        waitpid(pid, &status, __WALL);
        if (WIFSTOPPED(status))
            trace(PTRACE_CONT, pid, 0, 0);
    } while (WIFSTOPPED(status));
    show_status("end", status);
}

static void refused(void)
{
    pid_t pid = traced(write_body);
    printf("a kernel's address %ld\n", set_debug(pid, 0, 0xffffffff81000000ul));
    set_debug(pid, 0, (uintptr_t)&small[1]);
    printf("two bytes at an odd address %ld\n", set_debug(pid, 7, ENABLE(0) | TYPE(0, WRITE, 2ul)));
    printf("nothing changed %lx\n", debug_of(pid, 7));
    set_debug(pid, 0, (uintptr_t)&small[4]);
    printf("eight at four %ld\n", set_debug(pid, 7, ENABLE(0) | TYPE(0, WRITE, LENGTH_8)));
    printf("ports %ld\n", set_debug(pid, 7, ENABLE(0) | TYPE(0, 2ul, 1ul)));
    printf("an instruction of two bytes %ld\n", set_debug(pid, 7, ENABLE(0) | TYPE(0, EXECUTE, 2ul)));
    printf("no such register %ld %ld\n", set_debug(pid, 4, 0), set_debug(pid, 5, 1));
    printf("status written %ld", set_debug(pid, 6, 0));
    printf(" is %lx\n", debug_of(pid, 6));
    printf("read %ld\n", debug_of(pid, 5));
    printf("between %ld\n", trace(PTRACE_POKEUSR, pid, DR(0) + 4, 0));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    writes();
    steps_too();
    refused();
    return 0;
}
