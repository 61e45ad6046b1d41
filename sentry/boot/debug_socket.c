#include "sentry/boot/debug_socket.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char listening[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

int debug_directory(char *path, size_t size)
{
    const char *runtime = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (!runtime || runtime[0] != '/')
        return -ENOENT;
    int n = snprintf(path, size, "%s/sentry", runtime);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int socket_address(pid_t pid, struct sockaddr_un *address)
{
    char directory[sizeof(address->sun_path)];
    int error = debug_directory(directory, sizeof(directory));
    if (error)
        return error;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%d", directory, (int)pid);
    return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

// Ours alone: somebody else's directory would let him answer in our name.
static int make_directory(void)
{
    char directory[sizeof(listening)];
    struct stat st;
    int error = debug_directory(directory, sizeof(directory));
    if (error)
        return error;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(directory, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0 ? 0 : -EPERM;
}

int debug_listen(void)
{
    struct sockaddr_un address;
    int error = socket_address(getpid(), &address);
    if (!error)
        error = make_directory();
    if (error)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)unlink(address.sun_path); // of an earlier process with this number
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    strcpy(listening, address.sun_path);
    return fd;
}

void debug_unlink(void)
{
    if (listening[0])
        (void)unlink(listening);
    listening[0] = 0;
}

int debug_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        (peer.uid != geteuid() && peer.uid != 0)) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

int debug_connect(pid_t pid)
{
    struct sockaddr_un address;
    int error = socket_address(pid, &address);
    if (error)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    error = -errno;
    close(fd);
    if (error == -ECONNREFUSED)
        (void)unlink(address.sun_path);
    return error;
}
