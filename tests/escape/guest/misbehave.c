// A guest that attacks what holds it: the stub in its address space, the kick, the hypercalls. Each way is tried by a child; a
// neighbour, another process of the sandbox, has to answer before and after. Prints `MODE: how it ended`, with `NOT CAUGHT`
// where the Sentry had to kill and did not, `LIVES` for a child that could not be ended at all, and `neighbours fine` in the
// end. Only inside the sandbox. An argument chooses the modes whose names contain it.
#include "abi/stub/layout.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define CAUGHT_MS 3000 // by then the Sentry has noticed
#define ENDED_MS 12000 // by then a fatal signal has had its effect
#define STUB_PAGE 4096ul

static volatile int *ready; // shared: the child is where it wants to be killed

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

// --- means

// A place of the stub's text that returns from a signal: mov %rdi,%rsp; mov $15,%eax; syscall.
static void *stub_return(void)
{
    static const unsigned char code[] = {0x48, 0x89, 0xfc, 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
    return memmem((void *)STUB_TEXT_START, STUB_PAGE, code, sizeof(code));
}

// Goes to `function` with every signal masked, the kick too, by a return that no handler asked for.
static void masked(void (*function)(void))
{
    static char stack[65536] __attribute__((aligned(16)));
    ucontext_t context = {.uc_flags = 6, .uc_stack = {.ss_flags = SS_DISABLE}};
    memset(&context.uc_sigmask, 0xff, sizeof(context.uc_sigmask));
    context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)function;
    context.uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)(stack + sizeof(stack) - 8);
    context.uc_mcontext.gregs[REG_CSGSFS] = 0x2b000000000033;
    context.uc_mcontext.gregs[REG_EFL] = 0x202;
    ((void (*)(void *))stub_return())(&context);
}

