#include "sentry/cli/root.h"
#include "sentry/boot/fail.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Directories of the host that make up the default root, as far as they exist. A symbolic link stays one.
static const char *const system_directories[] = {"/usr",   "/bin",   "/sbin",   "/lib",
                                                 "/lib32", "/lib64", "/libx32", "/etc"};

static int add_mount(struct root_plan *plan, struct mount_config mount)
{
    struct mount_config *mounts = realloc(plan->mounts, (plan->nr_mounts + 1) * sizeof(*mounts));
    mount.destination = strdup(mount.destination);
    if (!mounts || !mount.destination)
        return boot_fail("cannot plan the root", NULL, ENOMEM, NULL);
    mounts[plan->nr_mounts++] = mount;
    plan->mounts = mounts;
    return 0;
}

static int add_link(struct root_plan *plan, const char *path, const char *target)
{
    struct link_config *links = realloc(plan->links, (plan->nr_links + 1) * sizeof(*links));
    char *path_copy = strdup(path), *target_copy = strdup(target);
    if (!links || !path_copy || !target_copy)
        return boot_fail("cannot plan the root", NULL, ENOMEM, NULL);
    links[plan->nr_links++] = (struct link_config){path_copy, target_copy};
    plan->links = links;
    return 0;
}

// Exports `path`; its name in name[24].
static int add_export_only(struct root_plan *plan, const char *path, uint32_t flags, char *name)
{
    if (plan->nr_exports == GOFER_EXPORTS_MAX)
        return boot_fail("too many directories to show:", path, E2BIG, NULL);
    if (strlen(path) >= GOFER_PATH_MAX)
        return boot_fail("cannot show", path, ENAMETOOLONG, NULL);
    struct gofer_export *exports = realloc(plan->exports, (plan->nr_exports + 1) * sizeof(*exports));
    if (!exports)
        return boot_fail("cannot plan the root", NULL, ENOMEM, NULL);
    snprintf(name, 24, "export%u", plan->nr_exports);
    plan->exports = exports;
    struct gofer_export *export = &exports[plan->nr_exports++];
    memset(export, 0, sizeof(*export));
    strcpy(export->name, name);
    strcpy(export->path, path);
    export->source = GOFER_SOURCE_PATH;
    export->fd = -1;
    export->flags = flags;
    return 0;
}

// Exports `path` and mounts it at mount.destination.
static int add_export(struct root_plan *plan, const char *path, uint32_t flags, struct mount_config mount)
{
    char name[24];
    int error = add_export_only(plan, path, flags, name);
    if (error)
        return error;
    mount.kind = MOUNT_GOFER;
    mount.export_name = strdup(name);
    return mount.export_name ? add_mount(plan, mount) : boot_fail("cannot plan the root", NULL, ENOMEM, NULL);
}

