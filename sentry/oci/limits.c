// events and update: what a container uses, and what it may use.
#include "sentry/oci/client.h"
#include "sentry/oci/command.h"
#include "sentry/oci/container.h"
#include "sentry/oci/json.h"
#include "sentry/oci/json_write.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int open_running(const struct oci_globals *globals, const char *id, struct container *c,
                        struct oci_error *error)
{
    char root[PATH_MAX];
    int failed = container_root(globals->root, root, sizeof(root), error);
    if (!failed)
        failed = container_open(root, id, false, c, error);
    if (!failed && container_status_now(c) == CONTAINER_STOPPED)
        failed = oci_fail(error, ESRCH, "container with id %s is not running", id);
    return failed;
}

static void put_event(const char *type, const char *id, const char *data)
{
    struct json_writer w = {0};
    json_put_object(&w, NULL);
    json_put_string(&w, "type", type);
    json_put_string(&w, "id", id);
    json_put_end(&w, '}');
    if (!w.error && data)
        printf("%.*s,\"data\":%s}\n", (int)(w.length - 1), w.text, data);
    else if (!w.error)
        puts(w.text);
    fflush(stdout);
    free(w.text);
}

static int put_stats(const struct container *c, struct oci_error *error)
{
    struct oci_stats *stats = calloc(1, sizeof(*stats));
    if (!stats)
        return oci_fail(error, ENOMEM, "out of memory");
    int failed = oci_cgroup_stats(&c->cgroup, stats, error);
    char *data = failed ? NULL : oci_stats_json(stats);
    if (data)
        put_event("stats", c->id, data);
    free(data);
    free(stats);
    return failed;
}

// "5s", "500ms", "5": milliseconds, 0 for anything else.
static int interval_ms(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || value <= 0 || value > 1e6)
        return 0;
    if (strcmp(end, "ms") == 0)
        return (int)value;
    if (strcmp(end, "m") == 0)
        return (int)(value * 60000);
    return !*end || strcmp(end, "s") == 0 ? (int)(value * 1000) : 0;
}

