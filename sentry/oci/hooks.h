#pragma once
// The hooks of config.json: programs that are told of the container on standard input. The operator's are programs of the host; a
// startContainer hook is the image's code, and guest_hooks.h runs it in the sandbox.
#include "sentry/oci/config.h"
#include "sentry/oci/error.h"
#include <sys/types.h>

// The state that hooks read, and `state` prints without `--guest` fields.
struct oci_state {
    const char *version; // of the specification; NULL: OCI_VERSION
    const char *id;
    const char *status; // "creating", "created", "running", "stopped"
    pid_t pid;          // 0: left out
    const char *bundle; // absolute
    const struct oci_pair *annotations;
    size_t nr_annotations;
};

// The state as the specification's JSON, on one line, NUL-terminated; the caller frees it. NULL: no memory.
char *oci_state_json(const struct oci_state *state);

struct oci_hook_run {
    const struct oci_state *state;
    const char *directory; // where they run; NULL: the bundle, as runc has it (createContainer: the root)
    // Called in the child before the hook is executed, for hooks of the container's namespaces; NULL: none. 0
    // or -errno.
    int (*enter)(void *context);
    void *context;
    // For hooks that are no programs of the host: starts one with these standard streams (borrowed). A descriptor that can be read
    // when it has ended, or -errno. NULL: they are.
    int (*begin)(void *context, const struct oci_hook *hook, const int streams[3]);
    // Ends it if it has not, closes that descriptor, and gives its wait status. 0 or -errno.
    int (*end)(void *context, int fd, int *status);
    // Called with a sentence for each hook whose failure is only a warning (poststart, poststop); may be
    // NULL.
    void (*warn)(void *context, const char *text);
};

// Runs the hooks of a kind in order, each with a timeout of its own after which
// its process group is killed. Output is kept for the message (bounded, escaped), status and signal are told.
// The first hook that fails ends it with -ECHILD, -ETIMEDOUT or the errno of its start; poststart and
// poststop hooks go on with the next instead, and 0 is returned. OCI_HOOK_START_CONTAINER needs `begin`.
int oci_hooks_run(const struct oci_hooks *hooks, enum oci_hook_kind kind, const struct oci_hook_run *run,
                  struct oci_error *error);
