// Files in memory for the Sentry. It could make them itself, but a memfd is open for reading and writing, and
// only who may open paths can have a second description of it that reads only. Guests map what they may not
// write from that one.
#include "gofer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int server_memfd(struct server *server)
{
    if (server->in.tmemfd.read_only > 1)
        return -EINVAL;
    if (server->in.tmemfd.read_only) {
        if (server->memory < 0)
            return -EINVAL;
        int fd = host_reopen(server->host, server->memory, O_RDONLY | O_CLOEXEC);
        int error = fd < 0 ? -errno : 0;
        close(server->memory);
        server->memory = -1;
        server->donated = fd;
        return error;
    }
    if (server->memory >= 0)
        close(server->memory);
    server->memory = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (server->memory < 0)
        return -errno;
    int fd = fcntl(server->memory, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        int error = -errno;
        close(server->memory);
        server->memory = -1;
        return error;
    }
    server->donated = fd;
    return 0;
}
