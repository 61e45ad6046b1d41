#include "sentry/boot/config_codec.h"
#include "sentry/core/hostcall.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAGIC 0x53434631u // "SCF1"
#define ITEMS_MAX (1u << 20)

// A growing buffer when writing, a window when reading; `error` sticks.
struct cursor {
    uint8_t *data;
    size_t used, size;
    int error;
};

static void put_bytes(struct cursor *c, const void *src, size_t n)
{
    if (c->error || n == 0)
        return;
    if (n > CONFIG_BYTES_MAX - c->used) {
        c->error = -E2BIG;
        return;
    }
    if (c->used + n > c->size) {
        size_t size = c->size ? c->size : 16384;
        while (size < c->used + n)
            size *= 2;
        uint8_t *data = realloc(c->data, size);
        if (!data) {
            c->error = -ENOMEM;
            return;
        }
        c->data = data;
        c->size = size;
    }
    memcpy(c->data + c->used, src, n);
    c->used += n;
}

static void put_u32(struct cursor *c, uint32_t v)
{
    put_bytes(c, &v, sizeof(v));
}

static void put_u64(struct cursor *c, uint64_t v)
{
    put_bytes(c, &v, sizeof(v));
}

// NULL is told from "".
static void put_string(struct cursor *c, const char *s)
{
    uint32_t n = s ? (uint32_t)strlen(s) : UINT32_MAX;
    put_u32(c, n);
    if (s)
        put_bytes(c, s, n);
}

static void put_strings(struct cursor *c, char *const *list)
{
    uint32_t n = 0;
    while (list[n])
        n++;
    put_u32(c, n);
    for (uint32_t i = 0; i < n; i++)
        put_string(c, list[i]);
}

static void get_bytes(struct cursor *c, void *dst, size_t n)
{
    if (!c->error && n > c->size - c->used)
        c->error = -EPROTO;
    if (c->error) {
        memset(dst, 0, n);
        return;
    }
    memcpy(dst, c->data + c->used, n);
    c->used += n;
}

static uint32_t get_u32(struct cursor *c)
{
    uint32_t v;
    get_bytes(c, &v, sizeof(v));
    return v;
}

static uint64_t get_u64(struct cursor *c)
{
    uint64_t v;
    get_bytes(c, &v, sizeof(v));
    return v;
}

static void *get_array(struct cursor *c, size_t n, size_t size)
{
    void *p = c->error ? NULL : calloc(n ? n : 1, size);
    if (!p && !c->error)
        c->error = -ENOMEM;
    return p;
}

static uint32_t get_count(struct cursor *c)
{
    uint32_t n = get_u32(c);
    if (n > ITEMS_MAX) {
        if (!c->error)
            c->error = -EPROTO;
        n = 0;
    }
    return n;
}

static char *get_string(struct cursor *c)
{
    uint32_t n = get_u32(c);
    if (n == UINT32_MAX || c->error)
        return NULL;
    if (n > c->size - c->used) {
        c->error = -EPROTO;
        return NULL;
    }
    char *s = get_array(c, (size_t)n + 1, 1);
    if (s)
        get_bytes(c, s, n);
    return s;
}

static char **get_strings(struct cursor *c)
{
    uint32_t n = get_count(c);
    char **list = get_array(c, (size_t)n + 1, sizeof(*list));
    for (uint32_t i = 0; list && i < n; i++) {
        list[i] = get_string(c);
        if (!list[i] && !c->error)
            c->error = -EPROTO; // a NULL would end the list early
    }
    return list;
}

#define FLAG_READONLY 1u
#define FLAG_NOSUID 2u
#define FLAG_NODEV 4u
#define FLAG_NOEXEC 8u
#define FLAG_OVERLAY 16u
#define FLAG_SHARED 32u
#define FLAG_COPY_UP 64u
#define FLAG_STORE 128u

