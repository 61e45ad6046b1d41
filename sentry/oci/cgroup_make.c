// Making, filling, emptying and removing the groups of a container.
#include "sentry/oci/cgroup_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS 200 // of 10 ms
#define DEPTH_MAX 16 // groups in groups that a container may have made for itself
#define PIDS_MAX (1u << 20)

// Directories that were made, for taking them back.
struct made {
    char **paths;
    size_t count;
};

static int remember(struct made *made, const char *path)
{
    char **paths = realloc(made->paths, (made->count + 1) * sizeof(*paths));
    char *copy = strdup(path);
    if (paths)
        made->paths = paths;
    if (!paths || !copy) {
        free(copy);
        return -ENOMEM;
    }
    made->paths[made->count++] = copy;
    return 0;
}

static void forget(struct made *made, bool remove)
{
    while (made->count > 0) {
        char *path = made->paths[--made->count];
        if (remove)
            (void)rmdir(path);
        free(path);
    }
    free(made->paths);
    *made = (struct made){0};
}

// A new group of a cpuset has no processors and takes no process: it gets its parent's.
static int inherit_cpuset(const char *parent, const char *path)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    for (int i = 0; i < 2; i++) {
        char mine[4096], list[4096];
        int failed = cgroup_read(path, files[i], mine, sizeof(mine));
        if (failed == -ENOENT)
            return 0; // no cpuset
        if (failed || mine[strspn(mine, "\n ")])
            continue;
        failed = cgroup_read(parent, files[i], list, sizeof(list));
        list[strcspn(list, "\n")] = 0;
        if (!failed)
            failed = cgroup_write(path, files[i], list);
        if (failed)
            return failed;
    }
    return 0;
}

// Version 2: lets the children of a group have every controller that it has itself. What is not possible
// shows when a limit is written.
static void hand_down(const char *parent)
{
    char have[1024], value[64];
    if (cgroup_read(parent, "cgroup.controllers", have, sizeof(have)) < 0)
        return;
    for (char *save = NULL, *name = strtok_r(have, " \n", &save); name; name = strtok_r(NULL, " \n", &save)) {
        snprintf(value, sizeof(value), "+%s", name);
        (void)cgroup_write(parent, "cgroup.subtree_control", value);
    }
}

static void parent_of(const char *path, char *parent)
{
    size_t n = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, n);
    parent[n] = 0;
}

// Makes a directory that is not there.
static int make_one(const struct oci_cgroup *group, const char *path, struct made *made)
{
    char parent[PATH_MAX];
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    if (errno != ENOENT || mkdir(path, 0755) < 0)
        return -errno;
    int failed = remember(made, path);
    parent_of(path, parent);
    return !failed && group->layout == OCI_CGROUP_V1 ? inherit_cpuset(parent, path) : failed;
}

// Makes the group's directory with its parents.
static int make_path(const struct oci_cgroup *group, const struct oci_cgroup_dir *dir, struct made *made)
{
    char path[PATH_MAX];
    int failed = 0;
    strcpy(path, dir->path);
    for (char *at = path; !failed && *at;) {
        at += 1 + strcspn(at + 1, "/");
        char cut = *at;
        *at = 0;
        failed = make_one(group, path, made);
        if (!failed && cut && group->layout == OCI_CGROUP_V2)
            hand_down(path);
        *at = cut;
    }
    if (failed || group->layout == OCI_CGROUP_V2)
        return failed;
    parent_of(dir->path, path);
    return inherit_cpuset(path, dir->path); // somebody else may have made it without
}

static bool has_limits(const struct oci_resources *r)
{
    return (r->memory_limit.set && r->memory_limit.value > 0) || r->memory_reservation.value > 0 ||
           r->memory_swap.value > 0 || r->cpu_shares.value || r->cpu_quota.value > 0 || r->cpus || r->mems ||
           r->pids_limit.value > 0 || r->io_weight.set || r->nr_io_weights || r->nr_hugepages || r->nr_rdma ||
           r->nr_unified || r->nr_io_throttles[OCI_READ_BPS] || r->nr_io_throttles[OCI_WRITE_BPS] ||
           r->nr_io_throttles[OCI_READ_IOPS] || r->nr_io_throttles[OCI_WRITE_IOPS];
}

