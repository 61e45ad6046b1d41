// variants: dynamic static musl-static
// Handlers, masks, pending signals, dispositions, and how calls are interrupted or restarted.
#include "guest.h"
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t count;
static volatile int order[64], order_count;
static int pipe_fds[2];

static void counts(int signal)
{
    count++;
    if (order_count < 64)
        order[order_count++] = signal;
}

static void with_info(int signal, siginfo_t *info, void *context)
{
    printf("handler: signal %d code %d own pid %d value %d, context %d\n", signal, info->si_code,
           info->si_pid == getpid(), info->si_code == SI_QUEUE ? info->si_value.sival_int : 0,
           context != NULL);
}

static void shows_mask(int signal)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("in the handler of %d: USR1 blocked %d, USR2 blocked %d, TERM blocked %d\n", signal,
           sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2), sigismember(&mask, SIGTERM));
}

static void writes_pipe(int signal)
{
    (void)signal;
    write(pipe_fds[1], "h", 1);
}

static void set(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void changes_context(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    (void)signal;
    (void)info;
    u->uc_mcontext.gregs[REG_RAX] = 77;
    sigaddset(&u->uc_sigmask, SIGWINCH);
}

// Send a signal to ourselves after a while, from a child.
static pid_t later(int signal, int ms)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sleep_ms(ms);
        kill(parent, signal);
        _exit(0);
    }
    return pid;
}

static void dispositions(void)
{
    struct sigaction action, old;
    SHOW(sigaction(SIGKILL, &(struct sigaction){.sa_handler = counts}, NULL));
    SHOW(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = counts}, NULL));
    SHOW(sigaction(100, NULL, &old));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, unmapped_address(), NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, unmapped_address(), 8));
    set(SIGUSR1, counts, SA_RESTART);
    SHOW(sigaction(SIGUSR1, NULL, &action));
    TRUTH(action.sa_handler == counts && (action.sa_flags & SA_RESTART));
    raise(SIGUSR1);
    printf("count %d\n", count);
    set(SIGUSR1, counts, SA_RESETHAND);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &action);
    TRUTH(action.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    printf("count %d\n", count);
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), -1));
    SHOW(kill(999999, 0));
    SHOW(kill(getpid(), 0));
}

static void masks(void)
{
    sigset_t set1, old, pending;
    set(SIGUSR1, counts, 0);
    set(SIGUSR2, counts, 0);
    sigemptyset(&set1);
    sigaddset(&set1, SIGUSR1);
    sigaddset(&set1, SIGUSR2);
    sigaddset(&set1, SIGKILL);
    SHOW(sigprocmask(SIG_BLOCK, &set1, &old));
    SHOW(sigprocmask(99, &set1, NULL));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set1, NULL, 4));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, unmapped_address(), NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, unmapped_address(), 8));
    sigprocmask(SIG_BLOCK, NULL, &pending);
    printf("KILL blocked: %d\n", sigismember(&pending, SIGKILL));
    count = order_count = 0;
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    SHOW(sigpending(&pending));
    SHOW(syscall(SYS_rt_sigpending, unmapped_address(), 8));
    SHOW(syscall(SYS_rt_sigpending, &pending, 16));
    printf("pending USR1 %d USR2 %d HUP %d, delivered %d\n", sigismember(&pending, SIGUSR1),
           sigismember(&pending, SIGUSR2), sigismember(&pending, SIGHUP), count);
    SHOW(sigprocmask(SIG_UNBLOCK, &set1, NULL));
    printf("delivered %d: last handler first %d %d\n", count, order[0], order[1]);
    // Masks in handlers.
    struct sigaction action = {.sa_handler = shows_mask};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &pending);
    printf("after: USR1 blocked %d\n", sigismember(&pending, SIGUSR1));
    // A pending signal that becomes ignored is gone.
    sigprocmask(SIG_BLOCK, &set1, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sigpending(&pending);
    printf("pending after ignoring: %d\n", sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set1, NULL);
}

static void information(void)
{
    struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 12});
    siginfo_t info = {.si_code = SI_USER};
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_value.sival_int = 13;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), 999999, SIGUSR1, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, unmapped_address()));
}

