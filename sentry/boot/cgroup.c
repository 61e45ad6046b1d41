#include "sentry/boot/cgroup.h"
#include "sentry/boot/fail.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000u
#define REMOVE_ATTEMPTS 500 // of 10 ms

bool cgroup_own_path(const char *text, const char *controller, char *path, size_t size)
{
    size_t wanted = strlen(controller);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        const char *list = strchr(line, ':');
        const char *end = list ? strchr(list + 1, ':') : NULL;
        if (!end)
            continue;
        list++;
        bool found = !wanted && end == list;
        for (const char *item = list; wanted && item < end && !found;) {
            size_t n = strcspn(item, ",:");
            found = n == wanted && strncmp(item, controller, n) == 0;
            item += n + 1;
        }
        if (!found)
            continue;
        size_t n = strcspn(end + 1, "\n");
        if (n >= size)
            return false;
        memcpy(path, end + 1, n);
        path[n] = 0;
        return true;
    }
    return false;
}

static int write_setting(const char *directory, const char *name, const char *value)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write(fd, value, strlen(value)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

static int read_setting(const char *directory, const char *name, char *text, size_t size)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, size - 1);
    int error = n < 0 ? -errno : 0;
    text[n < 0 ? 0 : n] = 0;
    close(fd);
    return error;
}

// Makes DIRECTORY/sentry-PID and opens its list of processes.
static int add_group(struct cgroup *group, const char *directory)
{
    char *path = group->paths[group->count];
    char procs[PATH_MAX + 16];
    if (snprintf(path, PATH_MAX, "%s/sentry-%d", directory, (int)getpid()) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return -errno;
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
    group->procs[group->count] = open(procs, O_WRONLY | O_CLOEXEC);
    if (group->procs[group->count++] < 0)
        return -errno;
    return 0;
}

static int set_cpu_v2(const char *path, uint64_t milli)
{
    char text[64];
    snprintf(text, sizeof(text), "%llu %u", (unsigned long long)(milli * CPU_PERIOD_US / 1000),
             CPU_PERIOD_US);
    return write_setting(path, "cpu.max", text);
}

static int set_number(const char *path, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return write_setting(path, name, text);
}

static int make_v1(const char *own, const struct cgroup_limits *limits, struct cgroup *group)
{
    static const char *const controllers[2] = {"memory", "cpu"};
    const bool wanted[2] = {limits->memory != 0, limits->cpus_milli != 0};
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX], directory[PATH_MAX];
        if (!wanted[i])
            continue;
        if (!cgroup_own_path(own, controllers[i], path, sizeof(path)))
            return -EOPNOTSUPP;
        if (snprintf(directory, sizeof(directory), "/sys/fs/cgroup/%s%s", controllers[i], path) >=
            (int)sizeof(directory))
            return -ENAMETOOLONG;
        struct stat st;
        if (stat(directory, &st) <
            0) // the hierarchy is mounted from another place of the tree, as in a container
            snprintf(directory, sizeof(directory), "/sys/fs/cgroup/%s", controllers[i]);
        int error = add_group(group, directory);
        const char *made = error ? NULL : group->paths[group->count - 1];
        if (!error && i == 0)
            error = set_number(made, "memory.limit_in_bytes", limits->memory);
        if (!error && i == 1)
            error = set_number(made, "cpu.cfs_period_us", CPU_PERIOD_US);
        if (!error && i == 1)
            error = set_number(made, "cpu.cfs_quota_us", limits->cpus_milli * CPU_PERIOD_US / 1000);
        if (error)
            return error;
    }
    return 0;
}

static bool hands_out(const char *directory, const struct cgroup_limits *limits)
{
    char text[256];
    if (read_setting(directory, "cgroup.subtree_control", text, sizeof(text)) < 0)
        return false;
    return (!limits->memory || strstr(text, "memory")) && (!limits->cpus_milli || strstr(text, "cpu"));
}

// Makes a directory hand the controllers out to its children.
static int enable_controllers(const char *directory, const struct cgroup_limits *limits)
{
    if (hands_out(directory, limits))
        return 0;
    const char *list = !limits->cpus_milli ? "+memory" : limits->memory ? "+memory +cpu" : "+cpu";
    return write_setting(directory, "cgroup.subtree_control", list);
}

