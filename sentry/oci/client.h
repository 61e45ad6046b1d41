#pragma once
// The commands' end of a container's control socket. What comes back may be from a kernel process that was taken over: records are
// bounded and of one size, no descriptor is accepted, text is escaped before anybody sees it, and no answer is waited for
// longer than given.
#include "sentry/boot/config.h"
#include "sentry/boot/control.h"
#include "sentry/oci/container.h"

// The monitor's listening socket in the state directory. A descriptor or -errno.
int client_listen(const struct container *c, struct oci_error *error);
// Connects. A descriptor or -errno; -ECONNREFUSED and -ENOENT mean that nobody is there.
int client_connect(const struct container *c, struct oci_error *error);
// Sends one record, with descriptors. 0 or -errno.
int client_send(int fd, uint32_t kind, int value, const int *fds, unsigned nr_fds);
// Asks for a process with these standard streams (-1: closed). 0 or -errno.
int client_send_exec(int fd, const struct sentry_config *config, const int streams[3]);
// Receives one within `ms` (-1: however long it takes). 1; 0 at the end of the connection; -ETIMEDOUT; -EPROTO.
int client_receive(int fd, struct control_record *record, int ms);
// Sends a request that is answered by text, and prints that: a bounded amount, within a bounded time. 0, or -errno after a message.
int client_print(const struct container *c, uint32_t kind, struct oci_error *error);
// Sends a request and waits for its CONTROL_DONE. 0, or -errno after a message: what the kernel answered, or why it did not.
int client_request(const struct container *c, uint32_t kind, int value, const char *what,
                   struct oci_error *error);
