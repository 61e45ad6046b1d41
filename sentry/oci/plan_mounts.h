#pragma once
// The mounts of a container: exports for the Gofer, filesystems of the Sentry.
#include "sentry/boot/sandbox.h"
#include "sentry/oci/config.h"

// Fills mounts, devices and exports of `spec`. With `memory` writes to the root stay in the sandbox. 0 or -errno.
int oci_plan_mounts(const struct oci_config *config, const char *bundle, const char *rootfs, bool memory,
                    struct sandbox_spec *spec, struct oci_error *error);
