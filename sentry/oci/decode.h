#pragma once
// Taking typed members out of a JSON object. The first failure sticks: callers ask for everything they know
// and look at `result` once. What was not found or was wrong leaves its zero value. null counts as absent.
#include "sentry/oci/arena.h"
#include "sentry/oci/config.h"
#include "sentry/oci/json.h"

struct decode {
    struct arena *memory; // of the document
    struct oci_error *error;
    int result; // 0 or -errno
    struct oci_strings warnings;
};

// Fails with "line N: PATH: REASON" unless something failed before.
void decode_fail(struct decode *d, const struct json *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Notes what has no effect: "PATH: TEXT".
void decode_warn(struct decode *d, const struct json *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// arena_alloc(), which fails by `result`.
void *decode_alloc(struct decode *d, size_t count, size_t size);

// The member of that type, or NULL where it is absent or null. Another type fails.
const struct json *decode_member(struct decode *d, const struct json *object, const char *name,
                                 enum json_type type);
// The same, and absence fails.
const struct json *decode_required(struct decode *d, const struct json *object, const char *name,
                                   enum json_type type);
// The elements of an array, all of one type; *count is 0 where it is absent. More than OCI_LIST_MAX fail.
const struct json *decode_array(struct decode *d, const struct json *object, const char *name,
                                enum json_type element, size_t *count);

// A string without NUL, or NULL.
const char *decode_string(struct decode *d, const struct json *object, const char *name);
// An element or member that is at hand as a string without NUL; "" after a failure.
const char *decode_text(struct decode *d, const struct json *value);
bool decode_bool(struct decode *d, const struct json *object, const char *name);
struct oci_bool decode_optional_bool(struct decode *d, const struct json *object, const char *name);
struct oci_u64 decode_u64(struct decode *d, const struct json *object, const char *name, uint64_t max);
struct oci_i64 decode_i64(struct decode *d, const struct json *object, const char *name, int64_t min,
                          int64_t max);
// 0 where it is absent.
uint32_t decode_u32(struct decode *d, const struct json *object, const char *name);
uint32_t decode_required_u32(struct decode *d, const struct json *object, const char *name);
void decode_strings(struct decode *d, const struct json *object, const char *name, struct oci_strings *out);
// A map of strings, sorted by name. Empty names fail.
struct oci_pair *decode_pairs(struct decode *d, const struct json *object, const char *name, size_t *count);

// The absolute path `text` without ".", "..", double and trailing slashes; ".." ends at the root. NULL: no
// memory.
const char *decode_clean_path(struct decode *d, const char *text);
// An array of absolute paths, cleaned.
void decode_paths(struct decode *d, const struct json *object, const char *name, struct oci_strings *out);
// A value of a table by name; fails with `what` where it is unknown.
struct decode_name {
    const char *name;
    uint32_t value;
};
bool decode_lookup(const struct decode_name *table, size_t count, const char *name, uint32_t *value);

// Parts of the document. Each decodes one object, which may be NULL.
void decode_process(struct decode *d, const struct json *object, struct oci_process *process);
void decode_resources(struct decode *d, const struct json *object, struct oci_resources *resources);
void decode_mounts(struct decode *d, const struct json *root, struct oci_config *config);
void decode_hooks(struct decode *d, const struct json *root, struct oci_config *config);
void decode_linux(struct decode *d, const struct json *root, struct oci_config *config);
struct oci_seccomp *decode_seccomp(struct decode *d, const struct json *linux_object);
