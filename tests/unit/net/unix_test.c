// AF_UNIX sockets through their system calls.
#include "abi/linux/socket.h"
#include "sentry/net/unix/unix.h"
#include "tests/unit/net/harness.h"
#include <sys/resource.h>

static int a, b;
static void pair(int type)
{
    cr_assert_eq(CALL(socketpair, LX_AF_UNIX, (uint64_t)type, 0, fixture_addr(0)), 0);
    int fds[2];
    memcpy(fds, harness_memory(0), sizeof(fds));
    a = fds[0];
    b = fds[1];
}
static void setup(void)
{
    harness_setup();
    pair(LX_SOCK_STREAM | LX_SOCK_NONBLOCK);
}
TestSuite(local, .init = setup);

// Sends `n` bytes and descriptors.
static int64_t send_files(int fd, size_t n, const int *fds, size_t count)
{
    struct lx_msghdr h = {.iov = fixture_addr(512), .iovlen = 1};
    uint64_t iov[2] = {fixture_addr(4096), n};
    struct lx_cmsghdr c = {sizeof(c) + count * sizeof(int), LX_SOL_SOCKET, LX_SCM_RIGHTS};
    memcpy(harness_memory(512), iov, sizeof(iov));
    memcpy(harness_memory(1024), &c, sizeof(c));
    memcpy(harness_memory(1024 + sizeof(c)), fds, count * sizeof(int));
    if (count) {
        h.control = fixture_addr(1024);
        h.controllen = c.len;
    }
    memcpy(harness_memory(256), &h, sizeof(h));
    return CALL(sendmsg, (uint64_t)fd, fixture_addr(256), 0);
}
// Receives; the control message is at 1024 afterwards.
static int64_t receive(int fd, size_t n, size_t control, uint32_t flags, struct lx_msghdr *out)
{
    struct lx_msghdr h = {
        .iov = fixture_addr(512), .iovlen = 1, .control = fixture_addr(1024), .controllen = control};
    uint64_t iov[2] = {fixture_addr(200000), n};
    memcpy(harness_memory(512), iov, sizeof(iov));
    memcpy(harness_memory(256), &h, sizeof(h));
    int64_t ret = CALL(recvmsg, (uint64_t)fd, fixture_addr(256), flags);
    memcpy(out, harness_memory(256), sizeof(*out));
    return ret;
}
static int received_fd(void)
{
    int fd;
    memcpy(&fd, harness_memory(1024 + sizeof(struct lx_cmsghdr)), sizeof(fd));
    return fd;
}

Test(local, a_stream_has_no_bounds_and_its_end_is_read)
{
    cr_assert_eq(do_read(a, 10), -LX_EAGAIN);
    cr_assert_eq(do_write(a, "hello ", 6), 6);
    cr_assert_eq(do_write(a, "world", 5), 5);
    cr_assert_eq(do_read(b, 8), 8);
    cr_assert_eq(do_read(b, 100), 3);
    cr_assert_eq(CALL(close, (uint64_t)a), 0);
    cr_assert_eq(do_read(b, 100), 0);
    cr_assert_eq(do_write(b, "x", 1), -LX_EPIPE);
}

Test(local, a_sender_is_held_back_and_woken)
{
    int64_t sent = 0, n;
    while ((n = CALL(write, (uint64_t)a, fixture_addr(300000), 10000)) > 0)
        sent += n;
    cr_assert_eq(n, -LX_EAGAIN);
    cr_assert_gt(sent, 100000);
    cr_assert_lt(sent, 300000);
    int64_t got = 0;
    while ((n = CALL(read, (uint64_t)b, fixture_addr(300000), 65536)) > 0)
        got += n;
    cr_assert_eq(got, sent);
    cr_assert_eq(CALL(write, (uint64_t)a, fixture_addr(300000), 10000), 10000);
}

Test(local, datagrams_keep_their_bounds)
{
    struct lx_msghdr h;
    pair(LX_SOCK_DGRAM | LX_SOCK_NONBLOCK);
    cr_assert_eq(do_write(a, "hello", 5), 5);
    cr_assert_eq(do_write(a, "", 0), 0);
    cr_assert_eq(receive(b, 3, 0, LX_MSG_PEEK, &h), 3);
    cr_assert_eq(h.flags, LX_MSG_TRUNC);
    cr_assert_eq(receive(b, 3, 0, LX_MSG_TRUNC, &h), 5);
    cr_assert_eq(receive(b, 3, 0, 0, &h), 0);
    cr_assert_eq(receive(b, 3, 0, 0, &h), -LX_EAGAIN);
    cr_assert_eq(CALL(write, (uint64_t)a, fixture_addr(300000), 400000), -LX_EMSGSIZE);
}

