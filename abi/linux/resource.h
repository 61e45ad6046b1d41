#pragma once
// Resource limits and usage of the guest's ABI (uapi/asm-generic/resource.h, uapi/linux/resource.h).
#include <stdint.h>

#define LX_RLIMIT_CPU 0
#define LX_RLIMIT_FSIZE 1
#define LX_RLIMIT_DATA 2
#define LX_RLIMIT_STACK 3
#define LX_RLIMIT_CORE 4
#define LX_RLIMIT_RSS 5
#define LX_RLIMIT_NPROC 6
#define LX_RLIMIT_NOFILE 7
#define LX_RLIMIT_MEMLOCK 8
#define LX_RLIMIT_AS 9
#define LX_RLIMIT_LOCKS 10
#define LX_RLIMIT_SIGPENDING 11
#define LX_RLIMIT_MSGQUEUE 12
#define LX_RLIMIT_NICE 13
#define LX_RLIMIT_RTPRIO 14
#define LX_RLIMIT_RTTIME 15
#define LX_RLIM_NLIMITS 16
#define LX_RLIM_INFINITY UINT64_MAX

#define LX_RUSAGE_SELF 0
#define LX_RUSAGE_CHILDREN (-1)
#define LX_RUSAGE_BOTH (-2)
#define LX_RUSAGE_THREAD 1

struct lx_timeval {
    int64_t sec, usec;
};
struct lx_rusage {
    struct lx_timeval utime, stime;
    int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals,
        nvcsw, nivcsw;
};
_Static_assert(sizeof(struct lx_rusage) == 144, "rusage");

#define LX_PRIO_PROCESS 0
#define LX_PRIO_PGRP 1
#define LX_PRIO_USER 2
