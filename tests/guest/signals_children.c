// SIGCHLD, stopping and continuing.
#include "guest.h"

static volatile int chld_count, last_code;

static void on_chld(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    chld_count++;
    last_code = info->si_code;
}

static void set(int flags)
{
    struct sigaction action = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART | flags};
    sigaction(SIGCHLD, &action, NULL);
    chld_count = last_code = 0;
}

static void await(int n)
{
    for (int i = 0; i < 2000 && chld_count < n; i++)
        sleep_ms(1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int status;
    set(0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    await(1);
    printf("exited: count %d code %d\n", chld_count, last_code);
    waitpid(pid, &status, 0);
    set(0);
    pid = fork();
    if (pid == 0)
        pause();
    kill(pid, SIGKILL);
    await(1);
    printf("killed: count %d code %d\n", chld_count, last_code);
    waitpid(pid, &status, 0);

    set(0);
    pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    kill(pid, SIGSTOP);
    TRUTH(waitpid(pid, &status, WUNTRACED) == pid);
    show_status("stopped", status);
    await(1);
    printf("stopped: count %d code %d\n", chld_count, last_code);
    SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    TRUTH(waitpid(pid, &status, WCONTINUED) == pid);
    show_status("continued", status);
    await(2);
    printf("continued: count %d code %d\n", chld_count, last_code);
    kill(pid, SIGTSTP);
    siginfo_t info;
    SHOW(waitid(P_PID, pid, &info, WSTOPPED));
    printf("waitid: code %d status %d\n", info.si_code, info.si_status);
    kill(pid, SIGTERM);
    SHOW(waitpid(pid, &status, WNOHANG));
    kill(pid, SIGCONT);
    TRUTH(waitpid(pid, &status, 0) == pid);
    show_status("the pending signal after continuing", status);

    set(SA_NOCLDSTOP);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    sleep_ms(10);
    printf("no SIGCHLD for a stop: %d\n", chld_count);
    kill(pid, SIGKILL);
    TRUTH(waitpid(pid, &status, 0) == pid);
    show_status("stopped process killed", status);

    set(SA_NOCLDWAIT);
    pid = fork();
    if (pid == 0)
        _exit(0);
    SHOW(waitpid(pid, &status, 0));
    signal(SIGCHLD, SIG_DFL);

    // A stopped process makes no progress; its sleep goes on afterwards.
    int counter[2];
    pipe(counter);
    fcntl(counter[0], F_SETFL, O_NONBLOCK);
    pid = fork();
    if (pid == 0)
        for (;;) {
            write(counter[1], "x", 1);
            sleep_ms(2);
        }
    sleep_ms(30);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    char buffer[4096];
    TRUTH(read(counter[0], buffer, sizeof(buffer)) > 0);
    sleep_ms(30);
    SHOW(read(counter[0], buffer, sizeof(buffer)));
    kill(pid, SIGCONT);
    sleep_ms(30);
    TRUTH(read(counter[0], buffer, sizeof(buffer)) > 0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    show_status("counter", status);

    // SIGCONT delivers to a handler, and cancels a pending stop.
    pid = fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGTSTP);
        raise(SIGCONT);
        sigpending(&set);
        printf("stop pending after SIGCONT: %d\n", sigismember(&set, SIGTSTP));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, WUNTRACED);
    show_status("last", status);
    return 0;
}
