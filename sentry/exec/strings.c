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

// Strings of an exec mostly lie one after the other: the rest of a page is read at once, and a byte of it is used as it was read.
#define PAGE 4096u
struct window {
    gaddr_t at; // of bytes[0]
    size_t len; // 0: nothing is read yet
    char bytes[PAGE];
};

// The string at `from` if it ends on its page, with its length; NULL: it does not, or is a fault. Valid until the next call.
static const char *window_string(struct window *w, gaddr_t from, size_t *len)
{
    if (from < w->at || from - w->at >= w->len) {
        ssize_t got = copy_in_part(w->bytes, from, PAGE - from % PAGE);
        w->at = from;
        w->len = got < 0 ? 0 : (size_t)got;
    }
    if (w->len == 0)
        return NULL;
    const char *text = w->bytes + (from - w->at);
    const char *nul = memchr(text, 0, w->len - (from - w->at));
    if (!nul)
        return NULL;
    *len = (size_t)(nul - text);
    return text;
}

static int add_one(struct exec_strings *s, gaddr_t from, struct window *w, char *scratch)
{
    size_t len;
    const char *text = window_string(w, from, &len);
    if (text)
        return strings_add(s, text, len);
    ssize_t r = copy_in_str(scratch, from, EXEC_ARG_MAX_STRING);
    if (r < 0)
        return r == -LX_ENAMETOOLONG ? -LX_E2BIG : (int)r;
    return strings_add(s, scratch, (size_t)r);
}

int strings_add_guest(struct exec_strings *s, gaddr_t array, size_t budget, unsigned *count)
{
    char *scratch = malloc(EXEC_ARG_MAX_STRING);
    struct window window;
    window.at = window.len = 0;
    int err = scratch ? 0 : -LX_ENOMEM;
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
            err = add_one(s, pointers[i], &window, scratch);
            if (!err)
                ++*count;
            if (!err && s->len + *count * 8ull > budget)
                err = -LX_E2BIG;
        }
        array += n * 8;
    }
    free(scratch);
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
