// variants: dynamic static
// System V shared memory: one segment in several processes, attaching, removal, permissions, errors.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/shm.h>

static struct shmid_ds ds;

static void state(const char *what, int id)
{
    if (shmctl(id, IPC_STAT, &ds) == -1) {
        printf("%s: %s\n", what, error_name(errno));
        return;
    }
    printf("%s: mode %o size %zu attached %lu own %d\n", what, ds.shm_perm.mode, ds.shm_segsz, ds.shm_nattch,
           ds.shm_cpid == getpid());
}

static void wait_all(void)
{
    int status;
    while (wait(&status) > 0)
        show_status("child", status);
}

// Counts up in memory that a child adds to as well.
static void coherent(int id)
{
    _Atomic int *n = shmat(id, NULL, 0);
    state("attached", id);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            for (int j = 0; j < 1000; j++)
                ++*n;
            _exit(0);
        }
    }
    wait_all();
    printf("sum %d\n", *n);
    int *again = shmat(id, NULL, 0);
    printf("seen at a second place: %d, different %d\n", *again, (void *)again != (void *)n);
    state("twice", id);
    if (fork() == 0) {
        state("in a child", id);
        SHOW(shmdt(again));
        state("less one", id);
        execl("/proc/self/exe", "x", "executed", NULL);
        _exit(1);
    }
    wait_all();
    state("back", id);
    SHOW(shmdt(again));
    SHOW(shmdt(again));
    SHOW(shmdt((char *)n + 4096));
    SHOW(shmdt((char *)n + 1));
    state("one", id);
    SHOW(shmdt((void *)n));
}

static void places(int id)
{
    char *hole = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK(shmat(id, hole, 0) == (void *)-1 ? -1 : 0);
    munmap(hole, 1 << 20);
    TRUTH(shmat(id, hole, 0) == hole);
    strcpy(hole, "here");
    OK(shmat(id, hole + 100, 0) == (void *)-1 ? -1 : 0);
    TRUTH(shmat(id, hole + 65536 + 100, SHM_RND | SHM_RDONLY) == hole + 65536);
    printf("%s\n", hole + 65536);
    SHOW(mprotect(hole + 65536, 4096, PROT_READ | PROT_WRITE));
    OK(shmat(id, NULL, SHM_REMAP) == (void *)-1 ? -1 : 0);
    TRUTH(shmat(id, hole, SHM_REMAP) == hole);
    printf("%s\n", hole);
    int pipefd[2];
    pipe(pipefd);
    SHOW(write(pipefd[1], hole + 65536, 5)); // the kernel reads it
    SHOW(read(pipefd[0], hole + 20, 5));
    printf("%s\n", hole + 65536 + 20);
    SHOW(shmdt(hole));
    SHOW(shmdt(hole + 65536));
    state("after places", id);
}

static void removal(void)
{
    int id = shmget(IPC_PRIVATE, 5000, 0600);
    char *a = shmat(id, NULL, 0);
    SHOW(shmctl(id, IPC_RMID, NULL));
    state("removed, still attached", id);
    printf("key is private: %d\n", ds.shm_perm.__key == IPC_PRIVATE);
    char *b = shmat(id, NULL, 0);
    strcpy(a, "lives");
    printf("%s\n", b);
    SHOW(shmdt(b));
    SHOW(shmdt(a));
    state("gone", id);
    OK(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
    id = shmget(IPC_PRIVATE, 5000, 0600);
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, IPC_RMID, NULL));
}

static void *attaches(void *argument)
{
    int id = *(int *)argument;
    for (int i = 0; i < 50; i++) {
        int *p = shmat(id, NULL, 0);
        if (p == (void *)-1 || *p != 4711 || shmdt(p) == -1)
            return "bad";
    }
    return NULL;
}

static void threads(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    int *p = shmat(id, NULL, 0);
    *p = 4711;
    pthread_t t[4];
    void *result;
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, attaches, &id);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &result);
        printf("thread: %s\n", result ? (char *)result : "good");
    }
    state("after threads", id);
    shmctl(id, IPC_RMID, NULL);
}

static void permissions(key_t key, int id)
{
    SHOW(shmget(key, 100, 0600) == id);
    SHOW(shmget(key, 0, 0) == id);
    OK(shmget(key, 1 << 20, 0600));
    OK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
    OK(shmget(key + 1, 100, 0600));
    OK(shmget(IPC_PRIVATE, 0, 0600));
    OK(shmget(IPC_PRIVATE, (size_t)-1, 0600));
    ds.shm_perm.mode = 0;
    ds.shm_perm.uid = getuid();
    ds.shm_perm.gid = getgid();
    SHOW(shmctl(id, IPC_SET, &ds));
    if (fork() == 0) {
        if (getuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(1);
        OK(shmget(key, 100, 0600));
        OK(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
        OK(shmctl(id, IPC_STAT, &ds));
        exit(0);
    }
    wait_all();
    SHOW(shmctl(-1, IPC_STAT, &ds));
    SHOW(shmctl(id, 77, &ds));
    SHOW(shmctl(id, IPC_SET, (void *)8));
    OK(shmat(-1, NULL, 0) == (void *)-1 ? -1 : 0);
}

// Native runs share the host's keys with whatever else runs there.
static key_t random_key(key_t base)
{
    unsigned low = 0;
    getrandom(&low, 3, 0);
    return base | (key_t)low;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        printf("%s\n", argv[1]);
        return 0;
    }
    key_t key = random_key(0x53000000);
    int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640);
    state("made", id);
    coherent(id);
    places(id);
    permissions(key, id);
    SHOW(shmctl(id, IPC_RMID, NULL));
    OK(shmget(key, 100, 0600));
    removal();
    threads();
    struct shminfo info;
    TRUTH(shmctl(0, IPC_INFO, (struct shmid_ds *)&info) >= 0);
    printf("min %lu\n", info.shmmin);
    return 0;
}
