// Builds trace lines without ever overrunning the buffer.
#include "sentry/trace/text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(struct text *t, char *buf, size_t size)
{
    *t = (struct text){.buf = buf, .size = size};
    buf[0] = '\0';
}

static void add_bytes(struct text *t, const char *s, size_t n)
{
    size_t room = t->size - 1 - t->len;
    if (n > room) {
        n = room;
        t->full = true;
    }
    memcpy(t->buf + t->len, s, n);
    t->len += n;
    t->buf[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
    add_bytes(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
    char piece[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(piece, sizeof(piece), fmt, ap);
    va_end(ap);
    if (n > 0)
        add_bytes(t, piece, (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1);
}

static void add_escaped(struct text *t, unsigned char c)
{
    char escape[5];
    switch (c) {
    case '\n':
        text_add(t, "\\n");
        return;
    case '\t':
        text_add(t, "\\t");
        return;
    case '\r':
        text_add(t, "\\r");
        return;
    case '\0':
        text_add(t, "\\0");
        return;
    default:
        snprintf(escape, sizeof(escape), "\\x%02x", c);
        text_add(t, escape);
    }
}

void text_quoted(struct text *t, const char *bytes, size_t n, bool more)
{
    text_add(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char plain[3] = {'\\', (char)c, '\0'};
        if (c == '"' || c == '\\')
            text_add(t, plain);
        else if (c >= 0x20 && c < 0x7f)
            text_add(t, plain + 1);
        else if (c == '\0' && i + 1 < n && isdigit((unsigned char)bytes[i + 1]))
            text_add(t, "\\x00"); // \01 would read as one character
        else
            add_escaped(t, c);
    }
    text_add(t, more ? "\"..." : "\"");
}

void text_word(struct text *t, const char *s, size_t max)
{
    for (size_t i = 0; i < max && s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        char plain[2] = {(char)c, '\0'};
        char escape[5];
        if (c < 0x80 && (isalnum(c) || strchr("._-+:/@,=~%#", c))) {
            text_add(t, plain);
        } else {
            snprintf(escape, sizeof(escape), "\\x%02x", c);
            text_add(t, escape);
        }
    }
}

void text_name(struct text *t, const struct trace_name *names, uint64_t value)
{
    for (; names->name; names++) {
        if (names->value == value) {
            text_add(t, names->name);
            return;
        }
    }
    text_printf(t, "%#llx", (unsigned long long)value);
}

int text_flags(struct text *t, const struct trace_name *names, uint64_t value, const char *none)
{
    int words = 0;
    if (value == 0) {
        text_add(t, none);
        return *none != '\0';
    }
    for (; names->name; names++) {
        if (names->value && (value & names->value) == names->value) {
            if (words++)
                text_add(t, "|");
            text_add(t, names->name);
            value &= ~names->value;
        }
    }
    if (value) {
        if (words++)
            text_add(t, "|");
        text_printf(t, "%#llx", (unsigned long long)value);
    }
    return words;
}
