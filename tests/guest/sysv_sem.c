// variants: dynamic static
// System V semaphores: operations all or none, waiting, SEM_UNDO, removal while waited for, errors.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>

union arg {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static int id;

static int op(int num, int value, int flags)
{
    struct sembuf o = {num, value, flags};
    return semop(id, &o, 1);
}

static int get(int num)
{
    return semctl(id, num, GETVAL);
}

static int set(int num, int value)
{
    return semctl(id, num, SETVAL, (union arg){.val = value});
}

static void wait_all(void)
{
    int status;
    while (wait(&status) > 0)
        show_status("child", status);
}

// Until `want` operations wait for semaphore `num`.
static void wait_for_waiters(int num, int command, int want)
{
    while (semctl(id, num, command) != want)
        sched_yield();
}

static void atomic(void)
{
    struct sembuf two[2] = {{0, -1, IPC_NOWAIT}, {1, -1, IPC_NOWAIT}};
    set(0, 1);
    SHOW(semop(id, two, 2));
    printf("%d %d\n", get(0), get(1));
    set(1, 1);
    SHOW(semop(id, two, 2));
    printf("%d %d\n", get(0), get(1));
    struct sembuf zero[2] = {{0, 0, 0}, {0, 5, 0}};
    SHOW(semop(id, zero, 2));
    SHOW(get(0));
    SHOW(op(0, 0, IPC_NOWAIT));
    SHOW(op(0, 32767, 0));
    SHOW(get(0));
    SHOW(semctl(id, 0, GETPID) == getpid());
    struct timespec soon = {0, 20000000};
    two[0].sem_flg = two[1].sem_flg = 0;
    set(1, 0);
    SHOW(semtimedop(id, two, 2, &soon));
    soon.tv_nsec = 2000000000;
    SHOW(semtimedop(id, two, 2, &soon));
}

static void waiting(void)
{
    set(0, 0);
    set(1, 3);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            _exit(op(0, -1, 0));
    if (fork() == 0)
        _exit(op(1, 0, 0));
    wait_for_waiters(0, GETNCNT, 3);
    wait_for_waiters(1, GETZCNT, 1);
    printf("for zero of the first %d\n", semctl(id, 0, GETZCNT));
    op(0, 2, 0);
    wait_for_waiters(0, GETNCNT, 1);
    printf("left %d\n", get(0));
    op(1, -3, 0);
    op(0, 1, 0);
    wait_all();
    printf("left %d %d\n", get(0), get(1));
}

static void undo(void)
{
    set(0, 10);
    if (fork() == 0) {
        SHOW(op(0, -4, SEM_UNDO));
        SHOW(op(0, 1, SEM_UNDO));
        SHOW(get(0));
        fflush(stdout);
        if (fork() == 0) // a child has nothing to undo
            _exit(op(0, -1, 0));
        wait_all();
        kill(getpid(), SIGKILL);
    }
    wait_all();
    SHOW(get(0));
    if (fork() == 0) {
        op(0, -4, SEM_UNDO);
        set(0, 2); // which takes the adjustment away
        _exit(0);
    }
    wait_all();
    SHOW(get(0));
    // What an end gives back lets another go on.
    set(0, 0);
    op(0, 1, 0);
    int hold[2];
    pipe(hold);
    if (fork() == 0) {
        char c;
        op(0, -1, SEM_UNDO);
        close(hold[1]);
        read(hold[0], &c, 1);
        _exit(7);
    }
    while (get(0) != 0)
        sched_yield();
    if (fork() == 0) {
        close(hold[1]);
        _exit(op(0, -1, 0));
    }
    wait_for_waiters(0, GETNCNT, 1);
    close(hold[0]);
    close(hold[1]);
    int status, sum = 0;
    while (wait(&status) > 0)
        sum += WEXITSTATUS(status);
    printf("sum of the ends %d, left %d\n", sum, get(0));
}

static void caught(int signal)
{
    (void)signal;
}

static void interrupted(void)
{
    set(0, 0);
    int first[2];
    char c;
    pipe(first);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        SHOW(op(0, -1, 0));
        write(first[1], "x", 1);
        SHOW(op(0, -1, 0));
        exit(0);
    }
    wait_for_waiters(0, GETNCNT, 1);
    kill(child, SIGUSR1);
    read(first[0], &c, 1);
    wait_for_waiters(0, GETNCNT, 1);
    int gone = semctl(id, 0, IPC_RMID);
    wait_all();
    SHOW(gone);
}

static void errors(key_t key)
{
    struct sembuf many[501] = {{0, 0, 0}};
    struct semid_ds ds;
    unsigned short values[3] = {1, 2, 3};
    OK(semget(key, 4, 0600));
    SHOW(semget(key, 2, 0600) == id);
    OK(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
    OK(semget(key + 1, 3, 0600));
    OK(semget(IPC_PRIVATE, 0, 0600));
    OK(semget(IPC_PRIVATE, -1, 0600));
    SHOW(op(3, 1, 0));
    SHOW(semop(id, many, 501));
    SHOW(semop(id, many, 0));
    SHOW(semop(id, (void *)8, 1));
    SHOW(semop(-1, many, 1));
    many[0].sem_op = 1;
    SHOW(syscall(SYS_semop, id, many, 1));
    SHOW(syscall(SYS_semop, id, many, 501));
    SHOW(set(0, -1));
    SHOW(set(0, 32768));
    SHOW(set(3, 1));
    SHOW(get(3));
    SHOW(semctl(id, 0, SETALL, (union arg){.array = values}));
    memset(values, 0, sizeof(values));
    SHOW(semctl(id, 0, GETALL, (union arg){.array = values}));
    printf("%d %d %d\n", values[0], values[1], values[2]);
    values[1] = 40000;
    SHOW(semctl(id, 0, SETALL, (union arg){.array = values}));
    SHOW(semctl(id, 0, GETALL, (union arg){.array = (void *)8}));
    SHOW(semctl(id, 0, 77));
    SHOW(semctl(id, 0, IPC_STAT, (union arg){.buf = &ds}));
    printf("mode %o, %lu semaphores, operated %d\n", ds.sem_perm.mode, ds.sem_nsems, ds.sem_otime != 0);
    ds.sem_perm.mode = 0400;
    SHOW(semctl(id, 0, IPC_SET, (union arg){.buf = &ds}));
    if (fork() == 0) {
        if (getuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(1);
        SHOW(op(0, 1, 0));
        SHOW(getuid() == 65534 ? semctl(id, 0, IPC_RMID) : (errno = EPERM, -1));
        exit(0);
    }
    wait_all();
    ds.sem_perm.mode = 0600;
    SHOW(semctl(id, 0, IPC_SET, (union arg){.buf = &ds}));
}

// Native runs share the host's keys with whatever else runs there.
static key_t random_key(key_t base)
{
    unsigned low = 0;
    getrandom(&low, 3, 0);
    return base | (key_t)low;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    key_t key = random_key(0x54000000);
    id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
    TRUTH(id >= 0);
    errors(key);
    atomic();
    waiting();
    undo();
    interrupted();
    SHOW(get(0));
    return 0;
}
