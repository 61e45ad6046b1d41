#pragma once
// Filters of seccomp(2): programs in a chain, newest first, shared by all who inherited them. Immutable once made. Kernel lock.
#include "abi/linux/seccomp.h"
#include <stdbool.h>

struct seccomp_filter;

// A filter of `length` instructions on top of `below` (NULL: none), whose reference it takes over on success. The operator's
// profile is made by the same call, before the first process runs. 0; -LX_EINVAL when Linux would not take the program,
// -LX_ENOMEM when the chain or all chains of the sandbox are too long.
int seccomp_filter_create(const struct lx_sock_filter *code, unsigned length, bool log,
                          struct seccomp_filter *below, struct seccomp_filter **out);
struct seccomp_filter *seccomp_filter_get(struct seccomp_filter *f); // f may be NULL
void seccomp_filter_put(struct seccomp_filter *f);                   // f may be NULL
// The strictest answer of the chain to a call (seccomp_run_filters): LX_SECCOMP_RET_* and its data. *logs: the filter that
// gave it was installed with LX_SECCOMP_FILTER_FLAG_LOG.
uint32_t seccomp_filter_run(const struct seccomp_filter *f, const struct lx_seccomp_data *data, bool *logs);
// Is `old` the chain `f` itself or its lower end? An empty chain is everybody's.
bool seccomp_filter_extends(const struct seccomp_filter *f, const struct seccomp_filter *old);
// The program of the filter that was the `n`th to be installed, from 0; NULL: there is none. *length: its instructions.
const struct lx_sock_filter *seccomp_filter_program(const struct seccomp_filter *f, uint64_t n,
                                                    unsigned *length, bool *log);
// How many filters the chain has.
unsigned seccomp_filter_count(const struct seccomp_filter *f);
