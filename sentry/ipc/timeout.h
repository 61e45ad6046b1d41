#pragma once
// Timeouts of ppoll, pselect6 and select, which Linux writes back, and the mask of a call. Kernel lock.
#include "sentry/mm/uaccess.h"
#include <stdint.h>

enum timeout_form { TIMEOUT_TIMESPEC, TIMEOUT_TIMEVAL };

// Lives in call->state. words[0] stays free (see file_ops.write).
struct timeout_state {
    uint64_t unused;
    uint64_t deadline; // CLOCK_MONOTONIC; KTIMER_NEVER: for ever; 0: do not wait
    gaddr_t user;      // where what is left goes; 0: nowhere
    uint32_t form;     // enum timeout_form
};

// First run: reads the guest's timeout (0: none). 0, -LX_EFAULT or -LX_EINVAL.
int must_check timeout_begin(struct timeout_state *t, enum timeout_form form, gaddr_t user);
// The handler is about to return `ret`: writes what is left of the time unless the call waits; a wait that a
// signal ends writes it too. Returns `ret`.
int64_t timeout_end(struct timeout_state *t, int64_t ret);
// Sets the mask of a call from the guest's (0: leave it). 0, -LX_EINVAL or -LX_EFAULT.
int must_check temporary_mask(gaddr_t set, uint64_t size);
