// What happens around an exec: signals for a process whose threads it ends, and files of /proc that were opened before.
#include "guest.h"

static void on_signal(int signal)
{
    (void)signal;
}

static void *spins(void *argument)
{
    for (;;)
        __asm__ volatile("pause");
    return argument;
}

// All threads but the one that executes take the signal.
static void executes(const char *self)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, spins, NULL);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    execl(self, self, "over", NULL);
    _exit(9);
}

static void under_signals(const char *self)
{
    int good = 0;
    signal(SIGUSR1, on_signal);
    for (int i = 0; i < 25; i++) {
        pid_t child = fork();
        if (child == 0)
            executes(self);
        int status;
        while (waitpid(child, &status, WNOHANG) != child) {
            kill(child, SIGUSR1);
            struct timespec t = {0, 200000};
            nanosleep(&t, NULL);
        }
        good += status == 0;
    }
    printf("of 25 that executed under signals: %d\n", good);
}

static void opened_before(const char *self)
{
    static const char *const names[] = {"maps", "environ"};
    int go[2], fds[2], gone[2];
    pipe2(go, 0);
    pipe2(gone, O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        dup2(go[0], 0);
        char c;
        read(0, &c, 1);
        execl(self, self, "wait", NULL);
        _exit(9);
    }
    close(go[0]);
    close(gone[1]);
    for (int i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", child, names[i]);
        fds[i] = open(path, O_RDONLY);
    }
    write(go[1], "x", 1);
    char c;
    read(gone[0], &c, 1); // the exec closes the other end
    for (int i = 0; i < 2; i++) {
        char text[4096];
        printf("%s of the program before: %zd bytes\n", names[i], read(fds[i], text, sizeof(text)));
    }
    close(go[1]);
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
}

int main(int argc, char **argv)
{
    char c;
    if (argc > 1)
        return strcmp(argv[1], "wait") == 0 ? (int)read(0, &c, 1) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    under_signals("/proc/self/exe");
    opened_before("/proc/self/exe");
    return 0;
}
