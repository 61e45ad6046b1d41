// Who inherits orphans: the nearest sub-reaper; and the parent-death signal.
#include "guest.h"
#include <sys/prctl.h>

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int flag = -1;
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &flag));
    printf("sub-reaper at start: %d\n", flag);
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &flag));
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, (void *)8));
    printf("sub-reaper now: %d\n", flag);

    pid_t self = getpid();
    int ready[2];
    pipe(ready);
    pid_t child = fork();
    if (child == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            while (getppid() == parent)
                sleep_ms(1);
            char ok = getppid() == self;
            write(ready[1], &ok, 1);
            _exit(21);
        }
        _exit(20);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
    char ok = 0;
    read(ready[0], &ok, 1);
    printf("orphan sees the sub-reaper as parent: %d\n", ok);
    TRUTH(wait(&status) > 0);
    show_status("orphan", status);

    // The parent-death signal.
    child = fork();
    if (child == 0) {
        int told[2];
        pipe(told);
        if (fork() == 0) {
            int sig = 0;
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            prctl(PR_GET_PDEATHSIG, &sig);
            printf("parent-death signal %d\n", sig);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            write(told[1], "x", 1);
            int got = 0;
            sigwait(&set, &got);
            printf("got signal %d\n", got);
            _exit(22);
        }
        char byte;
        read(told[0], &byte, 1);
        _exit(0);
    }
    waitpid(child, &status, 0);
    TRUTH(wait(&status) > 0);
    show_status("told of its parent's death", status);
    SHOW(prctl(PR_SET_PDEATHSIG, 100));
    SHOW(wait(NULL));
    return 0;
}
