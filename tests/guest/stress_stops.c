// variants: dynamic musl-static
// Processes that are stopped and continued again and again while they talk over pipes, make threads and children: none
// stays stopped, nothing is lost, and each stop and continue is told to the parent.
#include "guest.h"

enum { STORMS = 150 };

static void *nothing(void *argument)
{
    return argument;
}

static _Noreturn void echoes(int in, int out)
{
    for (;;) {
        int value;
        ssize_t n = read(in, &value, sizeof(value));
        if (n != sizeof(value))
            _exit(n == 0 ? 0 : 1);
        if (value % 16 == 0) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(0);
            waitpid(pid, NULL, 0);
        }
        if (value % 8 == 1) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
                _exit(2);
        }
        if (write(out, &value, sizeof(value)) != sizeof(value))
            _exit(3);
    }
}

int main(void)
{
    int there[2], back[2], wrong = 0, sent = 0;
    if (pipe(there) || pipe(back))
        return 1;
    pid_t child = fork();
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        echoes(there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    for (int i = 0; i < STORMS; i++) {
        if (write(there[1], &sent, sizeof(sent)) != sizeof(sent))
            wrong++;
        usleep((unsigned)(i * 37) % 600);
        int status = 0;
        kill(child, SIGSTOP);
        if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
            wrong++;
        if (i % 3 == 0)
            usleep(200);
        kill(child, SIGCONT);
        if (i % 2 && (waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status)))
            wrong++;
        int value = -1;
        if (read(back[0], &value, sizeof(value)) != sizeof(value) || value != sent)
            wrong++;
        sent++;
    }
    for (int i = 0; i < STORMS; i++) { // and without waiting in between
        kill(child, i % 2 ? SIGCONT : i % 4 ? SIGSTOP : SIGTSTP);
        if (i % 10 == 0)
            usleep(100);
    }
    kill(child, SIGCONT);
    close(there[1]);
    int status;
    do
        if (waitpid(child, &status, 0) != child)
            wrong++;
    while (WIFSTOPPED(status));
    printf("echoed %d, status %d, wrong %d\n", sent, status, wrong);
    return 0;
}
