// variants: dynamic
// Advisory locks: ranges that split and merge, owners of the three kinds, waiting, signals, deadlocks, and what closing,
// forking and executing do to them.
#include "guest.h"
#include <sys/file.h>
#include <sys/time.h>

static struct flock range(short type, off_t start, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int lock(int fd, int command, short type, off_t start, off_t len)
{
    struct flock l = range(type, start, len);
    return fcntl(fd, command, &l);
}

// What a child sees in the way of a write lock on the range.
static void show_held(const char *what, off_t start, off_t len)
{
    fflush(stdout);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        int fd = open("file", O_RDWR);
        struct flock l = range(F_WRLCK, start, len);
        if (fcntl(fd, F_GETLK, &l))
            printf("%s: %s\n", what, error_name(errno));
        else if (l.l_type == F_UNLCK)
            printf("%s: free\n", what);
        else
            printf("%s: %s %ld+%ld of %s\n", what, l.l_type == F_WRLCK ? "write" : "read", (long)l.l_start,
                   (long)l.l_len,
                   l.l_pid == parent ? "the parent"
                   : l.l_pid == -1   ? "an open file"
                                     : "another");
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void ranges(int fd)
{
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 100));
    show_held("whole", 0, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 40, 20));
    show_held("left", 0, 0);
    show_held("hole", 40, 20);
    show_held("right", 60, 0);
    SHOW(lock(fd, F_SETLK, F_RDLCK, 20, 10));
    show_held("read part", 20, 10);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 60));
    show_held("merged", 0, 0);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 200, 0));
    show_held("to the end", 1000, 1);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    show_held("nothing", 0, 0);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 100, -50));
    show_held("backwards", 0, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    SHOW(lock(fd, F_SETLK, F_WRLCK, 10, -50));
    SHOW(lock(fd, F_SETLK, F_WRLCK, -1, 50));
    SHOW(lock(fd, F_SETLK, 77, 0, 50));
    SHOW(lock(99, F_SETLK, F_WRLCK, 0, 50));
    SHOW(fcntl(fd, F_SETLK, NULL));
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 10};
    SHOW(ftruncate(fd, 100));
    SHOW(fcntl(fd, F_SETLK, &l));
    show_held("at the end", 0, 0);
    l = (struct flock){.l_type = F_WRLCK, .l_whence = 9};
    SHOW(fcntl(fd, F_SETLK, &l));
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void owners(int fd)
{
    // Any close of the file by the process lets its locks go; not those of an open file.
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    close(open("file", O_RDONLY));
    show_held("after another close", 0, 0);
    int other = open("file", O_RDWR);
    SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    SHOW(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
    SHOW(lock(other, F_SETLK, F_WRLCK, 5, 10));
    SHOW(lock(other, F_OFD_SETLK, F_RDLCK, 20, 10));
    struct flock l = range(F_WRLCK, 0, 0);
    SHOW(fcntl(other, F_OFD_GETLK, &l));
    printf("in the way: %d %ld+%ld pid %d\n", l.l_type, (long)l.l_start, (long)l.l_len, (int)l.l_pid);
    l = range(F_WRLCK, 0, 0);
    l.l_pid = 5;
    SHOW(fcntl(other, F_OFD_SETLK, &l));
    close(open("file", O_RDONLY));
    show_held("of an open file", 0, 10);
    int copy = dup(fd);
    close(fd);
    show_held("a copy holds it", 0, 10);
    close(copy);
    show_held("the last close lets go", 0, 10);
    close(other);
}

static void whole_files(void)
{
    int a = open("file", O_RDWR), b = open("file", O_RDONLY);
    SHOW(flock(a, LOCK_EX));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(a, LOCK_SH));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_EX | LOCK_NB));
    SHOW(flock(b, LOCK_UN));
    SHOW(lock(a, F_SETLK, F_WRLCK, 0, 0)); // another kind: no conflict
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_UN));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, 77));
    SHOW(flock(99, LOCK_EX));
    int path = open("file", O_PATH);
    SHOW(flock(path, LOCK_EX));
    close(path);
    IN_CHILD("forked", SHOW(flock(b, LOCK_EX | LOCK_NB)); SHOW(flock(b, LOCK_UN)));
    SHOW(flock(a, LOCK_EX | LOCK_NB));
    close(a);
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    close(b);
}

static void on_alarm(int sig) {}

static void waiting(void)
{
    int to_child[2], to_parent[2];
    char byte = 0;
    if (pipe(to_child) || pipe(to_parent))
        return;
    int fd = open("file", O_RDWR);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int mine = open("file", O_RDWR);
        SHOW(lock(mine, F_SETLK, F_WRLCK, 20, 10));
        write(to_parent[1], "r", 1);
        read(to_child[0], &byte, 1);
        // The parent waits for 20: waiting for 0 would never end.
        int got;
        while ((got = lock(mine, F_SETLK, F_WRLCK, 20, 10)) == 0 && lock(mine, F_SETLKW, F_WRLCK, 0, 10) == 0)
            lock(mine, F_SETLK, F_UNLCK, 0, 10);
        printf("child: %s\n", error_name(errno));
        fflush(stdout);
        _exit(0);
    }
    read(to_parent[0], &byte, 1);
    write(to_child[1], "g", 1);
    // One of the two is told of the deadlock: the one that comes second. Here both outcomes end the same.
    int got = lock(fd, F_SETLKW, F_WRLCK, 20, 10);
    if (got == -1 && errno == EDEADLK) {
        lock(fd, F_SETLK, F_UNLCK, 0, 0);
        kill(pid, SIGKILL);
        printf("child: EDEADLK\n");
    }
    waitpid(pid, NULL, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));

    // A wait that a signal ends.
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int mine = open("file", O_RDWR);
        lock(mine, F_SETLK, F_WRLCK, 0, 0);
        flock(mine, LOCK_EX);
        write(to_parent[1], "r", 1);
        read(to_child[0], &byte, 1);
        _exit(0);
    }
    read(to_parent[0], &byte, 1);
    struct itimerval timer = {.it_value = {0, 50000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(lock(fd, F_SETLKW, F_RDLCK, 5, 5));
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(lock(fd, F_OFD_SETLKW, F_RDLCK, 5, 5));
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(flock(fd, LOCK_SH));
    // The holder's end lets who waits in.
    write(to_child[1], "g", 1);
    SHOW(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
    SHOW(flock(fd, LOCK_EX));
    waitpid(pid, NULL, 0);
    close(fd);
}

static int shared_fd;

static void *closes(void *arg)
{
    close(open("file", O_RDONLY));
    return NULL;
}

static void threads_and_exec(void)
{
    int fd = open("file", O_RDWR);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    shared_fd = fd;
    pthread_t thread;
    pthread_create(&thread, NULL, closes, NULL);
    pthread_join(thread, NULL);
    show_held("closed by a thread", 0, 10);
    // A child inherits no lock of a process; its end takes none away either.
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    IN_CHILD("child", SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10)));
    show_held("after the child", 0, 10);
    // They survive an exec.
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        lock(fd, F_SETLK, F_UNLCK, 0, 0);
        int mine = open("file", O_RDWR);
        lock(mine, F_SETLK, F_WRLCK, 50, 10);
        execl("./prog", "prog", "held", NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        show_held("after exec", 50, 10);
        return 0;
    }
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    ranges(fd);
    owners(fd);
    whole_files();
    waiting();
    threads_and_exec();
    return 0;
}
