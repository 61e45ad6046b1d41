// ptrace(2): stops, registers, memory, steps, events, permission. The calls that are shown are none that the sandbox lets the
// host run natively: strace does not see those inside.
#include "tracer.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long value)
{
    printf("%s %ld\n", what, value);
}

static const char *stop_name(int status)
{
    static char text[64];
    if (WIFEXITED(status))
        snprintf(text, sizeof(text), "exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "killed %d", WTERMSIG(status));
    else
        snprintf(text, sizeof(text), "stopped %d%s event %d", WSTOPSIG(status) & 0x7f,
                 WSTOPSIG(status) & 0x80 ? "|0x80" : "", status >> 16);
    return text;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    if (waitpid(pid, &status, __WALL) != pid)
        printf("wait for it: %d\n", errno);
    return status;
}

static void show(const char *what, pid_t pid)
{
    printf("%s: %s\n", what, stop_name(wait_for(pid)));
}

static struct user_regs_struct regs_of(pid_t pid)
{
    struct user_regs_struct r = {0};
    long err = trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&r);
    if (err)
        printf("GETREGS %ld\n", err);
    return r;
}

static long peek(pid_t pid, uintptr_t at)
{
    long word = 0;
    long err = trace(PTRACE_PEEKDATA, pid, at, (uintptr_t)&word);
    return err ? err : word;
}

// A child that asks to be traced and stops itself.
static volatile sig_atomic_t caught;
static void handler(int sig)
{
    caught = sig;
}

// --- signals

static void signal_body(void)
{
    signal(SIGUSR2, handler);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("in the child: caught %d\n", caught);
    signal(SIGUSR1, SIG_IGN);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTERM);
}

static void signals(void)
{
    pid_t pid = traced(signal_body);
    siginfo_t info;
    trace(PTRACE_CONT, pid, 0, 0);
    show("first signal", pid);
    long r = trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
    printf("GETSIGINFO %ld signo %d code %d from itself %d\n", r, info.si_signo, info.si_code,
           info.si_pid == pid);
    trace(PTRACE_CONT, pid, 0, 0); // suppressed
    show("second signal", pid);
    trace(PTRACE_CONT, pid, 0, SIGUSR2); // another instead
    show("an ignored signal shows", pid);
    printf("CONT with a wrong signal %ld\n", trace(PTRACE_CONT, pid, 0, 65));
    trace(PTRACE_CONT, pid, 0, SIGUSR1);
    show("a fatal one", pid);
    trace(PTRACE_CONT, pid, 0, SIGTERM);
    show("its end", pid);
    printf("after its end %ld\n", trace(PTRACE_CONT, pid, 0, 0));
}

// --- system calls

static void call_body(void)
{
    long parent = syscall(SYS_getpid); // becomes getppid
    printf("in the child: parent %d\n", parent == getppid());
    long skipped = syscall(SYS_dup, 0); // not made
    printf("in the child: skipped %ld\n", skipped);
    long error = syscall(SYS_close, 1234);
    printf("in the child: close %ld errno %d\n", error, errno);
    fflush(stdout);
}

static void next_call(pid_t pid, struct user_regs_struct *r)
{
    trace(PTRACE_SYSCALL, pid, 0, 0);
    int status = wait_for(pid);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
        printf("unexpected: %s\n", stop_name(status));
    *r = regs_of(pid);
}

// Goes on to the entry of this call.
static void find_call(pid_t pid, unsigned long long nr, struct user_regs_struct *r)
{
    struct ptrace_syscall_info info = {0};
    do {
        next_call(pid, r);
        trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info);
    } while (info.op != PTRACE_SYSCALL_INFO_ENTRY || r->orig_rax != nr);
}

static void show_info(pid_t pid, const struct user_regs_struct *r)
{
    struct ptrace_syscall_info info;
    memset(&info, 0, sizeof(info));
    long n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info);
    printf("  info %ld op %d arch %x ip %d sp %d", n, info.op, info.arch, info.instruction_pointer == r->rip,
           info.stack_pointer == r->rsp);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        printf(" nr %lld first %lld\n", (long long)info.entry.nr, (long long)info.entry.args[0]);
    else
        printf(" result %lld error %d\n", (long long)info.exit.rval, info.exit.is_error);
}

