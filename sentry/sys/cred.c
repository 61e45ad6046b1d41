// User and group ids (kernel/sys.c, kernel/groups.c, credentials(7)).
#include "sentry/task/task.h"
#include "abi/linux/capability.h"
#include "syscall_handlers.h"
#include <stdlib.h>
#include <string.h>

#define NO_ID UINT32_MAX // -1: keep
#define FS_CAPS                                                                                   \
    (LX_CAP_BIT(LX_CAP_CHOWN) | LX_CAP_BIT(LX_CAP_MKNOD) | LX_CAP_BIT(LX_CAP_DAC_OVERRIDE) |      \
     LX_CAP_BIT(LX_CAP_DAC_READ_SEARCH) | LX_CAP_BIT(LX_CAP_FOWNER) | LX_CAP_BIT(LX_CAP_FSETID) | \
     LX_CAP_BIT(LX_CAP_LINUX_IMMUTABLE) | LX_CAP_BIT(LX_CAP_MAC_OVERRIDE))

int64_t sys_getuid(struct call *call)
{
    return current->cred->uid;
}

int64_t sys_geteuid(struct call *call)
{
    return current->cred->euid;
}

int64_t sys_getgid(struct call *call)
{
    return current->cred->gid;
}

int64_t sys_getegid(struct call *call)
{
    return current->cred->egid;
}

static int64_t put_three(struct call *call, uint32_t a, uint32_t b, uint32_t c)
{
    if (put_user(a, call->args[0]) != 0 || put_user(b, call->args[1]) != 0 || put_user(c, call->args[2]) != 0)
        return -LX_EFAULT;
    return 0;
}

int64_t sys_getresuid(struct call *call)
{
    const struct cred *c = current->cred;
    return put_three(call, c->uid, c->euid, c->suid);
}

int64_t sys_getresgid(struct call *call)
{
    const struct cred *c = current->cred;
    return put_three(call, c->gid, c->egid, c->sgid);
}

// cap_emulate_setxuid: leaving root loses capabilities, becoming root gains them.
static void fix_capabilities(struct cred *new, const struct cred *old)
{
    if (new->securebits & LX_SECBIT_NO_SETUID_FIXUP)
        return;
    bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    if (was_root && new->uid != 0 && new->euid != 0 && new->suid != 0) {
        if (!(new->securebits &LX_SECBIT_KEEP_CAPS))
            new->cap_permitted = new->cap_effective = 0;
        new->cap_ambient = 0;
    }
    if (old->euid == 0 && new->euid != 0)
        new->cap_effective = 0;
    if (old->euid != 0 && new->euid == 0)
        new->cap_effective = new->cap_permitted;
}

static void fix_fs_capabilities(struct cred *new, const struct cred *old)
{
    if (new->securebits & LX_SECBIT_NO_SETUID_FIXUP)
        return;
    if (old->fsuid == 0 && new->fsuid != 0)
        new->cap_effective &= ~FS_CAPS;
    if (old->fsuid != 0 && new->fsuid == 0)
        new->cap_effective |= new->cap_permitted &FS_CAPS;
}

// commit_creds: who changes what he is can no longer be looked into, nor ends with his parent.
static int64_t commit(struct cred *new)
{
    const struct cred *old = current->cred;
    if (new->euid != old->euid || new->egid != old->egid || new->fsuid != old->fsuid ||
        new->fsgid != old->fsgid || new->cap_permitted & ~old->cap_permitted) {
        current->mm->dumpable = false;
        current->pdeath_signal = 0;
    }
    task_set_cred(current, new);
    return 0;
}

static int64_t refuse(struct cred *new, int err)
{
    cred_put(new);
    return -err;
}

int64_t sys_setuid(struct call *call)
{
    uint32_t uid = arg_uint(call, 0);
    const struct cred *old = current->cred;
    if (uid == NO_ID)
        return -LX_EINVAL;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (capable(LX_CAP_SETUID))
        new->uid = new->suid = uid;
    else if (uid != old->uid && uid != old->suid)
        return refuse(new, LX_EPERM);
    new->euid = new->fsuid = uid;
    fix_capabilities(new, old);
    return commit(new);
}

int64_t sys_setgid(struct call *call)
{
    uint32_t gid = arg_uint(call, 0);
    const struct cred *old = current->cred;
    if (gid == NO_ID)
        return -LX_EINVAL;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (capable(LX_CAP_SETGID))
        new->gid = new->sgid = gid;
    else if (gid != old->gid && gid != old->sgid)
        return refuse(new, LX_EPERM);
    new->egid = new->fsgid = gid;
    return commit(new);
}

int64_t sys_setreuid(struct call *call)
{
    uint32_t ruid = arg_uint(call, 0), euid = arg_uint(call, 1);
    const struct cred *old = current->cred;
    bool free_choice = capable(LX_CAP_SETUID);
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (ruid != NO_ID) {
        new->uid = ruid;
        if (ruid != old->uid && ruid != old->euid && !free_choice)
            return refuse(new, LX_EPERM);
    }
    if (euid != NO_ID) {
        new->euid = euid;
        if (euid != old->uid && euid != old->euid && euid != old->suid && !free_choice)
            return refuse(new, LX_EPERM);
    }
    if (ruid != NO_ID || (euid != NO_ID && euid != old->uid))
        new->suid = new->euid;
    new->fsuid = new->euid;
    fix_capabilities(new, old);
    return commit(new);
}