static bool is_refusal(int failed)
{
    return failed == -EACCES || failed == -EPERM || failed == -EROFS;
}

int oci_cgroup_create(struct oci_cgroup *group, enum oci_cgroup_need need,
                      const struct oci_resources *resources, bool *fresh, struct oci_error *error)
{
    struct made made = {0};
    int failed = 0;
    *fresh = true;
    if (group->layout == OCI_CGROUP_NONE)
        return has_limits(resources)
                   ? oci_fail(error, EOPNOTSUPP,
                              "linux.resources: limits need a control group, and there is none")
                   : 0;
    for (unsigned i = 0; i < group->count && !failed; i++) {
        size_t before = made.count;
        char text[2];
        failed = make_path(group, &group->dirs[i], &made);
        if (failed)
            (void)oci_fail_errno(error, -failed, "cannot make the control group %s", group->dirs[i].path);
        else if (made.count == before && cgroup_read(group->dirs[i].path, "cgroup.procs", text, 2) == 0 &&
                 text[0])
            *fresh = false;
    }
    bool none = is_refusal(failed) && need == OCI_CGROUP_IF_POSSIBLE && !has_limits(resources);
    if (!failed)
        failed = oci_cgroup_apply(group, resources, error);
    forget(&made, failed != 0);
    if (!none)
        return failed;
    oci_cgroup_free(group);
    return 0;
}

int oci_cgroup_apply(const struct oci_cgroup *group, const struct oci_resources *resources,
                     struct oci_error *error)
{
    if (group->layout == OCI_CGROUP_V1)
        return cgroup_apply_v1(group, resources, error);
    return group->layout == OCI_CGROUP_V2 ? cgroup_apply_v2(group, resources, error) : 0;
}

static int write_pid(int procs, pid_t pid)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", (int)pid);
    ssize_t written;
    do
        written = write(procs, text, (size_t)n);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : 0;
}

int oci_cgroup_add(const struct oci_cgroup *group, const pid_t *pids, size_t count, struct oci_error *error)
{
    char path[PATH_MAX];
    for (unsigned i = 0; i < group->count; i++) {
        const char *directory = group->dirs[i].path;
        bool fits = snprintf(path, sizeof(path), "%s/cgroup.procs", directory) < PATH_MAX;
        int procs = fits ? open(path, O_WRONLY | O_CLOEXEC) : -1;
        int failed = fits ? (procs < 0 ? -errno : 0) : -ENAMETOOLONG;
        for (size_t k = 0; k < count && !failed; k++)
            failed = write_pid(procs, pids[k]);
        if (procs >= 0)
            close(procs);
        if (failed)
            return oci_fail_errno(error, -failed, "cannot move a process to the control group %s", directory);
    }
    return 0;
}

struct pid_list {
    pid_t *pids;
    size_t count, room;
};

static int add_pids(const char *directory, struct pid_list *list)
{
    char path[PATH_MAX];
    int pid;
    if (snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= PATH_MAX)
        return -ENAMETOOLONG;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int failed = 0;
    while (!failed && fscanf(file, "%d", &pid) == 1) {
        if (list->count == list->room) {
            size_t room = list->room ? list->room * 2 : 64;
            pid_t *pids = room <= PIDS_MAX ? realloc(list->pids, room * sizeof(*pids)) : NULL;
            if (!pids) {
                failed = -ENOMEM;
                break;
            }
            list->pids = pids;
            list->room = room;
        }
        if (pid > 0) // 0: of another pid namespace
            list->pids[list->count++] = pid;
    }
    fclose(file);
    return failed;
}

