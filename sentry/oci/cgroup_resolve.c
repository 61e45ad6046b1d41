// Where the groups of a container lie.
#include "sentry/boot/cgroup.h"
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TEXT_MAX (4u << 20)

// A hierarchy as /proc/self/mountinfo lists it.
struct hierarchy {
    bool unified;
    char root[PATH_MAX];  // the directory of the hierarchy that is mounted
    char mount[PATH_MAX]; // where
    char name[OCI_CGROUP_NAME];
};

// The n-th word (from 0) of a line; octal escapes are decoded. False: there is none, or it is too long.
static bool word(const char *line, const char *end, int n, char *out, size_t size)
{
    size_t used = 0;
    for (; n > 0 && line < end; n--) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        line = space ? space + 1 : end;
    }
    if (line >= end)
        return false;
    while (line < end && *line != ' ') {
        char c = *line++;
        if (c == '\\' && end - line >= 3) {
            c = (char)((line[0] - '0') << 6 | (line[1] - '0') << 3 | (line[2] - '0'));
            line += 3;
        }
        if (used + 1 >= size)
            return false;
        out[used++] = c;
    }
    out[used] = 0;
    return true;
}

// The controllers among the options of a version 1 hierarchy.
static void controllers(const char *options, char *name)
{
    static const char *const known[] = {"cpu",        "cpuacct", "cpuset", "memory",  "devices",
                                        "freezer",    "blkio",   "pids",   "hugetlb", "net_cls",
                                        "perf_event", "rdma",    "misc",   "net_prio"};
    size_t used = 0;
    name[0] = 0;
    while (*options) {
        size_t n = strcspn(options, ",");
        bool keep = n > 5 && strncmp(options, "name=", 5) == 0;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            keep |= strlen(known[i]) == n && strncmp(options, known[i], n) == 0;
        if (keep && used + n + 2 < OCI_CGROUP_NAME)
            used += (size_t)snprintf(name + used, OCI_CGROUP_NAME - used, "%s%.*s", used ? "," : "", (int)n,
                                     options);
        options += n + (options[n] == ',');
    }
}

