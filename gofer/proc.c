// `gofer --proc`: opens a few files of guests below the sandbox's /proc and donates the descriptors
// (abi/gofer_proc.h).
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/gofer_proc.h"
#include "gofer/jail.h"
#include "gofer/modes.h"
#include "seccomp_programs.h"

#ifdef SENTRY_SANITIZED
#define FILTER filter_gofer_proc_sanitizer
#else
#define FILTER filter_gofer_proc_trap
#endif

struct service {
    int connection, proc;
    bool memory; // descriptors of guests' memory may be asked for
    int session; // only processes of this session are guests; 0: all that this proc shows
};

static int open_below(int proc, const char *path, int access)
{
    struct open_how how = {
        .flags = (uint64_t)access | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, proc, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

// No guest leaves the session of the kernel process, whose number it has. `directory` is that of the process.
static bool is_guest(const struct service *s, int directory)
{
    char text[512];
    int fd = open_below(directory, "stat", O_RDONLY), session = 0;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *after = strrchr(text, ')'); // the name may hold anything
    return after && sscanf(after + 1, " %*c %*d %*d %d", &session) == 1 && session == s->session;
}

// A descriptor, or -errno.
static int open_file(const struct service *s, const struct gofer_proc_request *request)
{
    static const char *const names[] = {
        [GOFER_PROC_MAPS] = "maps",           [GOFER_PROC_SMAPS_ROLLUP] = "smaps_rollup",
        [GOFER_PROC_STATUS] = "status",       [GOFER_PROC_THREAD_STAT] = "stat",
        [GOFER_PROC_SMAPS] = "smaps",         [GOFER_PROC_PAGEMAP] = "pagemap",
        [GOFER_PROC_NUMA_MAPS] = "numa_maps", [GOFER_PROC_MEM] = "mem",
    };
    if (request->file < GOFER_PROC_MAPS || request->file > GOFER_PROC_LAST ||
        (request->file == GOFER_PROC_MEM && !s->memory))
        return -EINVAL;
    bool thread = request->file == GOFER_PROC_THREAD_STAT;
    if (request->pid <= 1 || request->pid == getpid() || (thread ? request->tid <= 1 : request->tid != 0))
        return -EPERM;
    char path[64];
    snprintf(path, sizeof(path), "%d", request->pid);
    // It stays this process's, whoever gets its number after it.
    int directory = open_below(s->proc, path, O_RDONLY | O_DIRECTORY);
    if (directory < 0)
        return directory;
    if (thread)
        snprintf(path, sizeof(path), "task/%d/stat", request->tid);
    else
        snprintf(path, sizeof(path), "%s", names[request->file]);
    bool stranger = s->session && (request->pid == s->session || !is_guest(s, directory));
    int fd =
        stranger ? -ESRCH : open_below(directory, path, request->file == GOFER_PROC_MEM ? O_RDWR : O_RDONLY);
    close(directory);
    return fd;
}

static int reply(int connection, const struct gofer_proc_request *request, int result)
{
    struct gofer_proc_reply answer = {.serial = request->serial, .error = result < 0 ? -result : 0};
    struct iovec vector = {.iov_base = &answer, .iov_len = sizeof(answer)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    if (result >= 0) {
        memcpy(CMSG_DATA(&control.header), &result, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    ssize_t sent;
    do
        sent = sendmsg(connection, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (result >= 0)
        close(result);
    return sent == sizeof(answer) ? 0 : -1;
}

static int serve(const struct service *s)
{
    for (;;) {
        struct gofer_proc_request request;
        struct iovec vector = {.iov_base = &request, .iov_len = sizeof(request)};
        // No room for control data: descriptors that the Sentry sends are dropped by the kernel.
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        ssize_t got = recvmsg(s->connection, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno == ECONNRESET)) // the latter when it ends with an answer unread
            return 0;
        if (got != sizeof(request) || (message.msg_flags & MSG_TRUNC)) {
            fprintf(stderr, "gofer: request of a wrong size refused, closing the connection\n");
            return GOFER_EXIT_FAILED;
        }
        if (reply(s->connection, &request, open_file(s, &request)) < 0)
            return 0;
    }
}

int gofer_proc_main(int argc, char **argv)
{
    int keep[] = {gofer_fd_argument(argc, argv, "--connection-fd"),
                  gofer_fd_argument(argc, argv, "--proc-fd")};
    if (keep[0] < 0 || keep[1] < 0) {
        fprintf(stderr, "gofer: --proc needs --connection-fd and --proc-fd\n");
        return GOFER_EXIT_FAILED;
    }
    static const struct gofer_config config = {
        .run_uid = UINT32_MAX, .run_gid = UINT32_MAX, .waive = GOFER_WAIVE_LANDLOCK, .parent_death = 1};
    if (jail_close_others(keep, 2) || jail_confine(&config, NULL, -1) || jail_filter(&FILTER))
        return GOFER_EXIT_FAILED;
    int session = gofer_fd_argument(argc, argv, "--session");
    const struct service service = {.connection = keep[0],
                                    .proc = keep[1],
                                    .memory = gofer_fd_argument(argc, argv, "--memory") == 1,
                                    .session = session > 0 ? session : 0};
    return serve(&service);
}