// Calls `visit` for the groups below and then for the group itself. 0 or -errno of the first that failed.
static int walk(const char *directory, unsigned depth, int (*visit)(const char *, void *), void *context)
{
    char path[PATH_MAX];
    struct dirent *entry;
    int failed = 0;
    if (depth > DEPTH_MAX)
        return -ELOOP;
    DIR *dir = opendir(directory);
    if (!dir)
        return -errno;
    while (!failed && (entry = readdir(dir))) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= PATH_MAX)
            failed = -ENAMETOOLONG;
        else
            failed = walk(path, depth + 1, visit, context);
        if (failed == -ENOENT)
            failed = 0; // gone meanwhile
    }
    closedir(dir);
    return failed ? failed : visit(directory, context);
}

static int visit_pids(const char *directory, void *context)
{
    int failed = add_pids(directory, context);
    return failed == -ENOENT ? 0 : failed;
}

// The first of the groups that is still there: processes enter and leave all of them together.
int oci_cgroup_pids(const struct oci_cgroup *group, pid_t **pids, size_t *count, struct oci_error *error)
{
    struct pid_list list = {0};
    int failed = -ENOENT;
    for (unsigned i = 0; i < group->count && failed == -ENOENT; i++)
        failed = walk(group->dirs[i].path, 0, visit_pids, &list);
    if (failed) {
        free(list.pids);
        return oci_fail_errno(error, -failed, "cannot list the processes of the control group %s",
                              group->count ? group->dirs[0].path : "(none)");
    }
    *pids = list.pids;
    *count = list.count;
    return 0;
}

static void rest(void)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
}

// Has it ended, and only waits for its parent? Version 1 lists such a process still.
static bool is_zombie(pid_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (cgroup_read(path, "stat", text, sizeof(text)) < 0)
        return true;
    const char *name_end = strrchr(text, ')');
    return name_end && (name_end[2] == 'Z' || name_end[2] == 'X');
}

int oci_cgroup_kill(const struct oci_cgroup *group, int signo, struct oci_error *error)
{
    const char *unified = group->layout == OCI_CGROUP_V2 ? cgroup_dir(group, "") : NULL;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        pid_t *pids = NULL;
        size_t count = 0, alive = 0;
        if (unified && signo == SIGKILL)
            (void)cgroup_write(unified, "cgroup.kill", "1"); // since Linux 5.14
        int failed = oci_cgroup_pids(group, &pids, &count, error);
        if (failed == -ENOENT)
            return 0;
        if (failed)
            return failed;
        for (size_t i = 0; i < count; i++)
            alive += kill(pids[i], signo) == 0 && !is_zombie(pids[i]);
        free(pids);
        if (signo != SIGKILL || alive == 0)
            return 0;
        rest();
    }
    return oci_fail(error, ETIMEDOUT, "processes of the control group %s do not end", group->dirs[0].path);
}

static int visit_remove(const char *directory, void *context)
{
    (void)context;
    return rmdir(directory) == 0 || errno == ENOENT ? 0 : -errno;
}

int oci_cgroup_delete(const struct oci_cgroup *group, struct oci_error *error)
{
    int result = 0;
    for (unsigned i = 0; i < group->count; i++) {
        int failed = -EBUSY;
        for (int attempt = 0; attempt < ATTEMPTS && failed == -EBUSY; attempt++) {
            failed = walk(group->dirs[i].path, 0, visit_remove, NULL);
            if (failed == -EBUSY)
                rest();
        }
        if (failed && failed != -ENOENT)
            result =
                oci_fail_errno(error, -failed, "cannot remove the control group %s", group->dirs[i].path);
    }
    return result;
}

uint64_t oci_cgroup_oom_kills(const struct oci_cgroup *group)
{
    uint64_t kills = 0;
    if (group->layout == OCI_CGROUP_NONE)
        return 0;
    const char *memory = cgroup_dir(group, group->layout == OCI_CGROUP_V2 ? "" : "memory");
    if (memory)
        (void)cgroup_read_key(memory, group->layout == OCI_CGROUP_V2 ? "memory.events" : "memory.oom_control",
                              "oom_kill", &kills);
    return kills;
}
