#pragma once
// Descriptors that the caller passes on to the program, from 3 on: those of socket activation (LISTEN_FDS, when LISTEN_PID is this
// process), then as many as --preserve-fds says.
#include "sentry/oci/decode.h"

// Before anything is opened: closes every other descriptor above 2. 0; -EBADF when one is not there.
int preserve_keep(int argc, char **argv, struct oci_error *error);
// After the options are read: `wanted` of --preserve-fds. 0, or -errno for a number out of range or a kind of descriptor that no guest
// gets.
int preserve_check(int64_t wanted, struct oci_error *error);
// Adds LISTEN_FDS and LISTEN_PID, as runc does. 0 or -ENOMEM.
int preserve_environment(struct oci_process *process, struct oci_error *error);
// Hands them to the kernel process; `kind` is CONTROL_PRESERVE or CONTROL_PRESERVE_EXEC. 0 or -errno.
int preserve_send(int connection, uint32_t kind, struct oci_error *error);
bool preserve_any(void);
// They are none of ours any more.
void preserve_close(void);