// The directory in which an overlay keeps its larger files. It must take files without names.
static int add_store(const struct options *options, struct root_plan *plan)
{
    char path[PATH_MAX], name[24];
    bool used = false;
    for (size_t i = 0; i < plan->nr_mounts; i++)
        used |= plan->mounts[i].overlay;
    if (!used) {
        boot_say("--overlay: nothing that the program can write lies under an overlay here; give --rootfs, "
                 "or start in a "
                 "directory that is shown");
        return -EINVAL;
    }
    if (!options->overlay_store)
        return 0;
    if (!realpath(options->overlay_store, path))
        return boot_fail("--overlay: cannot use", options->overlay_store, errno, "the directory must exist");
    int fd = open(path, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return boot_fail("--overlay: cannot make a file without a name in", path, errno, NULL);
    close(fd);
    return add_export_only(plan, path, GOFER_EXPORT_STORE, name);
}

// What may be made in an export that the program writes to.
static uint32_t writable_flags(const struct options *options)
{
    uint32_t owners = GOFER_EXPORT_SETID | GOFER_EXPORT_XATTRS;
    return (options->host_fifos ? GOFER_EXPORT_FIFOS : 0) |
           (options->host_sockets ? GOFER_EXPORT_SOCKETS : 0) | (options->owners_set ? owners : 0);
}

static int add_system_directory(struct root_plan *plan, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0; // this host has none
    if (S_ISLNK(st.st_mode)) {
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            return boot_fail("cannot read the link", path, errno, NULL);
        target[n] = 0;
        return add_link(plan, path, target);
    }
    struct mount_config mount = {
        .destination = (char *)(uintptr_t)path, .readonly = true, .nodev = true, .nosuid = true};
    // What an ordinary user may not read, the program may not either, whoever starts it.
    return add_export(plan, path, GOFER_EXPORT_RO | GOFER_EXPORT_WORLD, mount);
}

static bool below(const char *path, const char *directory)
{
    size_t n = strlen(directory);
    return strncmp(path, directory, n) == 0 && (path[n] == 0 || path[n] == '/');
}

bool root_shows_cwd(const char *cwd, const char *home)
{
    static const char *const never[] = {"/",        "/home", "/root",  "/var", "/run", "/tmp",
                                        "/var/tmp", "/mnt",  "/media", "/srv", "/opt", "/boot"};
    static const char *const ours[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (strcmp(cwd, never[i]) == 0)
            return false;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (below(cwd, ours[i]))
            return false;
    if (home && home[0] == '/' && home[1] && below(home, cwd))
        return false;
    // /home/NAME, whoever NAME is.
    return !(below(cwd, "/home") && !strchr(cwd + strlen("/home/"), '/'));
}

static int add_own_filesystems(struct root_plan *plan, bool with_tmp)
{
    static const struct mount_config own[] = {
        {.kind = MOUNT_PROC,
         .destination = (char *)(uintptr_t) "/proc",
         .nosuid = true,
         .nodev = true,
         .noexec = true},
        {.kind = MOUNT_SYSFS,
         .destination = (char *)(uintptr_t) "/sys",
         .readonly = true,
         .nosuid = true,
         .nodev = true,
         .noexec = true},
        {.kind = MOUNT_CGROUP,
         .destination = (char *)(uintptr_t) "/sys/fs/cgroup",
         .readonly = true,
         .nosuid = true,
         .nodev = true,
         .noexec = true},
        {.kind = MOUNT_DEV, .destination = (char *)(uintptr_t) "/dev", .nosuid = true, .mode = 0755},
        {.kind = MOUNT_DEVPTS, .destination = (char *)(uintptr_t) "/dev/pts", .nosuid = true, .noexec = true},
        {.kind = MOUNT_TMPFS,
         .destination = (char *)(uintptr_t) "/dev/shm",
         .nosuid = true,
         .nodev = true,
         .mode = 01777},
        {.kind = MOUNT_MQUEUE,
         .destination = (char *)(uintptr_t) "/dev/mqueue",
         .nosuid = true,
         .nodev = true,
         .noexec = true,
         .mode = 01777},
        {.kind = MOUNT_TMPFS,
         .destination = (char *)(uintptr_t) "/tmp",
         .nosuid = true,
         .nodev = true,
         .mode = 01777},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof(own) / sizeof(own[0]) - (with_tmp ? 0 : 1); i++)
        error = add_mount(plan, own[i]);
    return error;
}

static int add_binds(const struct options *options, struct root_plan *plan)
{
    int error = 0;
    for (size_t i = 0; !error && i < options->nr_tmpfs; i++) {
        const struct tmpfs_option *t = &options->tmpfs[i];
        struct mount_config mount = {.kind = MOUNT_TMPFS,
                                     .destination = t->destination,
                                     .size = t->size,
                                     .mode = t->mode,
                                     .noexec = t->noexec,
                                     .nosuid = true,
                                     .nodev = true};
        error = add_mount(plan, mount);
    }
    for (size_t i = 0; !error && i < options->nr_binds; i++) {
        const struct bind_option *b = &options->binds[i];
        char source[PATH_MAX];
        if (!realpath(b->source, source))
            return boot_fail("--bind: cannot use", b->source, errno, "the source must exist");
        struct mount_config mount = {.destination = b->destination,
                                     .readonly = b->readonly,
                                     .shared = true,
                                     .nosuid = true,
                                     .nodev = true};
        error = add_export(plan, source, b->readonly ? GOFER_EXPORT_RO : writable_flags(options), mount);
    }
    for (size_t i = 0; !error && i < options->nr_servers; i++) {
        const struct server_option *s = &options->servers[i];
        struct mount_config mount = {.kind = MOUNT_GOFER,
                                     .destination = s->destination,
                                     .export_name = s->export_name,
                                     .server = (unsigned)i + 1,
                                     .readonly = s->readonly,
                                     .shared = true,
                                     .nosuid = true,
                                     .nodev = true};
        error = add_mount(plan, mount);
    }
    return error;
}

static unsigned depth(const char *path)
{
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '/' && path[1] && path[1] != '/';
    return n;
}

// Parents before children; what was asked for later covers what came before at the same depth.
static void sort_mounts(struct root_plan *plan)
{
    for (size_t i = 2; i < plan->nr_mounts; i++) {
        struct mount_config mount = plan->mounts[i];
        unsigned level = depth(mount.destination);
        size_t j = i;
        for (; j > 1 && depth(plan->mounts[j - 1].destination) > level; j--)
            plan->mounts[j] = plan->mounts[j - 1];
        plan->mounts[j] = mount;
    }
}

// Is `path` in something that the operator asked for by name?
static bool covered(const struct options *options, const char *path)
{
    for (size_t i = 0; i < options->nr_binds; i++)
        if (below(path, options->binds[i].destination) || strcmp(options->binds[i].destination, "/") == 0)
            return true;
    for (size_t i = 0; i < options->nr_tmpfs; i++)
        if (below(path, options->tmpfs[i].destination))
            return true;
    for (size_t i = 0; i < options->nr_servers; i++)
        if (below(path, options->servers[i].destination))
            return true;
    return false;
}

static int plan_cwd(const struct options *options, struct root_plan *plan)
{
    char cwd[PATH_MAX], home[PATH_MAX];
    const char *home_variable = getenv("HOME");
    if (!getcwd(cwd, sizeof(cwd)) || cwd[0] != '/')
        return boot_fail("cannot tell the current directory", NULL, errno ? errno : ENOENT,
                         "change to one that exists");
    bool has_home = home_variable && realpath(home_variable, home);
    bool shown = root_shows_cwd(cwd, has_home ? home : NULL);
    bool usable = shown || covered(options, cwd) || strcmp(cwd, "/tmp") == 0;
    for (size_t i = 0; i < plan->nr_mounts && !usable; i++)
        usable = strcmp(plan->mounts[i].destination, cwd) == 0;
    if (!usable && strcmp(cwd, "/") != 0 && !options->cwd)
        boot_say(
            "the current directory %s is not shown to the program, which starts in /; --bind %s:%s shows it",
            cwd, cwd, cwd);
    plan->cwd = strdup(options->cwd ? options->cwd : usable ? cwd : "/");
    if (!plan->cwd)
        return boot_fail("cannot plan the root", NULL, ENOMEM, NULL);
    if (!shown || covered(options, cwd))
        return 0;
    struct mount_config mount = {.destination = cwd,
                                 .overlay = true,
                                 .store = options->overlay_store != NULL,
                                 .size = options->overlay_size,
                                 .nosuid = true,
                                 .nodev = true};
    return add_export(plan, cwd, GOFER_EXPORT_RO, mount);
}

static int plan_rootfs(const struct options *options, struct root_plan *plan)
{
    char path[PATH_MAX];
    struct stat st;
    if (!realpath(options->rootfs, path) || stat(path, &st) < 0)
        return boot_fail("--rootfs: cannot use", options->rootfs, errno, NULL);
    if (!S_ISDIR(st.st_mode))
        return boot_fail("--rootfs: cannot use", options->rootfs, ENOTDIR, NULL);
    struct mount_config root = {.destination = (char *)(uintptr_t) "/",
                                .overlay = !options->overlay_none,
                                .shared = options->overlay_none,
                                .store = options->overlay_store != NULL,
                                .size = options->overlay_size,
                                .nosuid = false,
                                .nodev = true};
    int error =
        add_export(plan, path, options->overlay_none ? writable_flags(options) : GOFER_EXPORT_RO, root);
    if (!error)
        error = add_own_filesystems(plan, false);
    plan->cwd = strdup(options->cwd ? options->cwd : "/");
    return error;
}

static int plan_default(const struct options *options, struct root_plan *plan)
{
    struct mount_config root = {
        .kind = MOUNT_TMPFS, .destination = (char *)(uintptr_t) "/", .mode = 0755, .nodev = true};
    int error = add_mount(plan, root);
    for (size_t i = 0; !error && i < sizeof(system_directories) / sizeof(system_directories[0]); i++)
        error = add_system_directory(plan, system_directories[i]);
    if (!error)
        error = add_own_filesystems(plan, true);
    return error ? error : plan_cwd(options, plan);
}

int root_plan(const struct options *options, struct root_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    if (options->overlay_none && !options->rootfs) {
        boot_say("--overlay none: there is no --rootfs DIR that writes could reach; give one, or --bind "
                 "SRC:DST:rw");
        return -EINVAL;
    }
    int error = options->rootfs ? plan_rootfs(options, plan) : plan_default(options, plan);
    if (!error && (options->overlay_store || options->overlay_size))
        error = add_store(options, plan);
    if (!error)
        error = add_binds(options, plan);
    sort_mounts(plan);
    return error;
}
