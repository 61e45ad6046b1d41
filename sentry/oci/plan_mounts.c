#include "sentry/oci/plan_mounts.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct mounts {
    struct sandbox_spec *spec;
    const char *bundle;
    struct oci_error *error;
};

static int add_mount(struct mounts *m, struct mount_config mount)
{
    struct sentry_config *config = &m->spec->config;
    struct mount_config *list = realloc(config->mounts, (config->nr_mounts + 1) * sizeof(*list));
    if (!list)
        return oci_fail(m->error, ENOMEM, "out of memory");
    list[config->nr_mounts++] = mount;
    config->mounts = list;
    return 0;
}

// Shows a directory or file of the host.
static int add_export(struct mounts *m, const char *path, uint32_t flags, struct mount_config mount)
{
    struct sandbox_spec *spec = m->spec;
    if (spec->nr_exports == GOFER_EXPORTS_MAX)
        return oci_fail(m->error, E2BIG, "more than %d bind mounts", GOFER_EXPORTS_MAX - 1);
    if (strlen(path) >= GOFER_PATH_MAX)
        return oci_fail(m->error, ENAMETOOLONG, "mount source %s is too long", path);
    struct gofer_export *exports = realloc(spec->exports, (spec->nr_exports + 1) * sizeof(*exports));
    char name[24];
    snprintf(name, sizeof(name), "export%u", spec->nr_exports);
    mount.kind = MOUNT_GOFER;
    mount.export_name = strdup(name);
    if (!exports || !mount.export_name)
        return oci_fail(m->error, ENOMEM, "out of memory");
    spec->exports = exports;
    struct gofer_export *export = &exports[spec->nr_exports++];
    memset(export, 0, sizeof(*export));
    strcpy(export->name, name);
    strcpy(export->path, path);
    export->source = GOFER_SOURCE_PATH;
    export->fd = -1;
    export->flags = flags;
    return add_mount(m, mount);
}

#define WRITABLE (GOFER_EXPORT_SOCKETS | GOFER_EXPORT_FIFOS | GOFER_EXPORT_SETID | GOFER_EXPORT_XATTRS)

// A root that the guest may not write lies under an overlay, where missing mount points are made.
static int add_root(struct mounts *m, const struct oci_config *config, const char *rootfs, bool memory)
{
    bool overlay = memory || config->root_readonly;
    struct mount_config root = {.destination = (char *)(uintptr_t) "/",
                                .readonly = config->root_readonly,
                                .overlay = overlay,
                                .shared = !overlay,
                                .nodev = true};
    // With what is mounted below it on the host, as every runtime shows it.
    uint32_t flags = overlay ? GOFER_EXPORT_RO | GOFER_EXPORT_XATTRS : WRITABLE;
    return add_export(m, rootfs, flags | GOFER_EXPORT_RECURSIVE, root);
}

static struct mount_config with_flags(const struct oci_mount *from, enum mount_kind kind)
{
    return (struct mount_config){.kind = kind,
                                 .destination = (char *)(uintptr_t)from->destination,
                                 .readonly = from->flags & MS_RDONLY,
                                 .nosuid = from->flags & MS_NOSUID,
                                 .nodev = from->flags & MS_NODEV,
                                 .noexec = from->flags & MS_NOEXEC};
}

static int add_tmpfs(struct mounts *m, const struct oci_mount *from)
{
    struct mount_config mount = with_flags(from, MOUNT_TMPFS);
    char options[160] = "";
    size_t n = 0;
    mount.size = from->size.set ? from->size.value : 0;
    mount.mode = from->mode_set ? from->mode : 0;
    mount.copy_up = from->copy_up;
    if (from->size_percent)
        n += (size_t)snprintf(options, sizeof(options), "size=%u%%,", from->size_percent);
    if (from->nr_inodes.set)
        n += (size_t)snprintf(options + n, sizeof(options) - n, "nr_inodes=%llu,",
                              (unsigned long long)from->nr_inodes.value);
    if (from->uid_set)
        n += (size_t)snprintf(options + n, sizeof(options) - n, "uid=%u,", from->uid);
    if (from->gid_set)
        n += (size_t)snprintf(options + n, sizeof(options) - n, "gid=%u,", from->gid);
    if (n) {
        options[n - 1] = 0;
        mount.options = strdup(options);
        if (!mount.options)
            return oci_fail(m->error, ENOMEM, "out of memory");
    }
    return add_mount(m, mount);
}

static bool below(const char *path, const char *directory)
{
    size_t n = strlen(directory);
    return strncmp(path, directory, n) == 0 && (path[n] == 0 || path[n] == '/');
}

