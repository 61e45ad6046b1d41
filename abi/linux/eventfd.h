#pragma once
// Flags of eventfd2, timerfd and signalfd4 (uapi/linux/eventfd.h, timerfd.h, signalfd.h).
#include <stdint.h>

#define LX_EFD_SEMAPHORE 1u

#define LX_TFD_TIMER_ABSTIME 1
#define LX_TFD_TIMER_CANCEL_ON_SET 2

// What a read of a signalfd gives for each signal.
struct lx_signalfd_siginfo {
    uint32_t signo;
    int32_t err, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, value_int;
    uint64_t value_ptr, utime, stime, addr;
    uint16_t addr_lsb, pad2;
    int32_t syscall;
    uint64_t call_addr;
    uint32_t arch;
    uint8_t pad[28];
};
_Static_assert(sizeof(struct lx_signalfd_siginfo) == 128, "struct signalfd_siginfo");
