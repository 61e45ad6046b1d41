#pragma once
// Annotations that stand for the runtime's own options: "org.sentry.overlay": "memory" is --overlay=memory
// for one container.
//
// Whoever may start containers can write annotations, so they count only where the operator says so, by name,
// with --allow-annotations. Others of the prefix change nothing; a warning names them.
#include "sentry/oci/config.h"

#define OCI_ANNOTATION_PREFIX "org.sentry."

// An option that an annotation may set: its name, and where its value is.
struct oci_setting {
    const char *name;
    const char **value;
};

// Sets options from a container's annotations. `allowed` is a list of names with commas between, or NULL. A
// value may not be empty. `warn` is called with a sentence for each annotation that changes nothing. 0, or
// -EINVAL.
int oci_annotations_apply(const struct oci_config *config, const char *allowed,
                          const struct oci_setting *settings, size_t nr_settings,
                          void (*warn)(const char *text), struct oci_error *error);
