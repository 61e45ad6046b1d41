#pragma once
// What `create` and `run` have in common.
#include "sentry/oci/command.h"
#include "sentry/oci/container.h"

struct create_options {
    const char *bundle, *pid_file, *console_socket;
    bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
    int64_t preserve_fds;
    bool run;
};

// Makes the container of a bundle, up to where its program waits. The container is locked; the pid of the monitor, a child of
// ours, is in it. On failure nothing is left. 0 or -errno.
int container_start(const struct oci_globals *given, const struct create_options *options, const char *id,
                    struct container *c, struct oci_config *config, struct oci_error *error);
// Fills the state that hooks read.
struct oci_state;
void container_state(const struct container *c, enum container_status status, struct oci_state *state);