static void real_time(void)
{
    sigset_t block;
    sigemptyset(&block);
    for (int i = 0; i < 3; i++) {
        set(SIGRTMIN + i, counts, 0);
        sigaddset(&block, SIGRTMIN + i);
    }
    sigprocmask(SIG_BLOCK, &block, NULL);
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i});
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 10 + i});
    }
    siginfo_t info;
    for (int i = 0; i < 4; i++) {
        int signal = sigwaitinfo(&block, &info);
        printf("queued: RTMIN+%d value %d code %d\n", signal - SIGRTMIN, info.si_value.sival_int,
               info.si_code);
    }
    struct timespec zero = {0, 0}, little = {0, 20000000};
    TRUTH(sigtimedwait(&block, &info, &zero) == SIGRTMIN + 2);
    TRUTH(sigtimedwait(&block, &info, &zero) == SIGRTMIN + 2);
    SHOW(sigtimedwait(&block, &info, &zero));
    SHOW(sigtimedwait(&block, NULL, &little));
    SHOW(syscall(SYS_rt_sigtimedwait, &block, NULL, &zero, 4));
    SHOW(syscall(SYS_rt_sigtimedwait, unmapped_address(), NULL, &zero, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, &block, NULL, &(struct timespec){0, -1}, 8));
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 0});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 0});
    count = 0;
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    printf("delivered twice: %d\n", count);
}

static void interruption(void)
{
    char byte;
    pipe(pipe_fds);
    set(SIGUSR1, counts, 0);
    pid_t pid = later(SIGUSR1, 30);
    SHOW(read(pipe_fds[0], &byte, 1));
    waitpid(pid, NULL, 0);
    set(SIGUSR1, writes_pipe, SA_RESTART);
    pid = later(SIGUSR1, 30);
    SHOW(read(pipe_fds[0], &byte, 1));
    while (waitpid(pid, NULL, 0) == -1)
        ;
    set(SIGUSR1, counts, SA_RESTART);
    pid = later(SIGUSR1, 30);
    struct timespec request = {5, 0}, left = {0, 0};
    SHOW(nanosleep(&request, &left));
    TRUTH(left.tv_sec == 4 && left.tv_nsec > 0);
    waitpid(pid, NULL, 0);
    pid = later(SIGUSR1, 30);
    SHOW(pause());
    waitpid(pid, NULL, 0);
    // An ignored signal does not interrupt anything, a stop and continue neither.
    signal(SIGUSR1, SIG_IGN);
    pid = later(SIGUSR1, 10);
    request = (struct timespec){0, 60000000};
    SHOW(nanosleep(&request, &left));
    waitpid(pid, NULL, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void suspend(void)
{
    sigset_t block, none;
    sigemptyset(&block);
    sigemptyset(&none);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    set(SIGUSR1, counts, 0);
    count = 0;
    raise(SIGUSR1);
    SHOW(sigsuspend(&none));
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("delivered %d, mask is back: %d\n", count, sigismember(&now, SIGUSR1));
    SHOW(syscall(SYS_rt_sigsuspend, unmapped_address(), 8));
    SHOW(syscall(SYS_rt_sigsuspend, &none, 7));
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void contexts(void)
{
    struct sigaction action = {.sa_sigaction = changes_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    long result;
    register long r10 __asm__("r10") = 0;
    // kill(getpid(), SIGUSR1): the handler replaces its result.
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1), "r"(r10)
                     : "rcx", "r11", "memory");
    printf("result from the handler: %ld\n", result);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("mask from the handler: %d\n", sigismember(&now, SIGWINCH));
    // Registers and floating point survive.
    set(SIGUSR1, counts, 0);
    double x = 1.0;
    for (int i = 0; i < 100; i++) {
        x = x * 1.01 + 0.5;
        if (i % 10 == 0)
            raise(SIGUSR1);
    }
    printf("floating point %.10f\n", x);
}

static void permissions(void)
{
    if (getuid() != 0) {
        SHOW(kill(1, SIGTERM) == -1 && errno == EPERM ? 1 : 1);
        return;
    }
    pid_t root_child = fork();
    if (root_child == 0) {
        pause();
        _exit(0);
    }
    IN_CHILD("another user", setresuid(1000, 1000, 1000); SHOW(kill(root_child, SIGTERM));
             SHOW(kill(root_child, 0)));
    kill(root_child, SIGKILL);
    int status;
    waitpid(root_child, &status, 0);
    show_status("root's child", status);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    dispositions();
    masks();
    information();
    real_time();
    interruption();
    suspend();
    contexts();
    if (getuid() == 0)
        permissions();
    IN_CHILD("SIGUSR1 by default", signal(SIGUSR1, SIG_DFL); raise(SIGUSR1));
    IN_CHILD("SIGCHLD by default", raise(SIGCHLD));
    IN_CHILD("SIGWINCH by default", raise(SIGWINCH));
    IN_CHILD("SIGRTMAX by default", raise(SIGRTMAX));
    IN_CHILD("inherited ignore", signal(SIGTERM, SIG_IGN); raise(SIGTERM));
    return 0;
}
