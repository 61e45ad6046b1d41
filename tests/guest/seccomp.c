// seccomp(2): modes, flags, every action, inheritance, and filters about calls that run natively in the sandbox.
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <ucontext.h>

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define ON(number, action) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)
#define RET(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW RET(SECCOMP_RET_ALLOW)
#define FAIL(error) (SECCOMP_RET_ERRNO | (error))
#define install(flags, ...)                                              \
    ({                                                                   \
        struct sock_filter code[] = {__VA_ARGS__};                       \
        struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code}; \
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);     \
    })
#define no_new_privs() prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

static int seccomp(unsigned op, unsigned flags, void *args)
{
    return (int)syscall(SYS_seccomp, op, flags, args);
}

static void arguments(void)
{
    struct sock_filter allow[] = {ALLOW}, wild[] = {{0x15, 5, 0, 0}, ALLOW}, open_end[] = {NR},
                       memory[] = {{BPF_LD | BPF_MEM, 0, 0, 3}, ALLOW}, modulo[] = {{0x94, 0, 0, 3}, ALLOW};
    struct sock_fprog good = {1, allow}, none = {0, allow}, bad_jump = {2, wild}, no_return = {1, open_end},
                      unwritten = {2, memory}, no_mod = {2, modulo}, nowhere = {1, unmapped_address()};
    SHOW(seccomp(77, 0, NULL));
    SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
    SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 0, &good));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0x4000, &good));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, unmapped_address()));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 9, &good));  // TSYNC and NEW_LISTENER
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 32, &good)); // WAIT_KILLABLE_RECV alone
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &none));
    SHOW(no_new_privs());
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad_jump));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &no_return));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &unwritten));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &no_mod));
    SHOW(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere));
    uint32_t actions[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,  SECCOMP_RET_ERRNO,
        SECCOMP_RET_TRACE,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW, 0x00010000};
    for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
    SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &actions[0]));
    SHOW(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, unmapped_address()));
    struct seccomp_notif_sizes sizes;
    SHOW(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
    TRUTH(sizes.seccomp_notif == 80 && sizes.seccomp_notif_resp == 24 && sizes.seccomp_data == 64);
    SHOW(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, unmapped_address()));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_SET_SECCOMP, 5, 0, 0, 0));
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, unmapped_address(), 0, 0));
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &good, 0, 0));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
    SHOW(install(SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW, ALLOW));
}

static void errors(void)
{
    no_new_privs();
    SHOW(install(0, NR, ON(SYS_getppid, FAIL(EDOM)), ON(SYS_getuid, FAIL(0)), ON(SYS_getpgrp, FAIL(0xffff)),
                 ON(SYS_getgid, SECCOMP_RET_TRACE | 5), ON(SYS_umask, SECCOMP_RET_LOG), ALLOW));
    SHOW(syscall(SYS_getppid));
    SHOW(syscall(SYS_getuid));
    SHOW(syscall(SYS_getpgrp));
    SHOW(syscall(SYS_getgid));
    SHOW(syscall(SYS_umask, 022));
    // Of several filters the strictest, of equal ones the newest.
    SHOW(install(0, NR, ON(SYS_getppid, FAIL(ERANGE)), ON(SYS_getgid, FAIL(ENOTTY)), ALLOW));
    SHOW(syscall(SYS_getppid));
    SHOW(syscall(SYS_getgid));
    IN_CHILD("inherited by fork", SHOW(syscall(SYS_getppid)));
    SHOW(install(0, NR, ON(SYS_seccomp, FAIL(EPERM)), ALLOW));
    SHOW(install(0, ALLOW));
    SHOW(syscall(SYS_getpid) == getpid());
}

// Arguments, and 64 bits of them.
static void by_argument(void)
{
    no_new_privs();
    SHOW(install(0, NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 1, 0), ALLOW, ARG(1),
                 BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 50, 0, 1), RET(FAIL(EXDEV)), ALLOW));
    SHOW(dup2(1, 40));
    SHOW(dup2(1, 50));
    close(40);
}

