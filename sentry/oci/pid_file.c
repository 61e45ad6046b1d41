#include "sentry/oci/pid_file.h"
#include "sentry/oci/container.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int write_pid_file(const char *path, pid_t pid, struct oci_error *error)
{
    char text[16], directory[PATH_MAX] = ".";
    if (!path)
        return 0;
    int n = snprintf(text, sizeof(text), "%d", (int)pid);
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = dir < 0 ? -errno : write_file_whole(dir, slash ? slash + 1 : path, text, (size_t)n);
    if (dir >= 0)
        close(dir);
    return failed ? oci_fail_errno(error, -failed, "cannot write the pid file %s", path) : 0;
}
