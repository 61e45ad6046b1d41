// variants: dynamic static
// AF_UNIX: pairs, streams, datagrams, names, passing descriptors and credentials, errors.
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define RAW(name, ...) show_value("raw " #name, syscall(SYS_##name, __VA_ARGS__))

static socklen_t name_address(struct sockaddr_un *address, const char *name)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, name);
    return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
}

static void pairs(void)
{
    int sv[2];
    char buffer[256];
    RAW(socketpair, AF_UNIX, SOCK_STREAM, 0, sv);
    RAW(socketpair, AF_UNIX, 77, 0, sv);
    RAW(socketpair, AF_UNIX, SOCK_STREAM, 0, unmapped_address());
    SHOW(write(sv[0], "hello", 5));
    SHOW(read(sv[1], buffer, 3));
    SHOW(recv(sv[1], buffer, 100, MSG_PEEK));
    SHOW(recv(sv[1], buffer, 100, 0));
    SHOW(recv(sv[1], buffer, 100, MSG_DONTWAIT));
    RAW(sendto, sv[1], "back", 4L, 0, NULL, 0);
    RAW(recvfrom, sv[0], buffer, 100L, 0, NULL, NULL);
    RAW(sendto, 99, "back", 4L, 0, NULL, 0);
    RAW(recvfrom, 99, buffer, 4L, 0, NULL, NULL);
    RAW(sendto, 0, "back", 4L, 0, NULL, 0);
    SHOW(send(sv[0], "12345678", 8, 0));
    SHOW(recv(sv[1], buffer, 8, MSG_WAITALL));
    int n = 0;
    send(sv[0], "123", 3, 0);
    SHOW(ioctl(sv[1], FIONREAD, &n));
    printf("pending %d\n", n);
    recv(sv[1], buffer, 8, 0);
    RAW(shutdown, sv[0], SHUT_WR);
    SHOW(read(sv[1], buffer, 1));
    SHOW(send(sv[0], "x", 1, MSG_NOSIGNAL));
    IN_CHILD("SIGPIPE", write(sv[0], "x", 1));
    SHOW(write(sv[1], "still", 5));
    SHOW(read(sv[0], buffer, 10));
    RAW(shutdown, sv[0], 77);
    RAW(shutdown, 0, SHUT_WR);
    close(sv[1]);
    SHOW(read(sv[0], buffer, 1));
    SHOW(lseek(sv[0], 0, SEEK_SET));
    close(sv[0]);
    // Message boundaries.
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv);
    write(sv[0], "one", 3);
    write(sv[0], "three", 5);
    SHOW(read(sv[1], buffer, 2));
    SHOW(read(sv[1], buffer, 100));
    close(sv[0]);
    SHOW(read(sv[1], buffer, 100));
    close(sv[1]);
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv);
    SHOW(fcntl(sv[0], F_GETFD));
    write(sv[0], "one", 3);
    write(sv[0], "", 0);
    write(sv[0], "three", 5);
    SHOW(recv(sv[1], buffer, 2, MSG_TRUNC));
    SHOW(read(sv[1], buffer, 100));
    SHOW(read(sv[1], buffer, 100));
    SHOW(read(sv[1], buffer, 100));
    close(sv[0]);
    close(sv[1]);
}

