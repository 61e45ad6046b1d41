#pragma once
// Requests of ptrace(2) that look at other things than registers and memory (sys/ptrace_look.c). `t` is a stopped tracee of
// current's; they return what ptrace(2) returns.
#include "sentry/task/task.h"

int64_t ptrace_peek_siginfo(struct task *t, gaddr_t args, gaddr_t to);
int64_t ptrace_seccomp_filter(struct task *t, uint64_t n, gaddr_t to);
int64_t ptrace_seccomp_metadata(struct task *t, uint64_t size, gaddr_t at);
int64_t ptrace_arch_prctl(struct task *t, uint64_t what, uint64_t value);
