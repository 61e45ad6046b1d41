// variants: dynamic static musl-static
// dup, dup2, dup3, fcntl, ioctl on files, locks, limits on descriptors.
#include "guest.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static void record_locks(void)
{
    int fd = open("locked", O_RDWR | O_CREAT, 0644);
    write(fd, "0123456789", 10);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
    SHOW(fcntl(fd, F_SETLK, &lock));
    IN_CHILD("other process", lock.l_start = 0; lock.l_len = 2; SHOW(fcntl(fd, F_SETLK, &lock));
             lock.l_len = 3; SHOW(fcntl(fd, F_SETLK, &lock)); lock.l_start = 0; lock.l_len = 0;
             SHOW(fcntl(fd, F_GETLK, &lock));
             printf("conflict: type %d start %lld length %lld, pid of the parent %d\n", lock.l_type,
                    (long long)lock.l_start, (long long)lock.l_len, lock.l_pid == getppid()));
    lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET};
    SHOW(fcntl(fd, F_SETLK, &lock));
    IN_CHILD("after unlocking", lock.l_type = F_RDLCK; SHOW(fcntl(fd, F_SETLK, &lock)));
    lock.l_type = 77;
    SHOW(fcntl(fd, F_SETLK, &lock));
    lock.l_type = F_RDLCK;
    int wo = open("locked", O_WRONLY);
    SHOW(fcntl(wo, F_SETLK, &lock));
    // Waiting for a lock.
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(fd, F_SETLK, &lock);
    int ready[2];
    pipe(ready);
    pid_t pid = fork();
    if (pid == 0) {
        write(ready[1], "x", 1);
        int got = fcntl(fd, F_SETLKW, &lock);
        _exit(got == 0 ? 5 : 6);
    }
    char byte;
    read(ready[0], &byte, 1);
    sleep_ms(20);
    SHOW(waitpid(pid, NULL, WNOHANG));
    lock.l_type = F_UNLCK;
    fcntl(fd, F_SETLK, &lock);
    int status;
    waitpid(pid, &status, 0);
    show_status("waited for the lock", status);
    close(fd);
    close(wo);
}

static void whole_file_locks(void)
{
    int one = open("flock", O_RDWR | O_CREAT, 0644), two = open("flock", O_RDWR);
    RAW(flock, one, LOCK_EX);
    RAW(flock, two, LOCK_SH | LOCK_NB);
    RAW(flock, one, LOCK_SH);
    RAW(flock, two, LOCK_SH | LOCK_NB);
    RAW(flock, two, LOCK_EX | LOCK_NB);
    RAW(flock, one, LOCK_UN);
    RAW(flock, two, LOCK_EX | LOCK_NB);
    RAW(flock, 99, LOCK_EX);
    RAW(flock, one, 77);
    close(two);
    RAW(flock, one, LOCK_EX | LOCK_NB);
    close(one);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    RAW(dup, fd);
    RAW(dup, 99);
    RAW(dup2, fd, 20);
    RAW(dup2, fd, fd);
    RAW(dup2, 99, 21);
    RAW(dup2, fd, -1);
    RAW(dup3, fd, 22, O_CLOEXEC);
    RAW(dup3, fd, fd, 0);
    RAW(dup3, fd, 23, 0x10);
    RAW(dup2, fd, 1 << 30);
    SHOW(fcntl(20, F_GETFD));
    SHOW(fcntl(22, F_GETFD));
    SHOW(fcntl(22, F_SETFD, 0));
    SHOW(fcntl(22, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 30));
    SHOW(fcntl(fd, F_DUPFD, 30));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 40));
    SHOW(fcntl(40, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(fcntl(fd, F_DUPFD, 1 << 30));
    SHOW(fcntl(99, F_GETFD));
    SHOW(fcntl(fd, 9999));
    SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    SHOW(fcntl(20, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE));
    SHOW(fcntl(fd, F_SETFL, 0));
    // Several descriptors, one offset.
    write(fd, "abc", 3);
    SHOW(lseek(20, 0, SEEK_CUR));
    SHOW(ioctl(fd, FIONREAD, &(int){0}));
    SHOW(ioctl(fd, TIOCGWINSZ, &(struct winsize){0}));
    SHOW(ioctl(99, FIONREAD, &(int){0}));
    SHOW(ioctl(fd, FIOCLEX));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(ioctl(fd, FIONCLEX));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(ioctl(fd, FIONBIO, &(int){1}));
    SHOW(!!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    SHOW(isatty(fd));
    int pipes[2];
    SHOW(pipe(pipes));
    SHOW(fcntl(pipes[0], F_GETPIPE_SZ));
    SHOW(fcntl(pipes[0], F_SETPIPE_SZ, 4096));
    SHOW(fcntl(pipes[0], F_GETPIPE_SZ));
    SHOW(fcntl(fd, F_GETPIPE_SZ));
    write(pipes[1], "12345", 5);
    int pending = 0;
    SHOW(ioctl(pipes[0], FIONREAD, &pending));
    printf("pending %d\n", pending);
    SHOW(fcntl(pipes[0], F_SETOWN, getpid()));
    TRUTH(fcntl(pipes[0], F_GETOWN) == getpid());
    record_locks();
    whole_file_locks();
    for (int i = 3; i < 100; i++)
        close(i);
    struct rlimit limit = {10, 10};
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    int count = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("opened %d, then %s\n", count, error_name(errno));
    SHOW(dup(0));
    SHOW(dup2(0, 10));
    SHOW(pipe(pipes));
    SHOW(fcntl(0, F_DUPFD, 3));
    close(5);
    SHOW(open("/dev/null", O_RDONLY));
    return 0;
}
