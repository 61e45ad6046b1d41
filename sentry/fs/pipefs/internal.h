#pragma once
// The pipe itself, for the files of this directory and for splice. Kernel lock.
#include "sentry/core/wait.h"
#include "sentry/fs/pipefs/pipe.h"
#include "sentry/mm/uaccess.h"

#define PIPE_PAGE 4096u
#define PIPE_DEF_SLOTS 16u
#define PIPE_MIN_SLOTS 2u                      // what a new pipe gets beyond PIPE_SLOTS_SOFT
#define PIPE_MAX_SIZE 1048576u                 // fs.pipe-max-size: above it CAP_SYS_RESOURCE is needed
#define PIPE_SLOTS_SOFT 16384u                 // fs.pipe-user-pages-soft, here for the whole sandbox
#define PIPE_SLOTS_HARD (4u * PIPE_SLOTS_SOFT) // no pipe of any kind above it
#define PIPE_KEEP_BYTES 65536u                 // a larger ring is freed when the pipe runs empty

// What Linux holds as one page of a pipe: it decides when a pipe is full and what merges, while the bytes of
// all slots lie one behind the other in one ring, so that a large transfer is one copy of guest memory.
struct pipe_slot {
    uint16_t off; // bytes already read from it
    uint16_t len; // bytes left
    bool packet;  // written with O_DIRECT: one read takes at most this slot, and all of it
};

struct pipe {
    unsigned files, readers, writers; // open files; of these for reading, writing; and fifo opens that wait
    uint32_t r_counter, w_counter;    // opens for reading and for writing so far
    struct wait_queue rd_wait, wr_wait;
    struct pipe_slot *slots; // ring of max_slots
    unsigned first, used, max_slots;
    uint8_t *data; // ring of data_size bytes, grown on demand; NULL while never written
    uint32_t data_size, start, bytes;
    struct inode *inode; // counted; its `pipe` leads here
    bool is_fifo;        // has a name: opening it waits for a partner; never changes
};

static inline bool pipe_full(const struct pipe *p)
{
    return p->used >= p->max_slots;
}

struct pipe *pipe_alloc(void);         // nobody has it open yet; NULL: no memory or over the limit
void pipe_free_unused(struct pipe *p); // frees it if nobody has it open
// Appends up to it->count bytes. Bytes taken, 0 when full, -LX_EFAULT, -LX_ENOMEM.
int64_t pipe_push(struct pipe *p, struct iov_iter *it, bool packet);
// Takes up to it->count bytes out, as one read does. Bytes moved, 0 when empty, -LX_EFAULT.
int64_t pipe_pull(struct pipe *p, struct iov_iter *it);
// Copies up to n bytes from `skip` on without taking them; returns bytes (tee).
size_t pipe_peek(const struct pipe *p, size_t skip, void *buf, size_t n);
// Forgets up to n bytes from the front, and wakes writers that wait for room.
void pipe_drop(struct pipe *p, size_t n);
// 0, -LX_EBUSY when it holds more, -LX_ENOMEM, -LX_EPERM, -LX_EINVAL.
int64_t pipe_set_size(struct pipe *p, uint64_t bytes);
extern const struct file_ops pipe_fops;