// Until the container has ended: what it uses, in intervals, and each new victim of the OOM killer.
static int follow_events(const struct container *c, int ms, struct oci_error *error)
{
    int fd = container_pidfd(c);
    uint64_t kills = oci_cgroup_oom_kills(&c->cgroup);
    int failed = 0;
    while (fd >= 0 && !failed) {
        uint64_t now = oci_cgroup_oom_kills(&c->cgroup);
        if (now > kills)
            put_event("oom", c->id, NULL);
        kills = now;
        failed = put_stats(c, error);
        struct pollfd end = {.fd = fd, .events = POLLIN};
        if (poll(&end, 1, ms) > 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return failed;
}

int oci_events(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    const char *interval = "5s";
    bool stats = false;
    const struct oci_option options[] = {
        {"interval", 0, OCI_TEXT, &interval, "TIME", "time between two lines, such as 5s (the default)"},
        {"stats", 0, OCI_FLAG, &stats, NULL, "print one line and end"},
        OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    int failed = used < 0 ? used : oci_arguments(argc - 1, used, 1, 1, "events", &error);
    if (!failed && !interval_ms(interval))
        failed = oci_fail(&error, EINVAL, "--interval takes a duration, such as 5s");
    if (!failed)
        failed = open_running(globals, argv[1 + used], &c, &error);
    if (!failed)
        failed = stats ? put_stats(&c, &error) : follow_events(&c, interval_ms(interval), &error);
    return failed ? oci_fail_command(&error) : 0;
}

// --- update

// runc's options for single limits, and the member of linux.resources that each one is.
static const struct {
    const char *name, *group, *member;
    enum { LIMIT_NUMBER, LIMIT_BYTES, LIMIT_TEXT } kind;
} limits[] = {
    {"blkio-weight", "blockIO", "weight", LIMIT_NUMBER},
    {"cpu-period", "cpu", "period", LIMIT_NUMBER},
    {"cpu-quota", "cpu", "quota", LIMIT_NUMBER},
    {"cpu-burst", "cpu", "burst", LIMIT_NUMBER},
    {"cpu-share", "cpu", "shares", LIMIT_NUMBER},
    {"cpu-rt-period", "cpu", "realtimePeriod", LIMIT_NUMBER},
    {"cpu-rt-runtime", "cpu", "realtimeRuntime", LIMIT_NUMBER},
    {"cpu-idle", "cpu", "idle", LIMIT_NUMBER},
    {"cpuset-cpus", "cpu", "cpus", LIMIT_TEXT},
    {"cpuset-mems", "cpu", "mems", LIMIT_TEXT},
    {"kernel-memory", "memory", "kernel", LIMIT_BYTES},
    {"kernel-memory-tcp", "memory", "kernelTCP", LIMIT_BYTES},
    {"memory", "memory", "limit", LIMIT_BYTES},
    {"memory-reservation", "memory", "reservation", LIMIT_BYTES},
    {"memory-swap", "memory", "swap", LIMIT_BYTES},
    {"pids-limit", "pids", "limit", LIMIT_NUMBER},
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

// "512m", "-1": bytes with a unit of 1024.
static bool parse_bytes(const char *text, int64_t *out)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    int shift = 0;
    if (end == text)
        return false;
    switch (tolower((unsigned char)*end)) {
    case 'k':
        shift = 10, end++;
        break;
    case 'm':
        shift = 20, end++;
        break;
    case 'g':
        shift = 30, end++;
        break;
    case 't':
        shift = 40, end++;
        break;
    default:
        break;
    }
    if (tolower((unsigned char)*end) == 'i')
        end++;
    if (tolower((unsigned char)*end) == 'b')
        end++;
    *out = value * (1ll << shift);
    return !*end && value < (INT64_MAX >> shift) && value > -(INT64_MAX >> shift);
}

// The single options as the document that --resources would have brought.
static int limits_as_json(const char *const *given, char **text, struct oci_error *error)
{
    struct json_writer w = {0};
    const char *group = NULL;
    json_put_object(&w, NULL);
    for (size_t i = 0; i < LIMITS; i++) {
        int64_t value;
        if (!given[i])
            continue;
        if (group && strcmp(group, limits[i].group) != 0)
            json_put_end(&w, '}');
        if (!group || strcmp(group, limits[i].group) != 0)
            json_put_object(&w, limits[i].group);
        group = limits[i].group;
        if (limits[i].kind == LIMIT_TEXT) {
            json_put_string(&w, limits[i].member, given[i]);
            continue;
        }
        if (!parse_bytes(given[i], &value)) {
            free(w.text);
            return oci_fail(error, EINVAL, "--%s takes a number", limits[i].name);
        }
        json_put_i64(&w, limits[i].member, value);
    }
    if (group)
        json_put_end(&w, '}');
    json_put_end(&w, '}');
    *text = w.text;
    return w.error ? oci_fail(error, ENOMEM, "out of memory") : 0;
}

static int read_resources(const char *path, char **text, size_t *length, struct oci_error *error)
{
    const char *name = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    int failed = read_file_at(AT_FDCWD, name, JSON_BYTES_MAX, text, length);
    return failed ? oci_fail_errno(error, -failed, "--resources: cannot read %s", path) : 0;
}

static int apply(const struct container *c, const char *path, const char *const *given,
                 struct oci_error *error)
{
    struct oci_resources_document document;
    char *text;
    size_t length;
    int failed = path ? read_resources(path, &text, &length, error) : limits_as_json(given, &text, error);
    if (failed)
        return failed;
    failed = oci_resources_parse(text, path ? length : strlen(text), &document, error);
    free(text);
    if (failed)
        return failed;
    if (c->cgroup.layout == OCI_CGROUP_NONE)
        return oci_fail(error, EOPNOTSUPP, "the container has no control group");
    bool tasks = document.resources.pids_limit.set;
    int64_t limit = document.resources.pids_limit.value;
    failed = oci_cgroup_apply(&c->cgroup, &document.resources, error);
    if (!failed && tasks && limit > 0 && limit < INT32_MAX)
        failed = client_request(c, CONTROL_TASKS, (int)limit, "limit the tasks of", error);
    oci_resources_free(&document);
    return failed;
}

int oci_update(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    const char *path = NULL, *given[LIMITS] = {NULL};
    struct oci_option options[LIMITS + 2];
    for (size_t i = 0; i < LIMITS; i++)
        options[i] = (struct oci_option){limits[i].name, 0, OCI_TEXT, &given[i], "VALUE", NULL};
    options[LIMITS] = (struct oci_option){
        "resources", 'r',    OCI_TEXT,
        &path,       "FILE", "a resources document in the place of the others; - is standard input"};
    options[LIMITS + 1] = (struct oci_option)OCI_OPTIONS_END;
    int used = oci_options(argc - 1, argv + 1, options, &error);
    int failed = used < 0 ? used : oci_arguments(argc - 1, used, 1, 1, "update", &error);
    if (!failed)
        failed = open_running(globals, argv[1 + used], &c, &error);
    if (!failed)
        failed = apply(&c, path, given, &error);
    return failed ? oci_fail_command(&error) : 0;
}
