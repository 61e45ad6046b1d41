#include "sentry/oci/annotations.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool in_list(const char *list, const char *name)
{
    size_t wanted = strlen(name);
    for (const char *item = list; item && *item;) {
        size_t n = strcspn(item, ",");
        if (n == wanted && strncmp(item, name, n) == 0)
            return true;
        item += n + (item[n] == ',');
    }
    return false;
}

static const struct oci_setting *find(const struct oci_setting *settings, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

int oci_annotations_apply(const struct oci_config *config, const char *allowed,
                          const struct oci_setting *settings, size_t nr_settings,
                          void (*warn)(const char *text), struct oci_error *error)
{
    const size_t prefix = strlen(OCI_ANNOTATION_PREFIX);
    for (size_t i = 0; i < config->nr_annotations; i++) {
        const struct oci_pair *pair = &config->annotations[i];
        if (strncmp(pair->name, OCI_ANNOTATION_PREFIX, prefix) != 0)
            continue;
        const struct oci_setting *setting = find(settings, nr_settings, pair->name + prefix);
        if (!setting || !in_list(allowed, setting->name)) {
            struct oci_error text;
            (void)oci_fail(&text, EPERM, "annotation %s changes nothing: %s", pair->name,
                           setting ? "--allow-annotations does not name it" : "there is no such option");
            warn(text.text);
            continue;
        }
        if (!pair->value[0])
            return oci_fail(error, EINVAL, "annotation %s has no value", pair->name);
        *setting->value = pair->value;
    }
    return 0;
}
