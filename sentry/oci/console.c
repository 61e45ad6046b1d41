#include "sentry/oci/console.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_master(const char *path, int master, const char *name, struct oci_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return oci_fail(error, ENAMETOOLONG, "--console-socket: %s is too long for a socket", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return oci_fail_errno(error, errno, "cannot make a socket");
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } with = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&with.head), &master, sizeof(master));
    struct iovec part = {(char *)(uintptr_t)name, strlen(name)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &with, .msg_controllen = sizeof(with)};
    int failed = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
        failed = oci_fail_errno(error, errno, "--console-socket: cannot send the terminal to %s", path);
    close(fd);
    return failed;
}

int console_make(const char *socket_path, const struct oci_process *process, int *slave,
                 struct oci_error *error)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return oci_fail_errno(error, errno, "cannot make a terminal");
    int fd = -1, failed = 0;
    if (grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0 ||
        (fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        failed = oci_fail_errno(error, errno, "cannot open the terminal");
    if (!failed && process->console_width) {
        struct winsize size = {.ws_row = process->console_height, .ws_col = process->console_width};
        (void)ioctl(fd, TIOCSWINSZ, &size);
    }
    if (!failed)
        failed = send_master(socket_path, master, name, error);
    close(master);
    if (failed && fd >= 0)
        close(fd);
    else
        *slave = fd;
    return failed;
}