static volatile int hits;
static long trapped_nr, trapped_data, trapped_code, trapped_arch;
static volatile bool address_is_right;
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    hits++;
    trapped_nr = info->si_syscall;
    trapped_data = info->si_errno;
    trapped_code = info->si_code;
    trapped_arch = info->si_arch;
    address_is_right = info->si_call_addr == (void *)uc->uc_mcontext.gregs[REG_RIP] &&
                       uc->uc_mcontext.gregs[REG_RAX] == info->si_syscall;
    uc->uc_mcontext.gregs[REG_RAX] = 4711 + uc->uc_mcontext.gregs[REG_RDI];
}

static void show_trap(const char *what, long result)
{
    printf("%s: result %ld, %d hits, call %ld, data %ld, code %ld, arch %#lx, %s\n", what, result, hits,
           trapped_nr, trapped_data, trapped_code, trapped_arch, address_is_right ? "address" : "ADDRESS");
}

static void trap_handler(void)
{
    struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &sa, NULL);
    no_new_privs();
    SHOW(install(0, NR, ON(SYS_getppid, SECCOMP_RET_TRAP | 77), ON(SYS_munmap, SECCOMP_RET_TRAP | 78),
                 ON(SYS_keyctl, SECCOMP_RET_TRAP | 79), ALLOW));
    show_trap("getppid", syscall(SYS_getppid, 1));
    show_trap("munmap", syscall(SYS_munmap, 2));
    show_trap("keyctl", syscall(SYS_keyctl, 3));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    IN_CHILD("a trap with SIGSYS blocked", {
        sigprocmask(SIG_BLOCK, &set, NULL);
        syscall(SYS_getppid);
    });
    IN_CHILD("a trap with SIGSYS ignored", {
        signal(SIGSYS, SIG_IGN);
        syscall(SYS_munmap);
    });
}

static void *thread_that_is_killed(void *native)
{
    if (native)
        syscall(SYS_mprotect, 0, 0, 0);
    syscall(SYS_getppid);
    return NULL;
}

static void kills(void)
{
    no_new_privs();
    IN_CHILD("kill process", {
        install(0, NR, ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS), ALLOW);
        syscall(SYS_getppid);
    });
    IN_CHILD("kill process at a native call", {
        install(0, NR, ON(SYS_madvise, SECCOMP_RET_KILL_PROCESS), ALLOW);
        madvise(NULL, 0, MADV_DONTNEED);
    });
    IN_CHILD("kill the only thread", {
        install(0, NR, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD), ALLOW);
        syscall(SYS_getppid);
    });
    IN_CHILD("an action that nobody knows", {
        install(0, NR, ON(SYS_getppid, 0x00010000), ALLOW);
        syscall(SYS_getppid);
    });
    for (long native = 0; native < 2; native++)
        IN_CHILD("kill one thread of two", {
            install(0, NR, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD), ALLOW);
            if (native)
                install(0, NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3), ARG(1),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(SECCOMP_RET_KILL_THREAD), ALLOW);
            pthread_t thread;
            pthread_create(&thread, NULL, thread_that_is_killed, (void *)native);
            SHOW(pthread_join(thread, NULL));
        });
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    IN_CHILD("without a core", {
        install(0, NR, ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS), ALLOW);
        syscall(SYS_getppid);
    });
}

static void strict(void)
{
    IN_CHILD("strict: exit", {
        printf("before\n");
        fflush(stdout);
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        ssize_t n = write(1, "after\n", 6);
        syscall(SYS_exit, n == 6 ? 3 : 4);
    });
    IN_CHILD("strict: another call", {
        seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
        getppid();
    });
    IN_CHILD("strict: a native call", {
        seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
        mprotect(NULL, 0, 0);
    });
    IN_CHILD("strict: exit_group", {
        seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
        _exit(0);
    });
}

static uint32_t word;
static void *waker(void *arg)
{
    sleep_ms(30);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}
static volatile int alarms;
static void on_alarm(int sig)
{
    alarms++;
}

