#pragma once
// From config.json to what the boot code starts: the guest's root, its mounts, its first process.
#include "sentry/boot/sandbox.h"
#include "sentry/oci/command.h"
#include "sentry/oci/config.h"

struct oci_plan {
    struct sandbox_spec spec;
    char rootfs[4096]; // absolute, without symlinks
};

// Everything but streams and network. `bundle` is absolute. What is allocated lives until the process ends. 0 or -errno.
int oci_plan(const struct oci_config *config, const char *bundle, const struct oci_globals *globals,
             struct oci_plan *plan, struct oci_error *error);
// The identity, limits and words of a process: of the container, or of one that `exec` adds. 0 or -errno.
int oci_plan_process(const struct oci_process *process, struct sentry_config *out, struct oci_error *error);
