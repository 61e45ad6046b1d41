#pragma once
// The seccomp listener: receive, reply, donate. Thin wrappers over the ioctls of seccomp_unotify(2), without state but
// the descriptor. Any thread may call them.
#include <stdbool.h>
#include <stdint.h>

struct trap_notif {
    uint64_t id;
    int tid; // the caller as the Sentry's pid namespace numbers it
    uint32_t nr;
    uint64_t ip;
    uint64_t args[6];
};

// Takes over the descriptor. `sync_wake_up` asks for SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, which
// kernels before 6.6 do without. 0 or -errno.
int listener_init(int fd, bool sync_wake_up);
// The hypercalls are those of STUB_NESTED_*: they are received as STUB_HC_*. Set before the first guest.
extern bool listener_nested;
// Waits for a call. 0 or -errno; -ENOENT (the caller went away) and -EINTR are normal.
int listener_receive(struct trap_notif *n);
// Answers with a value (negative: -errno). -ENOENT when the caller is gone.
int listener_reply(uint64_t id, int64_t value);
// Lets the host run the call. Only for rows whose registers have been vetted.
int listener_continue(uint64_t id);
// Installs a copy of host_fd at number `at` in the caller's process, close-on-exec, and answers the call with that number:
// one wake-up of the caller for both. 0 or -errno; then the call is still open.
int listener_donate(uint64_t id, int host_fd, int at);
bool listener_id_valid(uint64_t id);
// Is there a call that no worker has received?
bool listener_pending(void);
