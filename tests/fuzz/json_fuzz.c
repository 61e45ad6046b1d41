// The JSON reader on arbitrary bytes: it must stay inside of them, and what it accepts must be the same after
// it has been written and read again.
#include "tests/fuzz/fuzz.h"
#include "sentry/oci/json.h"
#include "sentry/oci/json_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_value(struct json_writer *w, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        json_put_null(w, v->name);
        return;
    case JSON_BOOL:
        json_put_bool(w, v->name, v->boolean);
        return;
    case JSON_NUMBER:
    case JSON_STRING:
        json_put_string(w, v->name, v->text); // a number comes back as the string of its text
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        (v->type == JSON_ARRAY ? json_put_array : json_put_object)(w, v->name);
        for (const struct json *m = v->first; m; m = m->next)
            write_value(w, m);
        json_put_end(w, v->type == JSON_ARRAY ? ']' : '}');
    }
}

static void compare(const struct json *a, const struct json *b)
{
    enum json_type expected = a->type == JSON_NUMBER ? JSON_STRING : a->type;
    if (expected != b->type || !a->name != !b->name || (a->name && strcmp(a->name, b->name) != 0))
        abort();
    if (expected == JSON_BOOL && a->boolean != b->boolean)
        abort();
    if (expected == JSON_STRING && strcmp(a->text, b->text) != 0) // the writer ends at a NUL
        abort();
    if (expected != JSON_ARRAY && expected != JSON_OBJECT)
        return;
    if (a->count != b->count)
        abort();
    for (a = a->first, b = b->first; a; a = a->next, b = b->next)
        compare(a, b);
}

static void try_one(const uint8_t *bytes, size_t size)
{
    struct json_document first, second;
    struct oci_error error;
    char *exact = malloc(size ? size : 1); // so that the sanitizer sees each byte too many
    if (!exact)
        return;
    memcpy(exact, bytes, size);
    error.text[0] = 0;
    int result = json_parse(exact, size, &first, &error);
    free(exact);
    if (result) {
        if (!error.text[0] || first.memory)
            abort();
        return;
    }
    struct json_writer w = {.indent = size & 2};
    write_value(&w, first.root);
    if (w.error || json_parse(w.text, w.length, &second, &error))
        abort();
    compare(first.root, second.root);
    json_free(&first);
    json_free(&second);
    free(w.text);
}

struct output {
    uint8_t *bytes;
    size_t used, size;
};

static void put(struct output *out, const char *text)
{
    size_t n = strlen(text);
    if (n > out->size - out->used)
        return;
    memcpy(out->bytes + out->used, text, n);
    out->used += n;
}

// A document, valid as long as it fits and no name comes twice.
static void put_value(struct output *out, unsigned depth)
{
    static const char *const scalars[] = {"1",
                                          "-0",
                                          "1.5e3",
                                          "true",
                                          "false",
                                          "null",
                                          "\"\"",
                                          "\"\\n\\u0000x\"",
                                          "\"\\ud83d\\ude39\"",
                                          "\"\xc3\xa9\"",
                                          "123456789012345678901234567890"};
    static const char *const names[] = {"\"a\"", "\"b\"", "\"\"", "\"\\u0061b\"", "\"\xe2\x82\xac\"",
                                        "\"A\""};
    unsigned kind = depth < 8 ? (unsigned)(next() % 4) : 2;
    if (kind >= 2) {
        put(out, scalars[next() % (sizeof(scalars) / sizeof(scalars[0]))]);
        return;
    }
    put(out, kind ? "[" : "{\n");
    for (unsigned n = (unsigned)(next() % 4); n > 0; n--) {
        if (!kind) {
            put(out, names[next() % (sizeof(names) / sizeof(names[0]))]);
            put(out, ": ");
        }
        put_value(out, depth + 1);
        if (n > 1)
            put(out, ",");
    }
    put(out, kind ? "]" : "}");
}

// Half of them are changed in a few places.
static size_t make(uint8_t *bytes, size_t size)
{
    static const char *const pieces[] = {"{",  "}",   "[",     "]", ",", ":", "\"",
                                         "\\", "\\u", "\\ud8", "0", "-", "e", "\xed"};
    struct output out = {bytes, 0, size};
    put_value(&out, 0);
    for (unsigned n = next() % 2 ? 0 : (unsigned)(next() % 4); n > 0; n--) {
        const char *piece = pieces[next() % (sizeof(pieces) / sizeof(pieces[0]))];
        size_t at = next() % out.used, length = strlen(piece);
        if (next() % 3 == 0)
            out.used = at + 1;
        else if (length < out.used - at)
            memcpy(bytes + at, piece, length);
    }
    return out.used;
}

static void smoke(unsigned long rounds)
{
    uint8_t bytes[1024];
    for (unsigned long i = 0; i < rounds; i++)
        try_one(bytes, make(bytes, sizeof(bytes)));
    printf("%lu inputs\n", rounds);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