// The group of ours that may have children: the root, our parent, or our own group after we have moved below
// it.
static int find_parent_v2(const char *own, const struct cgroup_limits *limits, char *directory)
{
    char path[PATH_MAX];
    if (!cgroup_own_path(own, "", path, sizeof(path)))
        return -EOPNOTSUPP;
    if (snprintf(directory, PATH_MAX, "/sys/fs/cgroup%s", strcmp(path, "/") == 0 ? "" : path) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (strcmp(path, "/") == 0)
        return enable_controllers(directory, limits);
    char *slash = strrchr(directory, '/');
    *slash = 0;
    if (access(directory, W_OK) == 0 && hands_out(directory, limits))
        return 0;
    *slash = '/';
    char leaf[PATH_MAX];
    if (snprintf(leaf, sizeof(leaf), "%s/sentry-monitor-%d", directory, (int)getpid()) >= (int)sizeof(leaf))
        return -ENAMETOOLONG;
    if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
        return -errno;
    int error = set_number(leaf, "cgroup.procs", (uint64_t)getpid());
    if (!error)
        error = enable_controllers(directory, limits);
    if (error) {
        (void)set_number(directory, "cgroup.procs", (uint64_t)getpid());
        (void)rmdir(leaf);
    }
    return error;
}

static int make_v2(const char *own, const struct cgroup_limits *limits, struct cgroup *group)
{
    char directory[PATH_MAX];
    int error = find_parent_v2(own, limits, directory);
    if (!error)
        error = add_group(group, directory);
    if (!error && limits->memory)
        error = set_number(group->paths[0], "memory.max", limits->memory);
    if (!error && limits->cpus_milli)
        error = set_cpu_v2(group->paths[0], limits->cpus_milli);
    return error;
}

static int make(const struct cgroup_limits *limits, struct cgroup *group)
{
    char own[4096];
    struct statfs fs;
    *group = (struct cgroup){.keeper = -1, .keeper_pipe = -1};
    int error = read_setting("/proc/self", "cgroup", own, sizeof(own));
    if (error)
        return error;
    bool unified = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
    return unified ? make_v2(own, limits, group) : make_v1(own, limits, group);
}

// A group can be removed when its last process has been reaped, which may take a moment.
static void remove_groups(struct cgroup *group)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (unsigned i = 0; i < group->count; i++) {
        for (int attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
            if (rmdir(group->paths[i]) == 0 || errno != EBUSY)
                break;
            nanosleep(&pause, NULL);
        }
        if (group->procs[i] >= 0)
            close(group->procs[i]);
    }
    group->count = 0;
}

static _Noreturn void keeper(struct cgroup *group, int pipe_fd)
{
    char byte;
    prctl(PR_SET_NAME, "sentry-cgroup");
    for (int signo = 1; signo < 32; signo++)
        signal(signo, SIG_IGN);
    close_range(0, (unsigned)pipe_fd - 1, 0);
    close_range((unsigned)pipe_fd + 1, ~0u, 0);
    for (unsigned i = 0; i < group->count; i++)
        group->procs[i] = -1;
    while (read(pipe_fd, &byte, 1) < 0 && errno == EINTR)
        ;
    remove_groups(group);
    _exit(0);
}

static int start_keeper(struct cgroup *group)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    group->keeper = fork();
    if (group->keeper == 0) {
        close(ends[1]);
        keeper(group, ends[0]);
    }
    int error = group->keeper < 0 ? -errno : 0;
    close(ends[0]);
    if (error)
        close(ends[1]);
    else
        group->keeper_pipe = ends[1];
    return error;
}

int cgroup_make(const struct cgroup_limits *limits, struct cgroup *group)
{
    int error = make(limits, group);
    if (!error)
        error = start_keeper(group);
    if (!error)
        return 0;
    remove_groups(group);
    return boot_fail(limits->memory ? "--memory needs a control group" : "--cpus needs a control group", NULL,
                     -error,
                     geteuid() == 0 ? "mount the cgroup hierarchies at /sys/fs/cgroup"
                                    : "run it as: systemd-run --user --scope -p Delegate=yes sentry ...");
}

int cgroup_enter(const struct cgroup *group, pid_t pid)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", (int)pid);
    for (unsigned i = 0; i < group->count; i++) {
        if (write(group->procs[i], text, (size_t)n) < 0)
            return -errno;
    }
    return 0;
}

void cgroup_end(struct cgroup *group)
{
    if (group->keeper_pipe >= 0)
        close(group->keeper_pipe);
    group->keeper_pipe = -1;
    while (group->keeper > 0 && waitpid(group->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    group->keeper = -1;
}

int cgroup_probe(void)
{
    const struct cgroup_limits limits = {.memory = 1u << 30, .cpus_milli = 1000};
    struct cgroup group;
    int error = make(&limits, &group);
    remove_groups(&group);
    return error;
}
