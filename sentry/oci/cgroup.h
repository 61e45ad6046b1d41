#pragma once
// The control groups of a container: version 1, version 2, and version 1 with a unified hierarchy beside it
// (hybrid).
//
// A container has one group in each hierarchy, at the same path below what the runtime's own view of it
// mounts. Groups are named by their absolute directory, so that a later command finds them again from the
// state file without looking at the host a second time. The freezer is not used: the Sentry pauses by itself.
#include "sentry/oci/error.h"
#include "sentry/oci/resources.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OCI_CGROUP_DIRS 16
#define OCI_CGROUP_NAME 64
// What a sandbox needs beside its guests: the monitor, the Gofers, the kernel's threads. The host's limit of
// tasks is so much above the container's, which the kernel itself holds guests to.
#define OCI_CGROUP_OWN_TASKS 96

enum oci_cgroup_layout {
    OCI_CGROUP_NONE, // the container has no group of its own
    OCI_CGROUP_V1,   // also hybrid: the unified hierarchy is one more directory then
    OCI_CGROUP_V2
};

struct oci_cgroup_dir {
    char name
        [OCI_CGROUP_NAME]; // controllers of the hierarchy, "cpu,cpuacct", "name=systemd"; "": the unified one
    char path[PATH_MAX];   // the group's directory
};

struct oci_cgroup {
    enum oci_cgroup_layout layout;
    unsigned count;
    struct oci_cgroup_dir *dirs; // OCI_CGROUP_DIRS of them
};

enum oci_cgroup_need {
    OCI_CGROUP_REQUIRED,
    OCI_CGROUP_IF_POSSIBLE, // rootless: without permission and without limits that are asked for, none is made
    OCI_CGROUP_DISABLED
};

// Finds where the groups of a container lie: /proc/self/mountinfo, /proc/self/cgroup, and linux.cgroupsPath.
// An absolute path is taken below the mount, a relative one below the runtime's own group, none at all is ID
// there. ".." is refused, and so is the form SLICE:PREFIX:NAME of systemd. Nothing is made. 0 or -errno.
int oci_cgroup_resolve(const char *cgroups_path, const char *id, enum oci_cgroup_need need,
                       struct oci_cgroup *group, struct oci_error *error);
// Makes the groups that are not there (also parents; cpuset lists are inherited, controllers handed down) and
// applies the limits. Takes back what it made when it fails. OCI_CGROUP_IF_POSSIBLE may leave `group` with
// layout OCI_CGROUP_NONE. `fresh` is set to false where a group existed with processes in it.
int oci_cgroup_create(struct oci_cgroup *group, enum oci_cgroup_need need,
                      const struct oci_resources *resources, bool *fresh, struct oci_error *error);
// Applies the limits that are set to groups that exist, in an order in which each step is valid.
int oci_cgroup_apply(const struct oci_cgroup *group, const struct oci_resources *resources,
                     struct oci_error *error);
// Tells the host that processes are going to be moved, which takes it some milliseconds before the first: a child moves itself to
// where it is. Returns the child, which oci_cgroup_announced() waits for; -1: none was made, and nothing is lost but the time.
pid_t oci_cgroup_announce(void);
void oci_cgroup_announced(pid_t child);
// Moves processes, with all their threads, into every group.
int oci_cgroup_add(const struct oci_cgroup *group, const pid_t *pids, size_t count, struct oci_error *error);
// The host's numbers of all processes in the groups and below. *pids is allocated. 0 or -errno; without
// groups -ENOENT.
int oci_cgroup_pids(const struct oci_cgroup *group, pid_t **pids, size_t *count, struct oci_error *error);
// Sends a signal to all of them; with SIGKILL again until none is left, for two seconds at most (-ETIMEDOUT).
int oci_cgroup_kill(const struct oci_cgroup *group, int signo, struct oci_error *error);
// Removes the groups and what is below them; waits two seconds for the last process to be reaped. What is
// gone already is no error.
int oci_cgroup_delete(const struct oci_cgroup *group, struct oci_error *error);
void oci_cgroup_free(struct oci_cgroup *group);

// How often the host's OOM killer took a process of the group. 0 where it cannot be told.
uint64_t oci_cgroup_oom_kills(const struct oci_cgroup *group);

#define OCI_STATS_CPUS 1024
#define OCI_STATS_IO 256
#define OCI_STATS_HUGETLB 8
#define OCI_STATS_DETAILS 64

struct oci_io_entry {
    uint32_t major, minor;
    char op[16]; // "Read", "Write", "Sync", "Async", "Discard", "Total"
    uint64_t value;
};
struct oci_io_list {
    unsigned count;
    struct oci_io_entry entries[OCI_STATS_IO];
};
struct oci_memory_stat {
    uint64_t usage, max, failcnt, limit;
};
struct oci_detail {
    char name[32];
    uint64_t value;
};
struct oci_stats {
    uint64_t cpu_total, cpu_user, cpu_kernel; // nanoseconds
    unsigned nr_percpu;
    uint64_t percpu[OCI_STATS_CPUS], percpu_user[OCI_STATS_CPUS], percpu_kernel[OCI_STATS_CPUS];
    uint64_t throttle_periods, throttled_periods, throttled_time;
    struct oci_memory_stat memory, swap, kernel, kernel_tcp;
    uint64_t memory_cache;
    unsigned nr_details; // memory.stat
    struct oci_detail details[OCI_STATS_DETAILS];
    uint64_t pids_current, pids_limit; // limit 0: none
    struct oci_io_list io_bytes, io_operations;
    struct {
        char page_size[16];
        uint64_t usage, max, failcnt;
    } hugetlb[OCI_STATS_HUGETLB];
    unsigned nr_hugetlb;
};
// Reads what the groups tell; what a hierarchy does not have stays 0. The structure is large: allocate it. 0
// or -errno.
int oci_cgroup_stats(const struct oci_cgroup *group, struct oci_stats *stats, struct oci_error *error);
// The "data" object of `events`, as runc and containerd read it. The caller frees it. NULL: no memory.
char *oci_stats_json(const struct oci_stats *stats);
