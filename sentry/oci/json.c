#include "sentry/oci/json.h"
#include "sentry/oci/arena.h"
#include "sentry/oci/utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_COMPARED 8 // up to so many members each is compared with each; beyond, they are sorted

struct parser {
    const unsigned char *at, *end;
    unsigned line;
    unsigned depth;
    unsigned values;
    struct arena *memory;
    struct oci_error *error;
    char *scratch; // as large as the document: where a string is decoded
};

void json_path(const struct json *value, char *path, size_t size)
{
    const struct json *chain[JSON_DEPTH_MAX + 2];
    unsigned n = 0;
    for (; value && value->parent && n < JSON_DEPTH_MAX + 2; value = value->parent)
        chain[n++] = value;
    size_t used = (size_t)snprintf(path, size, "%s", n ? "" : "document");
    while (n-- > 0 && used < size) {
        const struct json *v = chain[n];
        used += v->name ? (size_t)snprintf(path + used, size - used, "%s%s", used ? "." : "", v->name)
                        : (size_t)snprintf(path + used, size - used, "[%u]", v->index);
    }
}

static int fail_at(struct oci_error *error, unsigned line, const struct json *value, const char *reason)
{
    char path[512];
    json_path(value, path, sizeof(path));
    return oci_fail(error, EINVAL, "line %u: %s: %s", line, path, reason);
}

int json_fail(const struct json *value, struct oci_error *error, const char *fmt, ...)
{
    char reason[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    return fail_at(error, value->line, value, reason);
}

static int bad(struct parser *p, const struct json *value, const char *reason)
{
    return fail_at(p->error, p->line, value, reason);
}

static int no_memory(struct parser *p)
{
    return oci_fail(p->error, ENOMEM, "no memory for a document of this size");
}

static void skip_space(struct parser *p)
{
    for (; p->at < p->end; p->at++) {
        if (*p->at == '\n')
            p->line++;
        else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r')
            return;
    }
}

static bool next_is(struct parser *p, unsigned char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static bool hex4(struct parser *p, uint32_t *out)
{
    if (p->end - p->at < 4)
        return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = p->at[i];
        unsigned digit = c >= '0' && c <= '9'   ? c - '0' + 0u
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                                : 16;
        if (digit > 15)
            return false;
        v = v << 4 | digit;
    }
    p->at += 4;
    *out = v;
    return true;
}

// After "\u". NULL, or why not.
static const char *unicode_escape(struct parser *p, uint32_t *out)
{
    uint32_t low;
    if (!hex4(p, out))
        return "\\u needs four hexadecimal digits";
    if (*out >= 0xdc00 && *out < 0xe000)
        return "a surrogate without its first half";
    if (*out < 0xd800 || *out >= 0xe000)
        return NULL;
    if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
        return "a surrogate without its second half";
    p->at += 2;
    if (!hex4(p, &low) || low < 0xdc00 || low >= 0xe000)
        return "a surrogate without its second half";
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return NULL;
}

// After the backslash. NULL, or why not.
static const char *escape(struct parser *p, size_t *used)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p->at == p->end)
        return "a string without end";
    unsigned char c = *p->at++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        p->scratch[(*used)++] = to[known - from];
        return NULL;
    }
    uint32_t code = 0;
    if (c != 'u')
        return "an escape that JSON does not have";
    const char *reason = unicode_escape(p, &code);
    if (!reason)
        *used += put_utf8(p->scratch + *used, code);
    return reason;
}

// After the opening quote: the string decoded.
static int parse_string(struct parser *p, const struct json *value, const char **text, size_t *length)
{
    size_t used = 0;
    for (;;) {
        if (p->at == p->end)
            return bad(p, value, "a string without end");
        unsigned char c = *p->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return bad(p, value, "a control character in a string");
        if (c == '\\') {
            p->at++;
            const char *reason = escape(p, &used);
            if (reason)
                return bad(p, value, reason);
            continue;
        }
        size_t n = utf8_length(p->at, p->end);
        if (!n)
            return bad(p, value, "invalid UTF-8");
        memcpy(p->scratch + used, p->at, n);
        used += n;
        p->at += n;
    }
    p->at++;
    *text = arena_copy(p->memory, p->scratch, used);
    *length = used;
    return *text ? 0 : no_memory(p);
}

static bool digits(struct parser *p)
{
    const unsigned char *from = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
    return p->at > from;
}

static int parse_number(struct parser *p, struct json *value)
{
    const unsigned char *from = p->at;
    bool good = true;
    if (*p->at == '-')
        p->at++;
    if (p->at < p->end && *p->at == '0')
        p->at++;
    else
        good = digits(p);
    if (good && p->at < p->end && *p->at == '.') {
        p->at++;
        good = digits(p);
    }
    if (good && p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
            p->at++;
        good = digits(p);
    }
    if (!good || (p->at < p->end && *p->at >= '0' && *p->at <= '9'))
        return bad(p, value, "a malformed number");
    value->type = JSON_NUMBER;
    value->length = (size_t)(p->at - from);
    if (value->length > JSON_NUMBER_MAX)
        return bad(p, value, "a number with too many digits");
    value->text = arena_copy(p->memory, (const char *)from, value->length);
    return value->text ? 0 : no_memory(p);
}

static int parse_word(struct parser *p, struct json *value)
{
    static const struct {
        const char *word;
        enum json_type type;
        bool boolean;
    } words[] = {{"null", JSON_NULL, false}, {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(p->end - p->at) >= n && memcmp(p->at, words[i].word, n) == 0) {
            p->at += n;
            value->type = words[i].type;
            value->boolean = words[i].boolean;
            return 0;
        }
    }
    return bad(p, value, "no JSON value");
}

