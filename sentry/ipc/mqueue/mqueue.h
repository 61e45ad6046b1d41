#pragma once
// POSIX message queues (ipc/mqueue.c of Linux). Kernel lock.
//
// A queue is an inode of the mqueue filesystem, of which each IPC namespace has one (sentry/fs/mqueue). A message goes straight
// to the receiver whose turn it is, and a message taken from a full queue makes place for that of the sender whose turn it is: so
// receivers wait only at an empty queue and senders at a full one, and nobody overtakes them.
#include "abi/linux/mqueue.h"
#include "abi/linux/time.h"
#include "sentry/core/list.h"
#include "sentry/core/wait.h"
#include <stdbool.h>
#include <stdint.h>

struct call;
struct inode;
struct mount;
struct nl_notice;
struct super_block;
struct thread_group;

// Limits that /proc/sys/fs/mqueue shows and root may change.
struct mq_limits {
    int64_t queues_max, msg_max, msgsize_max, msg_default, msgsize_default;
};
#define MQ_MSG_HARD_MAX 65536        // messages of a queue, whoever makes it
#define MQ_MSGSIZE_HARD_MAX 16777216 // bytes of a message
#define MQ_QUEUES_TOTAL_MAX 32768u   // queues of the sandbox, whatever the limits say
#define MQ_BYTES_TOTAL_MAX \
    (128u << 20) // messages of the sandbox, with their heads, those of waiting senders, and the queues' heaps

// The queues of one IPC namespace.
struct mq_ns {
    struct mq_limits limits;
    unsigned queues;
    struct mount
        *mnt; // shows its filesystem, in no namespace of mounts; referenced; NULL until somebody asks for it
};
extern struct mq_ns init_mq_ns;
struct mq_ns *mq_current(void);  // current's
struct mq_ns *mq_ns_alloc(void); // empty, with the limits of a new one; NULL: no memory
// Nobody is in it any more. Queues that are open, or on a mounted filesystem, live on; no more are made there.
void mq_ns_free(struct mq_ns *ns);

struct mq_message {
    uint64_t seq; // order among those of one priority
    uint32_t prio, size;
    uint8_t text[];
};
// A message with room for `size` bytes. NULL: no memory.
struct mq_message *mq_message_alloc(uint32_t size, uint32_t prio);
void mq_message_free(struct mq_message *m); // may be NULL

uint64_t mq_total_bytes(void); // what MQ_BYTES_TOTAL_MAX bounds

// A call that waits; in the call's state.
struct mq_waiter {
    struct list_head link;  // in mqueue.senders or .receivers, whose turn it is first; empty: not waiting
    struct wait_queue wake; // the call alone
    struct mq_message *msg; // of a sender: its own; of a receiver: what it was given
    int64_t deadline;       // nanoseconds of CLOCK_REALTIME, -1: none
    int prio;               // of its thread: lower numbers first
    bool done;              // its message was taken, or one was given to it
};

// Who is told of the first message in an empty queue (mq_notify(2)).
struct mq_notification {
    struct list_head link;      // among all that are set
    struct thread_group *owner; // referenced; NULL: nobody
    uint32_t exec_id;           // the owner's when it asked: a later program is not told
    int how;                    // LX_SIGEV_*
    int signo;
    uint64_t value;
    struct nl_notice *notice; // SIGEV_THREAD: owned
};

struct mqueue {
    struct inode *inode;      // whose priv it is
    int64_t maxmsg, msgsize;  // never change
    struct mq_message **heap; // the first is next; NULL where there is none
    unsigned count, room;
    uint64_t next_seq, bytes;            // bytes: of the messages' texts
    struct list_head senders, receivers; // mq_waiter.link
    struct wait_queue wait;              // poll
    uint32_t uid;                        // whom it is counted for, and how much
    uint64_t charged;
    struct mq_notification notify;
};

// A queue for `inode`, counted for current's user. `attr` NULL: the default. 0, -LX_EINVAL for sizes beyond the limits, -LX_EMFILE beyond RLIMIT_MSGQUEUE, -LX_ENOSPC for too many queues, -LX_ENOMEM.
int mq_create(struct mq_ns *ns, const struct lx_mq_attr *attr, struct inode *inode, struct mqueue **out);
void mq_destroy(struct mqueue *q);

// mq_send(3): 0 and the message is the queue's, or a receiver's; -LX_EAGAIN: it would have to wait; -LX_ENOMEM.
int mq_put(struct mqueue *q, struct mq_message *m);
// The next message, or NULL: it would have to wait. Lets a waiting sender go on.
struct mq_message *mq_take(struct mqueue *q);
// Puts the running call among those that wait, once, and blocks it until its turn or its deadline. What block_on_until()
// returns, -LX_ETIMEDOUT, or -LX_ERESTARTSYS.
int64_t mq_wait(struct list_head *waiting, struct mq_waiter *w);
void mq_waiter_end(struct mq_waiter *w); // it waits no more; frees a message that is left

// Registers current's process, unless another one is: -LX_EBUSY. Takes the notice over on success.
int mq_notify_set(struct mqueue *q, int how, int signo, uint64_t value, struct nl_notice *notice);
// `tg` wants to know no more (of this queue; NULL: of any), or goes.
void mq_notify_clear(struct mqueue *q, struct thread_group *tg);
void mq_group_exit(struct thread_group *tg);
void mq_notify_fire(struct mqueue *q); // the first message has come
