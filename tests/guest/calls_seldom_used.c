// Calls and errors that the other tests do not make.
#include "guest.h"
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void out_of_descriptors(void)
{
    struct rlimit limit = {3, 3};
    setrlimit(RLIMIT_NOFILE, &limit);
    RAW(eventfd, 0);
    RAW(epoll_create, 1);
    RAW(signalfd4, -1, &(uint64_t){0}, 8, 0);
    RAW(timerfd_create, CLOCK_MONOTONIC, 0);
    RAW(memfd_create, "x", 0);
    RAW(pidfd_open, getpid(), 0);
    RAW(socket, AF_UNIX, SOCK_STREAM, 0);
    RAW(socketpair, AF_UNIX, SOCK_STREAM, 0, &(int[2]){0});
}

static void out_of_processes(void)
{
    if (getuid() == 0)
        setresuid(12345, 12345, 12345);
    struct rlimit limit = {1, 1};
    setrlimit(RLIMIT_NPROC, &limit);
    if (getuid() != 12345)
        return; // how many processes an ordinary user has already is not ours to know
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(0);
    show_value("fork over the limit", pid);
    pid = vfork();
    if (pid == 0)
        _exit(0);
    show_value("vfork over the limit", pid);
}

static void names_of_the_host(void)
{
    struct utsname uts;
    uname(&uts);
    // The same name again, so that a native run changes nothing.
    show_value("sethostname", getuid() == 0 ? sethostname(uts.nodename, strlen(uts.nodename)) : 0);
    show_value("setdomainname",
               getuid() == 0 ? syscall(SYS_setdomainname, uts.domainname, strlen(uts.domainname)) : 0);
}

static void accepting(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "listening"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, sizeof(address));
    listen(listener, 1);
    connect(client, (struct sockaddr *)&address, sizeof(address));
    socklen_t length = sizeof(address);
    TRUTH(syscall(SYS_accept, listener, &address, &length) >= 0);
    printf("length %d\n", length);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    write_file("file", "x");
    struct stat st;
    int self = syscall(SYS_pidfd_open, getpid(), 0), file = open("file", O_RDONLY);
    int again = syscall(SYS_pidfd_getfd, self, file, 0);
    TRUTH(again >= 0);
    SHOW(read(again, &st, 1));
    SHOW(lseek(file, 0, SEEK_CUR));
    RAW(pidfd_getfd, self, 99, 0);
    RAW(pidfd_getfd, self, file, 1);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RAW(mlock2, map, 4096L, 0);
    RAW(mlock2, map, 4096L, 99);
    RAW(munlock, map, 4096L);
    RAW(munlock, unmapped_address(), 4096L);
    RAW(mlockall, 99);
    RAW(mlockall, 0);
    names_of_the_host();
    accepting();
    IN_CHILD("descriptors", out_of_descriptors());
    IN_CHILD("processes", out_of_processes());
    return 0;
}