// Code of our own in the stub's pages: from there some calls reach the host as they are.
static long from_stub(long nr, long a, long b, long c, long d, long e, long f)
{
    static const unsigned char code[] = {0x0f, 0x05, 0xc3};
    unsigned char *place = (unsigned char *)STUB_TEXT_START + 4000;
    if (memcmp(place, code, sizeof(code)) != 0) {
        if (mprotect((void *)STUB_TEXT_START, STUB_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
            _exit(40);
        memcpy(place, code, sizeof(code));
    }
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result = nr;
    __asm__ volatile("call *%[place]"
                     : "+a"(result)
                     : [place] "r"(place), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void spins(void)
{
    *ready = 1;
    for (;;)
        __asm__ volatile("");
}

static void sleeps_natively(void)
{
    static int word;
    *ready = 1;
    for (;;)
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void calls_on(void)
{
    *ready = 1;
    for (;;)
        syscall(SYS_getppid);
}

static void waits(void)
{
    *ready = 1;
    for (;;)
        pause();
}

static void maps_files(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    *ready = 1;
    for (;;)
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4096);
}

static void forks_on(void)
{
    *ready = 1;
    for (;;) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
}

static void thread_of(void *(*function)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, function, NULL);
}

// --- modes

static void masks_and_spins(void)
{
    masked(spins);
}
static void masks_and_sleeps(void)
{
    masked(sleeps_natively);
}
static void masks_and_calls(void)
{
    masked(calls_on);
}
static void masks_and_waits(void)
{
    masked(waits);
}
static void masks_and_maps(void)
{
    masked(maps_files);
}
static void masks_and_forks(void)
{
    masked(forks_on);
}

static void unmaps_stub(void)
{
    munmap((void *)STUB_TEXT_START, STUB_PAGE);
    waits();
}

static void unmaps_everything(void)
{
    munmap((void *)STUB_BASE, STUB_RANGE_END - STUB_BASE);
    maps_files();
}

static void closes_stub(void)
{
    mprotect((void *)STUB_BASE, STUB_RANGE_END - STUB_BASE, PROT_NONE);
    forks_on();
}

static void overwrites_stub(void)
{
    mprotect((void *)STUB_TEXT_START, STUB_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    memset((void *)STUB_TEXT_START, 0xf4, STUB_PAGE); // hlt
    maps_files();
}

// Every hypercall becomes a loop.
static void loops_in_stub(void)
{
    mprotect((void *)STUB_TEXT_START, STUB_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (unsigned long i = 0; i < STUB_PAGE - 1; i += 2)
        memcpy((char *)STUB_TEXT_START + i, "\xeb\xfe", 2); // jmp .
    maps_files();
}

static void *scribbles(void *argument)
{
    unsigned seed = 1;
    for (;;)
        for (unsigned i = 0; i < 4096; i += 8) {
            seed = seed * 1103515245 + 12345;
            *(volatile unsigned long *)(STUB_AREAS_START + i) = seed;
        }
    return argument;
}

// Races the orders in the first thread's area.
static void races_orders(void)
{
    thread_of(scribbles);
    maps_files();
}

static void *moves_donations(void *argument)
{
    for (;;)
        from_stub(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, STUB_DONATION_FD, 0);
    return argument;
}

// Uses and closes the donated number meanwhile, as only the stub may.
static void races_donations(void)
{
    from_stub(SYS_getppid, 0, 0, 0, 0, 0, 0);
    thread_of(moves_donations);
    int fd = open("/proc/self/exe", O_RDONLY);
    for (int i = 0; i < 2000; i++) {
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4096);
        from_stub(SYS_close, STUB_DONATION_FD, 0, 0, 0, 0, 0);
    }
    *ready = 1;
}

static void ignores_kicks(void)
{
    // struct sigaction of the kernel
    unsigned long ignore[4] = {(unsigned long)SIG_IGN, 0x04000000, 0, 0};
    long r = from_stub(SYS_rt_sigaction, STUB_KICK_SIGNAL, (long)ignore, 0, 8, 0, 0);
    if (r != 0)
        _exit(41);
    spins();
}

static void *tells_lies(void *argument)
{
    for (;;)
        syscall(STUB_HC_SIGNAL, argument, STUB_KICK_SIGNAL, 0, 0, 0, 0);
    return NULL;
}

static void hypercalls_of_threads(void)
{
    static ucontext_t context;
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, tells_lies, &context);
    }
    *ready = 1;
    tells_lies(&context);
}

static void *flips_vectors(void *argument)
{
    volatile struct iovec *v = argument;
    for (;;) {
        v[0].iov_len = ~0ul;
        v[1].iov_base = (void *)8;
        v[0].iov_len = 16;
        v[1].iov_base = (void *)0xffff888000000000;
        v[1].iov_len = 1ul << 62;
        v[1].iov_len = 64;
    }
    return NULL;
}

// Vectors, headers and control messages that another thread changes while they are read.
static void races_vectors(void)
{
    static char buffer[4096];
    static struct iovec v[2];
    int pair[2], pipes[2];
    v[0] = v[1] = (struct iovec){buffer, 16};
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    pipe2(pipes, O_NONBLOCK);
    pthread_t thread;
    pthread_create(&thread, NULL, flips_vectors, v);
    struct msghdr message = {.msg_iov = v, .msg_iovlen = 2, .msg_control = v, .msg_controllen = sizeof(v)};
    for (int i = 0; i < 20000; i++) {
        sendmsg(pair[0], &message, MSG_DONTWAIT);
        recvmsg(pair[1], &message, MSG_DONTWAIT);
        writev(pipes[1], v, 2);
        readv(pipes[0], v, 2);
        process_vm_readv(getpid(), v, 2, v, 2, 0);
    }
    *ready = 1;
    _exit(0);
}

static void *flips_arguments(void *argument)
{
    char *volatile *words = argument;
    for (;;) {
        words[0] = (char *)8;
        words[1] = NULL;
        words[0] = "/proc/self/exe";
        words[1] = (char *)-1;
    }
    return NULL;
}

// Its arguments change while it executes; in the end it does.
static void races_exec(void)
{
    static char *words[4];
    pthread_t thread;
    pthread_create(&thread, NULL, flips_arguments, words);
    *ready = 1;
    for (;;)
        execve("/proc/self/exe", words, words);
}

// The wrong number, from every place that the stub calls from.
static void jumps_into_stub(unsigned offset)
{
    *ready = 1;
    __asm__ volatile("mov %0, %%rax; xor %%edi, %%edi; xor %%esi, %%esi; jmp *%%rax"
                     :
                     : "r"(STUB_TEXT_START + offset)
                     : "rdi", "rsi", "rax");
}

static const struct {
    const char *name;
    void (*function)(void);
    bool caught; // the Sentry, or the host for it, ends it before anybody asks
} modes[] = {
    {"masks the kick and spins", masks_and_spins, true},
    {"masks the kick and sleeps natively", masks_and_sleeps, true},
    {"masks the kick and makes calls", masks_and_calls, true},
    {"masks the kick and waits", masks_and_waits, true},
    {"masks the kick and maps files", masks_and_maps, true},
    {"masks the kick and forks", masks_and_forks, true},
    {"ignores the kick", ignores_kicks, true},
    {"unmaps the stub", unmaps_stub, true},
    {"unmaps the stub and its areas", unmaps_everything, true},
    {"closes the stub's pages", closes_stub, true},
    {"overwrites the stub", overwrites_stub, true},
    {"loops in the stub", loops_in_stub, true},
    {"races its orders", races_orders, false},
    {"races its donations", races_donations, false},
    {"hypercalls of several threads", hypercalls_of_threads, false},
    {"races its vectors", races_vectors, false},
    {"races its exec", races_exec, false},
};

// --- the neighbour

static int question[2], answer[2];
static bool neighbours_fine = true;

static void neighbour(void)
{
    char c;
    while (read(question[0], &c, 1) == 1) {
        pid_t pid = fork(); // what the stub is needed for
        if (pid == 0)
            _exit(3);
        int status;
        waitpid(pid, &status, 0);
        c = WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 'y' : 'n';
        if (write(answer[1], &c, 1) != 1)
            break;
    }
    _exit(0);
}

static void ask(const char *after)
{
    char c = '?';
    if (write(question[1], &c, 1) != 1 || read(answer[0], &c, 1) != 1 || c != 'y') {
        printf("%s: the neighbour does not answer\n", after);
        neighbours_fine = false;
    }
}

// Sends the child a signal that it handles, when it is where it wants to be, for which the kick is needed; later one that ends it.
// Tells how it ended.
static void watch(const char *name, pid_t pid, bool caught)
{
    int status;
    bool asked = false;
    for (int waited = 0; waited < ENDED_MS; waited++) {
        if (*ready == 1) {
            *ready = 2;
            sleep_ms(20);
            kill(pid, SIGUSR1);
        }
        if (waited >= (caught ? CAUGHT_MS : 200) && *ready && !asked) {
            asked = true;
            kill(pid, SIGTERM);
        }
        if (waitpid(pid, &status, WNOHANG) == pid) {
            const char *note = caught && asked ? ", NOT CAUGHT" : "";
            if (WIFSIGNALED(status))
                printf("%s: killed by signal %d%s\n", name, WTERMSIG(status), note);
            else
                printf("%s: exited %d%s\n", name, WEXITSTATUS(status), note);
            return;
        }
        sleep_ms(1);
    }
    printf("%s: LIVES\n", name);
}

static void nothing(int number)
{
    (void)number;
}

static void attempt(const char *name, void (*function)(void), unsigned offset, bool caught)
{
    fflush(stdout);
    *ready = 0;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, nothing);
        if (function)
            function();
        else
            jumps_into_stub(offset);
        _exit(0);
    }
    watch(name, pid, caught);
    ask(name);
}

