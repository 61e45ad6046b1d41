// Threads: identity, what they share, how they and the process end.
#include "guest.h"
#include <sys/prctl.h>

static int counter;
static __thread int local = 5;
static pthread_barrier_t barrier;

static void *identity(void *argument)
{
    pid_t *tid = argument;
    *tid = syscall(SYS_gettid);
    local++;
    pthread_barrier_wait(&barrier);
    return (void *)(intptr_t)local;
}

static void *exits_process(void *argument)
{
    exit(41);
}

static void *exits_thread(void *argument)
{
    sleep_ms(20);
    _exit(42);
}

static void *waits_for_main(void *argument)
{
    sleep_ms(50);
    printf("after the main thread\n");
    fflush(stdout);
    return NULL;
}

static void *forks(void *argument)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(syscall(SYS_gettid) == getpid() ? 43 : 1);
    waitpid(pid, &status, 0);
    show_status("fork by a thread", status);
    return NULL;
}

static void *waits_for_other(void *argument)
{
    int status;
    pid_t pid = *(pid_t *)argument;
    printf("thread waits for main's child: %d\n", waitpid(pid, &status, 0) == pid);
    pid = syscall(SYS_gettid);
    SHOW(waitpid(-1, &status, __WNOTHREAD));
    return NULL;
}

static void *names(void *argument)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    printf("inherits the name %s\n", name);
    SHOW(prctl(PR_SET_NAME, "a name longer than fifteen"));
    prctl(PR_GET_NAME, name);
    printf("now %s\n", name);
    return NULL;
}

static void *cancelled(void *argument)
{
    for (;;)
        pause();
}

static void *adds(void *argument)
{
    for (int i = 0; i < 1000; i++)
        __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t threads[16];
    pid_t tids[16];
    pthread_barrier_init(&barrier, NULL, 17);
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, identity, &tids[i]);
    pthread_barrier_wait(&barrier);
    int distinct = 1, sum = 0;
    for (int i = 0; i < 16; i++) {
        void *value;
        pthread_join(threads[i], &value);
        sum += (int)(intptr_t)value;
        for (int j = 0; j < i; j++)
            distinct &= tids[i] != tids[j];
        distinct &= tids[i] != getpid();
    }
    printf("distinct ids %d, sum of thread-locals %d, own %d\n", distinct, sum, local);

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 16; i++)
            pthread_create(&threads[i], NULL, adds, NULL);
        for (int i = 0; i < 16; i++)
            pthread_join(threads[i], NULL);
    }
    printf("counter %d\n", counter);

    pthread_create(&threads[0], NULL, forks, NULL);
    pthread_join(threads[0], NULL);
    prctl(PR_SET_NAME, "main-name");
    pthread_create(&threads[0], NULL, names, NULL);
    pthread_join(threads[0], NULL);
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    printf("main is still %s\n", name);
    SHOW(prctl(PR_SET_NAME, (char *)8));
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    pthread_create(&threads[0], NULL, waits_for_other, &pid);
    pthread_join(threads[0], NULL);
    pthread_create(&threads[0], NULL, cancelled, NULL);
    pthread_cancel(threads[0]);
    void *value;
    pthread_join(threads[0], &value);
    TRUTH(value == PTHREAD_CANCELED);

    IN_CHILD("exit by a thread", pthread_create(&threads[0], NULL, exits_process, NULL); for (;;) pause());
    IN_CHILD("exit_group by a thread", pthread_create(&threads[0], NULL, exits_thread, NULL);
             pthread_join(threads[0], NULL));
    IN_CHILD("main thread ends first", pthread_create(&threads[0], NULL, waits_for_main, NULL);
             pthread_exit(NULL));
    IN_CHILD("killed with threads",
             for (int i = 0; i < 5; i++) pthread_create(&threads[i], NULL, cancelled, NULL);
             kill(getpid(), SIGTERM); pause());
    SHOW(syscall(SYS_tgkill, getpid(), 999999, 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0));
    SHOW(syscall(SYS_tgkill, 1 << 30, getpid(), 0));
    SHOW(syscall(SYS_tgkill, -1, getpid(), 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 200));
    SHOW(syscall(SYS_tkill, 0, 0));
    SHOW(syscall(SYS_tkill, getpid(), 0));
    return 0;
}
