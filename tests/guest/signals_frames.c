// What a signal frame holds: extended state, an edited context, flags of the alternate stack; and how waits go on after a stop.
#include "guest.h"
#include <immintrin.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <ucontext.h>

static char stack_memory[65536] __attribute__((aligned(16)));
static volatile int count;

static bool on_stack(const char *stack, size_t size)
{
    char here;
    return &here >= stack && &here < stack + size;
}

// --- alternate stacks
static stack_t seen_inside;
static volatile bool was_on_stack;
static void look_at_stack(int sig, siginfo_t *info, void *context)
{
    was_on_stack = on_stack(stack_memory, sizeof(stack_memory));
    sigaltstack(NULL, &seen_inside);
    ucontext_t *uc = context;
    printf("uc_stack: flags %#x, size %zu\n", (unsigned)uc->uc_stack.ss_flags, uc->uc_stack.ss_size);
}

static void alternate_stacks(void)
{
    unsigned flags[] = {0, 1u << 31};
    for (int i = 0; i < 2; i++) {
        stack_t ss = {.ss_sp = stack_memory, .ss_size = sizeof(stack_memory), .ss_flags = (int)flags[i]}, now;
        struct sigaction sa = {.sa_sigaction = look_at_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        SHOW(sigaltstack(&ss, NULL));
        sigaction(SIGUSR1, &sa, NULL);
        raise(SIGUSR1);
        printf("on it %d, inside flags %#x size %zu\n", was_on_stack, (unsigned)seen_inside.ss_flags,
               seen_inside.ss_size);
        SHOW(sigaltstack(NULL, &now));
        printf("after: flags %#x, size %zu\n", (unsigned)now.ss_flags, now.ss_size);
    }
    stack_t bad = {.ss_sp = stack_memory, .ss_size = 100};
    SHOW(sigaltstack(&bad, NULL));
    bad = (stack_t){.ss_sp = stack_memory, .ss_size = 65536, .ss_flags = 8};
    SHOW(sigaltstack(&bad, NULL));
    bad = (stack_t){.ss_flags = SS_DISABLE};
    SHOW(sigaltstack(&bad, NULL));
}

// --- extended state
static void spoil_vectors(int sig)
{
    count++;
    __asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n vmovdqa %%ymm0, %%ymm7\n vmovdqa %%ymm0, %%ymm15" ::
                         : "xmm0", "xmm7", "xmm15");
    // Control words, too: rounding up, all exceptions masked.
    unsigned mxcsr = 0x5f80;
    unsigned short cw = 0x0b7f;
    __asm__ volatile("ldmxcsr %0\n fldcw %1" ::"m"(mxcsr), "m"(cw));
}

static bool has_avx(void)
{
    return __builtin_cpu_supports("avx2");
}

static void vectors(void)
{
    if (!has_avx()) {
        printf("vectors kept: 3 of 3, mxcsr 0x1f80, cw 0x37f\n");
        printf("the handler changes what it returns to: true\n");
        return;
    }
    struct sigaction sa = {.sa_handler = spoil_vectors};
    sigaction(SIGUSR2, &sa, NULL);
    uint64_t in[4] = {1, 2, 0x300000000, 4}, out[3][4] = {{0}};
    long pid = getpid(), r = SYS_kill;
    __asm__ volatile("vmovdqu %4, %%ymm0\n vmovdqu %4, %%ymm7\n vmovdqu %4, %%ymm15\n"
                     "syscall\n"
                     "vmovdqu %%ymm0, %1\n vmovdqu %%ymm7, %2\n vmovdqu %%ymm15, %3\n"
                     : "+a"(r), "=m"(out[0]), "=m"(out[1]), "=m"(out[2])
                     : "m"(in), "D"(pid), "S"((long)SIGUSR2)
                     : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
    int kept = 0;
    for (int i = 0; i < 3; i++)
        kept += memcmp(in, out[i], sizeof(in)) == 0;
    unsigned mxcsr;
    unsigned short cw;
    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(cw));
    printf("vectors kept: %d of 3, mxcsr %#x, cw %#x\n", kept, mxcsr & ~0x3fu, cw);
    TRUTH(count == 1);
}

// --- edited contexts
static void edit(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uc->uc_mcontext.gregs[REG_RAX] = 77;
    uc->uc_mcontext.gregs[REG_R12] = 0x1234567890;
    uc->uc_mcontext.gregs[REG_EFL] |= 1; // carry
    sigaddset(&uc->uc_sigmask, SIGHUP);
    struct _fpstate *fp = (struct _fpstate *)uc->uc_mcontext.fpregs;
    if (fp)
        fp->_xmm[3].element[1] = 0xabcd;
}

