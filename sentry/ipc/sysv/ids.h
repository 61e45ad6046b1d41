#pragma once
// What the three kinds of System V objects share: identifiers, keys, permissions (ipc/util.c of Linux). Kernel lock.
#include "abi/linux/ipc.h"
#include "sentry/mm/uaccess.h"

// The head of every object.
struct ipc_perm {
    int id;
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint32_t mode; // permission bits, and LX_SHM_DEST and LX_SHM_LOCKED of a segment
    uint16_t seq;
    int64_t ctime; // seconds of CLOCK_REALTIME
};

#define IPC_OBJECTS_MAX (3 * IPC_SLOTS) // of all kinds and namespaces
#define IPC_SLOTS 32768u                // an identifier is a sequence number times this, plus the slot

// The objects of one kind.
struct ipc_ids {
    struct ipc_perm **slots; // `size` of them, NULL: free; grows
    unsigned size, used;
    int last; // slot given out last
    uint16_t seq;
};

// A size or count that is asked for is more than the object found has: -LX_EINVAL, else 0.
typedef int (*ipc_check)(const struct ipc_perm *p, uint64_t params);
// Makes an object with its `perm` set by ipc_add(). Its identifier, or -errno.
typedef int (*ipc_make)(int32_t key, int flags, uint64_t params);
// The get call of a kind (shmget, semget, msgget): finds the key's object or makes one. Identifier, -LX_ENOENT, -LX_EEXIST,
// -LX_EACCES, or what the two functions return.
int ipc_get(struct ipc_ids *ids, int32_t key, int flags, uint64_t params, ipc_check check, ipc_make make);
// Gives a new object its identifier and its maker as owner. At most `max` of a kind. Identifier, -LX_ENOSPC or -LX_ENOMEM.
int ipc_add(struct ipc_ids *ids, struct ipc_perm *p, int32_t key, int flags, unsigned max);
// Takes the object out; its identifier means nothing from now on. `ids` NULL: its namespace is gone already.
void ipc_remove(struct ipc_ids *ids, struct ipc_perm *p);
// Its key finds it no more (a removed segment that is still attached).
void ipc_forget_key(struct ipc_perm *p);

struct ipc_perm *ipc_find(const struct ipc_ids *ids, int id); // NULL: no such object
// By slot, as the STAT commands of ipcs number them.
struct ipc_perm *ipc_at(const struct ipc_ids *ids, unsigned slot);
int ipc_highest(const struct ipc_ids *ids); // slot in use, 0 when there is none

// May current? `wanted`: S_IRUGO and S_IWUGO bits (any of the three places). 0 or -LX_EACCES.
int ipc_permission(const struct ipc_perm *p, uint32_t wanted);
// May current change or remove it? 0 or -LX_EPERM.
int ipc_owner(const struct ipc_perm *p);
// IPC_SET: owner, group and permission bits. 0 or -LX_EINVAL.
int ipc_set(struct ipc_perm *p, const struct lx_ipc_perm *from);
void ipc_stat(const struct ipc_perm *p, struct lx_ipc_perm *out);
int64_t ipc_now(void); // seconds of CLOCK_REALTIME

#define IPC_READ 0444u
#define IPC_WRITE 0222u