static void put_mount(struct cursor *c, const struct mount_config *m)
{
    put_u32(c, (uint32_t)m->kind);
    put_string(c, m->destination);
    put_string(c, m->export_name);
    put_u32(c, (m->readonly ? FLAG_READONLY : 0) | (m->nosuid ? FLAG_NOSUID : 0) |
                   (m->nodev ? FLAG_NODEV : 0) | (m->noexec ? FLAG_NOEXEC : 0) |
                   (m->overlay ? FLAG_OVERLAY : 0) | (m->shared ? FLAG_SHARED : 0) |
                   (m->copy_up ? FLAG_COPY_UP : 0) | (m->store ? FLAG_STORE : 0));
    put_u64(c, m->size);
    put_u32(c, m->mode);
    put_u32(c, m->server);
    put_string(c, m->options);
}

static void get_mount(struct cursor *c, struct mount_config *m)
{
    m->kind = (enum mount_kind)get_u32(c);
    m->destination = get_string(c);
    m->export_name = get_string(c);
    uint32_t flags = get_u32(c);
    m->readonly = flags & FLAG_READONLY;
    m->nosuid = flags & FLAG_NOSUID;
    m->nodev = flags & FLAG_NODEV;
    m->noexec = flags & FLAG_NOEXEC;
    m->overlay = flags & FLAG_OVERLAY;
    m->shared = flags & FLAG_SHARED;
    m->copy_up = flags & FLAG_COPY_UP;
    m->store = flags & FLAG_STORE;
    m->size = get_u64(c);
    m->mode = get_u32(c);
    m->server = get_u32(c);
    m->options = get_string(c);
    if (!c->error && (m->kind > MOUNT_REMOUNT || !m->destination || m->server > FILE_SERVERS_MAX))
        c->error = -EPROTO;
}

static void put_capabilities(struct cursor *c, const struct capability_config *caps)
{
    put_u32(c, caps->given);
    put_u64(c, caps->bounding);
    put_u64(c, caps->effective);
    put_u64(c, caps->inheritable);
    put_u64(c, caps->permitted);
    put_u64(c, caps->ambient);
}

static void get_capabilities(struct cursor *c, struct capability_config *caps)
{
    caps->given = get_u32(c) != 0;
    caps->bounding = get_u64(c);
    caps->effective = get_u64(c);
    caps->inheritable = get_u64(c);
    caps->permitted = get_u64(c);
    caps->ambient = get_u64(c);
}

static void put_seccomp(struct cursor *c, const struct seccomp_config *s)
{
    put_u32(c, s->length);
    put_u32(c, (s->log ? 1u : 0) | (s->native_rows ? 2u : 0));
    put_bytes(c, s->code, (size_t)s->length * 8);
}

static void get_seccomp(struct cursor *c, struct seccomp_config *s)
{
    s->length = get_count(c);
    uint32_t flags = get_u32(c);
    s->log = flags & 1u;
    s->native_rows = flags & 2u;
    s->code = s->length ? get_array(c, s->length, 8) : NULL;
    if (s->code)
        get_bytes(c, s->code, (size_t)s->length * 8);
}

static void put_devices(struct cursor *c, const struct sentry_config *config)
{
    put_u32(c, (uint32_t)config->nr_devices);
    for (size_t i = 0; i < config->nr_devices; i++) {
        const struct device_config *d = &config->devices[i];
        const uint32_t words[] = {d->mode, d->major, d->minor, d->uid, d->gid};
        put_string(c, d->path);
        put_bytes(c, words, sizeof(words));
    }
    put_u32(c, (uint32_t)config->nr_sysctls);
    for (size_t i = 0; i < config->nr_sysctls; i++) {
        put_string(c, config->sysctls[i].name);
        put_string(c, config->sysctls[i].value);
    }
}

