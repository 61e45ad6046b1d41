// Argument and environment strings of an exec.
#include "sentry/exec/exec.h"
#include <stdlib.h>
#include <string.h>

#define POINTERS_AT_ONCE 128

static int reserve(struct exec_strings *s, size_t more)
{
    if (more > EXEC_ARGS_MAX || s->len > EXEC_ARGS_MAX - more)
        return -LX_E2BIG;
    if (s->len + more <= s->capacity)
        return 0;
    size_t capacity = s->capacity ? s->capacity : 4096;
    while (capacity < s->len + more)
        capacity *= 2;
    char *grown = realloc(s->bytes, capacity);
    if (!grown)
        return -LX_ENOMEM;
    s->bytes = grown;
    s->capacity = capacity;
    return 0;
}

int strings_add(struct exec_strings *s, const char *text, size_t len)
{
    int err = reserve(s, len + 1);
    if (err)
        return err;
    memcpy(s->bytes + s->len, text, len);
    s->bytes[s->len + len] = 0;
    s->len += len + 1;
    return 0;
}

int strings_add_guest(struct exec_strings *s, gaddr_t array, size_t budget, unsigned *count)
{
    char *text = malloc(EXEC_ARG_MAX_STRING);
    int err = text ? 0 : -LX_ENOMEM;
    *count = 0;
    for (bool end = array == 0; !end && !err;) {
        gaddr_t pointers[POINTERS_AT_ONCE];
        ssize_t got = copy_in_part(pointers, array, sizeof(pointers));
        unsigned n = got < 8 ? 0 : (unsigned)got / 8;
        if (n == 0)
            err = -LX_EFAULT;
        for (unsigned i = 0; i < n && !err; i++) {
            if (pointers[i] == 0) {
                end = true;
                break;
            }
            ssize_t len = copy_in_str(text, pointers[i], EXEC_ARG_MAX_STRING);
            if (len < 0)
                err = len == -LX_ENAMETOOLONG ? -LX_E2BIG : (int)len;
            else
                err = strings_add(s, text, (size_t)len);
            if (!err)
                ++*count;
            if (!err && s->len + *count * 8ull > budget)
                err = -LX_E2BIG;
        }
        array += n * 8;
    }
    free(text);
    return err;
}

int strings_prepend(struct exec_strings *s, const char *text)
{
    size_t n = strlen(text) + 1;
    int err = reserve(s, n);
    if (err)
        return err;
    memmove(s->bytes + n, s->bytes, s->len);
    memcpy(s->bytes, text, n);
    s->len += n;
    s->argc++;
    return 0;
}

void strings_drop_first(struct exec_strings *s)
{
    if (s->argc == 0)
        return;
    size_t n = strlen(s->bytes) + 1;
    memmove(s->bytes, s->bytes + n, s->len - n);
    s->len -= n;
    s->argc--;
}
