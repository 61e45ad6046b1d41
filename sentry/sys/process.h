#pragma once
// What the files of sys/ about processes share.
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include "abi/linux/resource.h"

// The process that `pid` or one of its threads names; 0 is current's. Borrowed; NULL when there is none.
struct thread_group *group_or_current(int pid);
// The thread `tid`, 0 is current; a dead leader's number still names its process. NULL when there is none.
struct task *task_or_current(int tid);
// struct rusage of a process (RUSAGE_SELF), of its waited children, or of both.
void fill_rusage(struct thread_group *tg, int who, struct lx_rusage *out);
