#pragma once
// The command line after the start: it forwards signals, keeps the terminal's modes, and ends as the sandbox
// ends.
#include "sentry/boot/sandbox.h"
#include <signal.h>

struct monitor_options {
    int debug_listener;  // where `sentry debug` asks; -1: nowhere
    uint64_t timeout_ns; // 0: none. Then SIGTERM, and the end two seconds later
    // Of a container, whose streams the monitor does not have:
    const struct monitor_container *container; // NULL: none
};

struct monitor_container {
    int clients;  // listening socket, whose connections are handed to the kernel process
    int messages; // what our processes write to their standard error comes out here
    // The kernel process has said CONTROL_BUILT; once this returns it goes on. NULL: it does not wait. Signals and commands wait too.
    void (*built)(void);
    // The program waits for CONTROL_START; or it cannot be started: `error`, and the name of what was not found.
    void (*ready)(void);
    void (*failed)(int error, const char *name);
    // A line of `messages`, printable and bounded.
    void (*say)(const char *line);
    int *wait_status; // of the first process, once it has ended; -1 until then
};

// Blocks the signals that the monitor forwards and remembers the modes of the terminals among the standard
// streams. Before anything is started. 0 or -errno after a message.
int monitor_prepare(void);
// Gives up the caller's privileges: nothing but signalling the sandbox is needed from here on. 0 or -errno
// after a message.
int monitor_drop_privileges(void);
// Runs until the sandbox has ended and nothing of it is left. Returns the exit status of `sentry`.
int monitor_run(struct sandbox *sandbox, const struct monitor_options *options);
// Puts the terminals' modes back.
void monitor_restore_terminals(void);