static bool parse_mount(const char *line, const char *end, struct hierarchy *h)
{
    char type[32], options[256];
    const char *dash = memmem(line, (size_t)(end - line), " - ", 3);
    if (!dash || !word(dash + 3, end, 0, type, sizeof(type)) ||
        (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
        return false;
    h->unified = type[6] == '2';
    h->name[0] = 0;
    if (!word(line, dash, 3, h->root, PATH_MAX) || !word(line, dash, 4, h->mount, PATH_MAX) ||
        !word(dash + 3, end, 2, options, sizeof(options)))
        return false;
    if (!h->unified)
        controllers(options, h->name);
    return h->unified || h->name[0];
}

// The runtime's own group, as the mount shows it: "" for its root.
static void own_group(const char *own, const struct hierarchy *h, char *path)
{
    char first[OCI_CGROUP_NAME];
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(h->name, ","), h->name);
    if (!cgroup_own_path(own, first, path, PATH_MAX))
        path[0] = 0;
    size_t n = strcmp(h->root, "/") == 0 ? 0 : strlen(h->root);
    if (n && strncmp(path, h->root, n) == 0 && (path[n] == '/' || !path[n]))
        memmove(path, path + n, strlen(path + n) + 1);
    else if (n || strcmp(path, "/") == 0 || strstr(path, ".."))
        path[0] = 0; // not below what is mounted
}

static bool has_dots(const char *path)
{
    for (; *path; path += strcspn(path, "/"), path += *path == '/')
        if (strncmp(path, "..", 2) == 0 && (path[2] == '/' || !path[2]))
            return true;
    return false;
}

static int check_path(const char *path, struct oci_error *error)
{
    if (has_dots(path))
        return oci_fail(error, EINVAL, "linux.cgroupsPath %s: \"..\" is not allowed", path);
    if (path[0] != '/' && strchr(path, ':'))
        return oci_fail(error, EINVAL,
                        "linux.cgroupsPath %s: groups of systemd (SLICE:PREFIX:NAME) are not supported",
                        path);
    if (strspn(path, "/.") == strlen(path))
        return oci_fail(error, EINVAL, "linux.cgroupsPath %s: the root is nobody's group", path);
    return 0;
}

static int add_group(const char *own, const struct hierarchy *h, const char *path, struct oci_cgroup *group,
                     struct oci_error *error)
{
    char parent[PATH_MAX] = "";
    for (unsigned i = 0; i < group->count; i++)
        if (strcmp(group->dirs[i].name, h->name) == 0)
            return 0; // mounted twice
    if (group->count == OCI_CGROUP_DIRS)
        return oci_fail(error, E2BIG, "more than %d hierarchies of control groups", OCI_CGROUP_DIRS);
    struct oci_cgroup_dir *dir = &group->dirs[group->count];
    if (path[0] != '/')
        own_group(own, h, parent);
    int n = snprintf(dir->path, PATH_MAX, "%s%s/%s", strcmp(h->mount, "/") == 0 ? "" : h->mount, parent,
                     path + strspn(path, "/"));
    if (n >= PATH_MAX)
        return oci_fail(error, ENAMETOOLONG, "linux.cgroupsPath %s", path);
    while (n > 1 && dir->path[n - 1] == '/')
        dir->path[--n] = 0;
    memcpy(dir->name, h->name, sizeof(dir->name));
    group->count++;
    return 0;
}

int cgroup_resolve_text(const char *mountinfo, const char *own, const char *cgroups_path, const char *id,
                        struct oci_cgroup *group, struct oci_error *error)
{
    const char *path = cgroups_path ? cgroups_path : id;
    *group = (struct oci_cgroup){.layout = OCI_CGROUP_NONE};
    int failed = check_path(path, error);
    if (failed)
        return failed;
    group->dirs = calloc(OCI_CGROUP_DIRS, sizeof(*group->dirs));
    struct hierarchy *h = calloc(1, sizeof(*h));
    if (!group->dirs || !h)
        failed = oci_fail_errno(error, ENOMEM, "cannot look for control groups");
    for (const char *line = mountinfo; !failed && *line;) {
        const char *end = strchrnul(line, '\n');
        if (parse_mount(line, end, h)) {
            failed = add_group(own, h, path, group, error);
            if (!h->unified)
                group->layout = OCI_CGROUP_V1;
            else if (group->layout == OCI_CGROUP_NONE)
                group->layout = OCI_CGROUP_V2;
        }
        line = end + (*end == '\n');
    }
    free(h);
    if (!failed && group->layout == OCI_CGROUP_NONE)
        failed = oci_fail(error, ENOENT, "no hierarchy of control groups is mounted");
    if (failed)
        oci_cgroup_free(group);
    return failed;
}

// A whole file of /proc; the caller frees it.
static char *read_whole(const char *path)
{
    size_t used = 0, size = 65536;
    char *text = malloc(size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (text && fd >= 0) {
        if (used + 1 == size) {
            char *larger = size < TEXT_MAX ? realloc(text, size * 2) : NULL;
            if (!larger)
                break;
            text = larger;
            size *= 2;
        }
        ssize_t n = read(fd, text + used, size - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    if (text)
        text[used] = 0;
    return text;
}

// A mount that another one covers is listed, and nobody reaches it. Lines of such hierarchies are made empty.
static void drop_covered(char *mountinfo)
{
    struct hierarchy *h = calloc(1, sizeof(*h));
    for (char *line = mountinfo; h && *line;) {
        char *end = strchrnul(line, '\n'), device[32];
        unsigned major, minor;
        struct stat st;
        if (parse_mount(line, end, h) && word(line, end, 2, device, sizeof(device)) &&
            sscanf(device, "%u:%u", &major, &minor) == 2 &&
            (stat(h->mount, &st) < 0 || st.st_dev != makedev(major, minor)))
            memset(line, ' ', (size_t)(end - line));
        line = end + (*end == '\n');
    }
    free(h);
}

// A runtime inside a container may see its group's path without the group.
static void drop_unseen_parents(struct oci_cgroup *group, const char *path)
{
    for (unsigned i = 0; i < group->count; i++) {
        char *dir = group->dirs[i].path;
        size_t length = strlen(dir), tail = strlen(path);
        struct stat st;
        if (length <= tail + 1)
            continue;
        dir[length - tail - 1] = 0;
        bool there = stat(dir, &st) == 0;
        dir[length - tail - 1] = '/';
        if (there || errno != ENOENT)
            continue;
        // The mount is the longest beginning that is there.
        for (char *slash = dir + length - tail - 1; slash > dir; slash--) {
            if (*slash != '/')
                continue;
            *slash = 0;
            there = stat(dir, &st) == 0;
            *slash = '/';
            if (there) {
                memmove(slash, dir + length - tail - 1, tail + 2);
                break;
            }
        }
    }
}

int oci_cgroup_resolve(const char *cgroups_path, const char *id, enum oci_cgroup_need need,
                       struct oci_cgroup *group, struct oci_error *error)
{
    *group = (struct oci_cgroup){.layout = OCI_CGROUP_NONE};
    if (need == OCI_CGROUP_DISABLED)
        return 0;
    char *mountinfo = read_whole("/proc/self/mountinfo"), *own = read_whole("/proc/self/cgroup");
    if (mountinfo)
        drop_covered(mountinfo);
    int failed = mountinfo && own ? cgroup_resolve_text(mountinfo, own, cgroups_path, id, group, error)
                                  : oci_fail_errno(error, ENOMEM, "cannot look for control groups");
    free(mountinfo);
    free(own);
    if (failed == -ENOENT && need == OCI_CGROUP_IF_POSSIBLE)
        return 0;
    const char *path = cgroups_path ? cgroups_path : id;
    if (!failed && path[0] != '/')
        drop_unseen_parents(group, path);
    return failed;
}

const char *cgroup_dir(const struct oci_cgroup *group, const char *controller)
{
    size_t wanted = strlen(controller);
    for (unsigned i = 0; i < group->count; i++) {
        const char *name = group->dirs[i].name;
        if (!wanted && !name[0])
            return group->dirs[i].path;
        while (wanted && *name) {
            size_t n = strcspn(name, ",");
            if (n == wanted && strncmp(name, controller, n) == 0)
                return group->dirs[i].path;
            name += n + (name[n] == ',');
        }
    }
    return NULL;
}

void oci_cgroup_free(struct oci_cgroup *group)
{
    free(group->dirs);
    *group = (struct oci_cgroup){.layout = OCI_CGROUP_NONE};
}
