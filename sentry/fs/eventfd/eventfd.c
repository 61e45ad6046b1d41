// A counter in a file (fs/eventfd.c of Linux).
#include "sentry/fs/eventfd/eventfd.h"
#include "abi/linux/errno.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/wait.h"
#include "sentry/trap/call.h"
#include <stdio.h>
#include <stdlib.h>

struct eventfd {
    uint64_t count;
    bool semaphore; // never changes
    int id;         // never changes
    struct wait_queue wait;
};

static int64_t eventfd_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct eventfd *e = f->priv;
    if (it->count < sizeof(uint64_t))
        return -LX_EINVAL;
    if (e->count == 0)
        return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : block_on(&e->wait, EV_IN);
    uint64_t value = e->semaphore ? 1 : e->count;
    e->count -= value;
    wake_up(&e->wait, EV_OUT);
    return iter_copy_to(it, &value, sizeof(value)) == sizeof(value) ? (int64_t)sizeof(value) : -LX_EFAULT;
}

static int64_t eventfd_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct eventfd *e = f->priv;
    uint64_t value;
    if (it->count < sizeof(value))
        return -LX_EINVAL;
    if (iter_copy_from(it, &value, sizeof(value)) != sizeof(value))
        return -LX_EFAULT;
    if (value == UINT64_MAX)
        return -LX_EINVAL;
    if (UINT64_MAX - e->count <= value)
        return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : block_on(&e->wait, EV_OUT);
    e->count += value;
    wake_up(&e->wait, EV_IN);
    return sizeof(value);
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *pt)
{
    struct eventfd *e = f->priv;
    poll_wait(pt, &e->wait);
    return (e->count > 0 ? EV_IN : 0) | (e->count == UINT64_MAX ? EV_ERR : 0) |
           (e->count < UINT64_MAX - 1 ? EV_OUT : 0);
}

static void eventfd_release(struct file *f)
{
    struct eventfd *e = f->priv;
    wait_queue_release(&e->wait);
    free(e);
}

static size_t eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
    struct eventfd *e = f->priv;
    int n = snprintf(buf, size, "eventfd-count: %16llx\neventfd-id: %d\neventfd-semaphore: %d\n",
                     (unsigned long long)e->count, e->id, e->semaphore);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static const struct file_ops eventfd_fops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .show_fdinfo = eventfd_fdinfo,
};

struct file *eventfd_file(uint32_t count, uint32_t flags)
{
    static int next_id;
    struct eventfd *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->count = count;
    e->semaphore = flags & LX_EFD_SEMAPHORE;
    e->id = next_id++ & INT32_MAX;
    wait_queue_init(&e->wait);
    struct file *f = anon_file(&eventfd_fops, e, FMODE_READ | FMODE_WRITE,
                               LX_O_RDWR | (flags & LX_O_NONBLOCK), "anon_inode:[eventfd]", 0600);
    if (!f)
        free(e);
    return f;
}