Test(local, descriptors_travel_with_the_first_byte)
{
    struct lx_msghdr h;
    int64_t ev = CALL(eventfd2, 7, 0);
    int fd = (int)ev;
    cr_assert_eq(send_files(a, 4, &fd, 1), 4);
    cr_assert_eq(CALL(close, (uint64_t)ev), 0);
    cr_assert_eq(do_write(a, "more", 4), 4);
    cr_assert_eq(receive(b, 100, 64, LX_MSG_CMSG_CLOEXEC, &h), 4, "a read stops behind descriptors");
    cr_assert_eq(h.controllen, 24);
    int got = received_fd();
    cr_assert_eq(current->files->slots[got].flags, FD_CLOEXEC_BIT);
    uint64_t count;
    cr_assert_eq(do_read(got, 8), 8);
    memcpy(&count, READ_TEXT, 8);
    cr_assert_eq(count, 7);
    cr_assert_eq(receive(b, 100, 64, 0, &h), 4);
    cr_assert_eq(h.controllen, 0);
    int bad = 99;
    cr_assert_eq(send_files(a, 4, &bad, 1), -LX_EBADF);
}

Test(local, without_room_descriptors_are_closed)
{
    struct lx_msghdr h;
    int fds[3] = {a, b, a};
    struct file *fa = fd_lookup(current->files, a);
    unsigned refs = fa->refs;
    cr_assert_eq(send_files(a, 1, fds, 3), 1);
    cr_assert_eq(fa->refs, refs + 2);
    cr_assert_eq(receive(b, 1, 20, 0, &h), 1);
    cr_assert(h.flags & LX_MSG_CTRUNC);
    cr_assert_eq(fa->refs, refs + 1, "one fits");
    cr_assert_eq(send_files(a, 1, fds, 3), 1);
    cr_assert_eq(do_read(b, 1), 1, "a read has no room at all");
    cr_assert_eq(fa->refs, refs + 1);
}

static unsigned alive(struct unix_sock *u)
{
    return !u->dead;
}

Test(local, circles_of_descriptors_are_collected)
{
    struct unix_sock *ua = unix_get(unix_sk(file_socket(fd_lookup(current->files, a))));
    struct unix_sock *ub = unix_get(unix_sk(file_socket(fd_lookup(current->files, b))));
    int fds[2] = {a, b};
    cr_assert_eq(send_files(a, 1, fds, 2), 1);
    cr_assert_eq(send_files(b, 1, fds, 2), 1);
    cr_assert_eq(CALL(close, (uint64_t)a), 0);
    cr_assert(alive(ua));
    cr_assert_eq(CALL(close, (uint64_t)b), 0);
    pair(LX_SOCK_STREAM);
    cr_assert_eq(CALL(close, (uint64_t)a), 0, "any close of a socket collects");
    cr_assert_not(alive(ua));
    cr_assert_not(alive(ub));
    unix_put(ua);
    unix_put(ub);
}

Test(local, a_circle_that_somebody_can_reach_stays)
{
    struct unix_sock *ua = unix_get(unix_sk(file_socket(fd_lookup(current->files, a))));
    int first_a = a, first_b = b;
    cr_assert_eq(send_files(a, 1, &first_a, 1), 1); // a in b's queue
    pair(LX_SOCK_STREAM);
    cr_assert_eq(send_files(a, 1, &first_b, 1), 1); // b in the queue of another that stays open
    cr_assert_eq(CALL(close, (uint64_t)first_a), 0);
    cr_assert_eq(CALL(close, (uint64_t)first_b), 0);
    int other_b = b;
    pair(LX_SOCK_STREAM);
    cr_assert_eq(CALL(close, (uint64_t)a), 0);
    cr_assert(alive(ua));
    struct lx_msghdr h;
    cr_assert_eq(receive(other_b, 1, 64, 0, &h), 1);
    int back = received_fd();
    cr_assert_eq(receive(back, 1, 64, 0, &h), 1);
    cr_assert_eq(h.controllen, 24);
    unix_put(ua);
}

