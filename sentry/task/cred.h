#pragma once
// Credentials of a task. Immutable once shared: change a copy, then replace (include/linux/cred.h). Kernel lock.
#include <stdbool.h>
#include <stdint.h>
#include "sentry/core/list.h"

#define CRED_GROUPS_MAX 65536

struct user_ns;

struct cred {
    unsigned refs;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    uint32_t securebits;
    bool no_new_privs;
    uint32_t nr_groups;
    uint32_t *groups;        // sorted
    struct user_ns *user_ns; // referenced; ids are those of the first one, capabilities count in this one
};

struct cred *cred_alloc(void); // refs 1, all zero
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
struct cred *cred_dup(const struct cred *c); // a private copy, refs 1; NULL: no memory
// Is `cap` (LX_CAP_*) effective for current in the first user namespace, that is for what belongs to the whole sandbox? In
// others: sentry/task/user_ns.h.
bool capable(int cap);
bool cred_has(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, uint32_t gid); // fsgid or supplementary

// What one user uses of limits that count per user: RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE. Made on demand, kept while not zero.
struct user_usage {
    struct list_head link;
    uint32_t uid;
    unsigned threads, signals;
    uint64_t mq_bytes;
};
struct user_usage *user_usage_find(uint32_t uid); // NULL: none counted
bool user_add_threads(uint32_t uid, int n);       // false: out of memory (never for a negative n)
bool user_add_signals(uint32_t uid, int n);
bool user_add_mq_bytes(uint32_t uid, int64_t n);