// Files that tools like lxcfs put over those of /proc; anything else there would change what the kernel says.
static bool may_cover_proc(const char *destination)
{
    static const char *const files[] = {
        "cpuinfo", "diskstats", "meminfo",  "stat",    "swaps",
        "uptime",  "loadavg",   "slabinfo", "net/dev", "sys/kernel/ns_last_pid"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (strncmp(destination, "/proc/", 6) == 0 && strcmp(destination + 6, files[i]) == 0)
            return true;
    return false;
}

// What of the host's own system a bind mount may ask for, and what stands in its place: the guest has a kernel of its own.
static bool own_instead(const char *source, const struct stat *st, enum mount_kind *kind)
{
    static const struct {
        const char *path;
        enum mount_kind kind;
    } table[] = {{"/proc", MOUNT_PROC},     {"/sys", MOUNT_SYSFS},         {"/sys/fs/cgroup", MOUNT_CGROUP},
                 {"/dev/shm", MOUNT_TMPFS}, {"/dev/mqueue", MOUNT_MQUEUE}, {"/dev/pts", MOUNT_DEVPTS},
                 {"/dev", MOUNT_DEV}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (S_ISDIR(st->st_mode) && strcmp(source, table[i].path) == 0) {
            *kind = table[i].kind;
            return true;
        }
    }
    return false;
}

static int add_bind(struct mounts *m, const struct oci_mount *from)
{
    char path[PATH_MAX], source[PATH_MAX];
    struct stat st;
    if (!from->source)
        return oci_fail(m->error, EINVAL, "mount on %s: a bind mount needs a source", from->destination);
    bool absolute = from->source[0] == '/';
    int n =
        snprintf(path, sizeof(path), "%s%s%s", absolute ? "" : m->bundle, absolute ? "" : "/", from->source);
    if (n < 0 || (size_t)n >= sizeof(path))
        return oci_fail(m->error, ENAMETOOLONG, "mount source %s is too long", from->source);
    if (!realpath(path, source) || stat(source, &st) < 0)
        return oci_fail_errno(m->error, errno, "error mounting \"%s\" to rootfs at \"%s\"", from->source,
                              from->destination);
    struct mount_config mount = with_flags(from, MOUNT_GOFER);
    enum mount_kind kind;
    if (own_instead(source, &st, &kind)) {
        mount.kind = kind;
        mount.mode = kind == MOUNT_TMPFS ? 01777 : 0;
        return add_mount(m, mount);
    }
    if (below(from->destination, "/proc") && !may_cover_proc(from->destination))
        return oci_fail(m->error, EINVAL, "\"%s\" cannot be mounted because it is inside /proc",
                        from->destination);
    mount.shared = true;
    uint32_t flags = mount.readonly ? GOFER_EXPORT_RO | GOFER_EXPORT_XATTRS : WRITABLE;
    return add_export(m, source, flags | (from->recursive ? GOFER_EXPORT_RECURSIVE : 0), mount);
}

static int add_one(struct mounts *m, const struct oci_mount *from)
{
    switch (from->type) {
    case OCI_MOUNT_BIND:
        return add_bind(m, from);
    case OCI_MOUNT_TMPFS:
        if (strcmp(from->destination, "/dev") == 0)
            return add_mount(m, with_flags(from, MOUNT_DEV));
        return add_tmpfs(m, from);
    case OCI_MOUNT_PROC:
        return add_mount(m, with_flags(from, MOUNT_PROC));
    case OCI_MOUNT_SYSFS:
        return add_mount(m, with_flags(from, MOUNT_SYSFS));
    case OCI_MOUNT_DEVPTS:
        return add_mount(m, with_flags(from, MOUNT_DEVPTS));
    case OCI_MOUNT_MQUEUE:
        return add_mount(m, with_flags(from, MOUNT_MQUEUE));
    default:
        return add_mount(m, with_flags(from, MOUNT_CGROUP));
    }
}

static bool mounts_on(const struct oci_config *config, const char *destination)
{
    for (size_t i = 0; i < config->nr_mounts; i++)
        if (strcmp(config->mounts[i].destination, destination) == 0)
            return true;
    return false;
}

static int add_devices(struct mounts *m, const struct oci_config *config)
{
    struct sentry_config *out = &m->spec->config;
    out->devices = calloc(config->nr_devices + 1, sizeof(*out->devices));
    if (!out->devices)
        return oci_fail(m->error, ENOMEM, "out of memory");
    for (size_t i = 0; i < config->nr_devices; i++) {
        const struct oci_device *d = &config->devices[i];
        uint32_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
        out->devices[out->nr_devices++] =
            (struct device_config){.path = (char *)(uintptr_t)d->path,
                                   .mode = type | (d->mode_set ? d->mode & 07777 : 0666),
                                   .major = d->major,
                                   .minor = d->minor,
                                   .uid = d->uid,
                                   .gid = d->gid};
    }
    if (config->process->terminal)
        out->devices[out->nr_devices++] = (struct device_config){
            .path = (char *)(uintptr_t) "/dev/console", .mode = S_IFCHR | 0620, .major = 5, .minor = 1};
    return 0;
}

static int add_places(struct mounts *m, const struct oci_strings *paths, struct mount_config mount)
{
    int failed = 0;
    for (size_t i = 0; i < paths->count && !failed; i++) {
        mount.destination = (char *)(uintptr_t)paths->list[i];
        failed = add_mount(m, mount);
    }
    return failed;
}

int oci_plan_mounts(const struct oci_config *config, const char *bundle, const char *rootfs, bool memory,
                    struct sandbox_spec *spec, struct oci_error *error)
{
    struct mounts m = {spec, bundle, error};
    int failed = add_root(&m, config, rootfs, memory);
    if (!failed && !mounts_on(config, "/dev"))
        failed =
            add_mount(&m, (struct mount_config){
                              .kind = MOUNT_DEV, .destination = (char *)(uintptr_t) "/dev", .nosuid = true});
    for (size_t i = 0; i < config->nr_mounts && !failed; i++)
        failed = add_one(&m, &config->mounts[i]);
    if (!failed)
        failed = add_devices(&m, config);
    if (!failed)
        failed = add_places(&m, &config->readonly_paths,
                            (struct mount_config){.kind = MOUNT_REMOUNT, .readonly = true});
    if (!failed)
        failed = add_places(&m, &config->masked_paths, (struct mount_config){.kind = MOUNT_MASK});
    return failed;
}
