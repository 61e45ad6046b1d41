#pragma once
// System V shared memory, semaphores and message queues (ipc/ of Linux). Kernel lock.
//
// A segment is a file of tmpfs that every attached process maps, so all see the same pages. Who is attached is known by
// address space: fork copies the list, exit and exec drop it. munmap(2) of an attached segment runs natively and is not
// seen, so such a segment counts as attached until its process exits or calls shmdt(2).
#include "sentry/ipc/sysv/ids.h"
#include "sentry/core/wait.h"
#include "sentry/vfs/file.h"

// Limits that /proc/sys/kernel shows and root may change.
struct sysv_limits {
    int64_t shmmni, msgmax, msgmnb, msgmni, semmsl, semmns, semopm, semmni;
    uint64_t shmmax, shmall;
};
// The objects and limits of one IPC namespace (ipc_namespaces(7)).
struct sysv_ns {
    struct sysv_limits limits;
    struct ipc_ids shm, sem, msg;
    uint64_t shm_pages; // of all its segments
    unsigned sems;      // semaphores of all its sets
};
extern struct sysv_ns init_sysv_ns;
struct sysv_ns *sysv_current(void);  // current's
struct sysv_ns *sysv_ns_alloc(void); // empty, with the limits of the first; NULL: no memory
// Nobody is in it any more: its objects go with it, segments that are still attached at their last detachment.
void sysv_ns_free(struct sysv_ns *ns);

#define SYSV_SEMS_MAX 1048576u            // semaphores of the sandbox, whatever the limits say
#define SYSV_UNDO_BYTES_MAX (32u << 20)   // adjustments of all processes
#define SYSV_MSG_BYTES_MAX (128ull << 20) // messages of all queues, with their heads

// --- shared memory (shm.c)
struct shm_segment {
    struct ipc_perm perm; // first
    struct sysv_ns *ns;   // where it was made; NULL when that is gone
    struct file *file;    // its pages
    uint64_t size;
    unsigned nattch;
    int cpid, lpid;
    int64_t atime, dtime;
};
// Pages of a segment that exist.
uint64_t shm_resident(const struct shm_segment *s);
void shm_destroy(struct shm_segment *s);
// A process comes to have the segments of its parent, or its address space goes.
struct mm;
int shm_mm_dup(struct mm *to, const struct mm *from); // 0 or -LX_ENOMEM
void shm_mm_free(struct mm *m);
// An attachment of current's address space at this address: its length, or 0. Dropping it may end the segment.
uint64_t shm_attached_at(const struct mm *m, gaddr_t addr);
void shm_detach(struct mm *m, gaddr_t addr, int pid);
// The segment is on its way into an address space: counts as attached from now on. shm_attach_end() says where it came to
// lie, or that it did not (addr 0).
struct shm_attach;
struct shm_attach *shm_attach_begin(struct shm_segment *s, struct mm *m); // NULL: no memory
void shm_attach_end(struct shm_attach *a, gaddr_t addr, int pid);

// --- semaphores (sem.c)
struct sem {
    int value, pid;
};
struct sem_set {
    struct ipc_perm perm; // first
    struct sysv_ns *ns;   // where it was made; never changes
    int64_t otime;
    unsigned nsems;
    struct wait_queue wait;   // operations that could not be done
    struct list_head waiting; // sem_wait.link
    struct list_head undos;   // sem_undo.set_link
    struct sem sems[];
};
// An operation that waits; in the state of its call.
struct sem_wait {
    struct list_head link; // empty: not waiting
    uint16_t num;          // what it waits for
    bool for_zero;
};
// What a process gives back when it ends.
struct sem_undo {
    struct list_head set_link, owner_link;
    struct sem_set *set;
    int16_t adjust[];
};
extern unsigned sem_total; // semaphores of all namespaces
void sem_set_destroy(struct sem_set *s);
// Does the operations, all or none. 0, -LX_ERANGE, -LX_ENOMEM; or -LX_EAGAIN with *w set: it must wait.
int sem_operate(struct sem_set *s, const struct lx_sembuf *ops, unsigned n, struct sem_wait *w);
void sem_forget_undo(struct sem_set *s, int num); // of one semaphore; -1: of all
struct thread_group;
void sem_group_exit(struct thread_group *tg);

// --- message queues (msg.c)
struct msg {
    struct list_head link;
    int64_t type;
    uint32_t size;
    uint8_t text[];
};
struct msg_queue {
    struct ipc_perm perm; // first
    struct sysv_ns *ns;   // where it was made; never changes
    struct list_head messages;
    uint64_t cbytes, qnum, qbytes;
    int64_t stime, rtime;
    int lspid, lrpid;
    struct wait_queue senders, receivers;
};
// A message with room for `size` bytes. NULL and *err.
struct msg *msg_alloc(uint32_t size, int *err);
void msg_free(struct msg *m);
void msg_destroy(struct msg_queue *q);
// The message that msgrcv(2) with this type gets, or NULL.
struct msg *msg_pick(const struct msg_queue *q, int64_t type, int flags);
