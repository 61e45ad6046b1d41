// ptrace(2): events of seccomp filters, emulated calls, queued signals, filters read back. The calls that are shown are none that
// the sandbox lets the host run natively.
#include "tracer.h"
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/user.h>

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ON(number, action) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define install(...)                                                     \
    ({                                                                   \
        struct sock_filter code[] = {__VA_ARGS__};                       \
        struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code}; \
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);                          \
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);         \
    })

// How it stopped or ended; the status.
static int stop(const char *what, pid_t pid)
{
    int status = -1;
    if (waitpid(pid, &status, __WALL) != pid)
        printf("wait for it: %d\n", errno);
    if (WIFSTOPPED(status))
        printf("%s: stopped %d%s event %d\n", what, WSTOPSIG(status) & 0x7f,
               WSTOPSIG(status) & 0x80 ? "|0x80" : "", status >> 16);
    else
        show_status(what, status);
    return status;
}

static struct user_regs_struct regs_of(pid_t pid)
{
    struct user_regs_struct r = {0};
    trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&r);
    return r;
}

static unsigned long message_of(pid_t pid)
{
    unsigned long message = 0;
    trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&message);
    return message;
}

static void show_info(pid_t pid)
{
    struct ptrace_syscall_info info;
    memset(&info, 0, sizeof(info));
    long n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info);
    printf("  info %ld op %d", n, info.op);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        printf(" nr %lld", (long long)info.entry.nr);
    else if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        printf(" nr %lld data %u", (long long)info.seccomp.nr, info.seccomp.ret_data);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        printf(" result %lld", (long long)info.exit.rval);
    printf("\n");
}

// --- events of filters

static void filter_body(void)
{
    install(NR, ON(SYS_getpgid, SECCOMP_RET_TRACE | 77), ON(SYS_dup, SECCOMP_RET_TRACE | 78),
            ON(SYS_exit_group, SECCOMP_RET_TRACE | 79), ALLOW);
    SHOW(syscall(SYS_getpgid, 999999));
    SHOW(syscall(SYS_getpgid, 999999));
    SHOW(syscall(SYS_dup, 999));
    TRUTH(syscall(SYS_dup, 999) == getppid());
    SHOW(syscall(SYS_dup, 999));
}