static void get_devices(struct cursor *c, struct sentry_config *config)
{
    config->nr_devices = get_count(c);
    config->devices = get_array(c, config->nr_devices, sizeof(*config->devices));
    for (size_t i = 0; config->devices && !c->error && i < config->nr_devices; i++) {
        struct device_config *d = &config->devices[i];
        d->path = get_string(c);
        d->mode = get_u32(c);
        d->major = get_u32(c);
        d->minor = get_u32(c);
        d->uid = get_u32(c);
        d->gid = get_u32(c);
        if (!c->error && !d->path)
            c->error = -EPROTO;
    }
    config->nr_sysctls = get_count(c);
    config->sysctls = get_array(c, config->nr_sysctls, sizeof(*config->sysctls));
    for (size_t i = 0; config->sysctls && !c->error && i < config->nr_sysctls; i++) {
        config->sysctls[i].name = get_string(c);
        config->sysctls[i].value = get_string(c);
        if (!c->error && (!config->sysctls[i].name || !config->sysctls[i].value))
            c->error = -EPROTO;
    }
}

static void put_config(struct cursor *c, const struct sentry_config *config)
{
    put_strings(c, config->argv);
    put_strings(c, config->envp);
    put_string(c, config->program);
    put_string(c, config->cwd);
    put_string(c, config->hostname);
    put_string(c, config->domainname);
    put_u32(c, config->uid);
    put_u32(c, config->gid);
    put_u32(c, config->umask);
    put_u64(c, config->ignored_signals);
    put_bytes(c, config->limits, sizeof(config->limits));
    put_u32(c, config->limits_given);
    put_capabilities(c, &config->capabilities);
    put_u32(c, (uint32_t)config->oom_score_adj);
    put_devices(c, config);
    put_seccomp(c, &config->seccomp);
    const int32_t scheduler[] = {config->scheduler_given, config->sched_policy, config->sched_priority,
                                 config->nice, config->ioprio};
    put_bytes(c, scheduler, sizeof(scheduler));
    put_u32(c, (uint32_t)config->nr_groups);
    put_bytes(c, config->groups, config->nr_groups * sizeof(*config->groups));
    put_u32(c, (uint32_t)config->nr_mounts);
    for (size_t i = 0; i < config->nr_mounts; i++)
        put_mount(c, &config->mounts[i]);
    put_u32(c, (uint32_t)config->nr_links);
    for (size_t i = 0; i < config->nr_links; i++) {
        put_string(c, config->links[i].path);
        put_string(c, config->links[i].target);
    }
    put_u64(c, config->memory_limit);
    put_u32(c, config->cpus);
    put_u32(c, config->max_tasks);
    put_u32(c, (config->network_host ? 1u : 0) | (config->strace ? 2u : 0) | (config->stats ? 4u : 0) |
                   (config->stdio_tty[0] ? 8u : 0) | (config->stdio_tty[1] ? 16u : 0) |
                   (config->stdio_tty[2] ? 32u : 0) | (config->container ? 64u : 0) |
                   (config->no_new_privs ? 128u : 0) | (config->network_policy ? 256u : 0) |
                   (config->begins ? 512u : 0) | (config->nested ? 1024u : 0));
    put_u32(c, (uint32_t)config->log_level);
    put_u64(c, config->disabled_features);
    put_u32(c, config->server_uid);
}

