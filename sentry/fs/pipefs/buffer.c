// The bytes of a pipe: slots as Linux counts pages, and one ring that holds the bytes of all slots.
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/fs/pipefs/internal.h"
#include "sentry/task/cred.h"
#include <stdlib.h>
#include <string.h>

static unsigned slots_in_use; // of all pipes; kernel lock

struct pipe *pipe_alloc(void)
{
    unsigned slots = PIPE_DEF_SLOTS;
    if (slots_in_use + slots > PIPE_SLOTS_SOFT && !capable(LX_CAP_SYS_RESOURCE))
        slots = PIPE_MIN_SLOTS;
    if (slots_in_use + slots > PIPE_SLOTS_HARD)
        return NULL;
    struct pipe *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->slots = calloc(slots, sizeof(*p->slots));
    if (!p->slots) {
        free(p);
        return NULL;
    }
    p->max_slots = slots;
    slots_in_use += slots;
    wait_queue_init(&p->rd_wait);
    wait_queue_init(&p->wr_wait);
    return p;
}

void pipe_free_unused(struct pipe *p)
{
    if (p->files || p->readers || p->writers)
        return;
    wait_queue_release(&p->rd_wait);
    wait_queue_release(&p->wr_wait);
    if (p->inode) {
        p->inode->pipe = NULL;
        inode_put(p->inode);
    }
    slots_in_use -= p->max_slots;
    free(p->slots);
    free(p->data);
    free(p);
}

static struct pipe_slot *slot_at(const struct pipe *p, unsigned i)
{
    return &p->slots[(p->first + i) % p->max_slots];
}

size_t pipe_peek(const struct pipe *p, size_t skip, void *buf, size_t n)
{
    if (skip >= p->bytes)
        return 0;
    if (n > p->bytes - skip)
        n = p->bytes - skip;
    uint32_t at = (uint32_t)((p->start + skip) % p->data_size);
    size_t part = p->data_size - at < n ? p->data_size - at : n;
    memcpy(buf, p->data + at, part);
    memcpy((uint8_t *)buf + part, p->data, n - part);
    return n;
}

// Gives the ring room for `size` bytes; what it holds is moved to its start.
static int resize_data(struct pipe *p, uint32_t size)
{
    uint8_t *data = malloc(size);
    if (!data)
        return -LX_ENOMEM;
    if (p->bytes)
        pipe_peek(p, 0, data, p->bytes);
    free(p->data);
    p->data = data;
    p->data_size = size;
    p->start = 0;
    return 0;
}

static int reserve_bytes(struct pipe *p, size_t n)
{
    size_t need = p->bytes + n;
    if (need <= p->data_size)
        return 0;
    uint32_t size = p->data_size ? p->data_size : PIPE_PAGE;
    while (size < need)
        size *= 2;
    return resize_data(p, size);
}

// Copies n bytes behind the last. Bytes copied or -LX_EFAULT.
static int64_t append(struct pipe *p, struct iov_iter *it, size_t n)
{
    int err = reserve_bytes(p, n);
    if (err)
        return err;
    size_t done = 0;
    while (done < n) {
        uint32_t at = (p->start + p->bytes) % p->data_size;
        size_t part = p->data_size - at < n - done ? p->data_size - at : n - done;
        ssize_t got = iter_copy_from(it, p->data + at, part);
        if (got <= 0)
            return done ? (int64_t)done : (got < 0 ? got : -LX_EFAULT);
        p->bytes += (uint32_t)got;
        done += (size_t)got;
        if ((size_t)got < part)
            break;
    }
    return (int64_t)done;
}