static void filter_events(void)
{
    pid_t pid = traced(filter_body);
    struct user_regs_struct r;
    printf("options %ld\n", trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP));
    trace(PTRACE_CONT, pid, 0, 0);
    stop("an event", pid);
    printf("message %lu number %lld rax %lld argument %lld\n", message_of(pid),
           (long long)regs_of(pid).orig_rax, (long long)regs_of(pid).rax, (long long)regs_of(pid).rdi);
    show_info(pid);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    stop("its exit", pid);
    printf("message %lu rax %lld\n", message_of(pid), (long long)regs_of(pid).rax);
    show_info(pid);
    // Only calls: the entry comes before the filter.
    for (;;) {
        trace(PTRACE_SYSCALL, pid, 0, 0);
        waitpid(pid, NULL, __WALL);
        if (regs_of(pid).orig_rax == SYS_getpgid)
            break;
    }
    printf("entry: message %lu\n", message_of(pid));
    show_info(pid);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    stop("the filter after it", pid);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    stop("the exit after that", pid);
    show_info(pid);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("dup", pid);
    r = regs_of(pid);
    r.orig_rax = -1; // not made
    r.rax = 42;
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    stop("exit of what was skipped", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("dup again", pid);
    r = regs_of(pid);
    r.orig_rax = SYS_getppid; // another one
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("dup once more", pid);
    printf("without the option %ld\n", trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
    trace(PTRACE_CONT, pid, 0, 0);
    stop("exit fails, then the event of the end", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("end", pid);
}

static void end_body(void)
{
    install(NR, ON(SYS_exit_group, SECCOMP_RET_TRACE | 1), ALLOW);
    _exit(9);
}

static void end_events(void)
{
    pid_t pid = traced(end_body);
    trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("before exit_group", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("in exit_group", pid);
    printf("message %lx\n", message_of(pid));
    trace(PTRACE_CONT, pid, 0, 0);
    stop("end", pid);
}

// --- filters read back and set aside

static void read_filters(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        trace(PTRACE_TRACEME, 0, 0, 0);
        install(NR, ON(SYS_dup, SECCOMP_RET_ERRNO | EDOM), ALLOW);
        install(ALLOW);
        raise(SIGSTOP);
        SHOW(syscall(SYS_dup, 999));
        _exit(0);
    }
    waitpid(pid, NULL, __WALL);
    struct sock_filter code[16];
    struct {
        uint64_t off, flags;
    } meta = {0};
    printf("the oldest has %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0));
    printf("copied %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, (uintptr_t)code));
    if (geteuid() == 0)
        printf("first %x last %x\n", code[0].code, code[3].k);
    printf("the newest has %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 1, 0));
    printf("no third %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 2, 0));
    printf("nowhere %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 16));
    printf("flags %ld", trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(meta), (uintptr_t)&meta));
    printf(" %d\n", (int)meta.flags);
    printf("too short %ld\n", trace(PTRACE_SECCOMP_GET_METADATA, pid, 8, (uintptr_t)&meta));
    meta.off = 5;
    printf("no sixth %ld\n", trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(meta), (uintptr_t)&meta));
    printf("set aside %ld\n", trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP));
    trace(PTRACE_CONT, pid, 0, 0);
    stop("end", pid);
    pid = traced(filter_body);
    printf("no filter %ld\n", trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0));
    kill(pid, SIGKILL);
    stop("end", pid);
}

// --- calls that are not made

static void emulated_body(void)
{
    SHOW(syscall(SYS_dup, 999));
    SHOW(syscall(SYS_dup, 999));
}

// To the next call of this number, others being made.
static void emulate_until(pid_t pid, long nr)
{
    for (;;) {
        trace(PTRACE_SYSCALL, pid, 0, 0);
        waitpid(pid, NULL, __WALL);
        if ((long)regs_of(pid).orig_rax == nr && message_of(pid) == PTRACE_EVENTMSG_SYSCALL_EXIT)
            break;
    }
}

static void emulated(void)
{
    pid_t pid = traced(emulated_body);
    struct user_regs_struct r;
    trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    // write(2) of the first line is over: the next call is the second dup.
    emulate_until(pid, SYS_write);
    printf("SYSEMU %ld\n", trace(PTRACE_SYSEMU, pid, 0, 0));
    stop("a call", pid);
    r = regs_of(pid);
    printf("number %lld rax %lld message %lu\n", (long long)r.orig_rax, (long long)r.rax, message_of(pid));
    show_info(pid);
    r.rax = 1234;
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    trace(PTRACE_SYSEMU, pid, 0, 0);
    stop("the next, no exit between", pid);
    r = regs_of(pid);
    printf("number %lld\n", (long long)r.orig_rax);
    r.rax = r.rdx; // all of the text "written"
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    stop("with PTRACE_SYSCALL its exit shows", pid);
    show_info(pid);
    trace(PTRACE_SYSEMU, pid, 0, 0);
    stop("exit_group is not made", pid);
    printf("number %lld\n", (long long)regs_of(pid).orig_rax);
    kill(pid, SIGKILL);
    stop("end", pid);
}

extern char emulated_start[];
static void step_body(void)
{
    long nr = SYS_getppid;
    __asm__ volatile("int3\n"
                     ".globl emulated_start\n"
                     "emulated_start: nop\n nop\n syscall\n nop\n nop\n nop\n"
                     : "+a"(nr)
                     :
                     : "rcx", "r11", "memory");
}

static void emulated_steps(void)
{
    pid_t pid = traced(step_body);
    trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    trace(PTRACE_CONT, pid, 0, 0);
    stop("int3", pid);
    for (int i = 0; i < 4; i++) {
        long r = trace(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0);
        printf("%ld ", r);
        stop("a step", pid);
        printf("at +%ld\n", (long)(regs_of(pid).rip - (uintptr_t)emulated_start));
    }
    kill(pid, SIGKILL);
    stop("end", pid);
}

// --- what is queued

static void queue_body(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 100 + i});
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    raise(SIGSTOP);
}

static void queued(void)
{
    pid_t pid = traced(queue_body);
    siginfo_t info[8];
    struct ptrace_peeksiginfo_args a = {.nr = 8};
    trace(PTRACE_CONT, pid, 0, 0);
    stop("it", pid);
    long n = trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info);
    printf("its own %ld: signal %d code %d\n", n, info[0].si_signo, info[0].si_code);
    a.flags = PTRACE_PEEKSIGINFO_SHARED;
    n = trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info);
    printf("shared %ld:", n);
    for (long i = 0; i < n; i++)
        printf(" %d from itself %d value %d", info[i].si_signo - SIGRTMIN, info[i].si_pid == pid,
               info[i].si_value.sival_int);
    a.off = 1, a.nr = 1;
    n = trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info);
    printf("\nthe second %ld: value %d\n", n, info[0].si_value.sival_int);
    a.off = 7;
    printf("behind the last %ld\n", trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info));
    a.off = 0, a.nr = 3;
    printf("nowhere %ld\n", trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, 16));
    a.nr = 0;
    printf("none %ld\n", trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info));
    a.nr = -1;
    printf("less than none %ld\n", trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info));
    a.nr = 1, a.flags = 2;
    printf("unknown flag %ld\n", trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&a, (uintptr_t)info));
    printf("no arguments %ld\n", trace(PTRACE_PEEKSIGINFO, pid, 16, (uintptr_t)info));
    kill(pid, SIGKILL);
    stop("end", pid);
}

// --- segment bases by another name

static void bases(void)
{
    pid_t pid = traced(queue_body);
    unsigned long base = 0;
    long r = trace(PTRACE_ARCH_PRCTL, pid, (uintptr_t)&base, 0x1003 /* ARCH_GET_FS */);
    printf("ARCH_GET_FS %ld as in the registers %d\n", r, base == regs_of(pid).fs_base);
    printf("ARCH_SET_GS %ld", trace(PTRACE_ARCH_PRCTL, pid, 0x5000, 0x1001));
    printf(" %llx\n", (unsigned long long)regs_of(pid).gs_base);
    r = trace(PTRACE_ARCH_PRCTL, pid, (uintptr_t)&base, 0x1004 /* ARCH_GET_GS */);
    printf("ARCH_GET_GS %ld %lx\n", r, base);
    printf("beyond %ld\n", trace(PTRACE_ARCH_PRCTL, pid, 1ul << 63, 0x1001));
    printf("unknown %ld\n", trace(PTRACE_ARCH_PRCTL, pid, 0, 0x1999));
    kill(pid, SIGKILL);
    stop("end", pid);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    filter_events();
    end_events();
    read_filters();
    emulated();
    emulated_steps();
    queued();
    bases();
    return 0;
}
