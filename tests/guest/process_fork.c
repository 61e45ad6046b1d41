// variants: dynamic static musl-static
// fork, vfork, exit statuses and every way to wait for them.
#include "guest.h"
#include <sys/resource.h>

static int shared_by_vfork;

static void exit_statuses(void)
{
    IN_CHILD("exit 0", _exit(0));
    IN_CHILD("exit 7", _exit(7));
    IN_CHILD("exit 256 wraps", _exit(256));
    IN_CHILD("exit -1", _exit(-1));
    IN_CHILD("killed", kill(getpid(), SIGKILL));
    IN_CHILD("terminated", raise(SIGTERM));
    IN_CHILD("aborted", abort());
    IN_CHILD("exit (one thread)", syscall(SYS_exit, 9));
}

static void waits(void)
{
    int status = -1;
    SHOW(waitpid(-1, &status, 0));
    SHOW(waitpid(-1, &status, WNOHANG));
    SHOW(wait4(-1, &status, 0x12345678, NULL));
    SHOW(waitpid(99999, &status, 0));
    SHOW(wait4(INT_MIN, &status, 0, NULL));
    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        read(go[0], &byte, 1);
        _exit(3);
    }
    close(go[0]);
    SHOW(waitpid(pid, &status, WNOHANG));
    close(go[1]);
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    SHOW(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    printf("waitid: code %d status %d same pid %d signo %d\n", info.si_code, info.si_status,
           info.si_pid == pid, info.si_signo);
    SHOW(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
    struct rusage usage;
    memset(&usage, 0xff, sizeof(usage));
    TRUTH(wait4(pid, &status, 0, &usage) == pid);
    show_status("wait4", status);
    TRUTH(usage.ru_utime.tv_sec == 0);
    SHOW(waitpid(pid, &status, 0));
    SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, 0));
    SHOW(waitid(77, 0, &info, WEXITED));
    SHOW(waitid(P_PID, 0, &info, WEXITED));
}

static void wait_for_group(void)
{
    pid_t in_group = fork();
    if (in_group == 0) {
        setpgid(0, 0);
        _exit(1);
    }
    setpgid(in_group, in_group);
    pid_t other = fork();
    if (other == 0)
        _exit(2);
    int status;
    TRUTH(waitpid(-in_group, &status, 0) == in_group);
    show_status("by group", status);
    SHOW(waitpid(-in_group, &status, 0));
    TRUTH(waitpid(0, &status, 0) == other);
    show_status("own group", status);
}

static void wait_with_bad_pointer(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(4);
    SHOW(wait4(pid, unmapped_address(), 0, NULL));
    SHOW(wait4(pid, NULL, 0, NULL));
}

static void raw_forks(void)
{
    int status;
    pid_t pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(5);
    TRUTH(waitpid(pid, &status, 0) == pid);
    show_status("fork", status);
    pid = vfork();
    if (pid == 0) {
        shared_by_vfork = 42;
        _exit(6);
    }
    // The parent runs only after the child is gone, and sees what it wrote.
    printf("after vfork: %d\n", shared_by_vfork);
    TRUTH(waitpid(pid, &status, 0) == pid);
    show_status("vfork", status);
}

static void many_children(void)
{
    pid_t pids[20];
    for (int i = 0; i < 20; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(i);
    }
    int sum = 0, count = 0, status;
    while (waitpid(-1, &status, 0) > 0) {
        sum += WEXITSTATUS(status);
        count++;
    }
    printf("reaped %d, sum %d, then %s\n", count, sum, error_name(errno));
}

static void nested(int depth)
{
    if (depth == 0)
        _exit(1);
    pid_t pid = fork();
    if (pid == 0)
        nested(depth - 1);
    int status;
    waitpid(pid, &status, 0);
    _exit(WEXITSTATUS(status) + 1);
}

static void memory_is_private(void)
{
    int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *private = *shared = 1;
    IN_CHILD("writer", *private = *shared = 2);
    printf("private %d, shared %d\n", *private, *shared);
}

// What a child had at most is told to a parent that asks, of a grandchild too. The host counts with some slack.
static void peaks(void)
{
    const size_t size = 40 << 20;
    struct rusage usage;
    int status;
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (round == 2 && (pid = fork()) > 0) {
                waitpid(pid, NULL, 0);
                _exit(0);
            }
            if (round)
                memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
            _exit(0);
        }
        wait4(pid, &status, 0, &usage);
        printf("round %d: much %d\n", round,
               usage.ru_maxrss >= (long)(size / 1024 / 10 * 9) && usage.ru_maxrss < (long)(size >> 9));
    }
    getrusage(RUSAGE_CHILDREN, &usage);
    TRUTH(usage.ru_maxrss >= (long)(size / 1024 / 10 * 9));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    waits();
    exit_statuses();
    wait_for_group();
    wait_with_bad_pointer();
    raw_forks();
    many_children();
    IN_CHILD("nested 10 deep", nested(10));
    memory_is_private();
    peaks();
    pid_t parent = getpid();
    IN_CHILD("getppid", TRUTH(getppid() == parent); TRUTH(getpid() != parent);
             TRUTH(getpid() == syscall(SYS_gettid)));
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(1);
    SHOW(waitpid(pid, NULL, 0));
    return 0;
}
