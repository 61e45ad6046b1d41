#pragma once
// `sentry features`: what this runtime can do, in the form of the specification (features.md).

// The document; the caller frees it. NULL: no memory.
char *oci_features_json(void);
// argv[0] is the command's name. Returns the exit status.
int features_main(int argc, char **argv);
