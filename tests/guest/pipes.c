// variants: dynamic static musl-static
// Pipes: blocking, end of file, EPIPE, atomic writes, non-blocking, splice and tee.
#include "guest.h"
#include <poll.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static volatile int pipe_signals;

static void on_pipe(int signal)
{
    (void)signal;
    pipe_signals++;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fds[2];
    char buffer[70000];
    RAW(pipe, fds);
    RAW(pipe, unmapped_address());
    SHOW(write(fds[1], "hello", 5));
    SHOW(read(fds[0], buffer, 3));
    SHOW(read(fds[0], buffer, 100));
    SHOW(write(fds[0], "x", 1));
    SHOW(read(fds[1], buffer, 1));
    SHOW(write(fds[1], "", 0));
    SHOW(write(fds[1], unmapped_address(), 5));
    close(fds[1]);
    SHOW(read(fds[0], buffer, 1));
    close(fds[0]);
    RAW(pipe2, fds, O_NONBLOCK | O_CLOEXEC);
    RAW(pipe2, fds, 0x1);
    SHOW(fcntl(fds[0], F_GETFD));
    SHOW(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
    SHOW(read(fds[0], buffer, 1));
    memset(buffer, 'x', sizeof(buffer));
    SHOW(write(fds[1], buffer, sizeof(buffer)));
    SHOW(write(fds[1], buffer, 1));
    SHOW(read(fds[0], buffer, 4095));
    // Not a whole PIPE_BUF free in whole pages: an atomic write does not fit in part.
    SHOW(write(fds[1], buffer, 4096));
    SHOW(read(fds[0], buffer, 1));
    SHOW(write(fds[1], buffer, 4096));
    long total = 0, n;
    while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
        total += n;
    printf("drained %ld\n", total);
    close(fds[0]);
    signal(SIGPIPE, on_pipe);
    SHOW(write(fds[1], "x", 1));
    printf("SIGPIPE %d\n", pipe_signals);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(fds[1], "x", 1));
    signal(SIGPIPE, SIG_DFL);
    IN_CHILD("SIGPIPE", write(fds[1], "x", 1));
    close(fds[1]);

    // A reader blocks until there is data, a writer until there is room.
    pipe(fds);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        sleep_ms(20);
        write(fds[1], "late", 4);
        _exit(0);
    }
    SHOW(read(fds[0], buffer, 10));
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        char *large = malloc(500000);
        memset(large, 'y', 500000);
        _exit(write(fds[1], large, 500000) == 500000 ? 0 : 1);
    }
    close(fds[1]);
    total = 0;
    while ((n = read(fds[0], buffer, 8192)) > 0) {
        total += n;
        if (total < 20000)
            sleep_ms(1);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("received %ld\n", total);
    show_status("writer", status);
    close(fds[0]);

    // Many writers, atomic records.
    pipe(fds);
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            char record[512];
            memset(record, 'a' + i, sizeof(record));
            for (int j = 0; j < 100; j++)
                write(fds[1], record, sizeof(record));
            _exit(0);
        }
    close(fds[1]);
    int torn = 0, records[4] = {0};
    char record[512];
    while ((n = read(fds[0], record, sizeof(record))) > 0) {
        for (int i = 1; i < n; i++)
            torn += record[i] != record[0];
        records[record[0] - 'a']++;
    }
    printf("torn %d, records %d %d %d %d\n", torn, records[0], records[1], records[2], records[3]);
    while (wait(NULL) > 0)
        ;
    close(fds[0]);

    // A chain of processes.
    int in = -1;
    for (int i = 0; i < 20; i++) {
        pipe(fds);
        if (fork() == 0) {
            close(fds[0]);
            if (in == -1)
                write(fds[1], "0", 1);
            while (in != -1 && (n = read(in, buffer, sizeof(buffer) - 1)) > 0) {
                buffer[n++] = '.';
                write(fds[1], buffer, n);
            }
            _exit(0);
        }
        close(fds[1]);
        close(in);
        in = fds[0];
    }
    n = read(in, buffer, 100);
    printf("chain: %.*s\n", (int)n, buffer);
    while (wait(NULL) > 0)
        ;
    close(in);

    // splice, tee, vmsplice.
    int other[2];
    pipe(fds);
    pipe(other);
    write_file("spliced", "text of a file");
    int fd = open("spliced", O_RDONLY);
    RAW(splice, fd, NULL, fds[1], NULL, 100L, 0);
    RAW(tee, fds[0], other[1], 4L, 0);
    RAW(splice, fds[0], NULL, other[1], NULL, 100L, 0);
    SHOW(read(other[0], buffer, 100));
    printf("%.18s\n", buffer);
    RAW(splice, fd, NULL, fd, NULL, 100L, 0);
    RAW(splice, 99, NULL, fds[1], NULL, 1L, 0);
    RAW(tee, fd, fds[1], 1L, 0);
    RAW(tee, fds[0], fds[1], 1L, 0);
    struct {
        void *base;
        size_t length;
    } vector = {"vmspliced", 9};
    RAW(vmsplice, fds[1], &vector, 1L, 0);
    SHOW(read(fds[0], buffer, 100));
    RAW(vmsplice, fd, &vector, 1L, 0);
    // poll on pipes.
    struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}};
    SHOW(poll(p, 2, 0));
    printf("%d %d\n", p[0].revents, p[1].revents);
    write(fds[1], "x", 1);
    SHOW(poll(p, 2, 0));
    printf("%d %d\n", p[0].revents, p[1].revents);
    close(fds[1]);
    p[1].fd = -1;
    SHOW(poll(p, 2, 0));
    printf("%d %d\n", p[0].revents, p[1].revents);
    read(fds[0], buffer, 1);
    SHOW(poll(p, 1, -1));
    printf("%d\n", p[0].revents);
    close(other[0]);
    p[1] = (struct pollfd){other[1], POLLOUT, 0};
    SHOW(poll(p + 1, 1, -1));
    printf("%d\n", p[1].revents);
    return 0;
}
