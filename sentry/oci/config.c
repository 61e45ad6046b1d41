#include "sentry/oci/config.h"
#include "sentry/oci/decode.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// "1.0.2", "1.1.0-rc.2", "1.0.2-dev": three numbers, then what SemVer allows.
static bool is_version(const char *text)
{
    for (int i = 0; i < 3; i++) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || (n > 1 && text[0] == '0') || (i < 2 && text[n] != '.'))
            return false;
        text += n + (i < 2);
    }
    if (*text && *text != '-' && *text != '+')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-+.", *text))
            return false;
    return true;
}

static void decode_version(struct decode *d, const struct json *root, struct oci_config *config)
{
    const struct json *at = decode_required(d, root, "ociVersion", JSON_STRING);
    config->version = at ? decode_text(d, at) : "";
    if (at && !is_version(config->version))
        decode_fail(d, at, "%s is no version", config->version);
    else if (strncmp(config->version, "1.", 2) != 0)
        decode_fail(d, at ? at : root, "version %s of the specification is not supported, 1.x is",
                    config->version);
}

static void decode_root(struct decode *d, const struct json *root, struct oci_config *config)
{
    const struct json *object = decode_member(d, root, "root", JSON_OBJECT);
    if (!object) {
        decode_fail(d, root, "\"root\" is required");
        return;
    }
    const struct json *path = decode_required(d, object, "path", JSON_STRING);
    config->root_path = path ? decode_text(d, path) : "";
    if (path && !config->root_path[0])
        decode_fail(d, path, "an empty path");
    config->root_readonly = decode_bool(d, object, "readonly");
}

#define NAME_MAX_UTS 64u // __NEW_UTS_LEN

static const char *decode_uts_name(struct decode *d, const struct json *root, const char *name)
{
    const char *text = decode_string(d, root, name);
    if (!text || !text[0])
        return NULL;
    if (strlen(text) > NAME_MAX_UTS)
        decode_fail(d, json_get(root, name), "more than %u bytes", NAME_MAX_UTS);
    return text;
}

static void decode_config(struct decode *d, const struct json *root, struct oci_config *config)
{
    if (root->type != JSON_OBJECT) {
        decode_fail(d, root, "an object is expected");
        return;
    }
    decode_version(d, root, config);
    const struct json *process = decode_member(d, root, "process", JSON_OBJECT);
    config->process = process ? decode_alloc(d, 1, sizeof(*config->process)) : NULL;
    if (config->process)
        decode_process(d, process, config->process);
    decode_root(d, root, config);
    config->hostname = decode_uts_name(d, root, "hostname");
    config->domainname = decode_uts_name(d, root, "domainname");
    config->annotations = decode_pairs(d, root, "annotations", &config->nr_annotations);
    decode_mounts(d, root, config);
    decode_hooks(d, root, config);
    decode_linux(d, root, config);
}

// A document and the decoder for it; 0 or -errno.
static int begin(const char *text, size_t length, struct json_document *document, struct decode *d,
                 struct oci_error *error)
{
    int result = json_parse(text, length, document, error);
    *d = (struct decode){.memory = document->memory, .error = error, .result = result};
    return result;
}

int oci_config_parse(const char *text, size_t length, struct oci_config *config, struct oci_error *error)
{
    struct decode d;
    memset(config, 0, sizeof(*config));
    if (begin(text, length, &config->document, &d, error))
        return d.result;
    decode_config(&d, config->document.root, config);
    config->warnings = d.warnings;
    if (d.result)
        oci_config_free(config);
    return d.result;
}

void oci_config_free(struct oci_config *config)
{
    json_free(&config->document);
    memset(config, 0, sizeof(*config));
}

int oci_process_parse(const char *text, size_t length, struct oci_process_document *out,
                      struct oci_error *error)
{
    struct decode d;
    memset(out, 0, sizeof(*out));
    if (begin(text, length, &out->document, &d, error))
        return d.result;
    if (out->document.root->type != JSON_OBJECT)
        decode_fail(&d, out->document.root, "an object is expected");
    decode_process(&d, out->document.root, &out->process);
    out->warnings = d.warnings;
    if (d.result)
        oci_process_free(out);
    return d.result;
}

void oci_process_free(struct oci_process_document *out)
{
    json_free(&out->document);
    memset(out, 0, sizeof(*out));
}

int oci_resources_parse(const char *text, size_t length, struct oci_resources_document *out,
                        struct oci_error *error)
{
    struct decode d;
    memset(out, 0, sizeof(*out));
    if (begin(text, length, &out->document, &d, error))
        return d.result;
    if (out->document.root->type != JSON_OBJECT)
        decode_fail(&d, out->document.root, "an object is expected");
    decode_resources(&d, out->document.root, &out->resources);
    out->warnings = d.warnings;
    if (d.result)
        oci_resources_free(out);
    return d.result;
}

void oci_resources_free(struct oci_resources_document *out)
{
    json_free(&out->document);
    memset(out, 0, sizeof(*out));
}

static int compare_name(const void *name, const void *pair)
{
    return strcmp(name, ((const struct oci_pair *)pair)->name);
}

const char *oci_annotation(const struct oci_config *config, const char *name)
{
    const struct oci_pair *pair = config->nr_annotations
                                      ? bsearch(name, config->annotations, config->nr_annotations,
                                                sizeof(*config->annotations), compare_name)
                                      : NULL;
    return pair ? pair->value : NULL;
}
