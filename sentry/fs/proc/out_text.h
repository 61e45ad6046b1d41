#pragma once
// Growing text of a proc file.
#include <stdbool.h>
#include <stddef.h>

#define TEXT_MAX (64u << 20)        // of one file
#define TEXT_TOTAL_MAX (128u << 20) // of all together: a guest may leave many files half read

struct out_text {
    char *data; // not terminated
    size_t len, size;
    bool failed; // out of memory or over a limit: what is there is not all
};

void out_add(struct out_text *t, const void *bytes, size_t n);
void out_printf(struct out_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Escapes the characters of `set`, and backslash, as \ooo (seq_escape, mangle_path).
void out_escape(struct out_text *t, const char *s, const char *set);
// Gives back memory beyond the text.
void out_tighten(struct out_text *t);
void out_free(struct out_text *t);
// Bytes that one call may add directly at the end: room for n more, or NULL.
char *out_room(struct out_text *t, size_t n);
