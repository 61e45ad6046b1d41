#include "gofer/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)buffer + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EINVAL;
        done += (size_t)got;
    }
    return 0;
}

static const char *check(const struct gofer_config *config)
{
    if (config->magic != GOFER_CONFIG_MAGIC || config->size != sizeof(*config))
        return "it was written by another version";
    if (config->loop > GOFER_LOOP_URING || config->owner > GOFER_OWNER_SINGLE)
        return "unknown loop or owner";
    if (config->capabilities & ~GOFER_CAP_ALL)
        return "a capability that a Gofer never keeps";
    if (config->export_count > GOFER_EXPORTS_MAX)
        return "too many exports";
    return NULL;
}

static const char *check_export(const struct gofer_config *config, const struct gofer_export *export)
{
    if (!memchr(export->name, 0, sizeof(export->name)) || !memchr(export->path, 0, sizeof(export->path)))
        return "a name without end";
    if (!export->name[0] || strchr(export->name, '/'))
        return "an empty name, or one with a slash";
    if (export->flags & ~GOFER_EXPORT_FLAGS)
        return "unknown flags";
    switch (export->source) {
    case GOFER_SOURCE_PATH:
        return export->path[0] == '/' ? NULL : "a path that is not absolute";
    case GOFER_SOURCE_MOUNT:
        return export->fd >= 0 ? NULL : "no descriptor";
    case GOFER_SOURCE_DIR:
        return export->fd >= 0 && config->waive & GOFER_WAIVE_MOUNTS
                   ? NULL
                   : "a plain directory needs GOFER_WAIVE_MOUNTS";
    default:
        return "unknown source";
    }
}

int gofer_config_read(int fd, struct gofer_config *config, struct gofer_export **exports)
{
    int error = read_all(fd, config, sizeof(*config));
    const char *wrong = error ? strerror(-error) : check(config);
    *exports = NULL;
    if (!wrong) {
        *exports = calloc(config->export_count ? config->export_count : 1, sizeof(**exports));
        error = *exports ? read_all(fd, *exports, config->export_count * sizeof(**exports)) : -ENOMEM;
        if (error)
            wrong = strerror(-error);
    }
    for (uint32_t i = 0; !wrong && i < config->export_count; i++)
        wrong = check_export(config, &(*exports)[i]);
    if (!wrong)
        return 0;
    fprintf(stderr, "gofer: cannot use the configuration on descriptor %d: %s\n", fd, wrong);
    free(*exports);
    *exports = NULL;
    return -EINVAL;
}
