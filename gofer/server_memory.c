// Files in memory for the Sentry. It could make them itself, but a memfd is open for reading and writing, and
// only who may open paths can have a second description of it that reads only. Guests map what they may not
// write from that one.
#include "gofer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The same in the operator's store: a file without a name that can get none.
static int store_file(const struct host *host)
{
    for (unsigned int i = 0; i < host->export_count; i++) {
        const struct open_how how = {.flags = O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, .mode = 0600};
        if (!(host->exports[i].flags & GOFER_EXPORT_STORE))
            continue;
        int fd = (int)syscall(SYS_openat2, host->exports[i].root_fd, ".", &how, sizeof(how));
        return fd < 0 ? -errno : fd;
    }
    return -EOPNOTSUPP;
}

static int fresh_file(const struct host *host, bool in_store)
{
    if (in_store)
        return store_file(host);
    int fd = memfd_create("tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

int server_memfd(struct server *server)
{
    uint8_t kind = server->in.tmemfd.read_only;
    if (kind > NP_MEMFD_STORE)
        return -EINVAL;
    if (kind == NP_MEMFD_READ_ONLY) {
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
    server->memory = fresh_file(server->host, kind == NP_MEMFD_STORE);
    if (server->memory < 0) {
        int error = server->memory;
        server->memory = -1;
        return error;
    }
    int fd = host_reopen(server->host, server->memory, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        close(server->memory);
        server->memory = -1;
        return error;
    }
    server->donated = fd;
    return 0;
}
