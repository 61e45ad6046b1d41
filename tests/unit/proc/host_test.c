// The client of gofer --proc, against one of our own.
#include "tests/unit/fixture.h"
#include "abi/gofer_proc.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/fs/proc/proc.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void give_descriptors(int connection)
{
    struct gofer_proc_request request;
    int given = open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (recv(connection, &request, sizeof(request), 0) == sizeof(request)) {
        struct gofer_proc_reply reply = {.serial = request.serial};
        struct iovec part = {&reply, sizeof(reply)};
        union {
            struct cmsghdr head;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control = {
            .head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        memcpy(CMSG_DATA(&control.head), &given, sizeof(int));
        (void)sendmsg(connection, &message, 0);
    }
    _exit(0);
}

Test(proc_host, without_a_free_number_one_request_fails, .timeout = 20)
{
    int pair[2];
    struct rlimit all, none;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (fork() == 0)
        give_descriptors(pair[1]);
    cr_assert_eq(event_init(), 0);
    kernel_lock();
    cr_assert_eq(proc_host_connect(pair[0]), 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
    none = (struct rlimit){3, all.rlim_max}; // those of the standard streams
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(proc_host_open(GOFER_PROC_MAPS, 2), -LX_ENFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
    int fd = proc_host_open(GOFER_PROC_MAPS, 2);
    cr_assert_geq(fd, 0, "and the next does not");
    close(fd);
}
