// variants: dynamic musl-static
// Children killed in the middle of fork, vfork, exec and thread creation; nothing of them remains, and who waits learns it.
#include "guest.h"
#include <spawn.h>
#include <sys/prctl.h>

enum { ROUNDS = 80 };

static void *nothing(void *argument)
{
    return argument;
}

static _Noreturn void forks(void)
{
    for (;;) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid > 0)
            waitpid(pid, NULL, 0);
    }
}

static _Noreturn void spawns(void)
{
    char *const argv[] = {"prog", "true", NULL};
    extern char **environ;
    for (;;) {
        pid_t pid;
        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0)
            waitpid(pid, NULL, 0);
    }
}

static _Noreturn void executes(void)
{
    char *const argv[] = {"prog", "again", NULL};
    execv("/proc/self/exe", argv);
    _exit(1);
}

static _Noreturn void makes_threads(void)
{
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) == 0)
            pthread_join(thread, NULL);
    }
}

static _Noreturn void forks_deep(void)
{
    for (;;) {
        pid_t pid = fork();
        if (pid > 0) {
            waitpid(pid, NULL, 0);
            _exit(0);
        }
    }
}

int main(int argc, char **argv)
{
    static void (*const kinds[])(void) = {forks, spawns, executes, makes_threads, forks_deep};
    if (argc > 1 && !strcmp(argv[1], "true"))
        return 0;
    if (argc > 1)
        executes();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            kinds[i % 5]();
        }
        setpgid(pid, pid);
        usleep(200 + (unsigned)(i * 211) % 5000);
        if (i % 5 == 4)
            kill(-pid, SIGSTOP); // a chain that grows is caught first
        kill(i % 2 ? -pid : pid, SIGKILL);
        int status = -1;
        if (waitpid(pid, &status, 0) != pid || status != SIGKILL) {
            printf("round %d: status %x\n", i, (unsigned)status);
            wrong++;
        }
        kill(-pid, SIGKILL); // the rest of its group, now ours
        while (waitpid(-pid, NULL, 0) > 0)
            kill(-pid, SIGKILL);
        if (kill(-pid, 0) != -1 || errno != ESRCH)
            wrong++;
    }
    show_value("children left", waitpid(-1, NULL, WNOHANG));
    printf("wrong: %d\n", wrong);
    return 0;
}
