#pragma once
// Taking a container away: its processes, control groups, and directory.
#include "sentry/oci/container.h"

// Ends what is left of its processes and removes everything; the container is locked. `config`, for its poststop hooks, may be NULL.
// Goes as far as it can; the first failure is told. 0 or -errno.
int container_delete(struct container *c, const struct oci_config *config, struct oci_error *error);
