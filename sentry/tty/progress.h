#pragma once
// Progress of a blocking write over its runs, as file_ops.write asks for it. Kernel lock.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/kernel.h"
#include "sentry/core/wait.h"
#include "sentry/mm/uaccess.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file.h"

// Skips what earlier runs of this call have written and returns how much that was.
static inline uint64_t write_resume(struct iov_iter *it)
{
    uint64_t done = current->call.state.words[0];
    iter_advance(it, done);
    return done;
}

// No room: what was written so far, -LX_EAGAIN, or waits for room on `q`.
static inline int64_t write_wait(struct file *f, struct wait_queue *q, uint64_t done)
{
    if (f->flags & LX_O_NONBLOCK)
        return done ? (int64_t)done : -LX_EAGAIN;
    current->call.state.words[0] = done;
    if (done)
        current->call.interrupted = (int64_t)done;
    return block_on(q, EV_OUT | EV_WRNORM);
}

// Long transfers give the kernel lock away now and then. True: a signal came, stop here. The caller holds the file.
#define PROGRESS_BYTES (256u << 10)
static inline bool transfer_pause(uint64_t *since, uint64_t moved)
{
    *since += moved;
    if (*since < PROGRESS_BYTES)
        return false;
    *since = 0;
    kernel_blocking_begin();
    kernel_blocking_end();
    return current->exiting || signal_pending(current);
}

// An error: it shows only where nothing was written.
static inline int64_t write_failed(uint64_t done, int64_t error)
{
    return done ? (int64_t)done : error;
}
