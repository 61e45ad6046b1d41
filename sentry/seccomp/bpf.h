#pragma once
// Classic BPF over struct seccomp_data: the checks that Linux makes before it takes a program, and the interpreter.
// Pure functions. Follows seccomp_check_filter (kernel/seccomp.c) and bpf_check_classic (net/core/filter.c).
#include "abi/linux/seccomp.h"

// Is this a program that Linux would take? 0 or -LX_EINVAL. Only forward jumps exist, so each program that passes ends, and
// no instruction of it reaches outside of `data` or of the 16 words of memory.
int bpf_check(const struct lx_sock_filter *code, unsigned length);
// What a checked program returns for a call: an action and its data. At most `length` instructions run.
uint32_t bpf_run(const struct lx_sock_filter *code, unsigned length, const struct lx_seccomp_data *data);
