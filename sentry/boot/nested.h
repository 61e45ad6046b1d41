#pragma once
// A sandbox inside an ordinary container has no pid namespace that takes its guests along: whoever remains is found by the session, which no
// guest can leave (setsid is the Sentry's).
#include <sys/types.h>

struct nested_guard {
    pid_t pid;
    int held; // open as long as this process lives
};

// Starts a process that outlives this one and then kills what is left of the session. 0 or -errno after a message.
int nested_guard_start(pid_t session, struct nested_guard *guard);
// Kills every process of the session, waits until all are gone, and ends the guard.
void nested_end(pid_t session, struct nested_guard *guard);
