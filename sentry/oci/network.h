#pragma once
// The network namespace of a container's monitor, where the engine puts its interfaces, and where gofer --net starts.
#include "sentry/oci/command.h"
#include "sentry/oci/config.h"

// Enters or makes it; in a new one the loopback is brought up. *own: it is neither ours nor the engine's. 0 or -errno.
int network_enter(const struct oci_config *config, bool *own, struct oci_error *error);
// Writes the net.* sysctls there. Only after network_enter(). 0 or -errno.
int network_sysctls(const struct oci_config *config, struct oci_error *error);
// Is the guest's network the one of the namespace (brokered), or its own loopback alone? After the hooks; `untouched`: it is new, and nobody
// but us has been in it.
bool network_is_brokered(const struct oci_config *config, const char *option, bool untouched);