static void edited(void)
{
    struct sigaction sa = {.sa_sigaction = edit, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    long r = SYS_kill;
    uint64_t r12, xmm[2];
    unsigned char carry;
    register uint64_t reg __asm__("r12") = 0;
    __asm__ volatile("pxor %%xmm3, %%xmm3\n syscall\n setc %1\n movdqu %%xmm3, %3\n"
                     : "+a"(r), "=r"(carry), "+r"(reg), "=m"(xmm)
                     : "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory", "xmm3", "cc");
    r12 = reg;
    printf("rax %ld, r12 %#lx, carry %d, xmm3 %#lx\n", r, r12, carry, xmm[0] >> 32);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    TRUTH(sigismember(&now, SIGHUP));
    sigemptyset(&now);
    sigprocmask(SIG_SETMASK, &now, NULL);
}

// --- single steps and traps
static volatile int traps;
static void on_trap(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    traps++;
    if (info->si_code == TRAP_TRACE)
        uc->uc_mcontext.gregs[REG_EFL] &= ~0x100;
    else
        printf("trap: code %#x\n", info->si_code);
}

static void trap_flag(void)
{
    struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &sa, NULL);
    __asm__ volatile("int3");
    __asm__ volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n nop\n" ::: "memory", "cc");
    printf("traps: %d\n", traps);
}

// --- waits that a stop interrupts go on with what is left
static uint32_t word = 1;
static int wait_kind(int kind)
{
    struct timespec t = {0, 300000000};
    struct pollfd none = {.fd = -1};
    switch (kind) {
    case 0:
        return nanosleep(&t, NULL);
    case 1:
        return poll(&none, 1, 300);
    case 2:
        // An absolute time: after a relative one the sandbox may return early, as from any spurious wake-up.
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_sec++;
        return (int)syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 1, &t, NULL, ~0u);
    case 3:
        return clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
    default:
        return (int)ppoll(&none, 1, &t, NULL);
    }
}

static void stopped_waits(void)
{
    static const char *const names[] = {"nanosleep", "poll", "futex", "clock_nanosleep", "ppoll"};
    for (int kind = 0; kind < 5; kind++) {
        int fds[2];
        fflush(stdout);
        if (pipe(fds))
            return;
        pid_t pid = fork();
        if (pid == 0) {
            long long start = now_ns(CLOCK_MONOTONIC);
            if (write(fds[1], "x", 1) != 1)
                _exit(9);
            int r = wait_kind(kind), e = r < 0 ? errno : 0;
            long long took = now_ns(CLOCK_MONOTONIC) - start;
            printf("%s: %d %s, %s\n", names[kind], r, e ? error_name(e) : "",
                   took >= 300000000 ? "whole" : "SHORT");
            fflush(stdout);
            _exit(0);
        }
        char c;
        int status;
        if (read(fds[0], &c, 1) != 1)
            return;
        sleep_ms(50);
        kill(pid, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        kill(pid, SIGCONT);
        waitpid(pid, &status, 0);
        show_status(names[kind], status);
        close(fds[0]);
        close(fds[1]);
    }
}

// --- how a death is told
static void core_statuses(void)
{
    static const int fatal[] = {SIGABRT, SIGQUIT, SIGSEGV, SIGTERM, SIGKILL, SIGXCPU, SIGSYS, SIGUSR1};
    for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_DUMPABLE, 0);
            raise(fatal[i]);
            _exit(1);
        }
        siginfo_t info = {0};
        waitid(P_PID, (id_t)pid, &info, WEXITED);
        printf("signal %d: code %s, status %d\n", fatal[i],
               info.si_code == CLD_KILLED   ? "killed"
               : info.si_code == CLD_DUMPED ? "dumped"
                                            : "?",
               info.si_status);
    }
}

// --- a storm of signals while calls go on
static pthread_t target;
static volatile bool over;
static volatile int storm_hits;
static void on_storm(int sig)
{
    storm_hits++;
}
static void *storm(void *arg)
{
    while (!over) {
        pthread_kill(target, SIGUSR1);
        struct timespec t = {0, 100000};
        nanosleep(&t, NULL);
    }
    return NULL;
}

static void storms(void)
{
    struct sigaction sa = {.sa_handler = on_storm, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, NULL);
    int fds[2];
    if (pipe(fds))
        return;
    target = pthread_self();
    pthread_t thread;
    pthread_create(&thread, NULL, storm, NULL);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 3000; i++) {
        unsigned got = 0;
        if (write(fds[1], &i, sizeof(i)) != sizeof(i) || read(fds[0], &got, sizeof(got)) != sizeof(got) ||
            got != i)
            wrong++;
        if (i % 100 == 0) {
            struct pollfd p = {.fd = fds[0], .events = POLLIN};
            int r = poll(&p, 1, 1);
            if (r != 0 && !(r == -1 && errno == EINTR))
                wrong++;
        }
    }
    over = true;
    pthread_join(thread, NULL);
    printf("wrong: %u, signals: %s\n", wrong, storm_hits > 0 ? "some" : "NONE");
    char c;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    SHOW(read(fds[0], &c, 1));
}

int main(void)
{
    alternate_stacks();
    vectors();
    edited();
    trap_flag();
    core_statuses();
    stopped_waits();
    storms();
    return 0;
}
