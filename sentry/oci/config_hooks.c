// The object `hooks`.
#include "sentry/oci/decode.h"

const char *const oci_hook_names[OCI_HOOK_KINDS] = {
    [OCI_HOOK_PRESTART] = "prestart",
    [OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
    [OCI_HOOK_CREATE_CONTAINER] = "createContainer",
    [OCI_HOOK_START_CONTAINER] = "startContainer",
    [OCI_HOOK_POSTSTART] = "poststart",
    [OCI_HOOK_POSTSTOP] = "poststop",
};

static void decode_hook(struct decode *d, const struct json *object, struct oci_hook *hook)
{
    const struct json *path = decode_required(d, object, "path", JSON_STRING);
    hook->path = decode_string(d, object, "path");
    if (hook->path && hook->path[0] != '/')
        decode_fail(d, path, "an absolute path is expected");
    decode_strings(d, object, "args", &hook->args);
    decode_strings(d, object, "env", &hook->env);
    hook->timeout = (unsigned)decode_i64(d, object, "timeout", 1, 1000000).value;
}

void decode_hooks(struct decode *d, const struct json *root, struct oci_config *config)
{
    const struct json *object = decode_member(d, root, "hooks", JSON_OBJECT);
    for (unsigned kind = 0; kind < OCI_HOOK_KINDS; kind++) {
        struct oci_hooks *hooks = &config->hooks[kind];
        size_t count;
        const struct json *item = decode_array(d, object, oci_hook_names[kind], JSON_OBJECT, &count);
        hooks->list = count ? decode_alloc(d, count, sizeof(*hooks->list)) : NULL;
        for (; item && hooks->list && !d->result; item = item->next)
            decode_hook(d, item, &hooks->list[hooks->count++]);
    }
}