int main(int argc, char **argv)
{
    if (argc == 0 || argc > 2) // what an exec raced for
        return 0;
    ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!stub_return()) {
        printf("no stub here\n");
        return 2;
    }
    pipe(question);
    pipe(answer);
    if (fork() == 0)
        neighbour();
    ask("the beginning");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (argc < 2 || strstr(modes[i].name, argv[1]))
            attempt(modes[i].name, modes[i].function, 0, modes[i].caught);
    char name[64];
    static const unsigned hypercalls[] = {
        STUB_HC_BOOT,
        STUB_HC_SIGNAL,
        STUB_HC_DONE,
        STUB_HC_CHILD,
        STUB_HC_ZYGOTE,
        STUB_HC_ZYGOTE + 1,
        STUB_HC_CALL,
        STUB_HC_CALL_OF(SYS_read, 8),
        STUB_HC_CALL_OF(SYS_mmap, 0xf480),
        STUB_HC_CALL_OF(SYS_clone, 0xfff0),
        STUB_HC_CALL_OF(SYS_vfork, 0xf480),
        STUB_HC_CALL_OF(SYS_execve, 0),
        STUB_HC_CALL_OF(SYS_rt_sigreturn, 0xf480),
        STUB_HC_CALL_OF(SYS_rt_sigprocmask, 0xf480),
        STUB_HC_CALL_OF(SYS_exit_group, 0xf480),
        STUB_HC_CALL_OF(1023, 0xf480),
        STUB_HC_LAST,
        STUB_HC_LAST + 1,
    };
    for (unsigned i = 0; i < sizeof(hypercalls) / sizeof(hypercalls[0]) && argc < 2; i++) {
        unsigned nr = hypercalls[i];
        fflush(stdout);
        *ready = 0;
        pid_t pid = fork();
        if (pid == 0) {
            *ready = 1;
            for (;;)
                syscall(nr, nr, nr, 8, 8, 8, 8);
        }
        snprintf(name, sizeof(name), "hypercall %u", nr - STUB_HYPERCALL_BASE);
        watch(name, pid, false);
        ask(name);
    }
    for (unsigned offset = 0; offset < 2048 && argc < 2; offset += 23) {
        snprintf(name, sizeof(name), "jump to %u", offset);
        attempt(name, NULL, offset, false);
    }
    printf("neighbours %s\n", neighbours_fine ? "fine" : "HURT");
    return 0;
}
