// process_vm_readv(2) and process_vm_writev(2) between processes.
#include "guest.h"
#include <sys/prctl.h>
#include <sys/uio.h>

static char source[20000];
static char *page; // a readable page, and one that is not behind it

static pid_t child(void)
{
    int ready[2];
    char c;
    if (pipe(ready))
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        memset(source, 'c', sizeof(source));
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 1)
        exit(1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void transfers(pid_t pid)
{
    char a[100] = {0}, b[50] = {0};
    struct iovec local[2] = {{a, sizeof(a)}, {b, sizeof(b)}};
    struct iovec remote[3] = {{source, 30}, {source + 1000, 70}, {source + 2000, 50}};
    show_value("read", process_vm_readv(pid, local, 2, remote, 3, 0));
    printf("%c %c %c\n", a[0], a[99], b[49]);
    memset(a, 'w', sizeof(a));
    show_value("write", process_vm_writev(pid, local, 1, remote, 3, 0));
    memset(a, 0, sizeof(a));
    show_value("read back", process_vm_readv(pid, local, 1, remote, 2, 0));
    printf("%c %c, ours %d\n", a[0], a[99], source[0]);
    char *large = malloc(sizeof(source));
    struct iovec whole = {large, sizeof(source)}, there = {source, sizeof(source)};
    show_value("large", process_vm_readv(pid, &whole, 1, &there, 1, 0));
    printf("%c %c\n", large[0], large[sizeof(source) - 1]);
    show_value("nothing", process_vm_readv(pid, local, 0, remote, 1, 0));
    show_value("nothing there", process_vm_readv(pid, local, 1, remote, 0, 0));
    struct iovec edge = {page + 4096 - 40, 100};
    show_value("up to the end of a page", process_vm_readv(pid, local, 1, &edge, 1, 0));
    struct iovec two[2] = {{source, 10}, {(void *)8, 10}};
    show_value("good, then bad", process_vm_readv(pid, local, 1, two, 2, 0));
    show_value("itself", process_vm_readv(getpid(), local, 1, remote, 1, 0));
    free(large);
}

static void errors(pid_t pid)
{
    char a[100];
    struct iovec local = {a, sizeof(a)}, remote = {source, 100}, bad = {(void *)8, 100},
                 protected = {page, 100};
    show_value("flags", process_vm_readv(pid, &local, 1, &remote, 1, 1));
    show_value("nobody", process_vm_readv(999999, &local, 1, &remote, 1, 0));
    show_value("bad there", process_vm_readv(pid, &local, 1, &bad, 1, 0));
    show_value("bad here", process_vm_readv(pid, &bad, 1, &remote, 1, 0));
    show_value("write bad there", process_vm_writev(pid, &local, 1, &bad, 1, 0));
    show_value("write protected", process_vm_writev(pid, &local, 1, &protected, 1, 0));
    show_value("bad list", process_vm_readv(pid, (struct iovec *)8, 1, &remote, 1, 0));
    show_value("bad list there", process_vm_readv(pid, &local, 1, (struct iovec *)8, 1, 0));
    show_value("too many", process_vm_readv(pid, &local, 1025, &remote, 1, 0));
    show_value("too many there", process_vm_writev(pid, &local, 1, &remote, 1025, 0));
    local.iov_len = SIZE_MAX;
    show_value("negative length", process_vm_readv(pid, &local, 1, &remote, 1, 0));
}

static void permission(pid_t pid)
{
    pid_t other = fork();
    if (other == 0) {
        char a[10];
        struct iovec local = {a, sizeof(a)}, remote = {source, sizeof(a)};
        if (getuid() == 0 && (setgid(1234) || setuid(1234)))
            _exit(1);
        if (getuid() != 1234)
            _exit(EPERM);
        long r = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        _exit(r < 0 ? errno : 0);
    }
    int status;
    waitpid(other, &status, 0);
    printf("as another user: %s\n", error_name(WEXITSTATUS(status)));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    pid_t pid = child();
    transfers(pid);
    errors(pid);
    permission(pid);
    end(pid);
    char a[10];
    struct iovec local = {a, sizeof(a)}, remote = {source, sizeof(a)};
    show_value("after its end", process_vm_readv(pid, &local, 1, &remote, 1, 0));
    return 0;
}