static int parse_value(struct parser *p, struct json *value);

static struct json *new_value(struct parser *p, const struct json *parent, uint32_t index)
{
    struct json *value = arena_alloc(p->memory, 1, sizeof(*value));
    if (value) {
        value->parent = parent;
        value->index = index;
        value->line = p->line;
    }
    return value;
}

static int compare_names(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    return order ? order : (*x)->index < (*y)->index ? -1 : 1;
}

static int twice(struct parser *p, const struct json *member)
{
    return fail_at(p->error, member->line, member, "a second member of this name");
}

static int check_names(struct parser *p, const struct json *object)
{
    if (object->count <= NAMES_COMPARED) {
        for (const struct json *a = object->first; a; a = a->next)
            for (const struct json *b = a->next; b; b = b->next)
                if (strcmp(a->name, b->name) == 0)
                    return twice(p, b);
        return 0;
    }
    const struct json **sorted = malloc(object->count * sizeof(const struct json *));
    if (!sorted)
        return no_memory(p);
    size_t n = 0;
    for (const struct json *m = object->first; m; m = m->next)
        sorted[n++] = m;
    qsort(sorted, n, sizeof(sorted[0]), compare_names);
    int error = 0;
    for (size_t i = 1; i < n && !error; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            error = twice(p, sorted[i]);
    free(sorted);
    return error;
}

// The name of a member and the colon.
static int parse_name(struct parser *p, struct json *member)
{
    size_t length = 0;
    if (!next_is(p, '"'))
        return bad(p, member->parent, "a member needs a name in quotes");
    member->line = p->line;
    const char *name = NULL;
    int error = parse_string(p, member->parent, &name, &length);
    if (error)
        return error;
    if (strlen(name) != length)
        return bad(p, member->parent, "a NUL in the name of a member");
    member->name = name;
    return next_is(p, ':') ? 0 : bad(p, member, "a colon is missing after the name");
}

// After the opening bracket of an array or object.
static int parse_members(struct parser *p, struct json *value, unsigned char close)
{
    const struct json **link = &value->first;
    if (++p->depth > JSON_DEPTH_MAX)
        return bad(p, value, "too many arrays and objects in each other");
    bool more = !next_is(p, close);
    while (more) {
        struct json *member = new_value(p, value, (uint32_t)value->count);
        if (!member)
            return no_memory(p);
        int error = value->type == JSON_OBJECT ? parse_name(p, member) : 0;
        if (!error)
            error = parse_value(p, member);
        if (error)
            return error;
        *link = member;
        link = &member->next;
        value->count++;
        more = next_is(p, ',');
        if (!more && !next_is(p, close))
            return bad(p, value, p->at == p->end ? "the document ends in the middle" : "a comma is missing");
    }
    p->depth--;
    return value->type == JSON_OBJECT ? check_names(p, value) : 0;
}

static int parse_value(struct parser *p, struct json *value)
{
    skip_space(p);
    value->line = p->line;
    if (p->at == p->end)
        return bad(p, value, "the document ends in the middle");
    if (++p->values > JSON_VALUES_MAX)
        return bad(p, value, "too many values");
    switch (*p->at) {
    case '{':
    case '[':
        value->type = *p->at == '{' ? JSON_OBJECT : JSON_ARRAY;
        p->at++;
        return parse_members(p, value, value->type == JSON_OBJECT ? '}' : ']');
    case '"':
        value->type = JSON_STRING;
        p->at++;
        return parse_string(p, value, &value->text, &value->length);
    case '-':
    case '0' ... '9':
        return parse_number(p, value);
    default:
        return parse_word(p, value);
    }
}

int json_parse(const char *text, size_t length, struct json_document *document, struct oci_error *error)
{
    *document = (struct json_document){0};
    if (length > JSON_BYTES_MAX)
        return oci_fail(error, EINVAL, "the document has %zu bytes, more than %u", length, JSON_BYTES_MAX);
    struct parser p = {.at = (const unsigned char *)text,
                       .end = (const unsigned char *)text + length,
                       .line = 1,
                       .error = error,
                       .memory = arena_new(),
                       .scratch = malloc(length + 1)};
    struct json *root = p.memory && p.scratch ? new_value(&p, NULL, 0) : NULL;
    int result = root ? parse_value(&p, root) : no_memory(&p);
    skip_space(&p);
    if (!result && p.at != p.end)
        result = bad(&p, root, "something follows the document");
    free(p.scratch);
    if (result) {
        arena_free(p.memory);
        return result;
    }
    *document = (struct json_document){.root = root, .memory = p.memory};
    return 0;
}

void json_free(struct json_document *document)
{
    arena_free(document->memory);
    *document = (struct json_document){0};
}

const struct json *json_get(const struct json *object, const char *name)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

bool json_i64(const struct json *value, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    if (!value || value->type != JSON_NUMBER)
        return false;
    errno = 0;
    intmax_t v = strtoimax(value->text, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *out = v;
    return true;
}

bool json_u64(const struct json *value, uint64_t max, uint64_t *out)
{
    char *end;
    if (!value || value->type != JSON_NUMBER || value->text[0] == '-')
        return false;
    errno = 0;
    uintmax_t v = strtoumax(value->text, &end, 10);
    if (errno || *end || v > max)
        return false;
    *out = v;
    return true;
}
