#pragma once
// Host calls that must be made by number, because the C library turns them into others that the Sentry's
// filter refuses.
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// fstat(2) itself: the library's fstat() is newfstatat(2), which takes a path. 0, or -1 and errno.
static inline int host_fstat(int fd, struct stat *st)
{
    return (int)syscall(SYS_fstat, fd, st);
}

// Processors that we may run on: sysconf(3) would read /sys. At least 1.
static inline unsigned host_cpus(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}
