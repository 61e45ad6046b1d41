// Loads of sockets, each in a process of its own: prints what was counted, then waits for a line, closes everything, and waits for another.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in address;
static socklen_t address_size = sizeof(address);

static int listener(int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (void *)&address, sizeof(address)) || listen(fd, backlog) ||
        getsockname(fd, (void *)&address, &address_size))
        perror("listen");
    return fd;
}

// Each connection ends before the next: its port waits meanwhile, on the side that closed first.
static void connects(void)
{
    int l = listener(128), failed = 0;
    for (int i = 0; i < 100000; i++) {
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, (void *)&address, sizeof(address)))
            failed++;
        int s = accept(l, NULL, NULL);
        close(i % 2 ? c : s);
        close(i % 2 ? s : c);
    }
    printf("100000 connects, %d failed\n", failed);
}

// Nobody accepts: all but the first few wait for a place.
static void half_open(void)
{
    int l = listener(2), waiting = 0, refused = 0, other = 0, fd[5000];
    for (int i = 0; i < 5000; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        waiting += connect(fd[i], (void *)&address, sizeof(address)) && errno == EINPROGRESS;
    }
    struct pollfd p = {fd[4999], POLLOUT, 0};
    printf("%d connects wait, the last is ready: %d\n", waiting, poll(&p, 1, 0));
    close(l);
    for (int i = 0; i < 5000; i++) {
        int error = 0;
        socklen_t n = sizeof(error);
        getsockopt(fd[i], SOL_SOCKET, SO_ERROR, &error, &n);
        refused += error == ECONNREFUSED;
        other += error && error != ECONNREFUSED && error != ECONNRESET;
        close(fd[i]);
    }
    printf("refused without the listener: %d, other errors: %d\n", refused > 4900, other);
}

static int size_after(int fd, int name, int value)
{
    socklen_t n = sizeof(value);
    if (setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)))
        return -errno;
    return getsockopt(fd, SOL_SOCKET, name, &value, &n) ? -errno : value;
}

static void buffers(void)
{
    static const int values[] = {0, 1, -1, 1 << 30, INT32_MAX, INT32_MIN};
    static char block[65536];
    int pair[2], count = 0, error = 0;
    unsigned long long bytes = 0;
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = socket(AF_INET, type, 0);
        for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
            printf("%d: %d %d\n", values[i],
                   size_after(fd, SO_SNDBUF, values[i]) >= 4608 &&
                       size_after(fd, SO_SNDBUF, values[i]) <= 425984,
                   size_after(fd, SO_RCVBUF, values[i]) >= 2304 &&
                       size_after(fd, SO_RCVBUF, values[i]) <= 425984);
        printf("force: %d\n", size_after(fd, SO_SNDBUFFORCE, INT32_MAX) == -EPERM ? -1 : 0);
        close(fd);
    }
    // All that the buffers take, of as many sockets as there may be.
    while (count < 2000 && error != ENOBUFS &&
           socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0) {
        size_after(pair[0], SO_SNDBUF, INT32_MAX);
        ssize_t n;
        while ((n = write(pair[0], block, sizeof(block))) > 0)
            bytes += (unsigned long long)n;
        error = errno;
        count++;
    }
    printf("filled: %s, at most 256 MiB: %d\n", strerror(error), bytes <= 256ull << 20);
}

static int send_fds(int to, const int *fds, int n)
{
    char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec part = {"x", 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN((size_t)n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
    return sendmsg(to, &m, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void descriptors(void)
{
    // As many as messages take, to one that does not read.
    int pair[2], many[253], error = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    for (int i = 0; i < 253; i++)
        many[i] = pair[i & 1];
    for (int i = 0; !error && i < 10000; i++)
        error = send_fds(pair[0], many, 253);
    printf("a full queue: %s\n", error == EAGAIN || error == ETOOMANYREFS ? "refused" : strerror(error));
    close(pair[0]);
    close(pair[1]);
    // A chain: each pair travels inside the one after it.
    int inner[2], depth = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, inner);
    for (error = 0; !error && depth < 20000; depth++) {
        int outer[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, outer))
            break;
        error = send_fds(outer[0], inner, 2);
        close(inner[0]);
        close(inner[1]);
        memcpy(inner, outer, sizeof(inner));
    }
    printf("a chain: %s\n", depth > 4 ? "long" : strerror(error));
    close(inner[0]);
    close(inner[1]);
    // Circles: each is in its own queue.
    for (int i = 0; i < 20000; i++) {
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
            break;
        send_fds(pair[0], pair, 2);
        close(pair[0]);
        close(pair[1]);
    }
    printf("circles\n");
}

// Datagrams to those who do not read, and far more than they have room for.
static void flood(void)
{
    static char block[60000];
    int r[200], s = socket(AF_INET, SOCK_DGRAM, 0), sent = 0;
    for (int i = 0; i < 200; i++) {
        r[i] = socket(AF_INET, SOCK_DGRAM, 0);
        address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        bind(r[i], (void *)&address, sizeof(address));
        getsockname(r[i], (void *)&address, &address_size);
        for (int k = 0; k < 50; k++)
            sent += sendto(s, block, sizeof(block), 0, (void *)&address, sizeof(address)) == sizeof(block);
    }
    printf("%d datagrams were taken or lost\n", sent);
    for (int i = 0; i < 200; i++)
        close(r[i]);
    close(s);
}

// 10,000 connections with both ends here, in two processes because of their descriptors; a byte goes through each.
static void idle(void)
{
    enum { EACH = 5000 };
    static int a[EACH], b[EACH];
    int alive = 0, count = 0, go[2], told[2];
    char c;
    pipe(go);
    pipe(told);
    pid_t child = fork();
    int l = listener(128);
    for (int i = 0; i < EACH; i++) {
        a[i] = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in in;
        socklen_t len = sizeof(in);
        getsockname(l, (void *)&in, &len);
        if (connect(a[i], (void *)&in, len) == 0 && (b[i] = accept(l, NULL, NULL)) >= 0)
            count++;
    }
    // Both have theirs before either goes on.
    if (child == 0) {
        write(told[1], "x", 1);
        read(go[0], &c, 1);
    } else {
        read(told[0], &c, 1);
        write(go[1], "x", 1);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < EACH; i++)
            alive += write(a[i], "x", 1) == 1 && read(b[i], &c, 1) == 1;
    if (child == 0) {
        write(told[1], count == EACH && alive == 2 * EACH ? "y" : "n", 1);
        read(go[0], &c, 1);
        for (int i = 0; i < EACH; i++)
            setsockopt(a[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        _exit(0);
    }
    read(told[0], &c, 1);
    printf("%d connections, %d bytes, the other process: %c\n", count, alive, c);
    fflush(stdout);
    write(go[1], "x", 1);
    wait(NULL);
    for (int i = 0; i < EACH; i++) { // reset: nothing waits
        setsockopt(a[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(a[i]);
        close(b[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } loads[] = {{"connects", connects},       {"half-open", half_open}, {"buffers", buffers},
                 {"descriptors", descriptors}, {"flood", flood},         {"idle", idle}};
    char line[16];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (argc > 1 && !strcmp(argv[1], loads[i].name))
            loads[i].run();
    }
    closefrom(3);
    printf("done\n");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) ? 0 : 1;
}
