#pragma once
// Whose namespaces a task is in (kernel/nsproxy.c). Kernel lock.
#include "sentry/task/task.h"

#define LX_CLONE_NEW_MADE (LX_CLONE_NEWUSER | LX_CLONE_NEWNS | LX_CLONE_NEWUTS | LX_CLONE_NEWIPC)

void task_first_namespaces(struct task *t);
void task_inherit_namespaces(struct task *t, const struct task *parent);
void task_put_namespaces(struct task *t);
// Gives t namespaces of its own as the LX_CLONE_NEW* of `flags` say, a user namespace first. t's fs is not shared where its mount
// namespace is new. 0; -LX_EPERM without CAP_SYS_ADMIN in t's user namespace, -LX_EINVAL for kinds that do not exist here (pid,
// net, cgroup, time: as on a kernel without them), -LX_ENOSPC, -LX_ENOMEM. On failure t is in the namespaces it was in.
int task_new_namespaces(struct task *t, uint64_t flags);
