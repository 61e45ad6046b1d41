// A guest that misbehaves: only it suffers, the same way as on Linux where Linux has an answer.
#include "guest.h"
#include <sys/resource.h>

static volatile int stop;
static char path[64] = "/usr";

static void *flips(void *argument)
{
    while (!stop) {
        path[0] = '/';
        path[0] = 'x';
        path[0] = 0;
    }
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    // Arguments that another thread changes meanwhile: an answer, or a plain error.
    pthread_t thread;
    pthread_create(&thread, NULL, flips, NULL);
    int odd = 0;
    struct stat st;
    for (int i = 0; i < 3000; i++)
        if (stat(path, &st) == -1 && errno != ENOENT)
            odd++;
    stop = 1;
    pthread_join(thread, NULL);
    printf("odd errors %d\n", odd);
    // Every descriptor is closed; the process goes on and ends as it likes.
    IN_CHILD("closes everything", for (int i = 0; i < 1024; i++) close(i);
             _exit(open("/dev/null", O_RDONLY) == 0 ? 5 : 6));
    IN_CHILD("closes a range", syscall(SYS_close_range, 0, ~0U, 0);
             _exit(open("/dev/null", O_RDONLY) == 0 ? 5 : 6));
    // Calls that do not exist, and numbers of other interfaces.
    long numbers[] = {470, 511, 512, 600, 1023, 9999, 100000, 0x40000000, 0x40000001, -1, -2, 0x7fffffff};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        printf("call %ld: %s\n", numbers[i],
               syscall(numbers[i], 0, 0, 0, 0, 0, 0) == -1 ? error_name(errno) : "ok");
    // Unmaps everything it does not need, then itself.
    IN_CHILD("unmaps its code", munmap((void *)((uintptr_t)main & -4096UL), 4096); _exit(0));
    // A deep recursion ends with SIGSEGV.
    // A stack pointer that points nowhere: the fault cannot be delivered.
    IN_CHILD("no stack", __asm__ volatile("mov $8, %%rsp; push %%rax" : : : "memory"));
    IN_CHILD("system call without a stack",
             __asm__ volatile("mov $8, %%rsp; mov $39, %%eax; syscall; mov $60, %%eax; "
                              "mov $7, %%edi; syscall"
                              :
                              :
                              : "memory"));
    // A bad return from a signal handler.
    IN_CHILD("rt_sigreturn with a bad frame", __asm__ volatile("mov $8, %%rsp; mov $15, %%eax; syscall"
                                                               :
                                                               :
                                                               : "memory"));
    IN_CHILD("rt_sigreturn out of nowhere", syscall(SYS_rt_sigreturn); _exit(3));
    // Privileged instructions.
    IN_CHILD("hlt", __asm__ volatile("hlt"));
    IN_CHILD("cli", __asm__ volatile("cli"));
    IN_CHILD("port", __asm__ volatile("outb %%al, $0x80" : : "a"(0)));
    // A fork bomb of limited size.
    struct rlimit limit;
    getrlimit(RLIMIT_NPROC, &limit);
    static pid_t children[100];
    int made = 0;
    for (; made < 100; made++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0)
            pause();
        children[made] = pid;
    }
    printf("children %d\n", made);
    int reaped = 0;
    for (int i = 0; i < made; i++) {
        kill(children[i], SIGKILL);
        reaped += waitpid(children[i], NULL, 0) == children[i];
    }
    printf("reaped %d\n", reaped);
    // Ends with many children left behind.
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            close(0);
            close(1);
            close(2);
            pause();
        }
    return 0;
}
