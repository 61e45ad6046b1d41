#include "sentry/oci/client.h"
#include "sentry/boot/config_codec.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 10000

// State directories of engines are too long for an address of a socket: it is named through our descriptor.
static void socket_address(const struct container *c, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/" CONTAINER_SOCKET, c->fd);
}

int client_listen(const struct container *c, struct oci_error *error)
{
    struct sockaddr_un address;
    socket_address(c, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0)
        return fd;
    int failed = oci_fail_errno(error, errno, "cannot listen in %s", c->directory);
    if (fd >= 0)
        close(fd);
    return failed;
}

int client_connect(const struct container *c, struct oci_error *error)
{
    struct sockaddr_un address;
    socket_address(c, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int failed = oci_fail_errno(error, errno, "cannot reach the container's monitor");
    if (fd >= 0)
        close(fd);
    return failed;
}

int client_send(int fd, uint32_t kind, int value, const int *fds, unsigned nr_fds)
{
    struct control_record record = {.kind = kind, .value = value};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
    } with = {.head = {.cmsg_len = CMSG_LEN(nr_fds * sizeof(int)),
                       .cmsg_level = SOL_SOCKET,
                       .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {&record, sizeof(record)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (nr_fds > CONTROL_FDS_MAX)
        return -EINVAL;
    if (nr_fds) {
        memcpy(CMSG_DATA(&with.head), fds, nr_fds * sizeof(int));
        message.msg_control = &with;
        message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(record) ? 0 : -errno;
}

static bool same_open_file(int a, int b)
{
    pid_t self = getpid();
    return syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)a, (unsigned long)b) == 0;
}

int client_send_exec(int fd, const struct sentry_config *config, const int streams[3])
{
    const struct kernel_params none = {0};
    int fds[CONTROL_FDS_MAX], value = 0;
    unsigned n = 1;
    fds[0] = memfd_create("sentry-exec", MFD_CLOEXEC);
    int failed = fds[0] < 0 ? -errno : config_write(fds[0], config, &none);
    for (int i = 0; i < 3; i++) {
        if (streams[i] < 0)
            continue;
        value |= CONTROL_EXEC_STREAM(i);
        int first = i;
        for (int j = i - 1; j >= 0; j--)
            if (streams[j] >= 0 && same_open_file(streams[i], streams[j]))
                first = j;
        value |= CONTROL_EXEC_SAME(i, first);
        fds[n++] = streams[i];
    }
    if (!failed)
        failed = client_send(fd, CONTROL_EXEC, value, fds, n);
    if (fds[0] >= 0)
        close(fds[0]);
    return failed;
}

int client_receive(int fd, struct control_record *record, int ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&waiting, 1, ms);
    } while (ready < 0 && errno == EINTR && ms < 0);
    if (ready <= 0)
        return ready < 0 ? -errno : -ETIMEDOUT;
    // Without room for control messages the host drops descriptors.
    ssize_t n = recv(fd, record, sizeof(*record), MSG_TRUNC | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return 0;
    if (n != (ssize_t)sizeof(*record) || record->length > CONTROL_TEXT_MAX)
        return n < 0 ? -errno : -EPROTO;
    for (uint32_t i = 0; i < record->length; i++)
        if (record->text[i] != '\n' && (record->text[i] < 32 || record->text[i] > 126))
            record->text[i] = '?';
    return 1;
}

#define TEXT_MS 5000
#define TEXT_RECORDS 65536 // and no more is believed
#define TEXT_SECONDS 60

int client_print(const struct container *c, uint32_t kind, struct oci_error *error)
{
    struct control_record record;
    int fd = client_connect(c, error);
    if (fd < 0)
        return fd;
    int n = client_send(fd, kind, 0, NULL, 0) ? 0 : 1;
    unsigned left = TEXT_RECORDS;
    const time_t end = time(NULL) + TEXT_SECONDS;
    while (n == 1) {
        n = client_receive(fd, &record, TEXT_MS);
        if (n == 1 && record.kind == CONTROL_TEXT_END)
            break;
        if (n == 1 && (record.kind != CONTROL_TEXT || left-- == 0 || time(NULL) > end))
            n = -EPROTO;
        if (n == 1)
            fwrite(record.text, 1, record.length, stdout);
    }
    close(fd);
    return n == 1 ? 0 : oci_fail(error, EPROTO, "the container does not answer");
}

int client_request(const struct container *c, uint32_t kind, int value, const char *what,
                   struct oci_error *error)
{
    struct control_record record;
    int fd = client_connect(c, error);
    if (fd < 0)
        return fd;
    int failed = client_send(fd, kind, value, NULL, 0);
    int n = failed ? 0 : client_receive(fd, &record, ANSWER_MS);
    close(fd);
    if (n <= 0)
        return oci_fail(error, n == -ETIMEDOUT ? ETIMEDOUT : ECONNRESET, "cannot %s the container: %s", what,
                        n == -ETIMEDOUT ? "it does not answer" : "it has ended");
    if (record.kind != CONTROL_DONE || record.value > 0 || record.value < -4095)
        return oci_fail(error, EPROTO, "cannot %s the container: its kernel sends what is no answer", what);
    return record.value ? oci_fail_errno(error, -record.value, "cannot %s the container", what) : 0;
}
