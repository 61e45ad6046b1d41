// variants: dynamic static
// System V objects belong to an IPC namespace: unshare(2), clone(2), setns(2), limits, undo, and the namespace's end.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY 0x5e17a11

static int shm, sem, msg;

static void make(void)
{
    OK(shm = shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0600));
    OK(sem = semget(KEY, 2, IPC_CREAT | IPC_EXCL | 0600));
    OK(msg = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));
}

static void look(const char *where)
{
    printf("-- %s\n", where);
    OK(shmget(KEY, 0, 0));
    OK(semget(KEY, 0, 0));
    OK(msgget(KEY, 0));
}

// Lines of a file of /proc/sysvipc, its head apart.
static int rows(const char *file)
{
    char text[8192];
    int fd = open(file, O_RDONLY), lines = -1;
    ssize_t n = read(fd, text, sizeof(text));
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    close(fd);
    return lines;
}

static void show_rows(void)
{
    SHOW(rows("/proc/sysvipc/shm"));
    SHOW(rows("/proc/sysvipc/sem"));
    SHOW(rows("/proc/sysvipc/msg"));
}

static void child_of_its_own(void)
{
    SHOW(unshare(CLONE_NEWIPC));
    look("in a fresh namespace");
    struct shmid_ds sd;
    SHOW(shmctl(shm, IPC_STAT, &sd));
    SHOW(semctl(sem, 0, GETVAL));
    SHOW(msgctl(msg, IPC_RMID, NULL));
    show_rows();
    make();
    show_rows();
    SHOW(semctl(sem, 0, GETVAL));
    SHOW(semctl(sem, 0, SETVAL, 7));
    // A segment that stays attached outlives its namespace.
    char *at = shmat(shm, NULL, 0);
    strcpy(at, "still here");
    SHOW(unshare(CLONE_NEWIPC));
    look("after another unshare");
    printf("%s\n", at);
    SHOW(shmctl(shm, IPC_STAT, &sd));
    IN_CHILD("inherits the attachment", printf("%s\n", at));
    SHOW(shmdt(at));
}

static void undo_at_unshare(int outer)
{
    struct sembuf up = {0, 3, SEM_UNDO};
    SHOW(semop(sem, &up, 1));
    SHOW(semctl(sem, 0, GETVAL));
    SHOW(unshare(CLONE_NEWIPC));
    SHOW(setns(outer, CLONE_NEWIPC));
    SHOW(semctl(sem, 0, GETVAL));
}

static void enter_and_leave(int outer)
{
    SHOW(unshare(CLONE_NEWIPC));
    make();
    int inner = open("/proc/self/ns/ipc", O_RDONLY);
    SHOW(semctl(sem, 1, SETVAL, 5));
    SHOW(setns(outer, CLONE_NEWIPC));
    look("back outside");
    SHOW(semctl(semget(KEY, 0, 0), 1, GETVAL));
    SHOW(setns(inner, CLONE_NEWIPC));
    SHOW(semctl(semget(KEY, 0, 0), 1, GETVAL));
    SHOW(setns(inner, CLONE_NEWUTS));
    close(inner);
}

static void limits(void)
{
    SHOW(unshare(CLONE_NEWIPC));
    show_file("/proc/sys/kernel/msgmni");
    show_file("/proc/sys/kernel/sem");
    show_file("/proc/sys/kernel/shmmni");
}

static int cloned(void *unused)
{
    look("in a clone with CLONE_NEWIPC");
    fflush(stdout);
    return 0;
}

int main(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    int status;
    become_root();
    SHOW(unshare(CLONE_NEWIPC));
    make();
    int outer = open("/proc/self/ns/ipc", O_RDONLY);
    IN_CHILD("own namespace", child_of_its_own());
    IN_CHILD("undo", undo_at_unshare(outer));
    IN_CHILD("setns", enter_and_leave(outer));
    IN_CHILD("limits", limits());
    fflush(stdout);
    pid_t pid = clone(cloned, stack + sizeof(stack), CLONE_NEWIPC | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    show_status("clone", status);
    SHOW(clone(cloned, stack + sizeof(stack), CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, NULL));
    look("in the first one");
    show_rows();
    SHOW(shmctl(shm, IPC_RMID, NULL));
    SHOW(semctl(sem, 0, IPC_RMID));
    SHOW(msgctl(msg, IPC_RMID, NULL));
    return 0;
}