static void get_config(struct cursor *c, struct sentry_config *config)
{
    config->argv = get_strings(c);
    config->envp = get_strings(c);
    config->program = get_string(c);
    config->cwd = get_string(c);
    config->hostname = get_string(c);
    config->domainname = get_string(c);
    config->uid = get_u32(c);
    config->gid = get_u32(c);
    config->umask = get_u32(c) & 0777;
    config->ignored_signals = get_u64(c);
    get_bytes(c, config->limits, sizeof(config->limits));
    config->limits_given = get_u32(c);
    get_capabilities(c, &config->capabilities);
    config->oom_score_adj = (int)get_u32(c);
    get_devices(c, config);
    get_seccomp(c, &config->seccomp);
    config->scheduler_given = get_u32(c) != 0;
    config->sched_policy = (int)get_u32(c);
    config->sched_priority = (int)get_u32(c);
    config->nice = (int)get_u32(c);
    config->ioprio = (int)get_u32(c);
    config->nr_groups = get_count(c);
    config->groups = get_array(c, config->nr_groups, sizeof(*config->groups));
    if (config->groups)
        get_bytes(c, config->groups, config->nr_groups * sizeof(*config->groups));
    config->nr_mounts = get_count(c);
    config->mounts = get_array(c, config->nr_mounts, sizeof(*config->mounts));
    for (size_t i = 0; config->mounts && !c->error && i < config->nr_mounts; i++)
        get_mount(c, &config->mounts[i]);
    config->nr_links = get_count(c);
    config->links = get_array(c, config->nr_links, sizeof(*config->links));
    for (size_t i = 0; config->links && !c->error && i < config->nr_links; i++) {
        config->links[i].path = get_string(c);
        config->links[i].target = get_string(c);
        if (!c->error && (!config->links[i].path || !config->links[i].target))
            c->error = -EPROTO;
    }
    config->memory_limit = get_u64(c);
    config->cpus = get_u32(c);
    config->max_tasks = get_u32(c);
    uint32_t flags = get_u32(c);
    config->network_host = flags & 1u;
    config->strace = flags & 2u;
    config->stats = flags & 4u;
    for (unsigned i = 0; i < 3; i++)
        config->stdio_tty[i] = flags & (8u << i);
    config->container = flags & 64u;
    config->no_new_privs = flags & 128u;
    config->network_policy = flags & 256u;
    config->begins = flags & 512u;
    config->nested = flags & 1024u;
    config->log_level = (int)get_u32(c);
    config->disabled_features = get_u64(c);
    config->server_uid = get_u32(c);
}

int config_write(int fd, const struct sentry_config *config, const struct kernel_params *params)
{
    struct cursor c = {0};
    put_u32(&c, CONFIG_MAGIC);
    put_bytes(&c, params, sizeof(*params));
    put_config(&c, config);
    size_t done = 0;
    while (!c.error && done < c.used) {
        ssize_t n = pwrite(fd, c.data + done, c.used - done, (off_t)done);
        if (n < 0 && errno != EINTR)
            c.error = -errno;
        if (n > 0)
            done += (size_t)n;
    }
    free(c.data);
    return c.error;
}

int config_read(int fd, struct sentry_config *config, struct kernel_params *params)
{
    struct stat st;
    if (host_fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < 4 || st.st_size > CONFIG_BYTES_MAX)
        return -EPROTO;
    struct cursor c = {.size = (size_t)st.st_size};
    c.data = malloc(c.size);
    if (!c.data)
        return -ENOMEM;
    for (size_t done = 0; done < c.size;) {
        ssize_t n = pread(fd, c.data + done, c.size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(c.data);
            return n < 0 ? -errno : -EPROTO;
        }
        done += (size_t)n;
    }
    memset(config, 0, sizeof(*config));
    if (get_u32(&c) != CONFIG_MAGIC)
        c.error = -EPROTO;
    get_bytes(&c, params, sizeof(*params));
    get_config(&c, config);
    if (!c.error && (c.used != c.size || !config->argv[0]))
        c.error = -EPROTO;
    free(c.data);
    return c.error;
}

static void free_strings(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void config_free(struct sentry_config *config)
{
    free_strings(config->argv);
    free_strings(config->envp);
    free(config->program);
    free(config->cwd);
    free(config->hostname);
    free(config->domainname);
    free(config->groups);
    free(config->seccomp.code);
    for (size_t i = 0; config->devices && i < config->nr_devices; i++)
        free(config->devices[i].path);
    free(config->devices);
    for (size_t i = 0; config->sysctls && i < config->nr_sysctls; i++) {
        free(config->sysctls[i].name);
        free(config->sysctls[i].value);
    }
    free(config->sysctls);
    for (size_t i = 0; config->mounts && i < config->nr_mounts; i++) {
        free(config->mounts[i].destination);
        free(config->mounts[i].export_name);
        free(config->mounts[i].options);
    }
    free(config->mounts);
    for (size_t i = 0; config->links && i < config->nr_links; i++) {
        free(config->links[i].path);
        free(config->links[i].target);
    }
    free(config->links);
    *config = (struct sentry_config){0};
}
