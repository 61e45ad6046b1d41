#pragma once
// How the configuration travels from the command line to the kernel process: one memfd, read whole and once.
// Both ends are the same binary and the writer is trusted, but every length is bounded all the same.
#include "sentry/boot/config.h"
#include <stdbool.h>

// What the kernel process needs beside the configuration of the kernel itself. Descriptor numbers are those
// it inherits.
struct kernel_params {
    int32_t control;                   // SOCK_SEQPACKET to the monitor
    int32_t gofer;                     // connected to gofer --files
    int32_t servers[FILE_SERVERS_MAX]; // connected to further file servers; -1: none
    int32_t gofer_net;                 // connected to gofer --net; -1: none
    int32_t gofer_program;             // the gofer binary, for gofer --proc; -1: none
    int32_t log, strace, stats;        // -1: nowhere
    int32_t stdio[3];                  // -1: closed in the caller too
    uint32_t monitor_pid;              // informational
    uint32_t waits;                    // for CONTROL_GO, before it takes memory and starts threads
};

#define CONFIG_BYTES_MAX (64u << 20) // argv and envp together are limited to 6 MiB by execve itself

// Writes both into `fd` from its beginning. 0 or -errno.
int config_write(int fd, const struct sentry_config *config, const struct kernel_params *params);
// Reads them back. What is allocated lives until config_free(). 0, -EPROTO for anything malformed, or
// -errno.
int config_read(int fd, struct sentry_config *config, struct kernel_params *params);
// Frees what config_read() allocated, also after it failed.
void config_free(struct sentry_config *config);
