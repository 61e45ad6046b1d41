#pragma once
// startContainer hooks. They are the image's code: each runs as a guest beside the first process, which has its number and waits
// before its program; as the container's user, with its capabilities, limits, directory and seccomp profile.
#include "sentry/oci/config.h"
#include "sentry/oci/container.h"

// Runs those of a created container, which stays created. 0; or as oci_hooks_run(), and then the container must be ended.
int guest_hooks_run(const struct container *c, const struct oci_config *config, struct oci_error *error);
