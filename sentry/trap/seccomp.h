#pragma once
// Guests' own seccomp filters (seccomp(2)): asked before the Sentry's dispatch, and about native calls, too.
//
// Once a thread has filters, the host traps its native and refused calls: a second host filter, which the stub installs, raises
// SIGSYS for them outside of the stub. The stub's handler makes them hypercalls; what the guest's filters allow, the stub calls.
// Kernel lock.
#include "sentry/trap/trap.h"

struct seccomp_filter;

// Do the filters of the call's task let it through? If not, *result is what its handler would have returned, -LX_ENOREPLY when
// its thread ends.
bool seccomp_allows(struct call *call, int64_t *result);
// Do they want its tracer to be told, and with which number (SECCOMP_RET_TRACE)?
bool seccomp_traces(const struct call *call, uint32_t *data);
// A trapped native call that may wait goes to STUB_NATIVE_CALL. Answers its hypercall.
void native_call_begin(struct call *c);
// A thread that was sent to STUB_NATIVE_CALL is in the stub again: it goes back to its own code, before the call if that has not
// happened. *signo becomes 0 when it was the fault behind the call. 0 or -LX_EFAULT.
int native_call_over(struct task *t, int *signo);
// Has the host trap the native calls of t, whose hypercall is open and is returned from afterwards. 0, -LX_ENOMEM.
int trap_natives(struct task *t);
// Gives current the filter (whose reference it takes over) and has the host trap its native calls; with `sync` all threads of
// its process, whose filters it then shares. Returns what the handler returns.
int64_t trap_seccomp(struct call *call, int mode, struct seccomp_filter *filter, bool sync);
