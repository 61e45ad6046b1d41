#pragma once
// A strict reader of JSON (RFC 8259) for documents from outside: config.json, state files, requests.
//
// Refused beyond what the grammar refuses: invalid UTF-8, a surrogate without its other half, two members of
// one name in an object, and whatever exceeds the limits below. Numbers keep their text: whoever asks says
// which range is meant. A document is a tree in memory of its own, freed at once.
#include "sentry/oci/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_BYTES_MAX (16u << 20)
#define JSON_DEPTH_MAX 64  // arrays and objects in each other
#define JSON_NUMBER_MAX 64 // characters of a number
#define JSON_VALUES_MAX (1u << 20)

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    unsigned line;             // where it begins, from 1
    uint32_t index;            // its place in `parent`, from 0
    const struct json *parent; // NULL: the document's value
    const struct json *next;   // in the same array or object, in the order of the document
    const char *name;          // of a member of an object, NUL-terminated; it holds no NUL itself
    union {
        bool boolean;
        struct {
            const char *text; // a string decoded, or a number as written; NUL-terminated
            size_t length;    // a string may hold NULs
        };
        struct {
            const struct json *first;
            size_t count;
        };
    };
};

struct json_document {
    const struct json *root;
    struct arena *memory; // everything of the tree; borrowers may add to it
};

// Reads a whole document. 0; -EINVAL with line, path and reason in `error`; -ENOMEM. On failure nothing is
// kept.
int json_parse(const char *text, size_t length, struct json_document *document, struct oci_error *error);
void json_free(struct json_document *document);

// The member of that name; NULL where there is none, or `object` is NULL or no object.
const struct json *json_get(const struct json *object, const char *name);
// The value as an integer of that range. False: NULL, no number, a fraction or exponent, or out of range.
bool json_u64(const struct json *value, uint64_t max, uint64_t *out);
bool json_i64(const struct json *value, int64_t min, int64_t max, int64_t *out);
// The place of a value, as "linux.resources.devices[3].major"; "document" for the root. Cut to `size`.
void json_path(const struct json *value, char *path, size_t size);
// "line N: PATH: REASON" into `error`; returns -EINVAL.
int json_fail(const struct json *value, struct oci_error *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
