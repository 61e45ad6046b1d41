// Files of control groups.
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A file name with the group's directory before it. False: too long.
static bool join(char *path, const char *directory, const char *file)
{
    return snprintf(path, PATH_MAX, "%s/%s", directory, file) < PATH_MAX;
}

int cgroup_write(const char *directory, const char *file, const char *value)
{
    char path[PATH_MAX];
    if (!join(path, directory, file))
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n;
    do
        n = write(fd, value, strlen(value));
    while (n < 0 && errno == EINTR);
    int error = n < 0 ? -errno : 0;
    close(fd);
    return error;
}

int cgroup_read(const char *directory, const char *file, char *text, size_t size)
{
    char path[PATH_MAX];
    size_t used = 0;
    text[0] = 0;
    if (!join(path, directory, file))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = 0;
    while (used < size - 1) {
        ssize_t n = read(fd, text + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        error = n < 0 ? -errno : 0;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    text[used] = 0;
    close(fd);
    return error;
}

bool cgroup_read_u64(const char *directory, const char *file, uint64_t *value)
{
    char text[64], *end;
    if (cgroup_read(directory, file, text, sizeof(text)) < 0)
        return false;
    if (strncmp(text, "max", 3) == 0) {
        *value = UINT64_MAX;
        return true;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text)
        return false;
    *value = number;
    return true;
}

bool cgroup_read_key(const char *directory, const char *file, const char *key, uint64_t *value)
{
    char text[8192];
    size_t n = strlen(key);
    if (cgroup_read(directory, file, text, sizeof(text)) < 0)
        return false;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, n) == 0 && line[n] == ' ') {
            *value = strtoull(line + n + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

bool cgroup_has(const char *directory, const char *file)
{
    char path[PATH_MAX];
    return join(path, directory, file) && access(path, F_OK) == 0;
}

int cgroup_set(const char *directory, const char *file, struct oci_error *error, const char *fmt, ...)
{
    char value[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(value))
        return oci_fail(error, EINVAL, "a value of %d bytes for %s is too long", n, file);
    int failed = cgroup_write(directory, file, value);
    if (failed == -ENOENT || failed == -ENOTDIR)
        return oci_fail(error, ENOENT, "the host's control groups have no %s, which the limit needs", file);
    return failed ? oci_fail_errno(error, -failed, "cannot write \"%s\" to %s/%s", value, directory, file)
                  : 0;
}
