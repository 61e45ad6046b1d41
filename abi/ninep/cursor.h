// A cursor over a message buffer that never runs over its end. An access that does not fit sets `overflow`,
// reads as zero and changes nothing; once set, every later access fails too, so a codec checks it once, at
// the end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct np_cursor {
    uint8_t *data;
    size_t size;
    size_t position;
    bool overflow;
};

static inline struct np_cursor np_cursor_over(void *data, size_t size)
{
    return (struct np_cursor){.data = data, .size = size};
}

// Returns `length` bytes of the buffer and moves past them, or NULL (and sets overflow) when they are not
// there.
static inline uint8_t *np_take(struct np_cursor *cursor, size_t length)
{
    if (cursor->overflow || length > cursor->size - cursor->position) {
        cursor->overflow = true;
        return NULL;
    }
    uint8_t *bytes = cursor->data + cursor->position;
    cursor->position += length;
    return bytes;
}

// Little-endian integers of 1 to 8 bytes.
static inline uint64_t np_get(struct np_cursor *cursor, size_t width)
{
    const uint8_t *bytes = np_take(cursor, width);
    uint64_t value = 0;
    if (bytes)
        memcpy(&value, bytes, width);
    return value;
}

static inline void np_put(struct np_cursor *cursor, uint64_t value, size_t width)
{
    uint8_t *bytes = np_take(cursor, width);
    if (bytes)
        memcpy(bytes, &value, width);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");
