// Registrations of an epoll: the table, the wake-ups, and what closes them.
#include "abi/linux/errno.h"
#include "sentry/fs/epoll/internal.h"
#include <stdlib.h>
#include <string.h>

#define HASH_MIN 8u

static unsigned items_in_use; // of the whole sandbox

static unsigned slot_of(const struct eventpoll *ep, const struct file *f, int fd)
{
    uint64_t h = ((uint64_t)(uintptr_t)f >> 4) * 0x9e3779b97f4a7c15ull + (uint32_t)fd * 0xc2b2ae3d27d4eb4full;
    return (unsigned)(h >> 32) & (ep->hash_size - 1);
}

struct epitem *epoll_find(struct eventpoll *ep, struct file *f, int fd)
{
    if (!ep->hash)
        return NULL;
    for (struct epitem *i = ep->hash[slot_of(ep, f, fd)]; i; i = i->hash_next)
        if (i->file == f && i->fd == fd)
            return i;
    return NULL;
}

static int grow_table(struct eventpoll *ep)
{
    if (ep->nr_items < ep->hash_size)
        return 0;
    unsigned old_size = ep->hash_size, size = old_size ? old_size * 2 : HASH_MIN;
    struct epitem **old = ep->hash, **bigger = calloc(size, sizeof(struct epitem *));
    if (!bigger)
        return -LX_ENOMEM;
    ep->hash = bigger;
    ep->hash_size = size;
    for (unsigned i = 0; i < old_size; i++) {
        for (struct epitem *item = old[i], *next; item; item = next) {
            next = item->hash_next;
            unsigned at = slot_of(ep, item->file, item->fd);
            item->hash_next = bigger[at];
            bigger[at] = item;
        }
    }
    free(old);
    return 0;
}

static void make_ready(struct epitem *item)
{
    if (list_empty(&item->ready_link))
        list_add_tail(&item->ready_link, &item->ep->ready);
}

static bool tell_waiters(struct eventpoll *ep)
{
    bool anybody = !list_empty(&ep->wait.waiters) || !list_empty(&ep->poll_wait.waiters);
    wake_one(&ep->wait, EV_IN);
    wake_up(&ep->poll_wait, EV_IN | EV_RDNORM);
    return anybody;
}

// A file signals: the item joins the ready list (ep_poll_callback). Whether the event really holds is asked
// when it is read.
static bool item_wake(struct waiter *w, uint32_t events)
{
    struct epitem *item = w->owner;
    if (!(item->events & ~EPOLL_PRIVATE) || !(events & item->events))
        return false;
    make_ready(item);
    return tell_waiters(item->ep);
}

struct item_table {
    struct poll_table pt;
    struct epitem *item;
    int err;
};

// The extra waiters of a file with many queues; they are linked, so the array is made once, full size.
#define MORE_WAITERS 6u

static void item_add_queue(struct poll_table *pt, struct wait_queue *q)
{
    struct item_table *t = container_of(pt, struct item_table, pt);
    struct epitem *item = t->item;
    struct waiter *w;
    if (item->nr_waiters < ITEM_WAITERS) {
        w = &item->waiters[item->nr_waiters++];
    } else {
        if (!item->more_waiters)
            item->more_waiters = calloc(MORE_WAITERS, sizeof(struct waiter));
        if (!item->more_waiters || item->nr_more == MORE_WAITERS) {
            t->err = -LX_ENOMEM;
            return;
        }
        w = &item->more_waiters[item->nr_more++];
    }
    w->wake = item_wake;
    w->owner = item;
    w->exclusive = item->events & LX_EPOLLEXCLUSIVE;
    // All events: the ones wanted may change (EPOLL_CTL_MOD).
    wait_add(q, w, EV_ALL);
}

void epoll_remove(struct epitem *item)
{
    struct eventpoll *ep = item->ep;
    for (unsigned i = 0; i < item->nr_waiters; i++)
        wait_del(&item->waiters[i]);
    for (unsigned i = 0; i < item->nr_more; i++)
        wait_del(&item->more_waiters[i]);
    free(item->more_waiters);
    struct epitem **at = &ep->hash[slot_of(ep, item->file, item->fd)];
    while (*at != item)
        at = &(*at)->hash_next;
    *at = item->hash_next;
    list_del(&item->ready_link);
    list_del(&item->file_link);
    item->file->epoll_items--;
    ep->nr_items--;
    items_in_use--;
    free(item);
}

int epoll_insert(struct eventpoll *ep, struct file *f, int fd, const struct lx_epoll_event *ev)
{
    if (items_in_use >= EPOLL_MAX_ITEMS)
        return -LX_ENOSPC;
    int err = epoll_loop_check(ep, f);
    if (!err)
        err = grow_table(ep);
    if (err)
        return err;
    struct epitem *item = calloc(1, sizeof(*item));
    if (!item)
        return -LX_ENOMEM;
    item->ep = ep;
    item->file = f;
    item->fd = fd;
    item->events = (ev->events & ~LX_EPOLLWAKEUP) | EV_ERR | EV_HUP;
    item->data = ev->data;
    list_init(&item->ready_link);
    unsigned at = slot_of(ep, f, fd);
    item->hash_next = ep->hash[at];
    ep->hash[at] = item;
    list_add_tail(&item->file_link, &f->epoll_links);
    f->epoll_items++;
    ep->nr_items++;
    items_in_use++;
    struct item_table t = {.pt = {item_add_queue}, .item = item};
    uint32_t now = file_poll(f, &t.pt);
    if (t.err) {
        epoll_remove(item);
        return t.err;
    }
    if (now & item->events) {
        make_ready(item);
        tell_waiters(ep);
    }
    return 0;
}

void epoll_modify(struct epitem *item, const struct lx_epoll_event *ev)
{
    item->events = (ev->events & ~LX_EPOLLWAKEUP) | EV_ERR | EV_HUP;
    item->data = ev->data;
    if (file_poll(item->file, NULL) & item->events) {
        make_ready(item);
        tell_waiters(item->ep);
    }
}

void epoll_file_closed(struct file *f)
{
    while (!list_empty(&f->epoll_links))
        epoll_remove(list_first(&f->epoll_links, struct epitem, file_link));
}
