#pragma once
// A control group for one sandbox: the memory and CPU limits that only the host can hold.
//
// Version 1: a group below our own in each hierarchy. Version 2: processes may only be in leaves, so the
// group is made beside our own where the parent hands the controllers out, or below our own after we have
// moved into a leaf. Only made when limits are asked for. A small process with the caller's rights, the
// keeper, removes it in the end, also when the monitor is killed.
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_MAX 2 // hierarchies: memory and cpu, or the unified one

struct cgroup_limits {
    uint64_t memory;     // bytes, 0: none
    uint64_t cpus_milli; // thousandths of a CPU, 0: none
};

struct cgroup {
    unsigned count;
    char paths[CGROUP_MAX][PATH_MAX];
    int procs[CGROUP_MAX]; // cgroup.procs, close-on-exec
    pid_t keeper;
    int keeper_pipe; // its end ends the group
};

// Makes it and starts the keeper. 0, or -errno after a message that says what to do.
int cgroup_make(const struct cgroup_limits *limits, struct cgroup *group);
// Puts a process, and what it starts, into it. 0 or -errno.
int cgroup_enter(const struct cgroup *group, pid_t pid);
// Removes it. The processes must be gone.
void cgroup_end(struct cgroup *group);
// May such a group be made here? Tries it. 0 or -errno; reports nothing.
int cgroup_probe(void);

// The path of a hierarchy in the text of /proc/self/cgroup: `controller` "" is the unified one. False: not
// there.
bool cgroup_own_path(const char *text, const char *controller, char *path, size_t size);
