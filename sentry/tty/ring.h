#pragma once
// A byte queue whose memory exists only while it holds something: thousands of idle terminals cost nothing. Kernel lock.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ring {
    uint8_t *bytes; // `size` of them, or NULL when empty
    size_t size, head, used;
};

static inline size_t ring_room(const struct ring *r)
{
    return r->size - r->used;
}

static inline void ring_clear(struct ring *r)
{
    free(r->bytes);
    r->bytes = NULL;
    r->head = r->used = 0;
}

// Appends up to n bytes; returns how many (0 when out of memory).
static inline size_t ring_put(struct ring *r, const uint8_t *src, size_t n)
{
    if (n > ring_room(r))
        n = ring_room(r);
    if (n && !r->bytes && !(r->bytes = malloc(r->size)))
        return 0;
    for (size_t done = 0; done < n;) {
        size_t at = (r->head + r->used) % r->size, run = r->size - at;
        if (run > n - done)
            run = n - done;
        memcpy(r->bytes + at, src + done, run);
        r->used += run;
        done += run;
    }
    return n;
}

// Copies up to n bytes from the front without taking them.
static inline size_t ring_peek(const struct ring *r, uint8_t *dst, size_t n)
{
    if (n > r->used)
        n = r->used;
    for (size_t done = 0; done < n;) {
        size_t at = (r->head + done) % r->size, run = r->size - at;
        if (run > n - done)
            run = n - done;
        memcpy(dst + done, r->bytes + at, run);
        done += run;
    }
    return n;
}

static inline void ring_drop(struct ring *r, size_t n)
{
    r->head = (r->head + n) % r->size;
    r->used -= n;
    if (!r->used)
        ring_clear(r);
}