int64_t sys_setregid(struct call *call)
{
    uint32_t rgid = arg_uint(call, 0), egid = arg_uint(call, 1);
    const struct cred *old = current->cred;
    bool free_choice = capable(LX_CAP_SETGID);
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (rgid != NO_ID) {
        new->gid = rgid;
        if (rgid != old->gid && rgid != old->egid && !free_choice)
            return refuse(new, LX_EPERM);
    }
    if (egid != NO_ID) {
        new->egid = egid;
        if (egid != old->gid && egid != old->egid && egid != old->sgid && !free_choice)
            return refuse(new, LX_EPERM);
    }
    if (rgid != NO_ID || (egid != NO_ID && egid != old->gid))
        new->sgid = new->egid;
    new->fsgid = new->egid;
    return commit(new);
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
    return id == NO_ID || id == a || id == b || id == c;
}

int64_t sys_setresuid(struct call *call)
{
    uint32_t ruid = arg_uint(call, 0), euid = arg_uint(call, 1), suid = arg_uint(call, 2);
    const struct cred *old = current->cred;
    if (!capable(LX_CAP_SETUID) &&
        !(one_of(ruid, old->uid, old->euid, old->suid) && one_of(euid, old->uid, old->euid, old->suid) &&
          one_of(suid, old->uid, old->euid, old->suid)))
        return -LX_EPERM;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (ruid != NO_ID)
        new->uid = ruid;
    if (euid != NO_ID)
        new->euid = euid;
    if (suid != NO_ID)
        new->suid = suid;
    new->fsuid = new->euid;
    fix_capabilities(new, old);
    return commit(new);
}

int64_t sys_setresgid(struct call *call)
{
    uint32_t rgid = arg_uint(call, 0), egid = arg_uint(call, 1), sgid = arg_uint(call, 2);
    const struct cred *old = current->cred;
    if (!capable(LX_CAP_SETGID) &&
        !(one_of(rgid, old->gid, old->egid, old->sgid) && one_of(egid, old->gid, old->egid, old->sgid) &&
          one_of(sgid, old->gid, old->egid, old->sgid)))
        return -LX_EPERM;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (rgid != NO_ID)
        new->gid = rgid;
    if (egid != NO_ID)
        new->egid = egid;
    if (sgid != NO_ID)
        new->sgid = sgid;
    new->fsgid = new->egid;
    return commit(new);
}

// Always returns the old id, also when it changed nothing.
int64_t sys_setfsuid(struct call *call)
{
    uint32_t uid = arg_uint(call, 0);
    const struct cred *old = current->cred;
    uint32_t before = old->fsuid;
    if (uid == NO_ID || uid == before ||
        !(uid == old->uid || uid == old->euid || uid == old->suid || capable(LX_CAP_SETUID)))
        return before;
    struct cred *new = cred_dup(old);
    if (!new)
        return before;
    new->fsuid = uid;
    fix_fs_capabilities(new, old);
    commit(new);
    return before;
}

int64_t sys_setfsgid(struct call *call)
{
    uint32_t gid = arg_uint(call, 0);
    const struct cred *old = current->cred;
    uint32_t before = old->fsgid;
    if (gid == NO_ID || gid == before ||
        !(gid == old->gid || gid == old->egid || gid == old->sgid || capable(LX_CAP_SETGID)))
        return before;
    struct cred *new = cred_dup(old);
    if (!new)
        return before;
    new->fsgid = gid;
    commit(new);
    return before;
}

int64_t sys_getgroups(struct call *call)
{
    int size = arg_int(call, 0);
    const struct cred *c = current->cred;
    if (size < 0)
        return -LX_EINVAL;
    if (size == 0)
        return c->nr_groups;
    if ((uint32_t)size < c->nr_groups)
        return -LX_EINVAL;
    if (c->nr_groups && copy_out(call->args[1], c->groups, c->nr_groups * sizeof(*c->groups)) != 0)
        return -LX_EFAULT;
    return c->nr_groups;
}

static int compare_gid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int64_t sys_setgroups(struct call *call)
{
    uint32_t n = arg_uint(call, 0), *groups = NULL;
    if (!capable(LX_CAP_SETGID))
        return -LX_EPERM;
    if (n > CRED_GROUPS_MAX)
        return -LX_EINVAL;
    if (n) {
        groups = malloc(n * sizeof(*groups));
        if (!groups)
            return -LX_ENOMEM;
        if (copy_in(groups, call->args[1], n * sizeof(*groups)) != 0) {
            free(groups);
            return -LX_EFAULT;
        }
        for (uint32_t i = 0; i < n; i++)
            if (groups[i] == NO_ID) {
                free(groups);
                return -LX_EINVAL;
            }
        qsort(groups, n, sizeof(*groups), compare_gid);
    }
    struct cred *new = cred_dup(current->cred);
    if (!new) {
        free(groups);
        return -LX_ENOMEM;
    }
    free(new->groups);
    new->groups = groups;
    new->nr_groups = n;
    task_set_cred(current, new);
    return 0;
}
