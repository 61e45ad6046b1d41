// The epoll file, and reading its events.
#include "sentry/fs/epoll/epoll.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/fs/epoll/internal.h"
#include <stdio.h>
#include <stdlib.h>

// Does the item have something to tell now? An item that has not leaves the ready list.
static bool really_ready(struct epitem *item)
{
    return file_poll(item->file, NULL) & item->events;
}

static uint32_t epoll_poll(struct file *f, struct poll_table *pt)
{
    struct eventpoll *ep = f->priv;
    poll_wait(pt, &ep->poll_wait);
    list_for_each_safe(item, &ep->ready, struct epitem, ready_link)
    {
        if (really_ready(item))
            return EV_IN | EV_RDNORM;
        list_del(&item->ready_link);
    }
    return 0;
}

static void epoll_release(struct file *f)
{
    struct eventpoll *ep = f->priv;
    for (unsigned i = 0; i < ep->hash_size; i++)
        while (ep->hash[i])
            epoll_remove(ep->hash[i]);
    wait_queue_release(&ep->wait);
    wait_queue_release(&ep->poll_wait);
    free(ep->hash);
    free(ep);
}

static size_t epoll_fdinfo(struct file *f, char *buf, size_t size)
{
    struct eventpoll *ep = f->priv;
    size_t at = 0;
    for (unsigned i = 0; i < ep->hash_size; i++) {
        for (struct epitem *item = ep->hash[i]; item; item = item->hash_next) {
            int n = snprintf(buf + at, size - at,
                             "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n", item->fd,
                             item->events, (unsigned long long)item->data, (long long)item->file->pos,
                             (unsigned long long)item->file->inode->attr.ino,
                             (unsigned long long)item->file->inode->attr.dev);
            if (n < 0 || (size_t)n >= size - at)
                return at;
            at += (size_t)n;
        }
    }
    return at;
}

const struct file_ops epoll_fops = {
    .poll = epoll_poll,
    .release = epoll_release,
    .show_fdinfo = epoll_fdinfo,
};

struct file *epoll_create_file(void)
{
    struct eventpoll *ep = calloc(1, sizeof(*ep));
    if (!ep)
        return NULL;
    wait_queue_init(&ep->wait);
    wait_queue_init(&ep->poll_wait);
    list_init(&ep->ready);
    ep->file =
        anon_file(&epoll_fops, ep, FMODE_READ | FMODE_WRITE, LX_O_RDWR, "anon_inode:[eventpoll]", 0600);
    if (!ep->file) {
        free(ep);
        return NULL;
    }
    return ep->file;
}
