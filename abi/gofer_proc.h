// What the Sentry asks of `gofer --proc`: one packet each way on a SOCK_SEQPACKET pair, fixed sizes.
//
// `gofer --proc --connection-fd N --proc-fd M [--memory 1] [--session S]` is started by the kernel process in its own pid namespace; M
// is the root of a procfs of that namespace. It opens only the files named below, for reading, of processes
// other than the first one and itself, and donates the descriptor (SCM_RIGHTS) with a reply whose error is 0.
// Numbers are those of that namespace. It enters no Landlock domain of its own: procfs shows a process's maps
// only to one whose domain encloses its own, so it stays in the outer domain that the kernel process was
// started in. With --session that procfs is one that others are in too: then only processes of that session count, but for its
// leader, which is the kernel process.
#pragma once

#include <stdint.h>

enum gofer_proc_file {
    GOFER_PROC_MAPS = 1,     // PID/maps
    GOFER_PROC_SMAPS_ROLLUP, // PID/smaps_rollup
    GOFER_PROC_STATUS,       // PID/status
    GOFER_PROC_THREAD_STAT,  // PID/task/TID/stat
    GOFER_PROC_SMAPS,        // PID/smaps
    GOFER_PROC_PAGEMAP,      // PID/pagemap
    GOFER_PROC_NUMA_MAPS,    // PID/numa_maps; not on every host
    GOFER_PROC_MEM,          // PID/mem, for reading and writing: only with --memory
    GOFER_PROC_LAST = GOFER_PROC_MEM,
};

struct gofer_proc_request {
    uint32_t serial; // comes back in the reply
    uint32_t file;   // enum gofer_proc_file
    int32_t pid;
    int32_t tid; // for GOFER_PROC_THREAD_STAT, else 0
};

struct gofer_proc_reply {
    uint32_t serial;
    int32_t error; // 0 and one descriptor, or an errno and none
};

_Static_assert(sizeof(struct gofer_proc_request) == 16, "gofer_proc_request layout");
_Static_assert(sizeof(struct gofer_proc_reply) == 8, "gofer_proc_reply layout");
