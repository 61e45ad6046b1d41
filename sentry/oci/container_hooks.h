#pragma once
// createContainer hooks: programs of the host that run in the container's namespaces.
#include "sentry/oci/hooks.h"

// Runs them from the monitor. It gets a mount namespace of its own first, which the Gofer is started from: what a hook mounts below
// the root is there for the container and not for the host. They have its network namespace too, UTS and IPC namespaces of their own,
// and the root as directory. An ordinary user, who may not make namespaces, has none of this but the directory. 0 or -errno.
int container_hooks_run(const struct oci_config *config, const struct oci_state *state, const char *rootfs,
                        struct oci_error *error);
