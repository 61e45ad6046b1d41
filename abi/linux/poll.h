#pragma once
// poll(2) and select(2) of the guest's ABI (uapi/asm-generic/poll.h).
#include <stdint.h>

struct lx_pollfd {
    int32_t fd;
    int16_t events, revents;
};
_Static_assert(sizeof(struct lx_pollfd) == 8, "struct pollfd");

// The sixth argument of pselect6.
struct lx_sigset_argpack {
    uint64_t set, size;
};
