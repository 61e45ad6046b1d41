#pragma once
// The Gofer filesystem: exports of `gofer --files` as filesystem type "9p".
//
// A mount that the sandbox owns alone is cached without asking again; one mounted with the option "shared" is
// revalidated with one message per path. Contents travel through donated host descriptors, by message only from a server
// that does not speak our extension.
#include <stdint.h>

// Takes the connected socket over, settles the protocol and registers the type "9p" (source: the export's
// name, options: "shared"). Before the filter and without the kernel lock held for long: it waits for the
// Gofer's start. 0, or -errno after a log line.
int gofer_fs_init(int fd);
// Another server that the operator named, connected at `fd`: mounted with the option "server=N", N being index + 1. It may
// speak plain 9P2000.L, and is then asked to serve the user `uid`. As gofer_fs_init().
int gofer_fs_add_server(unsigned index, int fd, uint32_t uid);
// Messages sent so far, for --stats.
uint64_t gofer_fs_messages(void);
