#pragma once
// The event thread: readiness of host descriptors (terminals, pipes, sockets, pidfds) and kernel timers.
#include <stdbool.h>
#include <stdint.h>
#include "sentry/core/wait.h"

// Watches one host descriptor. When `events` hold, `ready` runs on the event thread under the kernel lock.
struct host_watch {
    int fd;                                               // not owned; never changes after host_watch_add
    uint32_t armed;                                       // EV_* bits asked for; kernel lock
    void (*ready)(struct host_watch *w, uint32_t events); // one-shot: arm again from inside or later
};
// Registers, armed for `events` (0: not yet). 0 or -errno of epoll_ctl.
int host_watch_add(struct host_watch *w, int fd, uint32_t events,
                   void (*ready)(struct host_watch *, uint32_t));
// Arms one-shot interest. The caller may be any thread under the kernel lock.
int host_watch_arm(struct host_watch *w, uint32_t events);
// Afterwards `ready` runs no more (the kernel lock orders the two). Before the descriptor is closed.
void host_watch_del(struct host_watch *w);

// Tells the event thread that the first timer is now this one. Called by ktimer_arm; costs no wake-up.
void event_timers_changed(uint64_t first_ns);
int event_init(void);  // before any of the above; 0 or -errno
void event_loop(void); // body of the event thread; never returns
extern void (*event_batch_hook)(
    void); // runs after each batch, under the kernel lock: the calls that it woke up

// While held no timer fires; what expired meanwhile fires at the end of it. Kernel lock.
void event_hold_timers(bool hold);
