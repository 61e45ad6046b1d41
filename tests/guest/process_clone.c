// clone and clone3 with the flags that fork and pthread_create do not use, and the combinations Linux
// refuses.
#include "guest.h"
#include <linux/sched.h>
#include <sys/prctl.h>

static char stack[65536] __attribute__((aligned(16)));
static int shared_value;
static volatile pid_t child_tid;
static int pipe_fds[2];

static int child_vm(void *argument)
{
    shared_value = (int)(intptr_t)argument;
    return 11;
}

static int child_files(void *argument)
{
    close(pipe_fds[0]);
    return dup2(1, 40) == 40 ? 12 : 1;
}

static int child_fs(void *argument)
{
    umask(077);
    return chdir("/usr") == 0 ? 13 : 1;
}

static int child_settid(void *argument)
{
    return child_tid == syscall(SYS_gettid) ? 14 : 1;
}

static int child_nothing(void *argument)
{
    return 0;
}

static void run(const char *what, int (*function)(void *), int flags, void *argument, int wait_flags)
{
    int status = 0;
    pid_t parent_tid = 0;
    fflush(stdout);
    pid_t pid = clone(function, stack + sizeof(stack), flags, argument, &parent_tid, NULL, &child_tid);
    if (pid == -1) {
        printf("%s: clone %s\n", what, error_name(errno));
        return;
    }
    if (flags & CLONE_PARENT_SETTID)
        printf("%s: parent tid is set: %d\n", what, parent_tid == pid);
    if (waitpid(pid, &status, wait_flags) != pid)
        printf("%s: wait %s\n", what, error_name(errno));
    else
        show_status(what, status);
}

static void on_usr1(int signal)
{
    (void)signal;
    shared_value++;
}

static void refuse(const char *what, unsigned long flags)
{
    long pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    show_value(what, pid);
}

static void with_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        _exit(21);
    int status;
    // A kernel or sandbox may be without clone3; then it must say ENOSYS, which libc understands.
    if (pid == -1) {
        printf("clone3: %s\n", error_name(errno));
        return;
    }
    TRUTH(waitpid(pid, &status, 0) == pid);
    show_status("clone3", status);
    SHOW(syscall(SYS_clone3, &args, 8));
    SHOW(syscall(SYS_clone3, NULL, sizeof(args)));
    args.flags = CLONE_SIGHAND;
    SHOW(syscall(SYS_clone3, &args, sizeof(args)));
    args.flags = 0;
    args.exit_signal = 100;
    SHOW(syscall(SYS_clone3, &args, sizeof(args)));
    args.exit_signal = SIGCHLD;
    args.stack = (uintptr_t)stack;
    SHOW(syscall(SYS_clone3, &args, sizeof(args)));
    struct {
        struct clone_args args;
        char more[64];
    } larger = {.args = {.exit_signal = SIGCHLD}, .more = {1}};
    SHOW(syscall(SYS_clone3, &larger, sizeof(larger)));
    int pidfd = -1;
    struct clone_args with_pidfd = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &with_pidfd, sizeof(with_pidfd));
    if (pid == 0)
        _exit(22);
    TRUTH(pidfd >= 0);
    TRUTH(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    siginfo_t info;
    SHOW(waitid(P_PIDFD, pidfd, &info, WEXITED));
    printf("by pidfd: %d\n", info.si_status);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    run("vm", child_vm, CLONE_VM | SIGCHLD, (void *)5, 0);
    printf("shared value %d\n", shared_value);
    run("vm and vfork", child_vm, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)6, 0);
    printf("shared value %d\n", shared_value);
    run("own memory", child_vm, SIGCHLD, (void *)7, 0);
    printf("shared value %d\n", shared_value);

    pipe(pipe_fds);
    run("files shared", child_files, CLONE_FILES | SIGCHLD, NULL, 0);
    SHOW(fcntl(pipe_fds[0], F_GETFD));
    SHOW(fcntl(40, F_GETFD));
    close(40);
    pipe(pipe_fds);
    run("files copied", child_files, SIGCHLD, NULL, 0);
    SHOW(fcntl(pipe_fds[0], F_GETFD));
    SHOW(fcntl(40, F_GETFD));

    char cwd[256];
    run("cwd copied", child_fs, SIGCHLD, NULL, 0);
    TRUTH(strcmp(getcwd(cwd, sizeof(cwd)), "/usr") != 0);
    run("cwd shared", child_fs, CLONE_FS | SIGCHLD, NULL, 0);
    TRUTH(strcmp(getcwd(cwd, sizeof(cwd)), "/usr") == 0);
    printf("umask %o\n", umask(022));

    run("child settid", child_settid, CLONE_CHILD_SETTID | SIGCHLD, NULL, 0);
    run("parent settid", child_nothing, CLONE_PARENT_SETTID | SIGCHLD, NULL, 0);

    // Children with another exit signal are waited for with __WCLONE or __WALL only.
    shared_value = 0;
    signal(SIGUSR1, on_usr1);
    run("exit signal USR1, plain wait", child_nothing, CLONE_VM | SIGUSR1, NULL, 0);
    run("no exit signal", child_nothing, CLONE_VM, NULL, __WCLONE);
    SHOW(waitpid(-1, NULL, __WALL) > 0);
    SHOW(waitpid(-1, NULL, __WALL));
    printf("SIGUSR1 for dead children: %d\n", shared_value);

    refuse("SIGHAND without VM", CLONE_SIGHAND | SIGCHLD);
    refuse("THREAD without SIGHAND", CLONE_THREAD | CLONE_VM | SIGCHLD);
    refuse("PIDFD and PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD);
    refuse("FS and NEWNS", CLONE_FS | CLONE_NEWNS | SIGCHLD);
    with_clone3();
    return 0;
}
