#pragma once
// A terminal for a process: its master goes to the engine by --console-socket, its slave becomes the standard streams.
#include "sentry/oci/config.h"

// Makes one of the given size, owned by the process's user, and sends the master to the socket. The slave in *slave. 0 or -errno.
int console_make(const char *socket_path, const struct oci_process *process, int *slave,
                 struct oci_error *error);