static void calls(void)
{
    pid_t pid = traced(call_body);
    struct user_regs_struct r;
    say("options", trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    say("wrong options", trace(PTRACE_SETOPTIONS, pid, 0, 1u << 30));
    find_call(pid, SYS_getpid, &r);
    printf("entry of getpid: rax %lld\n", (long long)r.rax);
    r.orig_rax = SYS_getppid;
    printf("SETREGS %ld\n", trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r));
    next_call(pid, &r);
    printf("exit: the parent's number %d orig %lld\n", (pid_t)r.rax == getpid(), (long long)r.orig_rax);
    find_call(pid, SYS_dup, &r);
    show_info(pid, &r);
    r.orig_rax = -1;
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    next_call(pid, &r);
    printf("exit of a skipped call: rax %lld\n", (long long)r.rax);
    r.rax = 42;
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    find_call(pid, SYS_close, &r);
    show_info(pid, &r);
    next_call(pid, &r);
    show_info(pid, &r);
    find_call(pid, SYS_exit_group, &r);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    show("end", pid);
}

static void sleep_body(void)
{
    signal(SIGUSR1, handler);
    pause();
    _exit(caught == SIGUSR1 ? 5 : 6);
}

static void interrupted(void)
{
    pid_t pid = traced(sleep_body);
    struct user_regs_struct r;
    trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    find_call(pid, SYS_pause, &r);
    trace(PTRACE_SYSCALL, pid, 0, 0);
    kill(pid, SIGUSR1);
    show("interrupted call", pid);
    r = regs_of(pid);
    printf("its result %lld orig %lld\n", (long long)r.rax, (long long)r.orig_rax); // -ERESTARTNOHAND
    trace(PTRACE_SYSCALL, pid, 0, 0);
    show("the signal", pid);
    trace(PTRACE_CONT, pid, 0, SIGUSR1);
    show("end", pid);
}

// --- memory and steps

static long datum = 0x1122334455667788;
static const long constant = 5;

__attribute__((noinline)) static int target(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static void memory_body(void)
{
    int r = target(3);
    printf("in the child: %lx constant %ld target %d\n", (unsigned long)datum,
           *(volatile const long *)&constant, r);
    fflush(stdout);
}

static void memory(void)
{
    pid_t pid = traced(memory_body);
    uintptr_t code = (uintptr_t)&target, data = (uintptr_t)&datum;
    printf("peek %lx\n", peek(pid, data));
    say("peek nowhere", peek(pid, 0x1000));
    say("poke", trace(PTRACE_POKEDATA, pid, data, 0x99));
    say("poke nowhere", trace(PTRACE_POKEDATA, pid, 0x1000, 1));
    printf("read-only data %ld\n", trace(PTRACE_POKEDATA, pid, (uintptr_t)&constant, 6));
    long original = peek(pid, code);
    printf("breakpoint %ld\n", trace(PTRACE_POKETEXT, pid, code, (original & ~0xffl) | 0xcc));
    trace(PTRACE_CONT, pid, 0, 0);
    show("at the breakpoint", pid);
    struct user_regs_struct r = regs_of(pid);
    siginfo_t info;
    trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
    printf("rip behind it %d argument %lld code %d orig %lld\n", r.rip == code + 1, (long long)(int)r.rdi,
           info.si_code, (long long)r.orig_rax);
    trace(PTRACE_POKETEXT, pid, code, original);
    r.rip = code;
    r.rdi = 10;
    trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&r);
    trace(PTRACE_SINGLESTEP, pid, 0, 0);
    show("a step", pid);
    trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
    r = regs_of(pid);
    printf("code %d moved %d trap flag %lld\n", info.si_code, r.rip > code && r.rip < code + 16,
           (long long)(r.eflags & 0x100));
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR);
    long six = 0, seven = 7;
    say("mem reads", pread(fd, &six, 8, (off_t)(uintptr_t)&constant));
    say("what", six);
    say("mem writes", pwrite(fd, &seven, 8, (off_t)(uintptr_t)&constant));
    show_value("mem nowhere", pread(fd, &six, 8, 0x1000));
    close(fd);
    trace(PTRACE_CONT, pid, 0, 0);
    show("end", pid);
}

extern char step_start[], step_end[];
static void step_body(void)
{
    long nr = SYS_getppid;
    __asm__ volatile("int3\n"
                     ".globl step_start, step_end\n"
                     "step_start: nop\n nop\n syscall\n nop\n nop\n"
                     "step_end: nop\n"
                     : "+a"(nr)
                     :
                     : "rcx", "r11", "memory");
}

