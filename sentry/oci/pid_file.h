#pragma once
// The file from which an engine learns whom to wait for.
#include "sentry/oci/error.h"
#include <sys/types.h>

// Written as a whole; `path` NULL: nothing to do. 0 or -errno.
int write_pid_file(const char *path, pid_t pid, struct oci_error *error);
