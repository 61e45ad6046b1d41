// The reader of state.json on arbitrary bytes and on changed states: what it gives is bounded, can be written and read again, and a
// state whose process is not there is no running container.
#include "tests/fuzz/fuzz.h"
#include "sentry/oci/container.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[] = "/tmp/oci-state-fuzz-XXXXXX";
static struct container made;

static void remove_root(void)
{
    (void)container_remove(NULL, &made, NULL);
    (void)rmdir(root);
}

static void prepare(void)
{
    if (!mkdtemp(root) || container_make(root, "id", &made, NULL))
        abort();
    atexit(remove_root);
}

static void is_text(const char *text, size_t size)
{
    if (strnlen(text, size) == size)
        abort();
}

// What no command frees, because a command ends.
static void forget(struct container *c)
{
    for (size_t i = 0; i < c->nr_annotations; i++) {
        free((void *)(uintptr_t)c->annotations[i].name);
        free((void *)(uintptr_t)c->annotations[i].value);
    }
    free(c->annotations);
    container_close(c);
}

static void check(const struct container *c)
{
    if (c->pid < 0 || c->status > CONTAINER_STOPPED || c->cgroup.count > OCI_CGROUP_DIRS ||
        c->cgroup.layout > OCI_CGROUP_V2)
        abort();
    is_text(c->bundle, sizeof(c->bundle));
    is_text(c->rootfs, sizeof(c->rootfs));
    is_text(c->created, sizeof(c->created));
    for (unsigned i = 0; i < c->cgroup.count; i++) {
        is_text(c->cgroup.dirs[i].name, sizeof(c->cgroup.dirs[i].name));
        is_text(c->cgroup.dirs[i].path, sizeof(c->cgroup.dirs[i].path));
    }
    for (size_t i = 0; i < c->nr_annotations; i++)
        if (!c->annotations[i].name || !c->annotations[i].value)
            abort();
    bool there = c->pid > 0 && process_start_time(c->pid);
    if (!there && container_status_now(c) != CONTAINER_STOPPED &&
        container_status_now(c) != CONTAINER_CREATING)
        abort();
    int fd = container_pidfd(c); // of some process that happens to have this number and start: none
    if (fd >= 0)
        abort();
}

static void try_one(const uint8_t *bytes, size_t size)
{
    static struct container c, again;
    struct oci_error error;
    if (made.fd <= 0)
        prepare();
    if (write_file_whole(made.fd, "state.json", (const char *)bytes, size))
        abort();
    if (container_open(root, "id", false, &c, &error))
        return;
    check(&c);
    static unsigned turn;
    if (turn++ % 4) { // what follows is slow
        forget(&c);
        return;
    }
    if (container_save(&c, &error) || container_open(root, "id", false, &again, &error))
        abort();
    check(&again);
    if (c.pid != again.pid || c.pid_start != again.pid_start || c.status != again.status ||
        c.cgroup.count != again.cgroup.count || c.nr_annotations != again.nr_annotations ||
        strcmp(c.bundle, again.bundle) != 0 || strcmp(c.rootfs, again.rootfs) != 0)
        abort();
    forget(&c);
    forget(&again);
}

static const char state[] =
    "{\"ociVersion\":\"1.0.2\",\"id\":\"id\",\"pid\":4194300,\"pidStart\":18446744073709551615,\"status\":"
    "\"running\","
    "\"bundle\":\"/a/bundle\",\"rootfs\":\"/a/rootfs\",\"created\":\"2024-01-01T00:00:00Z\",\"owner\":0,"
    "\"annotations\":{\"a\":\"b\",\"c\":\"d\"},\"cgroupLayout\":1,\"cgroupShared\":false,"
    "\"cgroups\":[{\"name\":\"memory\",\"path\":\"/sys/fs/cgroup/memory/x\"},{\"name\":\"pids\",\"path\":\"/"
    "y\"}]}";

// Values of other types and sizes in a state's places.
static size_t make(char *out, size_t size)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "-1",
                                         "1e400",
                                         "\"\"",
                                         "[]",
                                         "{}",
                                         "[{}]",
                                         "\"\\u0000\"",
                                         "99999999999999999999",
                                         "2147483648",
                                         "\"creating\"",
                                         "[{\"name\":7}]",
                                         "{\"a\":1}"};
    size_t n = sizeof(state) - 1;
    memcpy(out, state, n);
    for (unsigned changes = (unsigned)(next() % 4); changes > 0; changes--) {
        const char *value = values[next() % (sizeof(values) / sizeof(values[0]))];
        size_t at = next() % n, length = strlen(value);
        char *colon = memchr(out + at, ':', n - at);
        if (next() % 4 == 0) {
            out[at] = (char)next();
        } else if (next() % 6 == 0) {
            n = at + 1;
        } else if (next() % 6 == 0 && n + 5000 < size) { // a text that is longer than its place
            char *quote = memchr(out + at, '"', n - at);
            if (!quote)
                continue;
            memmove(quote + 5001, quote + 1, n - (size_t)(quote + 1 - out));
            memset(quote + 1, 'x', 5000);
            n += 5000;
        } else if (colon) {
            char *end = memchr(colon, ',', n - (size_t)(colon - out));
            size_t begin = (size_t)(colon + 1 - out), rest = end ? (size_t)(end - out) : n - 1;
            if (n - rest + begin + length >= size)
                continue;
            memmove(out + begin + length, out + rest, n - rest);
            memcpy(out + begin, value, length);
            n = begin + length + (n - rest);
        }
    }
    return n;
}

static void smoke(unsigned long rounds)
{
    static char bytes[32768];
    for (unsigned long i = 0; i < rounds; i++)
        try_one((const uint8_t *)bytes, make(bytes, sizeof(bytes)));
    printf("%lu inputs\n", rounds);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