static void steps(void)
{
    pid_t pid = traced(step_body);
    trace(PTRACE_CONT, pid, 0, 0);
    show("int3", pid);
    for (int i = 0; i < 5; i++) {
        siginfo_t info;
        trace(PTRACE_SINGLESTEP, pid, 0, 0);
        wait_for(pid);
        trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info);
        printf("step %d: at +%ld code %d\n", i, (long)(regs_of(pid).rip - (uintptr_t)step_start),
               info.si_code);
    }
    trace(PTRACE_CONT, pid, 0, 0);
    show("end", pid);
}

static void register_sets(void)
{
    pid_t pid = traced(step_body);
    struct user_regs_struct r, whole = regs_of(pid);
    struct iovec iov = {&r, 16};
    say("PRSTATUS", trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&iov));
    printf("len %zu same %d\n", iov.iov_len, r.r15 == whole.r15 && r.r14 == whole.r14);
    static uint8_t extended[16384];
    iov = (struct iovec){extended, sizeof(extended)};
    long err = trace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, (uintptr_t)&iov);
    printf("XSTATE %ld enough %d features %d\n", err, iov.iov_len >= 576, extended[464] & 3);
    printf("written back %ld\n", trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (uintptr_t)&iov));
    struct user_fpregs_struct fp;
    say("GETFPREGS", trace(PTRACE_GETFPREGS, pid, 0, (uintptr_t)&fp));
    printf("mxcsr %x\n", fp.mxcsr);
    iov = (struct iovec){extended, 15};
    say("odd length", trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&iov));
    say("no such set", trace(PTRACE_GETREGSET, pid, 0x999, (uintptr_t)&iov));
    long word = 0;
    say("PEEKUSER", trace(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.rsp), (uintptr_t)&word));
    say("rsp", (unsigned long long)word == whole.rsp);
    say("odd", trace(PTRACE_PEEKUSR, pid, 3, (uintptr_t)&word));
    say("POKEUSER", trace(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rbx), 77));
    say("rbx", (long)regs_of(pid).rbx);
    say("thread pointer", regs_of(pid).fs_base != 0);
    uint64_t mask = 0;
    say("GETSIGMASK", trace(PTRACE_GETSIGMASK, pid, 8, (uintptr_t)&mask));
    say("empty", mask == 0);
    kill(pid, SIGKILL);
    show("killed in a stop", pid);
}

// --- attaching

static void loop_body(void)
{
    for (;;)
        pause();
}

static void status_lines(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "State:", 6) == 0)
            printf("  %s", line);
        else if (strncmp(line, "TracerPid:", 10) == 0)
            printf("  traced by us %d\n", atoi(line + 10) == getpid());
    if (f)
        fclose(f);
}

static pid_t running_child(void)
{
    int ready[2];
    char c;
    if (pipe(ready))
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, handler);
        close(ready[0]);
        close(ready[1]);
        loop_body();
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 0)
        printf("no end of file\n");
    close(ready[0]);
    return pid;
}

