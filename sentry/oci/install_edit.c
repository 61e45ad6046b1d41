// The edit itself: daemon.json as text in, as text out.
#include "sentry/oci/install.h"
#include "sentry/oci/json.h"
#include "sentry/oci/json_write.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A value as it is.
static void put_value(struct json_writer *w, const struct json *v, const char *name)
{
    switch (v->type) {
    case JSON_NULL:
        json_put_null(w, name);
        return;
    case JSON_BOOL:
        json_put_bool(w, name, v->boolean);
        return;
    case JSON_NUMBER:
        json_put_number(w, name, v->text);
        return;
    case JSON_STRING:
        json_put_string(w, name, v->text);
        return;
    default:
        (v->type == JSON_ARRAY ? json_put_array : json_put_object)(w, name);
        for (const struct json *m = v->first; m; m = m->next)
            put_value(w, m, m->name);
        json_put_end(w, v->type == JSON_ARRAY ? ']' : '}');
    }
}

static void put_entry(struct json_writer *w, const struct install_entry *entry)
{
    json_put_object(w, entry->name);
    json_put_string(w, "path", entry->program);
    if (entry->nr_args)
        json_put_strings(w, "runtimeArgs", entry->args, entry->nr_args);
    json_put_end(w, '}');
}

static bool is_string(const struct json *v, const char *text)
{
    return v && v->type == JSON_STRING && v->length == strlen(text) && strcmp(v->text, text) == 0;
}

static bool same_entry(const struct json *v, const struct install_entry *entry)
{
    const struct json *args = json_get(v, "runtimeArgs");
    size_t count = args && args->type == JSON_ARRAY ? args->count : 0;
    if (v->type != JSON_OBJECT || v->count != 1u + (args != NULL) ||
        !is_string(json_get(v, "path"), entry->program) || count != entry->nr_args)
        return false;
    const struct json *arg = count ? args->first : NULL;
    for (size_t i = 0; i < count; i++, arg = arg->next)
        if (!is_string(arg, entry->args[i]))
            return false;
    return true;
}

static bool holds_nul(const struct json *v)
{
    if (v->type == JSON_STRING)
        return strlen(v->text) != v->length;
    if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
        for (const struct json *m = v->first; m; m = m->next)
            if (holds_nul(m))
                return true;
    return false;
}

static int read_file(const char *text, size_t length, struct json_document *d, struct oci_error *error)
{
    if (length == 0)
        return json_parse("{}", 2, d, error);
    int failed = json_parse(text, length, d, error);
    if (failed)
        return failed;
    const struct json *runtimes = json_get(d->root, "runtimes");
    if (d->root->type != JSON_OBJECT)
        failed = json_fail(d->root, error, "an object is expected");
    else if (runtimes && runtimes->type != JSON_OBJECT)
        failed = json_fail(runtimes, error, "an object is expected");
    else if (holds_nul(d->root))
        failed = json_fail(d->root, error, "a string holds a NUL");
    if (failed)
        json_free(d);
    return failed;
}

static int finish(struct json_writer *w, struct json_document *d, char **out, struct oci_error *error)
{
    json_free(d);
    if (!w->error) {
        *out = w->text;
        return 0;
    }
    free(w->text);
    return oci_fail_errno(error, ENOMEM, "cannot edit the configuration");
}

// Every member of an object but those named.
static void put_others(struct json_writer *w, const struct json *object, const char * not, const char *nor)
{
    for (const struct json *m = object ? object->first : NULL; m; m = m->next)
        if (strcmp(m->name, not ) != 0 && (!nor || strcmp(m->name, nor) != 0))
            put_value(w, m, m->name);
}

int install_add(const char *text, size_t length, const struct install_entry *entry, char **out, bool *changed,
                struct oci_error *error)
{
    struct json_document d;
    *changed = true;
    int failed = read_file(text, length, &d, error);
    if (failed)
        return failed;
    const struct json *runtimes = json_get(d.root, "runtimes"), *old = json_get(runtimes, entry->name);
    if (old && !same_entry(old, entry) && !entry->replace) {
        failed = oci_fail(error, EEXIST,
                          "line %u: there is another runtime \"%s\" (--replace puts this one in its place)",
                          old->line, entry->name);
        json_free(&d);
        return failed;
    }
    *changed = !old || !same_entry(old, entry) ||
               (entry->make_default && !is_string(json_get(d.root, "default-runtime"), entry->name));
    struct json_writer w = {.indent = 4};
    json_put_object(&w, NULL);
    put_others(&w, d.root, "runtimes", entry->make_default ? "default-runtime" : NULL);
    if (entry->make_default)
        json_put_string(&w, "default-runtime", entry->name);
    json_put_object(&w, "runtimes");
    put_others(&w, runtimes, entry->name, NULL);
    put_entry(&w, entry);
    json_put_end(&w, '}');
    json_put_end(&w, '}');
    return finish(&w, &d, out, error);
}

int install_remove(const char *text, size_t length, const char *name, char **out, bool *changed,
                   struct oci_error *error)
{
    struct json_document d;
    int failed = read_file(text, length, &d, error);
    if (failed)
        return failed;
    const struct json *runtimes = json_get(d.root, "runtimes");
    bool is_default = is_string(json_get(d.root, "default-runtime"), name);
    bool listed = json_get(runtimes, name) != NULL;
    *changed = listed || is_default;
    struct json_writer w = {.indent = 4};
    json_put_object(&w, NULL);
    put_others(&w, d.root, "runtimes", is_default ? "default-runtime" : NULL);
    if (runtimes && runtimes->count > (listed ? 1u : 0u)) {
        json_put_object(&w, "runtimes");
        put_others(&w, runtimes, name, NULL);
        json_put_end(&w, '}');
    }
    json_put_end(&w, '}');
    return finish(&w, &d, out, error);
}
