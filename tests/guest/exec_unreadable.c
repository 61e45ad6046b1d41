// A program that its user may execute and not read: it runs, and nobody of that user looks into it.
#include "guest.h"
#include <grp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define USER 1234
static char program[64];

static void show_owner(const char *what, pid_t pid, const char *name)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    if (stat(path, &st) == 0)
        printf("%s %s belongs to root: %d\n", what, name, st.st_uid == 0);
    else
        printf("%s %s: %s\n", what, name, error_name(errno));
}

// What the program does.
static int inside(void)
{
    char byte;
    printf("it runs: user %d dumpable %d\n", (int)getuid(), prctl(PR_GET_DUMPABLE));
    SHOW(open(program, O_RDONLY));
    SHOW(open("/proc/self/exe", O_RDONLY));
    show_owner("its own", getpid(), "maps");
    show_owner("its own", getpid(), "stat");
    SHOW(open("/proc/self/environ", O_RDONLY));
    fflush(stdout);
    (void)!write(4, "r", 1);
    (void)!read(5, &byte, 1);
    return 0;
}

static void look(pid_t pid)
{
    char path[64], bytes[16];
    const char *const names[] = {"mem", "maps", "environ", "auxv", "pagemap", "exe"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, names[i]);
        int fd = open(path, O_RDONLY);
        printf("%s: %s\n", names[i], fd >= 0 ? "opened" : error_name(errno));
        close(fd);
    }
    struct iovec here = {bytes, sizeof(bytes)}, there = {(void *)(uintptr_t)&program, sizeof(bytes)};
    SHOW(process_vm_readv(pid, &here, 1, &there, 1, 0));
    SHOW(ptrace(PTRACE_ATTACH, pid, 0, 0));
    SHOW(kill(pid, 0));
}

static void as_user(void)
{
    int ready[2], go[2];
    char byte;
    if (setgroups(0, NULL) || setgid(USER) || setuid(USER))
        exit(1);
    prctl(PR_SET_DUMPABLE, 1);
    SHOW(open(program, O_RDONLY));
    SHOW(access(program, X_OK));
    pipe(ready);
    pipe(go);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], 4 + 20), dup2(go[0], 5 + 20);
        dup2(24, 4), dup2(25, 5);
        for (int fd = 6; fd < 30; fd++)
            close(fd);
        execl(program, "prog", "inside", program, NULL);
        _exit(99);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) == 1)
        look(pid);
    close(go[1]);
    close(go[0]);
    int status;
    waitpid(pid, &status, 0);
    show_status("it", status);
    // A tracer that was there before sees no memory.
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execl(program, "prog", "nothing", NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    show_status("traced", status);
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, pid, &program, 0);
    printf("peek: %s\n", word == -1 && errno ? error_name(errno) : "a word");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    show_status("it", status);
    // Nor does one with every capability in a namespace of its own.
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER))
            _exit(0);
        pid_t inner = fork();
        if (inner == 0) {
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            execl(program, "prog", "nothing", NULL);
            _exit(99);
        }
        waitpid(inner, &status, 0);
        errno = 0;
        word = ptrace(PTRACE_PEEKDATA, inner, &program, 0);
        printf("peek in a user namespace: %s\n", word == -1 && errno ? error_name(errno) : "a word");
        fflush(stdout);
        kill(inner, SIGKILL);
        waitpid(inner, &status, 0);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    show_status("namespace", status);
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        snprintf(program, sizeof(program), "%s", argv[2]);
        return inside();
    }
    if (argc > 1)
        return 0;
    if (geteuid() != 0) {
        printf("needs root\n");
        return 0;
    }
    char directory[] = "/tmp/unreadable-XXXXXX";
    if (!mkdtemp(directory) || chmod(directory, 0755))
        return 1;
    snprintf(program, sizeof(program), "%s/program", directory);
    char copy[200];
    snprintf(copy, sizeof(copy), "cp prog %s && chmod 711 %s", program, program);
    if (system(copy))
        return 1;
    IN_CHILD("user", as_user());
    // Root reads what it likes.
    IN_CHILD("root", { execl(program, "prog", "nothing", NULL); });
    chmod(program, 0600);
    IN_CHILD("not executable", {
        if (setgid(USER) || setuid(USER))
            exit(1);
        SHOW(execl(program, "prog", "nothing", NULL));
    });
    unlink(program);
    rmdir(directory);
    return 0;
}