int64_t pipe_push(struct pipe *p, struct iov_iter *it, bool packet)
{
    int64_t done = 0;
    // What does not fill a page joins the last slot if that has room (fs/pipe.c, pipe_write).
    size_t odd = it->count & (PIPE_PAGE - 1);
    if (odd && p->used && !packet) {
        struct pipe_slot *last = slot_at(p, p->used - 1);
        if (!last->packet && last->off + last->len + odd <= PIPE_PAGE) {
            int64_t got = append(p, it, odd);
            if (got < 0)
                return got;
            last->len = (uint16_t)(last->len + got);
            done = got;
            if ((size_t)got < odd)
                return done;
        }
    }
    size_t room = (size_t)(p->max_slots - p->used) * PIPE_PAGE;
    size_t n = it->count < room ? it->count : room;
    if (n == 0)
        return done;
    int64_t got = append(p, it, n);
    if (got < 0)
        return done ? done : got;
    for (size_t left = (size_t)got; left > 0;) {
        size_t len = left < PIPE_PAGE ? left : PIPE_PAGE;
        p->used++;
        *slot_at(p, p->used - 1) = (struct pipe_slot){.len = (uint16_t)len, .packet = packet};
        left -= len;
    }
    return done + got;
}

// Drops n bytes from the front.
static void consume(struct pipe *p, size_t n)
{
    if (n == 0)
        return;
    p->start = (uint32_t)((p->start + n) % p->data_size);
    p->bytes -= (uint32_t)n;
    while (n > 0) {
        struct pipe_slot *s = slot_at(p, 0);
        size_t part = n < s->len ? n : s->len;
        s->off = (uint16_t)(s->off + part);
        s->len = (uint16_t)(s->len - part);
        n -= part;
        if (s->len == 0) {
            p->first = (p->first + 1) % p->max_slots;
            p->used--;
        }
    }
    if (p->bytes == 0) {
        p->start = 0;
        if (p->data_size > PIPE_KEEP_BYTES) {
            free(p->data);
            p->data = NULL;
            p->data_size = 0;
        }
    }
}

void pipe_drop(struct pipe *p, size_t n)
{
    bool was_full = pipe_full(p);
    consume(p, n < p->bytes ? n : p->bytes);
    if (was_full && !pipe_full(p))
        wake_up(&p->wr_wait, EV_OUT | EV_WRNORM);
}

int64_t pipe_pull(struct pipe *p, struct iov_iter *it)
{
    size_t want = 0, drop = 0;
    for (unsigned i = 0; i < p->used && want < it->count; i++) {
        struct pipe_slot *s = slot_at(p, i);
        size_t part = it->count - want < s->len ? it->count - want : s->len;
        want += part;
        if (s->packet) {
            drop = s->len - part;
            break;
        }
    }
    size_t done = 0;
    while (done < want) {
        uint32_t at = (uint32_t)((p->start + done) % p->data_size);
        size_t part = p->data_size - at < want - done ? p->data_size - at : want - done;
        ssize_t got = iter_copy_to(it, p->data + at, part);
        if (got <= 0 && done == 0)
            return got < 0 ? got : -LX_EFAULT;
        if (got <= 0)
            break;
        done += (size_t)got;
        if ((size_t)got < part)
            break;
    }
    if (done)
        consume(p, done == want ? done + drop : done);
    return (int64_t)done;
}

int64_t pipe_set_size(struct pipe *p, uint64_t bytes)
{
    if (bytes > 1u << 31)
        return -LX_EINVAL;
    unsigned slots = 1;
    while ((uint64_t)slots * PIPE_PAGE < bytes)
        slots *= 2;
    if (slots > p->max_slots && !capable(LX_CAP_SYS_RESOURCE) &&
        ((uint64_t)slots * PIPE_PAGE > PIPE_MAX_SIZE ||
         slots_in_use - p->max_slots + slots > PIPE_SLOTS_SOFT))
        return -LX_EPERM;
    if (slots_in_use - p->max_slots + slots > PIPE_SLOTS_HARD)
        return -LX_ENOMEM;
    if (slots < p->used)
        return -LX_EBUSY;
    struct pipe_slot *moved = calloc(slots, sizeof(*moved));
    if (!moved)
        return -LX_ENOMEM;
    for (unsigned i = 0; i < p->used; i++)
        moved[i] = *slot_at(p, i);
    free(p->slots);
    p->slots = moved;
    p->first = 0;
    slots_in_use += slots - p->max_slots;
    p->max_slots = slots;
    return (int64_t)slots * PIPE_PAGE;
}
