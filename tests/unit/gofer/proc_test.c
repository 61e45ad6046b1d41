// The real `gofer --proc` over the /proc of this machine: which files it opens, for whom, and its jail.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/gofer_proc.h"

static pid_t gofer_pid, subject;
static int channel;

static void start(void)
{
    char program[256], connection[16], proc_text[16];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 32);
    cr_assert_gt(length, 0);
    program[length] = 0;
    for (int i = 0; i < 3; i++)
        *strrchr(program, '/') = 0;
    strcat(program, "/bin/gofer");
    int pair[2], proc = open("/proc", O_PATH);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    snprintf(connection, sizeof(connection), "%d", pair[1]);
    snprintf(proc_text, sizeof(proc_text), "%d", proc);
    int ready[2];
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    subject = fork();
    if (!subject) {
        // A guest holds no capability; one that did would be out of the Gofer's reach.
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {{0}};
        syscall(SYS_capset, &header, none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_range(0, ~0u, 0); // nothing of the test's may be held open by it
        pause();
        _exit(0);
    }
    close(ready[1]);
    char nothing;
    cr_assert_eq(read(ready[0], &nothing, 1), 0); // it has closed everything, so its capabilities are gone
    close(ready[0]);
    gofer_pid = fork();
    if (!gofer_pid) {
        close(pair[0]);
        execl(program, "gofer", "--proc", "--connection-fd", connection, "--proc-fd", proc_text, NULL);
        _exit(126);
    }
    close(pair[1]);
    close(proc);
    channel = pair[0];
}

static void stop(void)
{
    int status;
    kill(subject, SIGKILL);
    waitpid(subject, &status, 0);
    close(channel);
    for (int i = 0; i < 500 && waitpid(gofer_pid, &status, WNOHANG) == 0; i++)
        poll(NULL, 0, 10);
}

TestSuite(proc, .init = start, .fini = stop, .timeout = 20);

// The errno of the reply; the descriptor in *fd.
static int ask(uint32_t file, int32_t pid, int32_t tid, int *fd)
{
    static uint32_t serial;
    struct gofer_proc_request request = {.serial = ++serial, .file = file, .pid = pid, .tid = tid};
    struct gofer_proc_reply reply;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = &reply, .iov_len = sizeof(reply)};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    cr_assert_eq(send(channel, &request, sizeof(request), MSG_NOSIGNAL), (ssize_t)sizeof(request));
    cr_assert_eq(recvmsg(channel, &message, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(reply));
    cr_assert_eq(reply.serial, serial);
    *fd = -1;
    if (message.msg_controllen)
        memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
    cr_assert_eq(*fd >= 0, reply.error == 0);
    return reply.error;
}

Test(proc, files_of_a_guest_are_donated_for_reading)
{
    static const struct {
        uint32_t file;
        const char *text;
    } files[] = {{GOFER_PROC_MAPS, "-"},         {GOFER_PROC_SMAPS_ROLLUP, "Rss:"},
                 {GOFER_PROC_STATUS, "Pid:"},    {GOFER_PROC_THREAD_STAT, ") "},
                 {GOFER_PROC_SMAPS, "VmFlags:"}, {GOFER_PROC_PAGEMAP, ""}};
    for (int i = 0; i < 6; i++) {
        int fd;
        char text[8192];
        cr_assert_eq(ask(files[i].file, subject, files[i].file == GOFER_PROC_THREAD_STAT ? subject : 0, &fd),
                     0);
        ssize_t got = read(fd, text, sizeof(text) - 8); // pagemap: whole entries
        cr_assert_gt(got, 0);
        text[got] = 0;
        cr_assert(strstr(text, files[i].text) != NULL);
        cr_assert_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        close(fd);
    }
}

Test(proc, nothing_else_is_opened)
{
    int fd;
    cr_assert_eq(ask(0, subject, 0, &fd), EINVAL);
    cr_assert_eq(ask(GOFER_PROC_LAST + 1, subject, 0, &fd), EINVAL);
    cr_assert_eq(ask(UINT32_MAX, subject, 0, &fd), EINVAL);
    cr_assert_eq(ask(GOFER_PROC_MAPS, 1, 0, &fd), EPERM, "the first process is the Sentry");
    cr_assert_eq(ask(GOFER_PROC_MAPS, 0, 0, &fd), EPERM);
    cr_assert_eq(ask(GOFER_PROC_MAPS, -1, 0, &fd), EPERM);
    cr_assert_eq(ask(GOFER_PROC_MAPS, gofer_pid, 0, &fd), EPERM);
    cr_assert_eq(ask(GOFER_PROC_MAPS, subject, subject, &fd), EPERM);
    cr_assert_eq(ask(GOFER_PROC_THREAD_STAT, subject, 1, &fd), EPERM);
    cr_assert_eq(ask(GOFER_PROC_THREAD_STAT, subject, gofer_pid, &fd), ENOENT);
}

Test(proc, a_packet_of_another_size_ends_it)
{
    char byte = 0;
    cr_assert_eq(send(channel, "123", 3, MSG_NOSIGNAL), 3);
    cr_assert_eq(recv(channel, &byte, 1, 0), 0);
}

Test(proc, it_is_filtered_and_holds_two_descriptors)
{
    int fd;
    char path[64], line[256];
    cr_assert_eq(ask(GOFER_PROC_STATUS, subject, 0, &fd), 0);
    close(fd);
    snprintf(path, sizeof(path), "/proc/%d/status", gofer_pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    int good = 0;
    while (fgets(line, sizeof(line), file))
        good += !strcmp(line, "Seccomp:\t2\n") || !strcmp(line, "NoNewPrivs:\t1\n") ||
                !strcmp(line, "CapEff:\t0000000000000000\n");
    fclose(file);
    cr_assert_eq(good, 3);
}
