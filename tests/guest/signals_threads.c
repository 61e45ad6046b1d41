// Signals and threads: which thread gets them, directed signals, interrupting a busy thread.
#include "guest.h"

static pthread_t thread;
static volatile int handled_by_thread, handled;
static volatile int ready;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
    handled_by_thread = pthread_equal(pthread_self(), thread);
}

static void *spins(void *argument)
{
    ready = 1;
    while (!handled)
        __asm__ volatile("pause");
    return NULL;
}

static void *sleeps(void *argument)
{
    ready = 1;
    struct timespec t = {5, 0};
    return (void *)(intptr_t)(nanosleep(&t, NULL) == -1 ? errno : 0);
}

static void *waits(void *argument)
{
    int got = 0;
    ready = 1;
    sigwait(argument, &got);
    return (void *)(intptr_t)got;
}

static void start(void *(*function)(void *), void *argument)
{
    handled = ready = handled_by_thread = 0;
    pthread_create(&thread, NULL, function, argument);
    while (!ready)
        sched_yield();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    void *value;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    start(spins, NULL);
    SHOW(pthread_kill(thread, SIGUSR1));
    pthread_join(thread, &value);
    printf("spinning: by the thread %d\n", handled_by_thread);
    start(sleeps, NULL);
    sleep_ms(20);
    SHOW(pthread_kill(thread, SIGUSR1));
    pthread_join(thread, &value);
    printf("sleeping: by the thread %d, %s\n", handled_by_thread, error_name((int)(intptr_t)value));
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    // Blocked everywhere, taken by the thread that waits for it.
    start(waits, &set);
    sleep_ms(20);
    SHOW(kill(getpid(), SIGUSR2));
    pthread_join(thread, &value);
    printf("waiting: %d\n", (int)(intptr_t)value);
    // A directed signal stays with its thread, a process-wide one is pending for all.
    SHOW(pthread_kill(pthread_self(), SIGUSR1));
    sigpending(&pending);
    printf("pending USR1 %d\n", sigismember(&pending, SIGUSR1));
    IN_CHILD("pending signals are not inherited", sigpending(&pending);
             printf("child: %d\n", sigismember(&pending, SIGUSR1)));
    handled = 0;
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    printf("handled %d, by the other %d\n", handled, handled_by_thread);
    // Only the thread with the signal unblocked runs the handler.
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    start(sleeps, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sleep_ms(20);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, &value);
    printf("unblocked thread: %d %s\n", handled_by_thread, error_name((int)(intptr_t)value));
    // Many signals at a busy thread.
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    handled = 0;
    for (int i = 0; i < 500; i++)
        raise(SIGUSR1);
    printf("handled %d\n", handled);
    return 0;
}
