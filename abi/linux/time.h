#pragma once
// Clocks and timers of the guest's ABI (uapi/linux/time.h).
#include <stdint.h>
#include "abi/linux/resource.h"

struct lx_timespec {
    int64_t sec, nsec;
};
struct lx_itimerspec {
    struct lx_timespec interval, value;
};
struct lx_itimerval {
    struct lx_timeval interval, value;
};
struct lx_timezone {
    int32_t minuteswest, dsttime;
};
struct lx_tms {
    int64_t utime, stime, cutime, cstime;
};
struct lx_sigevent {
    uint64_t value;
    int32_t signo, notify;
    int32_t tid;
    uint8_t pad[44];
};
_Static_assert(sizeof(struct lx_sigevent) == 64, "sigevent");

#define LX_CLOCK_REALTIME 0
#define LX_CLOCK_MONOTONIC 1
#define LX_CLOCK_PROCESS_CPUTIME_ID 2
#define LX_CLOCK_THREAD_CPUTIME_ID 3
#define LX_CLOCK_MONOTONIC_RAW 4
#define LX_CLOCK_REALTIME_COARSE 5
#define LX_CLOCK_MONOTONIC_COARSE 6
#define LX_CLOCK_BOOTTIME 7
#define LX_CLOCK_REALTIME_ALARM 8
#define LX_CLOCK_BOOTTIME_ALARM 9
#define LX_CLOCK_TAI 11

#define LX_CPUCLOCK_PROF 0
#define LX_CPUCLOCK_VIRT 1
#define LX_CPUCLOCK_SCHED 2

#define LX_TIMER_ABSTIME 1

#define LX_ITIMER_REAL 0
#define LX_ITIMER_VIRTUAL 1
#define LX_ITIMER_PROF 2

#define LX_NSEC_PER_SEC 1000000000ll
#define LX_USER_HZ 100
