#include "sentry/fs/proc/out_text.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t total; // of out_text.size; texts grow with and without the kernel lock

static bool grow(struct out_text *t, size_t wanted)
{
    size_t size = t->size ? t->size : 1024;
    while (size < wanted)
        size *= 2;
    size_t more = size - t->size;
    if (atomic_fetch_add(&total, more) > TEXT_TOTAL_MAX - more) {
        atomic_fetch_sub(&total, more);
        return false;
    }
    char *bigger = realloc(t->data, size);
    if (!bigger) {
        atomic_fetch_sub(&total, more);
        return false;
    }
    t->data = bigger;
    t->size = size;
    return true;
}

char *out_room(struct out_text *t, size_t n)
{
    if (t->failed || n > TEXT_MAX - t->len) {
        t->failed = true;
        return NULL;
    }
    if (t->len + n > t->size && !grow(t, t->len + n)) {
        t->failed = true;
        return NULL;
    }
    return t->data + t->len;
}

void out_add(struct out_text *t, const void *bytes, size_t n)
{
    char *at = out_room(t, n);
    if (at && n) {
        memcpy(at, bytes, n);
        t->len += n;
    }
}

void out_printf(struct out_text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    char small[256];
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        out_add(t, small, (size_t)n);
    } else if (n >= 0) {
        char *at = out_room(t, (size_t)n + 1);
        if (at) {
            vsnprintf(at, (size_t)n + 1, fmt, again);
            t->len += (size_t)n;
        }
    }
    va_end(again);
}

void out_escape(struct out_text *t, const char *s, const char *set)
{
    for (; *s; s++) {
        if (*s == '\\' || strchr(set, *s))
            out_printf(t, "\\%03o", (unsigned char)*s);
        else
            out_add(t, s, 1);
    }
}

void out_tighten(struct out_text *t)
{
    char *tight = t->len ? realloc(t->data, t->len) : NULL;
    if (!tight)
        return;
    atomic_fetch_sub(&total, t->size - t->len);
    t->data = tight;
    t->size = t->len;
}

void out_free(struct out_text *t)
{
    free(t->data);
    atomic_fetch_sub(&total, t->size);
    *t = (struct out_text){NULL, 0, 0, false};
}
