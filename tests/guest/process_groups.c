// Process groups and sessions.
#include "guest.h"

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t leader = fork();
    if (leader == 0) {
        TRUTH(setsid() == getpid());
        TRUTH(getpgrp() == getpid());
        TRUTH(getsid(0) == getpid());
        TRUTH(getpgid(0) == getpid());
        TRUTH(syscall(SYS_getpgrp) == getpid());
        SHOW(setsid());
        SHOW(setpgid(0, 0));
        SHOW(setpgid(0, -1));
        SHOW(setpgid(-1, 0));
        SHOW(getpgid(-1));
        SHOW(getpgid(999999));
        SHOW(getsid(999999));
        SHOW(setpgid(999999, 0));
        SHOW(open("/dev/tty", O_RDWR));
        int go[2], ready[2];
        pipe(go);
        pipe(ready);
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                char byte;
                close(go[1]);
                write(ready[1], "x", 1);
                read(go[0], &byte, 1);
                _exit(getpgrp() == getpid() ? 1 : 2);
            }
        }
        char bytes[3];
        for (int i = 0; i < 3; i++)
            read(ready[0], bytes, 1);
        SHOW(setpgid(pids[0], pids[0]));
        SHOW(setpgid(pids[1], pids[0]));
        TRUTH(getpgid(pids[1]) == pids[0]);
        SHOW(setpgid(pids[2], 999999));
        TRUTH(getsid(pids[2]) == getpid());
        SHOW(kill(-pids[0], 0));
        SHOW(kill(-pids[0], SIGTERM));
        int status;
        waitpid(pids[0], &status, 0);
        show_status("first of the group", status);
        waitpid(pids[1], &status, 0);
        show_status("second of the group", status);
        SHOW(kill(-pids[0], 0));
        close(go[1]);
        waitpid(pids[2], &status, 0);
        show_status("outside of the group", status);
        // A child that has called execve can no longer be moved.
        pid_t child = fork();
        if (child == 0) {
            char *argv[] = {"sleep", "20", NULL};
            execve("/bin/sleep", argv, environ);
            _exit(1);
        }
        for (int i = 0; i < 2000 && setpgid(child, child) == 0; i++)
            sleep_ms(1);
        SHOW(setpgid(child, 0));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        show_status("sleep", status);
        // A member of another session cannot be moved.
        child = fork();
        if (child == 0) {
            setsid();
            write(ready[1], "x", 1);
            pause();
        }
        read(ready[0], bytes, 1);
        SHOW(setpgid(child, 0));
        TRUTH(getsid(child) == child);
        kill(child, SIGTERM);
        waitpid(child, &status, 0);
        show_status("other session", status);
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(leader, &status, 0);
    show_status("leader", status);
    return 0;
}
