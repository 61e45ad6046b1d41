#pragma once
// POSIX message queues of the guest's ABI (uapi/linux/mqueue.h, linux/mqueue.h).
#include <stdint.h>

#define LX_MQ_PRIO_MAX 32768u
#define LX_MQUEUE_MAGIC 0x19800202

// The cookie of SIGEV_THREAD; its last byte says what happened.
#define LX_NOTIFY_COOKIE_LEN 32
#define LX_NOTIFY_WOKENUP 1
#define LX_NOTIFY_REMOVED 2

struct lx_mq_attr {
    int64_t flags, maxmsg, msgsize, curmsgs, unused[4];
};
_Static_assert(sizeof(struct lx_mq_attr) == 64, "struct mq_attr");