// With 64 KiB of stack, a function that calls itself for each link does not get far.
Test(local, a_long_chain_of_sockets_is_freed_without_recursion)
{
    const struct rlimit stack = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_STACK, &stack), 0);
    fixture_group.rlim[7].cur = 30000; // RLIMIT_NOFILE bounds what is in flight
    struct unix_sock *last = NULL;
    int carrier = -1;
    for (int i = 0; i < 4000; i++) {
        pair(LX_SOCK_STREAM);
        if (carrier >= 0) {
            cr_assert_eq(send_files(a, 1, &carrier, 1), 1);
            cr_assert_eq(CALL(close, (uint64_t)carrier), 0);
        }
        cr_assert_eq(CALL(close, (uint64_t)a), 0);
        carrier = b;
        if (i == 0)
            last = unix_get(unix_sk(file_socket(fd_lookup(current->files, b))));
    }
    cr_assert(alive(last));
    cr_assert_eq(CALL(close, (uint64_t)carrier), 0);
    cr_assert_not(alive(last));
    unix_put(last);
}

static size_t abstract_name(const char *name)
{
    struct lx_sockaddr_un sun = {.family = LX_AF_UNIX};
    size_t n = strlen(name);
    memcpy(sun.path + 1, name, n);
    memcpy(harness_memory(2048), &sun, sizeof(sun));
    return 3 + n;
}

Test(local, a_listener_accepts_and_refuses)
{
    int64_t l = CALL(socket, LX_AF_UNIX, LX_SOCK_STREAM | LX_SOCK_NONBLOCK, 0);
    int64_t c = CALL(socket, LX_AF_UNIX, LX_SOCK_STREAM | LX_SOCK_NONBLOCK, 0);
    size_t len = abstract_name("name");
    cr_assert_eq(CALL(connect, (uint64_t)c, fixture_addr(2048), len), -LX_ECONNREFUSED);
    cr_assert_eq(CALL(listen, (uint64_t)l, 1), -LX_EINVAL, "no name yet");
    cr_assert_eq(CALL(bind, (uint64_t)l, fixture_addr(2048), len), 0);
    cr_assert_eq(CALL(bind, (uint64_t)c, fixture_addr(2048), len), -LX_EADDRINUSE);
    cr_assert_eq(CALL(connect, (uint64_t)c, fixture_addr(2048), len), -LX_ECONNREFUSED, "not listening");
    cr_assert_eq(CALL(listen, (uint64_t)l, 1), 0);
    cr_assert_eq(CALL(accept4, (uint64_t)l, 0, 0, 0), -LX_EAGAIN);
    cr_assert_eq(CALL(connect, (uint64_t)c, fixture_addr(2048), len), 0);
    cr_assert_eq(CALL(connect, (uint64_t)c, fixture_addr(2048), len), -LX_EISCONN);
    cr_assert_eq(do_write((int)c, "early", 5), 5, "before it is accepted");
    int64_t s = CALL(accept4, (uint64_t)l, 0, 0, 0);
    cr_assert_geq(s, 0);
    cr_assert_eq(do_read((int)s, 100), 5);
    int32_t room = 128;
    memcpy(harness_memory(0), &room, 4);
    cr_assert_eq(CALL(getsockname, (uint64_t)s, fixture_addr(3000), fixture_addr(0)), 0);
    memcpy(&room, harness_memory(0), 4);
    cr_assert_eq((size_t)room, len);
    cr_assert_eq(memcmp(harness_memory(3000), harness_memory(2048), len), 0);
    for (int i = 0; i < 2; i++) {
        int64_t more = CALL(socket, LX_AF_UNIX, LX_SOCK_STREAM | LX_SOCK_NONBLOCK, 0);
        cr_assert_eq(CALL(connect, (uint64_t)more, fixture_addr(2048), len), 0);
        c = more;
    }
    int64_t more = CALL(socket, LX_AF_UNIX, LX_SOCK_STREAM | LX_SOCK_NONBLOCK, 0);
    cr_assert_eq(CALL(connect, (uint64_t)more, fixture_addr(2048), len), -LX_EAGAIN, "the backlog is full");
    cr_assert_eq(CALL(close, (uint64_t)l), 0);
    cr_assert_eq(do_read((int)c, 10), -LX_ECONNRESET);
    cr_assert_eq(CALL(connect, (uint64_t)more, fixture_addr(2048), len), -LX_ECONNREFUSED);
}

Test(local, other_families_are_not_there)
{
    cr_assert_eq(CALL(socket, 99, LX_SOCK_STREAM, 0), -LX_EAFNOSUPPORT);
    cr_assert_eq(CALL(socket, LX_AF_UNIX, 77, 0), -LX_EINVAL);
    cr_assert_eq(CALL(socket, LX_AF_UNIX, LX_SOCK_RDM, 0), -LX_ESOCKTNOSUPPORT);
    cr_assert_eq(CALL(socket, LX_AF_UNIX, LX_SOCK_STREAM, 6), -LX_EPROTONOSUPPORT);
    cr_assert_eq(CALL(listen, 99, 1), -LX_EBADF);
}
