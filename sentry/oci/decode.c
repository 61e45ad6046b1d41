#include "sentry/oci/decode.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {"null",     "true or false", "a number",
                                         "a string", "an array",      "an object"};

static void no_memory(struct decode *d)
{
    if (!d->result)
        d->result = oci_fail(d->error, ENOMEM, "no memory for this document");
}

void decode_fail(struct decode *d, const struct json *at, const char *fmt, ...)
{
    char reason[1024];
    va_list args;
    if (d->result)
        return;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    d->result = json_fail(at, d->error, "%s", reason);
}

void decode_warn(struct decode *d, const struct json *at, const char *fmt, ...)
{
    char path[256], text[1024], line[1300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_path(at, path, sizeof(path));
    int n = snprintf(line, sizeof(line), "%s: %s", path, text);
    size_t count = d->warnings.count;
    if (count % 16 == 0) {
        const char **list = arena_alloc(d->memory, count + 17, sizeof(*list));
        if (!list) {
            no_memory(d);
            return;
        }
        if (count)
            memcpy(list, d->warnings.list, count * sizeof(*list));
        d->warnings.list = list;
    }
    const char *copy = arena_copy(d->memory, line, (size_t)n);
    if (!copy) {
        no_memory(d);
        return;
    }
    d->warnings.list[d->warnings.count++] = copy;
}

void *decode_alloc(struct decode *d, size_t count, size_t size)
{
    void *memory = arena_alloc(d->memory, count, size);
    if (!memory)
        no_memory(d);
    return memory;
}

const struct json *decode_member(struct decode *d, const struct json *object, const char *name,
                                 enum json_type type)
{
    const struct json *member = json_get(object, name);
    if (!member || member->type == JSON_NULL)
        return NULL;
    if (member->type == type)
        return member;
    decode_fail(d, member, "%s is expected", type_names[type]);
    return NULL;
}

const struct json *decode_required(struct decode *d, const struct json *object, const char *name,
                                   enum json_type type)
{
    const struct json *member = decode_member(d, object, name, type);
    if (!member)
        decode_fail(d, object, "\"%s\" is required", name);
    return member;
}

const struct json *decode_array(struct decode *d, const struct json *object, const char *name,
                                enum json_type element, size_t *count)
{
    const struct json *array = decode_member(d, object, name, JSON_ARRAY);
    *count = 0;
    if (!array || d->result)
        return NULL;
    if (array->count > OCI_LIST_MAX && element != JSON_STRING)
        decode_fail(d, array, "more than %u elements", OCI_LIST_MAX);
    for (const struct json *e = array->first; e && !d->result; e = e->next)
        if (e->type != element)
            decode_fail(d, e, "%s is expected", type_names[element]);
    if (d->result)
        return NULL;
    *count = array->count;
    return array->first;
}

const char *decode_text(struct decode *d, const struct json *value)
{
    if (value->type != JSON_STRING)
        decode_fail(d, value, "%s is expected", type_names[JSON_STRING]);
    else if (strlen(value->text) != value->length)
        decode_fail(d, value, "the string holds a NUL");
    else
        return value->text;
    return "";
}

const char *decode_string(struct decode *d, const struct json *object, const char *name)
{
    const struct json *member = decode_member(d, object, name, JSON_STRING);
    return member ? decode_text(d, member) : NULL;
}

struct oci_bool decode_optional_bool(struct decode *d, const struct json *object, const char *name)
{
    const struct json *member = decode_member(d, object, name, JSON_BOOL);
    return (struct oci_bool){.set = member != NULL, .value = member && member->boolean};
}

bool decode_bool(struct decode *d, const struct json *object, const char *name)
{
    return decode_optional_bool(d, object, name).value;
}

struct oci_u64 decode_u64(struct decode *d, const struct json *object, const char *name, uint64_t max)
{
    const struct json *member = decode_member(d, object, name, JSON_NUMBER);
    struct oci_u64 out = {0};
    if (!member)
        return out;
    out.set = json_u64(member, max, &out.value);
    if (!out.set)
        decode_fail(d, member, "an integer from 0 to %llu is expected", (unsigned long long)max);
    return out;
}

struct oci_i64 decode_i64(struct decode *d, const struct json *object, const char *name, int64_t min,
                          int64_t max)
{
    const struct json *member = decode_member(d, object, name, JSON_NUMBER);
    struct oci_i64 out = {0};
    if (!member)
        return out;
    out.set = json_i64(member, min, max, &out.value);
    if (!out.set)
        decode_fail(d, member, "an integer from %lld to %lld is expected", (long long)min, (long long)max);
    return out;
}

uint32_t decode_u32(struct decode *d, const struct json *object, const char *name)
{
    return (uint32_t)decode_u64(d, object, name, UINT32_MAX).value;
}

uint32_t decode_required_u32(struct decode *d, const struct json *object, const char *name)
{
    decode_required(d, object, name, JSON_NUMBER);
    return decode_u32(d, object, name);
}

void decode_strings(struct decode *d, const struct json *object, const char *name, struct oci_strings *out)
{
    size_t count, n = 0;
    const struct json *element = decode_array(d, object, name, JSON_STRING, &count);
    *out = (struct oci_strings){0};
    if (d->result || !decode_member(d, object, name, JSON_ARRAY))
        return;
    const char **list = decode_alloc(d, count + 1, sizeof(*list));
    if (!list)
        return;
    for (; element; element = element->next)
        list[n++] = decode_text(d, element);
    *out = (struct oci_strings){.list = list, .count = n};
}

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const struct oci_pair *)a)->name, ((const struct oci_pair *)b)->name);
}

struct oci_pair *decode_pairs(struct decode *d, const struct json *object, const char *name, size_t *count)
{
    const struct json *map = decode_member(d, object, name, JSON_OBJECT);
    *count = 0;
    if (!map || d->result)
        return NULL;
    struct oci_pair *pairs = decode_alloc(d, map->count + 1, sizeof(*pairs));
    if (!pairs)
        return NULL;
    size_t n = 0;
    for (const struct json *m = map->first; m; m = m->next) {
        if (!m->name[0])
            decode_fail(d, map, "an empty name");
        pairs[n++] = (struct oci_pair){m->name, decode_text(d, m)};
    }
    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    *count = n;
    return pairs;
}

const char *decode_clean_path(struct decode *d, const char *text)
{
    size_t used = 0;
    char *path = decode_alloc(d, 1, strlen(text) + 2);
    if (!path)
        return NULL;
    while (*text) {
        size_t n = strcspn(text, "/");
        if (n == 2 && text[0] == '.' && text[1] == '.') {
            while (used > 0 && path[--used] != '/')
                ;
        } else if (n > 0 && !(n == 1 && text[0] == '.')) {
            path[used++] = '/';
            memcpy(path + used, text, n);
            used += n;
        }
        text += n + (text[n] == '/');
    }
    if (used == 0)
        path[used++] = '/';
    path[used] = 0;
    return path;
}

void decode_paths(struct decode *d, const struct json *object, const char *name, struct oci_strings *out)
{
    decode_strings(d, object, name, out);
    size_t i = 0;
    for (const struct json *e = out->count ? json_get(object, name)->first : NULL; e && !d->result;
         e = e->next, i++) {
        if (e->text[0] != '/')
            decode_fail(d, e, "an absolute path is expected");
        out->list[i] = decode_clean_path(d, e->text);
    }
}

bool decode_lookup(const struct decode_name *table, size_t count, const char *name, uint32_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *value = table[i].value;
            return true;
        }
    }
    return false;
}
