#pragma once
// What an engine sees that enters the mount namespace of the process in its pid file (podman cp): the container's files, and
// nothing of the host.
#include "sentry/boot/sandbox.h"

// Gives this process a mount namespace of its own whose root is `rootfs`, with the bind mounts whose places exist. The host's
// mounts are let go. 0 or -errno; a failure leaves a namespace that shows what the caller's showed.
int view_enter(const char *rootfs, const struct sandbox_spec *spec);
