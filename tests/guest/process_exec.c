// variants: dynamic static musl musl-static
// execve, execveat, scripts, what an exec keeps and what it resets.
#include "guest.h"
#include <sys/prctl.h>

static int self(const char *what, char *const extra[])
{
    char *argv[16] = {"prog", (char *)what};
    for (int i = 0; extra && extra[i]; i++)
        argv[i + 2] = extra[i];
    char *env[] = {"ONE=1", "TWO=2", NULL};
    return execve("./prog", argv, env);
}

static void on_signal(int signal)
{
    (void)signal;
}

static void script(const char *path, const char *text)
{
    write_file(path, text);
    chmod(path, 0755);
}

static void *exec_from_thread(void *argument)
{
    self("say", argument);
    return NULL;
}

static void *sleeper(void *argument)
{
    for (;;)
        pause();
    return NULL;
}

static int run_again(int argc, char **argv)
{
    if (strcmp(argv[1], "say") == 0) {
        for (int i = 0; i < argc; i++)
            printf("[%s]", argv[i]);
        for (char **e = environ; *e; e++)
            printf(" %s", *e);
        printf("\n");
        return 31;
    }
    if (strcmp(argv[1], "comm") == 0) {
        char comm[17] = "";
        prctl(PR_GET_NAME, comm);
        printf("comm %s\n", comm);
        return 0;
    }
    if (strcmp(argv[1], "state") == 0) {
        struct sigaction usr1, usr2;
        sigset_t mask, pending;
        sigaction(SIGUSR1, NULL, &usr1);
        sigaction(SIGUSR2, NULL, &usr2);
        sigprocmask(SIG_SETMASK, NULL, &mask);
        sigpending(&pending);
        stack_t stack;
        sigaltstack(NULL, &stack);
        printf("USR1 default %d, USR2 ignored %d, HUP blocked %d, HUP pending %d, altstack disabled %d\n",
               usr1.sa_handler == SIG_DFL, usr2.sa_handler == SIG_IGN, sigismember(&mask, SIGHUP),
               sigismember(&pending, SIGHUP), stack.ss_flags == SS_DISABLE);
        SHOW(fcntl(50, F_GETFD));
        SHOW(fcntl(51, F_GETFD));
        printf("umask %o\n", umask(0));
        TRUTH(getpid() == atoi(argv[2]));
        TRUTH(getpid() == syscall(SYS_gettid));
        return 0;
    }
    return 99;
}

static void errors(void)
{
    char *argv[] = {"x", NULL};
    SHOW(execve("/nonexistent", argv, environ));
    SHOW(execve("/usr", argv, environ));
    SHOW(execve("", argv, environ));
    SHOW(execve("./prog/x", argv, environ));
    write_file("plain", "no magic\n");
    SHOW(execve("plain", argv, environ));
    chmod("plain", 0755);
    SHOW(execve("plain", argv, environ));
    write_file("empty", "");
    chmod("empty", 0755);
    SHOW(execve("empty", argv, environ));
    SHOW(execve((char *)8, argv, environ));
    SHOW(execve("./prog", (char **)8, environ));
    SHOW(execve("./prog", argv, (char **)8));
    char *bad[] = {"x", (char *)8, NULL};
    SHOW(execve("./prog", bad, environ));
    SHOW(syscall(SYS_execveat, 99, "prog", argv, environ, 0));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "prog", argv, environ, 0x800000));
    symlink("prog", "link");
    SHOW(syscall(SYS_execveat, AT_FDCWD, "link", argv, environ, AT_SYMLINK_NOFOLLOW));
    char *name = malloc(5000);
    memset(name, 'a', 4999);
    name[4999] = 0;
    SHOW(execve(name, argv, environ));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1)
        return run_again(argc, argv);
    errors();
    IN_CHILD("execve", self("say", (char *[]){"a b", "", "c", NULL}));
    int fd = open("./prog", O_RDONLY | O_CLOEXEC);
    char *say[] = {"name", "say", NULL};
    char *env[] = {"X=y", NULL};
    IN_CHILD("execveat of a descriptor", syscall(SYS_execveat, fd, "", say, env, AT_EMPTY_PATH); SHOW(errno));
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    IN_CHILD("execveat below a directory", syscall(SYS_execveat, dir, "prog", say, env, 0));
    IN_CHILD("fexecve", fexecve(fd, say, env));
    char *none[] = {NULL};
    IN_CHILD("no environment", execve("./prog", say, none));
    IN_CHILD("through a link", execve("./link", say, env));
    IN_CHILD("PATH search", execlp("sh", "sh", "-c", "echo from sh; exit 5", NULL));

    script("script", "#!./prog say\necho not reached\n");
    IN_CHILD("script with an argument", execl("./script", "zero", "one", NULL));
    script("script2", "#! \t ./prog   say   two words  \n");
    IN_CHILD("script with blanks", execle("./script2", "zero", "one", NULL, env));
    script("script3", "#!./script\n");
    IN_CHILD("script of a script", execle("./script3", "zero", "one", NULL, env));
    script("script4", "#!/nonexistent/interpreter\n");
    IN_CHILD("missing interpreter", SHOW(execl("./script4", "zero", NULL)));
    script("script5", "#!\n");
    IN_CHILD("empty interpreter", SHOW(execl("./script5", "zero", NULL)));
    script("script6", "#!/bin/sh\necho shell script $0 $1; exit 6\n");
    IN_CHILD("shell script", execl("./script6", "zero", "one", NULL));
    script("loop", "#!./loop\n");
    IN_CHILD("script loop", SHOW(execl("./loop", "zero", NULL)));
    script("script7", "#!./prog comm\n");
    IN_CHILD("comm of a script", execl("./script7", "zero", NULL));
    IN_CHILD("comm of a program", execl("./prog", "other name", "comm", NULL));
    symlink("prog", "a-very-long-name-indeed");
    IN_CHILD("comm of a link", execl("./a-very-long-name-indeed", "zero", "comm", NULL));

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, on_signal);
        signal(SIGUSR2, SIG_IGN);
        sigset_t hup;
        sigemptyset(&hup);
        sigaddset(&hup, SIGHUP);
        sigprocmask(SIG_BLOCK, &hup, NULL);
        raise(SIGHUP);
        stack_t stack = {.ss_sp = malloc(16384), .ss_size = 16384};
        sigaltstack(&stack, NULL);
        dup2(1, 50);
        dup3(1, 51, O_CLOEXEC);
        umask(027);
        char number[16];
        snprintf(number, sizeof(number), "%d", getpid());
        self("state", (char *[]){number, NULL});
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    show_status("state", status);

    pid = fork();
    if (pid == 0) {
        pthread_t thread;
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, NULL, sleeper, NULL);
        pthread_create(&thread, NULL, exec_from_thread, (char *[]){"thread", NULL});
        for (;;)
            pause();
    }
    waitpid(pid, &status, 0);
    show_status("exec by a thread", status);
    pid = vfork();
    if (pid == 0) {
        self("say", (char *[]){"vfork", NULL});
        _exit(1);
    }
    waitpid(pid, &status, 0);
    show_status("exec after vfork", status);
    return 0;
}
