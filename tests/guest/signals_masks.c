// Masks: every form of rt_sigprocmask, what a change of mask lets through, who inherits one, and masks that change while signals
// come from other threads and processes.
#include "guest.h"
#include <sys/time.h>

#define ROUNDS 300

static volatile sig_atomic_t handled, wrong;
static __thread volatile bool may_come;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
}

static void on_signal_allowed(int signal)
{
    (void)signal;
    handled++;
    if (!may_come)
        wrong = 1;
}

static long raw(int how, const void *set, void *old, size_t size)
{
    return syscall(SYS_rt_sigprocmask, how, set, old, size);
}

static uint64_t present(void)
{
    uint64_t mask = 0;
    raw(SIG_BLOCK, NULL, &mask, 8);
    return mask;
}

static uint64_t status_mask(void)
{
    char line[256];
    unsigned long mask = 0;
    FILE *f = fopen("/proc/thread-self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "SigBlk: %lx", &mask);
    if (f)
        fclose(f);
    return mask;
}

static void forms(void)
{
    uint64_t usr1 = 1ull << (SIGUSR1 - 1), usr2 = 1ull << (SIGUSR2 - 1), all = ~0ull, old = 1;
    // The same twice: whoever answers the first time need not be who answers the second time.
    for (int i = 0; i < 2; i++) {
        SHOW(raw(SIG_SETMASK, &usr1, NULL, 8));
        SHOW(raw(SIG_BLOCK, &usr2, &old, 8));
        TRUTH(old == usr1 && present() == (usr1 | usr2) && status_mask() == (usr1 | usr2));
        SHOW(raw(SIG_UNBLOCK, &usr1, &old, 8));
        TRUTH(old == (usr1 | usr2) && present() == usr2);
        SHOW(raw(SIG_SETMASK, &all, &all, 8));
        TRUTH(all == usr2 && present() == ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)));
        all = ~0ull;
        SHOW(raw(SIG_BLOCK, (void *)8, NULL, 8));
        SHOW(raw(SIG_BLOCK, (void *)(1ull << 63), NULL, 8));
        SHOW(raw(SIG_BLOCK, NULL, (void *)8, 8));
        SHOW(raw(77, &usr1, NULL, 8));
        SHOW(raw(77, NULL, NULL, 8));
        SHOW(raw(SIG_BLOCK, &usr1, NULL, 4));
        TRUTH(present() == ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)));
        uint64_t none = 0;
        SHOW(raw(SIG_SETMASK, &none, NULL, 8));
    }
}

static void *inherits(void *argument)
{
    (void)argument;
    printf("the thread's: %llx\n", (unsigned long long)present());
    return NULL;
}

static void inheritance(void)
{
    uint64_t mask = 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN + 2);
    raw(SIG_SETMASK, &mask, NULL, 8);
    raw(SIG_SETMASK, &mask, NULL, 8);
    pthread_t thread;
    pthread_create(&thread, NULL, inherits, NULL);
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) {
        printf("the child's: %llx\n", (unsigned long long)present());
        execl("/bin/grep", "grep", "SigBlk", "/proc/self/status", NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    mask = 0;
    raw(SIG_SETMASK, &mask, NULL, 8);
}

// A signal that waits comes with the change that lets it through, not before and not later.
static void waits_for_change(void)
{
    signal(SIGUSR1, on_signal);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int late = 0, early = 0;
    for (int i = 0; i < 200; i++) {
        handled = 0;
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (i & 1)
            raise(SIGUSR1);
        else
            kill(getpid(), SIGUSR1);
        early += handled;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        late += handled != 1;
    }
    printf("early %d, late %d\n", early, late);
}

static volatile bool stop;

// Opens and closes its mask as fast as it can.
static void *opens_and_closes(void *argument)
{
    (void)argument;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (!stop) {
        may_come = true;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        sigprocmask(SIG_BLOCK, &set, NULL);
        may_come = false;
        for (volatile int i = 0; i < 50; i++)
            ;
    }
    return NULL;
}

static void come_while_masks_change(int threads, bool directed)
{
    pthread_t thread[4];
    signal(SIGUSR1, on_signal_allowed);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    stop = false, handled = wrong = 0;
    for (int i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, opens_and_closes, NULL);
    int sent = 0;
    for (; sent < ROUNDS; sent++) {
        int before = handled;
        if (directed)
            pthread_kill(thread[sent % threads], SIGUSR1);
        else
            kill(getpid(), SIGUSR1);
        while (handled == before)
            sched_yield(); // for ever if it is lost
    }
    stop = true;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    printf("%d threads, %s: sent %d, handled %d, while blocked: %s\n", threads,
           directed ? "directed" : "to the process", sent, (int)handled, wrong ? "YES" : "no");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

// One that its process blocks everywhere is taken by who waits for it.
static void *waits(void *argument)
{
    sigset_t *set = argument;
    int got = 0;
    for (int i = 0; i < 200; i++)
        if (sigwait(set, &got) == 0)
            handled++;
    return NULL;
}

static void waited_for(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t thread;
    handled = 0;
    pthread_create(&thread, NULL, waits, &set);
    for (int i = 0; i < 200; i++) {
        int before = handled;
        kill(getpid(), SIGUSR2);
        while (handled == before)
            sched_yield();
    }
    pthread_join(thread, NULL);
    printf("waited for: %d\n", (int)handled);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

// The default action of a signal that comes while it is blocked ends the process when it is let through.
static void default_action(void)
{
    pid_t child = fork();
    if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigprocmask(SIG_BLOCK, &set, NULL);
        kill(getppid(), SIGUSR1);
        for (;;) {
            sigset_t waiting;
            sigpending(&waiting);
            if (sigismember(&waiting, SIGTERM))
                break;
        }
        printf("it waits\n");
        fflush(stdout);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        printf("NOT REACHED\n");
        _exit(0);
    }
    while (!handled)
        sched_yield();
    kill(child, SIGTERM);
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    forms();
    inheritance();
    waits_for_change();
    come_while_masks_change(1, true);
    come_while_masks_change(1, false);
    come_while_masks_change(3, true);
    come_while_masks_change(3, false);
    waited_for();
    signal(SIGUSR1, on_signal);
    handled = 0;
    default_action();
    return 0;
}
