// Futexes with an owner: priority inheritance, robust lists, mutexes whose owner died; several at once (futex_waitv).
#include "guest.h"
#include <linux/futex.h>

struct waitv {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
};

static uint32_t word;

static long futex(uint32_t *addr, int op, uint32_t val, const struct timespec *timeout)
{
    return syscall(SYS_futex, addr, op, val, timeout, NULL, 0);
}

static uint32_t self(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

static bool locked_well;
static void *locks_then_sleeps(void *arg)
{
    long r = futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
    locked_well = r == 0 && (word & FUTEX_TID_MASK) == self();
    sleep_ms(60);
    locked_well = locked_well && futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0;
    return NULL;
}

static void *dies_with_lock(void *arg)
{
    futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
    return NULL;
}

static void inheritance(void)
{
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
    TRUTH(word == self());
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL)); // EDEADLK
    SHOW(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL));
    SHOW(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
    TRUTH(word == 0);
    SHOW(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
    word = 0x3ffffff0; // nobody
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
    word = 0;
    SHOW(futex((uint32_t *)unmapped_address(), FUTEX_LOCK_PI_PRIVATE, 0, NULL));
    SHOW(futex((uint32_t *)((char *)&word + 1), FUTEX_LOCK_PI_PRIVATE, 0, NULL));
    pthread_t thread;
    pthread_create(&thread, NULL, locks_then_sleeps, NULL);
    while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
        sched_yield();
    SHOW(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL));
    struct timespec past = {1, 0};
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &past));
    pthread_join(thread, NULL);
    TRUTH(locked_well);
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
    SHOW(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
    pthread_create(&thread, NULL, dies_with_lock, NULL);
    pthread_join(thread, NULL);
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL)); // its owner is gone
    word = 0;
}

static void pi_mutexes(void)
{
    pthread_mutexattr_t a;
    pthread_mutex_t m;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    SHOW(pthread_mutex_init(&m, &a));
    SHOW(pthread_mutex_lock(&m));
    SHOW(pthread_mutex_lock(&m));
    SHOW(pthread_mutex_unlock(&m));
    SHOW(pthread_mutex_unlock(&m));
}

static pthread_mutex_t *shared_mutex(int protocol)
{
    pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&a, protocol);
    pthread_mutex_init(m, &a);
    return m;
}

static void *dies_robustly(void *m)
{
    pthread_mutex_lock(m);
    return NULL;
}

static void robust(int protocol)
{
    pthread_mutex_t *m = shared_mutex(protocol);
    // A process that ends, one that is killed, one that executes another program, and a thread.
    for (int way = 0; way < 4; way++) {
        fflush(stdout);
        if (way == 3) {
            pthread_t thread;
            pthread_create(&thread, NULL, dies_robustly, m);
            pthread_join(thread, NULL);
        } else {
            pid_t pid = fork();
            if (pid == 0) {
                pthread_mutex_lock(m);
                if (way == 1)
                    raise(SIGKILL);
                if (way == 2)
                    execl("./prog", "prog", "nothing", NULL);
                _exit(0);
            }
            waitpid(pid, NULL, 0);
        }
        int r = pthread_mutex_lock(m);
        printf("way %d: lock %s", way, r ? error_name(r) : "ok");
        printf(", consistent %d", pthread_mutex_consistent(m));
        printf(", unlock %d\n", pthread_mutex_unlock(m));
    }
    // Somebody waits when the owner is killed.
    int ready[2];
    char c;
    if (pipe(ready))
        return;
    fflush(stdout);
    pid_t owner = fork();
    if (owner == 0) {
        pthread_mutex_lock(m);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    if (read(ready[0], &c, 1) != 1)
        return;
    fflush(stdout);
    pid_t killer = fork();
    if (killer == 0) {
        sleep_ms(50);
        kill(owner, SIGKILL);
        _exit(0);
    }
    int r = pthread_mutex_lock(m);
    printf("waited: %s\n", r ? error_name(r) : "ok");
    pthread_mutex_unlock(m); // not made consistent
    r = pthread_mutex_lock(m);
    printf("then: %s\n", r ? error_name(r) : "ok");
    waitpid(owner, NULL, 0);
    waitpid(killer, NULL, 0);
}

static uint32_t words[3];
static void *wakes_second(void *arg)
{
    sleep_ms(50);
    __atomic_store_n(&words[1], 1, __ATOMIC_SEQ_CST);
    while (futex(&words[1], FUTEX_WAKE_PRIVATE, 1, NULL) == 0)
        sched_yield();
    return NULL;
}

static long waitv(struct waitv *v, unsigned n, unsigned flags, struct timespec *t, int clock)
{
    return syscall(449, v, n, flags, t, clock);
}

static void several(void)
{
    struct waitv v[3];
    for (int i = 0; i < 3; i++)
        v[i] = (struct waitv){0, (uint64_t)(uintptr_t)&words[i], 2 | FUTEX_PRIVATE_FLAG, 0};
    SHOW(waitv(v, 0, 0, NULL, 0));
    SHOW(waitv(v, 129, 0, NULL, 0));
    SHOW(waitv(v, 3, 1, NULL, 0));
    SHOW(waitv(NULL, 3, 0, NULL, 0));
    words[2] = 5;
    SHOW(waitv(v, 3, 0, NULL, 0));
    words[2] = 0;
    struct timespec soon;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000)
        soon.tv_sec++, soon.tv_nsec -= 1000000000;
    SHOW(waitv(v, 3, 0, &soon, CLOCK_MONOTONIC));
    pthread_t thread;
    pthread_create(&thread, NULL, wakes_second, NULL);
    long r = waitv(v, 3, 0, NULL, 0);
    printf("woken: %ld\n", r);
    pthread_join(thread, NULL);
    v[0].reserved = 1;
    SHOW(waitv(v, 3, 0, NULL, 0));
}

static volatile int alarms;
static void on_alarm(int sig)
{
    alarms++;
}

// A signal ends a wait or restarts it.
static void interrupted(void)
{
    uint32_t zero = 0;
    struct itimerspec once = {.it_value = {0, 30000000}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    timer_settime(timer, 0, &once, NULL);
    SHOW(futex(&zero, FUTEX_WAIT_PRIVATE, 0, NULL));
    timer_settime(timer, 0, &once, NULL);
    struct waitv v = {0, (uint64_t)(uintptr_t)&zero, 2 | FUTEX_PRIVATE_FLAG, 0};
    SHOW(waitv(&v, 1, 0, NULL, 0));
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, NULL);
    timer_settime(timer, 0, &once, NULL);
    struct timespec soon;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_sec++;
    SHOW(syscall(SYS_futex, &zero, FUTEX_WAIT_BITSET_PRIVATE, 0, &soon, NULL, ~0u));
    printf("alarms: %d\n", alarms);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    inheritance();
    pi_mutexes();
    robust(PTHREAD_PRIO_NONE);
    robust(PTHREAD_PRIO_INHERIT);
    several();
    interrupted();
    return 0;
}
