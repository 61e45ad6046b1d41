// The commands' reader of what a container's kernel says, on packets of any size and content, with descriptors that nobody asked
// for: what it accepts is one whole record of printable text, and no descriptor comes in.
#include "tests/fuzz/fuzz.h"
#include "sentry/oci/client.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2] = {-1, -1};
static int next_free; // what open(2) gives as long as nothing has come in

static void prepare(void)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    next_free = dup(0);
    if (next_free < 0)
        abort();
    close(next_free);
}

static void send_packet(const uint8_t *bytes, size_t size, unsigned nr_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } with = {.head = {.cmsg_len = CMSG_LEN(nr_fds * sizeof(int)),
                       .cmsg_level = SOL_SOCKET,
                       .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    const int fds[2] = {0, 0};
    if (nr_fds) {
        memcpy(CMSG_DATA(&with.head), fds, nr_fds * sizeof(int));
        message.msg_control = &with;
        message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
    }
    if (sendmsg(ends[1], &message, MSG_NOSIGNAL) != (ssize_t)size)
        abort();
}

static void expect(int n, size_t size, const struct control_record *sent, const struct control_record *got)
{
    bool good = size == sizeof(*sent) && sent->length <= CONTROL_TEXT_MAX;
    if (n != (good ? 1 : size == 0 ? 0 : -EPROTO))
        abort();
    if (!good)
        return;
    if (got->kind != sent->kind || got->value != sent->value || got->length != sent->length)
        abort();
    for (uint32_t i = 0; i < got->length; i++)
        if (got->text[i] != '\n' && (got->text[i] < 32 || got->text[i] > 126))
            abort();
}

static void try_packet(const uint8_t *bytes, size_t size, unsigned nr_fds)
{
    struct control_record sent = {0}, got;
    memcpy(&sent, bytes, size < sizeof(sent) ? size : sizeof(sent));
    send_packet(bytes, size, nr_fds);
    expect(client_receive(ends[0], &got, 0), size, &sent, &got);
    int fd = dup(0);
    if (fd != next_free) // a descriptor has come in
        abort();
    close(fd);
    if (client_receive(ends[0], &got, 0) != -ETIMEDOUT) // each packet is one answer
        abort();
}

static void try_one(const uint8_t *bytes, size_t size)
{
    if (ends[0] < 0)
        prepare();
    try_packet(bytes, size < 65536 ? size : 65536, 0);
}

static void smoke(unsigned long rounds)
{
    static uint8_t bytes[4096];
    prepare();
    for (unsigned long i = 0; i < rounds; i++) {
        static const size_t sizes[] = {0, 1, sizeof(struct control_record) - 1,
                                       sizeof(struct control_record) + 1, sizeof(bytes)};
        size_t size =
            next() % 2 ? sizeof(struct control_record) : sizes[next() % (sizeof(sizes) / sizeof(sizes[0]))];
        for (size_t at = 0; at < sizeof(struct control_record); at += 8) {
            uint64_t word = next();
            memcpy(bytes + at, &word, 8);
        }
        struct control_record *record = (struct control_record *)bytes;
        if (next() % 4)
            record->length = (uint32_t)(next() % (CONTROL_TEXT_MAX + 3));
        if (next() % 2)
            record->kind = CONTROL_EXIT + (uint32_t)(next() % 10);
        try_packet(bytes, size, (unsigned)(next() % 3));
    }
    printf("%lu inputs\n", rounds);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
