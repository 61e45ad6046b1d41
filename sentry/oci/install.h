#pragma once
// `sentry install` and `uninstall`: the entry in Docker's daemon.json that makes --runtime=sentry work.
#include "sentry/oci/error.h"
#include <stdbool.h>
#include <stddef.h>

struct install_entry {
    const char *name;        // of the runtime, as in --runtime=NAME
    const char *program;     // absolute path; not used by uninstall
    const char *const *args; // runtimeArgs
    size_t nr_args;
    bool make_default; // also "default-runtime"
    bool replace;      // another entry of that name may be replaced
};

// The text of daemon.json with the entry added, or taken out, and everything else as it was (but laid out
// anew). `text` of length 0 is an empty configuration. *changed is false where there is nothing to do. The
// caller frees *out. 0; -EINVAL for a file that is not Docker's; -EEXIST for an entry of that name with
// another content; -ENOMEM.
int install_add(const char *text, size_t length, const struct install_entry *entry, char **out, bool *changed,
                struct oci_error *error);
int install_remove(const char *text, size_t length, const char *name, char **out, bool *changed,
                   struct oci_error *error);

// The commands: argv[0] is "install" or "uninstall". Return the exit status.
int install_main(int argc, char **argv);
