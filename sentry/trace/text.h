#pragma once
// A line under construction in a buffer of fixed size: what does not fit is dropped, and `full` says so.
#include "sentry/trace/names.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t size; // at least 1; the last byte is the NUL
    size_t len;
    bool full;
};

void text_init(struct text *t, char *buf, size_t size);
void text_add(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Bytes in double quotes, escaped as in C; "..." behind them when `more` were left out.
void text_quoted(struct text *t, const char *bytes, size_t n, bool more);
// A word of guest text without quotes: everything but letters, digits and harmless punctuation is escaped.
void text_word(struct text *t, const char *s, size_t max);
// The name of `value`, or its number in hexadecimal.
void text_name(struct text *t, const struct trace_name *names, uint64_t value);
// Flags joined by |, the unknown rest in hexadecimal; `none` for zero. Returns the number of words added.
int text_flags(struct text *t, const struct trace_name *names, uint64_t value, const char *none);
