#pragma once
// What unit tests of kernel objects stand on: one fake task, guest memory that is our own, and stand-ins for the parts
// of the trap layer that need a host thread. The stand-ins are weak: where the real code is linked, it wins.
#include "sentry/task/task.h"

#define FIXTURE_GUEST_BASE 0x10000000ull
#define FIXTURE_GUEST_SIZE (1u << 20)

extern struct task fixture_task;
extern struct thread_group fixture_group;
extern unsigned char fixture_guest[FIXTURE_GUEST_SIZE]; // what guest address FIXTURE_GUEST_BASE and up shows
extern unsigned fixture_runnable; // calls queued by call_make_runnable since fixture_setup()
extern int fixture_last_signal;   // of send_signal_task or send_signal_group; 0 when none

// Makes `fixture_task` current, with an empty call, an empty descriptor table and default limits.
void fixture_setup(void);
// Starts a call: its state is cleared, nothing is pending.
struct call *fixture_call(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
// A guest address for the byte at `offset` of fixture_guest.
static inline gaddr_t fixture_addr(size_t offset)
{
    return FIXTURE_GUEST_BASE + offset;
}
