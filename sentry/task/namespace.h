#pragma once
// Namespaces that a guest can have of its own: user, mount, UTS and IPC (namespaces(7)). Kernel lock.
#include "sentry/core/list.h"
#include "sentry/task/uts.h"
#include <stdint.h>

#define NAMESPACES_MAX 4096 // of all kinds but mount, in the sandbox

struct user_ns;
struct ns_common {
    unsigned refs;
    uint64_t type;         // LX_CLONE_NEW*
    uint64_t ino;          // the number that its links show
    struct user_ns *owner; // referenced; NULL for the first user namespace, its parent for others
    void (*free)(struct ns_common *ns);
};
struct uts_ns {
    struct ns_common ns;
    struct uts_names names;
};
struct mq_ns;
struct sysv_ns;
struct ipc_ns {
    struct ns_common ns;
    struct sysv_ns *sysv; // owned; never changes
    struct mq_ns *mq;     // the same
};
extern struct uts_ns init_uts_ns;
extern struct ipc_ns init_ipc_ns;

struct ns_common *ns_get(struct ns_common *ns);
void ns_put(struct ns_common *ns); // may be NULL
// Fills the common part of a new namespace: one reference. 0 or -LX_ENOSPC.
int ns_init(struct ns_common *ns, uint64_t type, struct user_ns *owner, void (*free)(struct ns_common *ns));
uint64_t ns_next_ino(void);
struct uts_ns *uts_ns_copy(const struct uts_ns *from, struct user_ns *owner, int *err);
struct ipc_ns *ipc_ns_alloc(struct user_ns *owner, int *err);
