#include "sentry/boot/memory_file.h"
#include "abi/mutate.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 16u
#endif

int memory_file_sealed(const char *name, const void *bytes, size_t n, int executable)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
    if (fd < 0 && errno == EINVAL) // before 6.3 every memfd is executable
        fd = memfd_create(name, flags);
    if (fd < 0)
        return -errno;
    int error = 0;
    for (size_t done = 0; !error && done < n;) {
        ssize_t written = write(fd, (const uint8_t *)bytes + done, n - done);
        if (written > 0)
            done += (size_t)written;
        else if (written == 0 || errno != EINTR)
            error = written == 0 ? -EIO : -errno;
    }
    if (!error && lseek(fd, 0, SEEK_SET) < 0)
        error = -errno;
    if (!error && !mutated("seals") &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        error = -errno;
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}
