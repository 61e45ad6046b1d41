#pragma once
// `sentry spec`: a config.json to start from.
#include <stdbool.h>

// The document, as runc's `spec` writes it; with `rootless` for one who is no root on the host. The caller
// frees it. NULL: no memory.
char *oci_spec_json(bool rootless);
// `spec [--bundle DIR] [--rootless]`: argv[0] is the command's name. Returns the exit status.
int spec_main(int argc, char **argv);
