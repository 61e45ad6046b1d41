#include "sentry/oci/json_write.h"
#include "sentry/oci/utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json_writer *w, const char *bytes, size_t n)
{
    if (w->error)
        return;
    if (n >= w->size - w->length) {
        size_t size = w->size ? w->size : 1024;
        while (size - w->length <= n)
            size *= 2;
        char *text = realloc(w->text, size);
        if (!text) {
            w->error = -ENOMEM;
            return;
        }
        w->text = text;
        w->size = size;
    }
    memcpy(w->text + w->length, bytes, n);
    w->length += n;
    w->text[w->length] = 0;
}

static void put_text(struct json_writer *w, const char *text)
{
    put(w, text, strlen(text));
}

// A new line with the indentation of the depth; nothing where all is on one line.
static void put_line(struct json_writer *w)
{
    if (!w->indent)
        return;
    put(w, "\n", 1);
    for (unsigned i = 0; i < w->depth * w->indent; i++)
        put(w, " ", 1);
}

static void put_quoted(struct json_writer *w, const char *text)
{
    put(w, "\"", 1);
    const unsigned char *end = (const unsigned char *)text + strlen(text);
    for (const unsigned char *s = (const unsigned char *)text; s < end;) {
        char escape[8];
        size_t n = 1;
        if (*s == '"' || *s == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", *s);
            put_text(w, escape);
        } else if (*s < 0x20 || *s == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", *s);
            put_text(w, escape);
        } else if (*s < 0x80) {
            put(w, (const char *)s, 1);
        } else if ((n = utf8_length(s, end)) > 0) {
            put(w, (const char *)s, n);
        } else {
            put_text(w, "\xef\xbf\xbd");
            n = 1;
        }
        s += n;
    }
    put(w, "\"", 1);
}

// What stands before a value: a comma where it is not the first, and its name.
static void begin(struct json_writer *w, const char *name)
{
    if (w->depth > 0) {
        if (!w->first)
            put(w, ",", 1);
        put_line(w);
    }
    w->first = false;
    if (name) {
        put_quoted(w, name);
        put(w, ": ", w->indent ? 2 : 1);
    }
}

static void open_bracket(struct json_writer *w, const char *name, const char *bracket)
{
    begin(w, name);
    put(w, bracket, 1);
    w->depth++;
    w->first = true;
}

void json_put_object(struct json_writer *w, const char *name)
{
    open_bracket(w, name, "{");
}

void json_put_array(struct json_writer *w, const char *name)
{
    open_bracket(w, name, "[");
}

void json_put_end(struct json_writer *w, char bracket)
{
    w->depth--;
    if (!w->first)
        put_line(w);
    put(w, &bracket, 1);
    w->first = false;
}

void json_put_string(struct json_writer *w, const char *name, const char *text)
{
    begin(w, name);
    put_quoted(w, text);
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
    begin(w, name);
    put_text(w, value ? "true" : "false");
}

void json_put_u64(struct json_writer *w, const char *name, uint64_t value)
{
    char text[24];
    begin(w, name);
    snprintf(text, sizeof(text), "%" PRIu64, value);
    put_text(w, text);
}

void json_put_i64(struct json_writer *w, const char *name, int64_t value)
{
    char text[24];
    begin(w, name);
    snprintf(text, sizeof(text), "%" PRId64, value);
    put_text(w, text);
}

void json_put_number(struct json_writer *w, const char *name, const char *text)
{
    begin(w, name);
    put_text(w, text);
}

void json_put_null(struct json_writer *w, const char *name)
{
    begin(w, name);
    put_text(w, "null");
}

void json_put_strings(struct json_writer *w, const char *name, const char *const *list, size_t count)
{
    json_put_array(w, name);
    for (size_t i = 0; i < count; i++)
        json_put_string(w, NULL, list[i]);
    json_put_end(w, ']');
}
