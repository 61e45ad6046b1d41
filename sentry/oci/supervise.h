#pragma once
// The process in an engine's pid file: makes the container's namespaces, starts the sandbox, and then is its monitor, which ends
// as the container's program ends, also by signal.
#include "sentry/oci/command.h"
#include "sentry/oci/container.h"
#include "sentry/oci/plan.h"

// Between the command and its monitor, one packet each way.
enum sync_kind {
    SYNC_BEGIN,   // to the monitor: it is in the control groups, or joins them later
    SYNC_ENTERED, // from it: the namespaces are there
    SYNC_GO,      // to it: the hooks have run
    SYNC_BUILT,   // from it, where it joins late: all processes are there
    SYNC_JOINED,  // to it, then: all of them are in the control groups
    SYNC_READY,   // from it: the program waits for `start`
    SYNC_FAILED,  // from it, the last: text says why
};
struct sync_record {
    enum sync_kind kind;
    char text[OCI_ERROR_TEXT];
};
// 0 or -errno; -EPIPE when the other side is gone.
int sync_send(int fd, enum sync_kind kind, const char *text);
// Waits for this kind. 0; -ECHILD with the text of SYNC_FAILED, or because the other side is gone.
int sync_wait(int fd, enum sync_kind kind, struct oci_error *error);

struct supervision {
    const struct oci_globals *globals;
    const struct oci_config *config;
    const struct oci_state *state; // for createContainer hooks
    struct oci_plan *plan;         // streams and all
    int sync;                      // socket to the command
    int clients;                   // listening socket
    int terminal;                  // becomes the controlling one; -1: none
    bool new_session;
    bool own_network; // a new network namespace; set by supervise()
    bool joins_late;  // the sandbox is built while the host takes its time to move processes
};
// In the forked child. Never returns.
_Noreturn void supervise(struct supervision *s);
// Ends this process as a wait status says.
_Noreturn void end_as(int wait_status);