// Calls that the sandbox runs natively are the filter's, too, and work as before where it lets them.
static void native_calls(void)
{
    no_new_privs();
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(install(0, NR, ON(SYS_madvise, FAIL(EXDEV)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
                 ARG(2), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_READ, 0, 1), RET(FAIL(ENOTTY)), ALLOW));
    SHOW(mprotect(page, 4096, PROT_READ));
    SHOW(madvise(page, 4096, MADV_DONTNEED));
    page[0] = 1;
    IN_CHILD("in a child", SHOW(mprotect(page, 4096, PROT_READ)));
    pid_t pid = vfork();
    if (pid == 0)
        _exit(mprotect(page, 4096, PROT_READ) == -1 && errno == ENOTTY ? 5 : 6);
    int status;
    waitpid(pid, &status, 0);
    show_status("in a vfork child", status);
    char *more = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRUTH(more != MAP_FAILED);
    memset(more, 7, 65536);
    more = mremap(more, 65536, 131072, MREMAP_MAYMOVE);
    TRUTH(more != MAP_FAILED && more[65535] == 7 && more[131071] == 0);
    SHOW(munmap(more, 131072));
    SHOW(munmap((void *)1, 4096));
    TRUTH((long)syscall(SYS_brk, 0) > 0);
    SHOW(sched_yield());
    TRUTH(now_ns(CLOCK_THREAD_CPUTIME_ID) > 0);
    // A wait that ends by a wake-up, by a timeout, and by a signal.
    pthread_t thread;
    pthread_create(&thread, NULL, waker, NULL);
    while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    SHOW(pthread_join(thread, NULL));
    struct timespec soon = {0, 20000000}, later = {5, 0};
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &soon, NULL, 0));
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0));
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    struct itimerspec once = {.it_value = {0, 30000000}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    timer_settime(timer, 0, &once, NULL);
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &later, NULL, 0));
    SHOW(alarms);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, NULL);
    timer_settime(timer, 0, &once, NULL);
    soon.tv_nsec = 100000000;
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &soon, NULL, 0));
    SHOW(alarms);
}

static pthread_barrier_t barrier;
static void *bystander(void *own)
{
    if (own)
        install(0, ALLOW);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    long r = syscall(SYS_getppid), e = errno;
    long m = mprotect(NULL, 0, 0), f = errno;
    printf("thread: getppid %s, mprotect %s, no_new_privs %d, mode %d\n", r < 0 ? error_name((int)e) : "ok",
           m < 0 ? error_name((int)f) : "ok", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_SECCOMP));
    fflush(stdout);
    return NULL;
}

static void sync_threads(unsigned flags, bool own, const char *what)
{
    printf("-- %s\n", what);
    no_new_privs();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, bystander, own ? &barrier : NULL);
    pthread_barrier_wait(&barrier);
    long r = install(flags, NR, ON(SYS_getppid, FAIL(EDOM)), ON(SYS_mprotect, FAIL(ERANGE)), ALLOW);
    printf("%s\n", r == 0 ? "ok" : r > 0 && r != getpid() ? "the other thread" : error_name(errno));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    printf("self: getppid %s\n", syscall(SYS_getppid) < 0 ? error_name(errno) : "ok");
}

static void show_proc(void)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10))
            printf("%s", line);
    fclose(f);
}

int main(int argc, char **argv)
{
    if (argc > 1) { // after an exec
        SHOW(syscall(SYS_getppid));
        SHOW(mprotect(NULL, 0, 0));
        show_proc();
        return 0;
    }
    IN_CHILD("arguments", arguments());
    if (geteuid() != 0)
        IN_CHILD("no privilege", SHOW(install(0, ALLOW)));
    else
        printf("install(0, ALLOW): -1 EACCES\n"
               "no privilege: exited 0\n");
    IN_CHILD("errors", errors());
    IN_CHILD("by argument", by_argument());
    IN_CHILD("trap handler", trap_handler());
    IN_CHILD("kills", kills());
    strict();
    IN_CHILD("native calls", native_calls());
    IN_CHILD("sync", sync_threads(SECCOMP_FILTER_FLAG_TSYNC, false, "TSYNC"));
    IN_CHILD("no sync", sync_threads(0, false, "no TSYNC"));
    IN_CHILD("sync fails", sync_threads(SECCOMP_FILTER_FLAG_TSYNC, true, "TSYNC, a filter of its own"));
    IN_CHILD("sync fails", sync_threads(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, true,
                                        "TSYNC_ESRCH, a filter of its own"));
    IN_CHILD("exec", {
        no_new_privs();
        install(0, ALLOW);
        install(0, NR, ON(SYS_getppid, FAIL(EDOM)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
                ARG(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(FAIL(ERANGE)), ALLOW);
        fflush(stdout);
        execl("./prog", "prog", "again", NULL);
        execl("/proc/self/exe", "prog", "again", NULL);
    });
    return 0;
}
