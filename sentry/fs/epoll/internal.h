#pragma once
// epoll's own objects (fs/eventpoll.c of Linux). Kernel lock.
#include "abi/linux/epoll.h"
#include "sentry/fs/epoll/epoll.h"
#include "sentry/ipc/poll.h"

#define EPOLL_MAX_NESTS 4       // epolls inside epolls
#define EPOLL_MAX_ITEMS 262144u // of the whole sandbox (fs.epoll.max_user_watches)
#define EPOLL_PRIVATE (LX_EPOLLWAKEUP | LX_EPOLLONESHOT | LX_EPOLLET | LX_EPOLLEXCLUSIVE)
#define ITEM_WAITERS 2u

// One registration: a file under the number it had.
struct epitem {
    struct eventpoll *ep;
    struct file *file; // not counted: epoll_file_closed() ends the item
    int fd;
    uint32_t events; // as asked, EV_ERR and EV_HUP always; only EPOLL_PRIVATE bits: disabled (one-shot)
    uint64_t data;
    struct epitem *hash_next;
    struct list_head ready_link; // in ep->ready; empty when not there
    struct list_head file_link;  // in file->epoll_links
    unsigned nr_waiters;
    struct waiter waiters[ITEM_WAITERS];
    struct waiter *more_waiters; // of files with more queues; nr_more of them
    unsigned nr_more;
};

struct eventpoll {
    struct file *file;            // its own, not counted
    struct wait_queue wait;       // epoll_wait
    struct wait_queue poll_wait;  // polls of the epoll file itself
    struct list_head ready;       // epitem.ready_link
    struct epitem **hash;         // by file and number
    unsigned hash_size, nr_items; // size: power of two
    uint64_t visit;               // last walk that saw it
    int visit_depth;              // and how deep it was below
};

extern const struct file_ops epoll_fops;
static inline struct eventpoll *file_eventpoll(struct file *f)
{
    return f->ops == &epoll_fops ? f->priv : NULL;
}
struct epitem *epoll_find(struct eventpoll *ep, struct file *f, int fd);
// 0, -LX_ENOMEM, -LX_ENOSPC, -LX_EINVAL, -LX_ELOOP, -LX_EPERM.
int epoll_insert(struct eventpoll *ep, struct file *f, int fd, const struct lx_epoll_event *ev);
void epoll_modify(struct epitem *item, const struct lx_epoll_event *ev);
void epoll_remove(struct epitem *item);
// May `f` be put below `ep`? 0, -LX_EINVAL (itself), -LX_ELOOP.
int epoll_loop_check(struct eventpoll *ep, struct file *f);
struct file *epoll_create_file(void);
