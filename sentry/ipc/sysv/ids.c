#include "sentry/ipc/sysv/ids.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include "sentry/task/namespace.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

#define CYCLE_MIN 64u // slots that are used before one is used again (RADIX_TREE_MAP_SIZE)

static unsigned objects; // of all kinds and namespaces, kernel lock

// Does current's capability count for its IPC namespace?
static bool ipc_capable(int cap)
{
    return ns_capable(current->ipc->ns.owner, cap);
}

int64_t ipc_now(void)
{
    return vfs_now().sec;
}

struct ipc_perm *ipc_at(const struct ipc_ids *ids, unsigned slot)
{
    return slot < ids->size ? ids->slots[slot] : NULL;
}

struct ipc_perm *ipc_find(const struct ipc_ids *ids, int id)
{
    struct ipc_perm *p = id < 0 ? NULL : ipc_at(ids, (unsigned)id % IPC_SLOTS);
    return p && p->id == id ? p : NULL;
}

int ipc_highest(const struct ipc_ids *ids)
{
    for (unsigned i = ids->size; i-- > 0;)
        if (ids->slots[i])
            return (int)i;
    return 0;
}

static struct ipc_perm *find_key(const struct ipc_ids *ids, int32_t key)
{
    for (unsigned i = 0; i < ids->size; i++)
        if (ids->slots[i] && ids->slots[i]->key == key)
            return ids->slots[i];
    return NULL;
}

int ipc_get(struct ipc_ids *ids, int32_t key, int flags, uint64_t params, ipc_check check, ipc_make make)
{
    if (key == LX_IPC_PRIVATE)
        return make(key, flags, params);
    struct ipc_perm *p = find_key(ids, key);
    if (!p)
        return flags & LX_IPC_CREAT ? make(key, flags, params) : -LX_ENOENT;
    if ((flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL))
        return -LX_EEXIST;
    int err = check ? check(p, params) : 0;
    if (!err)
        err = ipc_permission(p, (uint32_t)flags);
    return err ? err : p->id;
}

// The next free slot below `end`, from the one after `last` on, round and round. -1: none.
static int free_slot(const struct ipc_ids *ids, unsigned end)
{
    for (unsigned i = 0; i < end; i++) {
        unsigned slot = ((unsigned)ids->last + 1 + i) % end;
        if (slot >= ids->size || !ids->slots[slot])
            return (int)slot;
    }
    return -1;
}

static bool grow(struct ipc_ids *ids, unsigned slot)
{
    if (slot < ids->size)
        return true;
    unsigned size = ids->size ? ids->size * 2 : CYCLE_MIN;
    while (size <= slot)
        size *= 2;
    struct ipc_perm **slots = realloc(ids->slots, size * sizeof(*slots));
    if (!slots)
        return false;
    memset(slots + ids->size, 0, (size - ids->size) * sizeof(*slots));
    ids->slots = slots;
    ids->size = size;
    return true;
}

int ipc_add(struct ipc_ids *ids, struct ipc_perm *p, int32_t key, int flags, unsigned max)
{
    if (max > IPC_SLOTS)
        max = IPC_SLOTS;
    if (ids->used >= max || objects >= IPC_OBJECTS_MAX)
        return -LX_ENOSPC;
    if (ids->size == 0)
        ids->last = -1;
    unsigned end = (ids->used + 1) * 3 / 2;
    end = end < CYCLE_MIN ? CYCLE_MIN : end;
    int slot = free_slot(ids, end < max ? end : max);
    if (slot < 0)
        slot = free_slot(ids, IPC_SLOTS);
    if (slot < 0)
        return -LX_ENOSPC;
    if (!grow(ids, (unsigned)slot))
        return -LX_ENOMEM;
    if (slot <= ids->last)
        ids->seq = (uint16_t)((ids->seq + 1) % (INT32_MAX / IPC_SLOTS));
    ids->last = slot;
    ids->slots[slot] = p;
    ids->used++;
    objects++;
    p->seq = ids->seq;
    p->id = (int)(ids->seq * IPC_SLOTS) + slot;
    p->key = key;
    p->mode = (uint32_t)flags & 0777;
    p->uid = p->cuid = current->cred->euid;
    p->gid = p->cgid = current->cred->egid;
    p->ctime = ipc_now();
    return p->id;
}

void ipc_remove(struct ipc_ids *ids, struct ipc_perm *p)
{
    objects--;
    if (!ids)
        return;
    ids->slots[(unsigned)p->id % IPC_SLOTS] = NULL;
    ids->used--;
}

void ipc_forget_key(struct ipc_perm *p)
{
    p->key = LX_IPC_PRIVATE;
}

int ipc_permission(const struct ipc_perm *p, uint32_t wanted)
{
    const struct cred *c = current->cred;
    uint32_t granted = p->mode;
    wanted = wanted >> 6 | wanted >> 3 | wanted;
    if (c->euid == p->cuid || c->euid == p->uid)
        granted >>= 6;
    else if (cred_in_group(c, p->cgid) || cred_in_group(c, p->gid))
        granted >>= 3;
    return (wanted & ~granted & 07) && !ipc_capable(LX_CAP_IPC_OWNER) ? -LX_EACCES : 0;
}

int ipc_owner(const struct ipc_perm *p)
{
    uint32_t euid = current->cred->euid;
    return euid == p->cuid || euid == p->uid || ipc_capable(LX_CAP_SYS_ADMIN) ? 0 : -LX_EPERM;
}

int ipc_set(struct ipc_perm *p, const struct lx_ipc_perm *from)
{
    if (from->uid == UINT32_MAX || from->gid == UINT32_MAX)
        return -LX_EINVAL;
    p->uid = from->uid;
    p->gid = from->gid;
    p->mode = (p->mode & ~0777u) | (from->mode & 0777);
    p->ctime = ipc_now();
    return 0;
}

void ipc_stat(const struct ipc_perm *p, struct lx_ipc_perm *out)
{
    memset(out, 0, sizeof(*out));
    out->key = p->key;
    out->uid = p->uid;
    out->gid = p->gid;
    out->cuid = p->cuid;
    out->cgid = p->cgid;
    out->mode = p->mode;
    out->seq = p->seq;
}