static void attaching(void)
{
    pid_t pid = running_child();
    say("a request before", trace(PTRACE_CONT, pid, 0, 0));
    say("itself", trace(PTRACE_ATTACH, getpid(), 0, 0));
    say("ATTACH", trace(PTRACE_ATTACH, pid, 0, 0));
    say("again", trace(PTRACE_ATTACH, pid, 0, 0));
    say("nobody", trace(PTRACE_ATTACH, 999999, 0, 0));
    siginfo_t info = {0};
    printf("waitid %d", waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
    printf(" code %d status %d\n", info.si_code, info.si_status);
    show("attached", pid);
    status_lines(pid);
    int status;
    printf("told once %d\n", waitpid(pid, &status, WNOHANG | __WALL));
    printf("no such request %ld\n", trace(0x1234, pid, 0, 0));
    say("DETACH", trace(PTRACE_DETACH, pid, 0, 0));
    say("again", trace(PTRACE_DETACH, pid, 0, 0));
    say("SEIZE with an address", trace(PTRACE_SEIZE, pid, 1, 0));
    say("SEIZE", trace(PTRACE_SEIZE, pid, 0, 0));
    say("while it runs", trace(PTRACE_CONT, pid, 0, 0));
    say("INTERRUPT", trace(PTRACE_INTERRUPT, pid, 0, 0));
    show("interrupted", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    kill(pid, SIGSTOP);
    show("stop signal", pid);
    trace(PTRACE_CONT, pid, 0, SIGSTOP);
    show("group stop", pid);
    printf("LISTEN %ld\n", trace(PTRACE_LISTEN, pid, 0, 0));
    kill(pid, SIGCONT);
    show("continued", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    show("its signal", pid);
    trace(PTRACE_CONT, pid, 0, SIGCONT);
    kill(pid, SIGUSR1);
    show("another signal", pid);
    printf("DETACH with SIGTERM %ld\n", trace(PTRACE_DETACH, pid, 0, SIGTERM));
    show("end", pid);
}

// --- events

static void *thread_body(void *argument)
{
    return argument;
}

static void event_body(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(1);
    waitpid(child, NULL, 0);
    child = vfork();
    if (child == 0)
        _exit(2);
    waitpid(child, NULL, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, thread_body, NULL);
    pthread_join(thread, NULL);
    execl("/bin/true", "true", NULL);
}

static void events(void)
{
    pid_t pid = traced(event_body), others[8];
    int n = 0, status;
    trace(PTRACE_SETOPTIONS, pid, 0,
          PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACECLONE |
              PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
    trace(PTRACE_CONT, pid, 0, 0);
    for (;;) {
        status = wait_for(pid);
        if (!WIFSTOPPED(status))
            break;
        int event = status >> 16;
        unsigned long message = 0;
        long r = trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&message);
        if (event == 0) {
            printf("signal %d\n", WSTOPSIG(status));
            trace(PTRACE_CONT, pid, 0, WSTOPSIG(status) == SIGCHLD ? SIGCHLD : 0);
            continue;
        }
        printf("event %d: %ld", event, r);
        if (event == PTRACE_EVENT_EXEC)
            printf(" itself %d\n", (pid_t)message == pid);
        else if (event == PTRACE_EVENT_EXIT)
            printf(" status %lx\n", message);
        else if (event == PTRACE_EVENT_VFORK_DONE)
            printf(" the last %d\n", (pid_t)message == others[n - 1]);
        else {
            others[n++] = (pid_t)message;
            printf(" new\n");
            show("  it starts", (pid_t)message);
            printf("  options inherited, its end comes: %ld\n", trace(PTRACE_CONT, (pid_t)message, 0, 0));
            show("  before its end", (pid_t)message);
            trace(PTRACE_CONT, (pid_t)message, 0, 0);
            show("  end", (pid_t)message);
        }
        trace(PTRACE_CONT, pid, 0, 0);
    }
    printf("end: %s\n", stop_name(status));
}

static void exec_body(void)
{
    execl("/bin/true", "true", NULL);
}

static void plain_exec(void)
{
    pid_t pid = traced(exec_body);
    trace(PTRACE_CONT, pid, 0, 0);
    show("exec without the option", pid);
    trace(PTRACE_CONT, pid, 0, 0);
    show("end", pid);
}

static void kill_with_tracer(void)
{
    pid_t victim = running_child();
    pid_t tracer = fork();
    if (tracer == 0) {
        trace(PTRACE_SEIZE, victim, 0, PTRACE_O_EXITKILL);
        _exit(0);
    }
    show("tracer", tracer);
    show("with it", victim);
}

static void permission(void)
{
    pid_t victim = running_child();
    pid_t other = fork();
    if (other == 0) {
        if (getuid() == 0 && (setgid(1234) || setuid(1234)))
            _exit(1);
        long r = trace(PTRACE_ATTACH, victim, 0, 0);
        _exit(getuid() == 1234 ? (int)-r : EPERM);
    }
    printf("attach as another user: %s\n", stop_name(wait_for(other)));
    kill(victim, SIGKILL);
    wait_for(victim);
    fflush(stdout);
    victim = fork();
    if (victim == 0) {
        if (getuid() == 0 && (setgid(1234) || setuid(1234)))
            _exit(1);
        int fds[2];
        char c;
        if (pipe(fds))
            _exit(1);
        pid_t hidden = fork();
        if (hidden == 0) {
            prctl(PR_SET_DUMPABLE, 0);
            close(fds[1]);
            close(fds[0]);
            loop_body();
        }
        close(fds[1]);
        if (read(fds[0], &c, 1) != 0)
            _exit(1);
        printf("attach to what is not dumpable %ld\n", trace(PTRACE_ATTACH, hidden, 0, 0));
        fflush(stdout);
        kill(hidden, SIGKILL);
        _exit(0);
    }
    show("it", victim);
    pid_t twice = fork();
    if (twice == 0) {
        say("TRACEME", trace(PTRACE_TRACEME, 0, 0, 0));
        say("again", trace(PTRACE_TRACEME, 0, 0, 0));
        _exit(0);
    }
    show("it", twice);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signals();
    calls();
    interrupted();
    memory();
    steps();
    register_sets();
    attaching();
    events();
    plain_exec();
    kill_with_tracer();
    permission();
    return 0;
}
