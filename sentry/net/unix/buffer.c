// Buffers in receive queues, and what they are charged to.
#include "abi/linux/errno.h"
#include "sentry/core/trim.h"
#include "sentry/net/unix/unix.h"
#include <stdlib.h>

static uint64_t bytes_buffered; // of all sockets

struct unix_buf *unix_buf_alloc(struct unix_sock *sender, uint32_t n, int *err)
{
    uint32_t charge = n + UNIX_BUF_OVERHEAD;
    if (bytes_buffered + charge > UNIX_BYTES_MAX) {
        *err = -LX_ENOBUFS;
        return NULL;
    }
    struct unix_buf *b = malloc(sizeof(*b) + n);
    if (!b) {
        *err = -LX_ENOMEM;
        return NULL;
    }
    *b = (struct unix_buf){.owner = unix_get(sender), .len = n, .charge = charge};
    list_init(&b->link);
    sender->charged += charge;
    bytes_buffered += charge;
    return b;
}

void unix_buf_free(struct unix_buf *b)
{
    struct unix_sock *u = b->owner;
    scm_files_free(unix_detach_files(b));
    u->charged -= b->charge;
    bytes_buffered -= b->charge;
    memory_freed(b->charge);
    free(b);
    if (!u->dead && unix_writable(u))
        wake_up(&u->sk.wait, EV_OUT | EV_WRNORM | EV_WRBAND);
    unix_put(u);
}

void unix_attach_files(struct unix_buf *b, struct scm *scm)
{
    b->files = scm->files;
    scm->files = NULL;
    if (!b->files)
        return;
    uint32_t more = (uint32_t)scm_files_bytes(b->files);
    b->charge += more;
    b->owner->charged += more;
    bytes_buffered += more;
    unix_inflight(b->files);
}

struct scm_files *unix_detach_files(struct unix_buf *b)
{
    struct scm_files *files = b->files;
    b->files = NULL;
    if (files)
        unix_notinflight(files);
    return files;
}

void unix_queue_buf(struct unix_sock *to, struct unix_buf *b)
{
    list_add_tail(&b->link, &to->queue);
    to->queue_len++;
    to->queued_bytes += b->len;
    wake_up(&to->sk.wait, EV_IN | EV_RDNORM | EV_RDBAND);
}

void unix_unqueue_buf(struct unix_sock *from, struct unix_buf *b)
{
    bool was_full = unix_queue_full(from);
    list_del(&b->link);
    from->queue_len--;
    from->queued_bytes -= b->len - b->off;
    if (from->sk.type != LX_SOCK_DGRAM || !was_full || unix_queue_full(from))
        return;
    wake_up(&from->room_wait, EV_OUT);
    list_for_each(sender, &from->senders, struct unix_sock, peers_link)
        wake_up(&sender->sk.wait, EV_OUT | EV_WRNORM | EV_WRBAND);
}

// A message may hold the last reference of a socket with messages of its own, and so on: they are freed one
// after the other from here, not one inside the other.
void unix_flush(struct unix_sock *u)
{
    static struct list_head graveyard = LIST_INIT(graveyard);
    static bool burying;
    while (!list_empty(&u->queue)) {
        struct unix_buf *b = list_first(&u->queue, struct unix_buf, link);
        unix_unqueue_buf(u, b);
        list_add_tail(&b->link, &graveyard);
    }
    if (burying)
        return;
    burying = true;
    while (!list_empty(&graveyard)) {
        struct unix_buf *b = list_first(&graveyard, struct unix_buf, link);
        list_del(&b->link);
        unix_buf_free(b);
    }
    burying = false;
}
