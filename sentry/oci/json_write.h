#pragma once
// Writing JSON: values in order into a growing buffer. Commas, quotes, escapes and indentation are made here;
// the error sticks, so that a caller looks once, at the end. Text that is no UTF-8 is written with U+FFFD in
// place of each bad byte.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    char *text; // NUL-terminated; the caller frees it
    size_t length, size;
    unsigned depth;
    unsigned indent; // characters for each level; 0: everything on one line
    bool first;      // nothing written in the innermost array or object yet
    int error;       // 0 or -ENOMEM, and then nothing more is written
};

// `name` is the member's name, NULL in an array and for the document's value.
void json_put_object(struct json_writer *w, const char *name);
void json_put_array(struct json_writer *w, const char *name);
void json_put_end(struct json_writer *w, char bracket); // '}' or ']'
void json_put_string(struct json_writer *w, const char *name, const char *text);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_u64(struct json_writer *w, const char *name, uint64_t value);
void json_put_i64(struct json_writer *w, const char *name, int64_t value);
// A number as text: one that a reader kept as it was.
void json_put_number(struct json_writer *w, const char *name, const char *text);
void json_put_null(struct json_writer *w, const char *name);
// An array of strings.
void json_put_strings(struct json_writer *w, const char *name, const char *const *list, size_t count);