static void passing(void)
{
    int sv[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    write_file("passed", "content of the passed file");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("passed", O_RDONLY), pipes[2];
        pipe(pipes);
        write(pipes[1], "pipe", 4);
        int both[2] = {fd, pipes[0]};
        struct iovec vector = {"data", 4};
        char control[CMSG_SPACE(sizeof(both))];
        struct msghdr message = {
            .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(both));
        memcpy(CMSG_DATA(header), both, sizeof(both));
        long sent = sendmsg(sv[0], &message, 0);
        // A bad descriptor is refused.
        both[1] = 99;
        memcpy(CMSG_DATA(header), both, sizeof(both));
        long bad = sendmsg(sv[0], &message, 0);
        _exit(sent == 4 && bad == -1 && errno == EBADF ? 0 : 1);
    }
    char data[16], control[256], text[64] = "";
    struct iovec vector = {data, sizeof(data)};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    SHOW(recvmsg(sv[1], &message, MSG_CMSG_CLOEXEC));
    int status;
    waitpid(pid, &status, 0);
    show_status("sender", status);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    printf("control %d, flags %d\n", header != NULL, message.msg_flags & ~MSG_CMSG_CLOEXEC);
    int fds[2];
    if (header) {
        memcpy(fds, CMSG_DATA(header), sizeof(fds));
        printf("type %d length %zu\n", header->cmsg_type, (size_t)header->cmsg_len - CMSG_LEN(0));
        SHOW(fcntl(fds[0], F_GETFD));
        SHOW(read(fds[0], text, 63));
        printf("%s\n", text);
        memset(text, 0, sizeof(text));
        SHOW(read(fds[1], text, 63));
        printf("%s\n", text);
        SHOW(read(fds[1], text, 63));
    }
    RAW(sendmsg, 99, &message, 0);
    RAW(recvmsg, 99, &message, 0);
    RAW(sendmsg, sv[0], unmapped_address(), 0);
    RAW(recvmsg, sv[0], unmapped_address(), MSG_DONTWAIT);
    // Credentials.
    int on = 1;
    SHOW(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    write(sv[0], "c", 1);
    message.msg_controllen = sizeof(control);
    SHOW(recvmsg(sv[1], &message, 0));
    header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_CREDENTIALS) {
        struct ucred cred;
        memcpy(&cred, CMSG_DATA(header), sizeof(cred));
        printf("credentials: own pid %d own uid %d\n", cred.pid == getpid(), cred.uid == getuid());
    } else {
        printf("no credentials\n");
    }
    struct ucred peer;
    socklen_t length = sizeof(peer);
    SHOW(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    printf("peer: own pid %d own uid %d\n", peer.pid == getpid(), peer.uid == getuid());
    // Descriptors in flight die with the socket; no room for control data sets MSG_CTRUNC.
    close(sv[0]);
    close(sv[1]);
    struct mmsghdr many[2];
    char two[2][8];
    struct iovec vectors[2] = {{two[0], 8}, {two[1], 8}};
    memset(many, 0, sizeof(many));
    for (int i = 0; i < 2; i++) {
        many[i].msg_hdr.msg_iov = &vectors[i];
        many[i].msg_hdr.msg_iovlen = 1;
    }
    socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
    memcpy(two[0], "aaaaaaaa", 8);
    memcpy(two[1], "bbbbbbbb", 8);
    RAW(sendmmsg, sv[0], many, 2, 0);
    RAW(sendmmsg, 99, many, 2, 0);
    memset(two, 0, sizeof(two));
    RAW(recvmmsg, sv[1], many, 2, MSG_DONTWAIT, NULL);
    printf("%.8s %.8s %u\n", two[0], two[1], many[1].msg_len);
    RAW(recvmmsg, sv[1], many, 2, MSG_DONTWAIT, NULL);
}

static void *serves(void *argument)
{
    int listener = *(int *)argument;
    for (int i = 0; i < 3; i++) {
        struct sockaddr_un address;
        socklen_t length = sizeof(address);
        int fd = accept4(listener, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
        char buffer[64];
        ssize_t n = read(fd, buffer, sizeof(buffer));
        for (ssize_t j = 0; j < n; j++)
            buffer[j] = (char)(buffer[j] - 32);
        write(fd, buffer, n);
        close(fd);
    }
    return NULL;
}

static void streams(void)
{
    struct sockaddr_un address, other;
    char buffer[64] = "";
    socklen_t length = name_address(&address, "socket"), other_length = sizeof(other);
    int listener = RAW(socket, AF_UNIX, SOCK_STREAM, 0);
    RAW(socket, AF_UNIX, 99, 0);
    RAW(socket, 9999, SOCK_STREAM, 0);
    SHOW(connect(listener, (struct sockaddr *)&address, length));
    RAW(bind, listener, &address, length);
    RAW(bind, listener, &address, length);
    int second = socket(AF_UNIX, SOCK_STREAM, 0);
    RAW(bind, second, &address, length);
    RAW(connect, second, &address, length);
    RAW(accept, listener, NULL, NULL);
    RAW(listen, listener, 5);
    RAW(listen, 0, 5);
    struct stat st;
    stat("socket", &st);
    printf("socket file %o\n", st.st_mode & S_IFMT);
    SHOW(open("socket", O_RDWR));
    RAW(getsockname, listener, &other, &other_length);
    printf("name %s length %d\n", other.sun_path, other_length);
    RAW(getsockname, 0, &other, &other_length);
    RAW(getpeername, listener, &other, &other_length);
    pthread_t thread;
    pthread_create(&thread, NULL, serves, &listener);
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? second : socket(AF_UNIX, SOCK_STREAM, 0);
        RAW(connect, fd, &address, length);
        write(fd, "question", 8);
        memset(buffer, 0, sizeof(buffer));
        SHOW(read(fd, buffer, 63));
        printf("%s\n", buffer);
        if (i == 1) {
            other_length = sizeof(other);
            RAW(getpeername, fd, &other, &other_length);
            RAW(connect, fd, &address, length);
        }
        close(fd);
    }
    pthread_join(thread, NULL);
    struct pollfd p = {listener, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(client, (struct sockaddr *)&address, length));
    SHOW(poll(&p, 1, 0));
    RAW(accept4, listener, NULL, NULL, SOCK_NONBLOCK);
    RAW(accept4, listener, NULL, NULL, 0x1);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    RAW(accept, listener, NULL, NULL);
    RAW(accept, 0, NULL, NULL);
    close(listener);
    int late = socket(AF_UNIX, SOCK_STREAM, 0);
    RAW(connect, late, &address, length);
    unlink("socket");
    RAW(connect, late, &address, length);
    RAW(connect, late, &((struct sockaddr_un){.sun_family = 77}), sizeof(address));
    int value = 0;
    length = sizeof(value);
    RAW(getsockopt, late, SOL_SOCKET, SO_TYPE, &value, &length);
    printf("type %d\n", value);
    RAW(getsockopt, late, SOL_SOCKET, 9999, &value, &length);
    RAW(getsockopt, 0, SOL_SOCKET, SO_TYPE, &value, &length);
    RAW(setsockopt, late, SOL_SOCKET, SO_SNDBUF, &(int){65536}, 4);
    RAW(setsockopt, late, SOL_SOCKET, SO_SNDBUF, &(int){65536}, 2);
    RAW(setsockopt, 0, SOL_SOCKET, SO_SNDBUF, &(int){65536}, 4);
    // Abstract names.
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    // Of this run alone, since natively all runs share the names.
    char own[16];
    snprintf(own, sizeof(own), "abstract%05u", (unsigned)getpid() % 100000u);
    memcpy(address.sun_path + 1, own, 13);
    int abstract = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(abstract, (struct sockaddr *)&address, 2 + 14));
    SHOW(listen(abstract, 1));
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(client, (struct sockaddr *)&address, 2 + 13));
    SHOW(connect(client, (struct sockaddr *)&address, 2 + 14));
    // Datagrams with addresses.
    int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
    length = name_address(&address, "dgram-one");
    SHOW(bind(one, (struct sockaddr *)&address, length));
    struct sockaddr_un address_two;
    socklen_t length_two = name_address(&address_two, "dgram-two");
    SHOW(bind(two, (struct sockaddr *)&address_two, length_two));
    SHOW(sendto(two, "datagram", 8, 0, (struct sockaddr *)&address, length));
    other_length = sizeof(other);
    memset(buffer, 0, sizeof(buffer));
    SHOW(recvfrom(one, buffer, 63, 0, (struct sockaddr *)&other, &other_length));
    printf("%s from %s\n", buffer, other.sun_path);
    SHOW(send(two, "x", 1, 0));
    SHOW(connect(two, (struct sockaddr *)&address, length));
    SHOW(send(two, "x", 1, 0));
}

static void large_transfer(void)
{
    int sv[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    if (fork() == 0) {
        close(sv[0]);
        char *data = malloc(2000000);
        for (int i = 0; i < 2000000; i++)
            data[i] = (char)(i * 7);
        for (long at = 0, n; at < 2000000; at += n)
            if ((n = write(sv[1], data + at, 2000000 - at)) <= 0)
                break;
        _exit(0);
    }
    close(sv[1]);
    char buffer[10000];
    long total = 0, n, wrong = 0;
    while ((n = read(sv[0], buffer, sizeof(buffer))) > 0)
        for (long i = 0; i < n; i++, total++)
            wrong += buffer[i] != (char)(total * 7);
    printf("received %ld, wrong %ld\n", total, wrong);
    wait(NULL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pairs();
    passing();
    streams();
    large_transfer();
    // Families that a sandbox without a network still knows as errors.
    SHOW(socket(AF_UNIX, SOCK_RAW, 5) >= 0);
    return 0;
}
