// User and group ids (kernel/sys.c, kernel/groups.c, credentials(7)).
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
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
    return show_uid(current->cred->uid);
}

int64_t sys_geteuid(struct call *call)
{
    return show_uid(current->cred->euid);
}

int64_t sys_getgid(struct call *call)
{
    return show_gid(current->cred->gid);
}

int64_t sys_getegid(struct call *call)
{
    return show_gid(current->cred->egid);
}

static bool may_set(int cap)
{
    return ns_capable(current->cred->user_ns, cap);
}

// Ids as the caller's namespace numbers them; NO_ID for -1, and for one that it has no id for.
static uint32_t arg_uid(const struct call *call, int i)
{
    return make_kuid(current->cred->user_ns, arg_uint(call, i));
}

static uint32_t arg_gid(const struct call *call, int i)
{
    return make_kgid(current->cred->user_ns, arg_uint(call, i));
}

static bool unmapped(const struct call *call, int i, uint32_t id)
{
    return arg_uint(call, i) != NO_ID && id == NO_ID;
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
    return put_three(call, show_uid(c->uid), show_uid(c->euid), show_uid(c->suid));
}

int64_t sys_getresgid(struct call *call)
{
    const struct cred *c = current->cred;
    return put_three(call, show_gid(c->gid), show_gid(c->egid), show_gid(c->sgid));
}

// cap_emulate_setxuid: leaving root loses capabilities, becoming root gains them.
static void fix_capabilities(struct cred *new, const struct cred *old)
{
    if (new->securebits & LX_SECBIT_NO_SETUID_FIXUP)
        return;
    uint32_t root = make_kuid(old->user_ns, 0);
    bool was_root = old->uid == root || old->euid == root || old->suid == root;
    if (was_root && new->uid != root &&new->euid != root &&new->suid != root) {
        if (!(new->securebits &LX_SECBIT_KEEP_CAPS))
            new->cap_permitted = new->cap_effective = 0;
        new->cap_ambient = 0;
    }
    if (old->euid == root && new->euid != root)
        new->cap_effective = 0;
    if (old->euid != root && new->euid == root)
        new->cap_effective = new->cap_permitted;
}

static void fix_fs_capabilities(struct cred *new, const struct cred *old)
{
    if (new->securebits & LX_SECBIT_NO_SETUID_FIXUP)
        return;
    uint32_t root = make_kuid(old->user_ns, 0);
    if (old->fsuid == root && new->fsuid != root)
        new->cap_effective &= ~FS_CAPS;
    if (old->fsuid != root && new->fsuid == root)
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
    uint32_t uid = arg_uid(call, 0);
    const struct cred *old = current->cred;
    if (uid == NO_ID)
        return -LX_EINVAL;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (may_set(LX_CAP_SETUID))
        new->uid = new->suid = uid;
    else if (uid != old->uid && uid != old->suid)
        return refuse(new, LX_EPERM);
    new->euid = new->fsuid = uid;
    fix_capabilities(new, old);
    return commit(new);
}

int64_t sys_setgid(struct call *call)
{
    uint32_t gid = arg_gid(call, 0);
    const struct cred *old = current->cred;
    if (gid == NO_ID)
        return -LX_EINVAL;
    struct cred *new = cred_dup(old);
    if (!new)
        return -LX_ENOMEM;
    if (may_set(LX_CAP_SETGID))
        new->gid = new->sgid = gid;
    else if (gid != old->gid && gid != old->sgid)
        return refuse(new, LX_EPERM);
    new->egid = new->fsgid = gid;
    return commit(new);
}

int64_t sys_setreuid(struct call *call)
{
    uint32_t ruid = arg_uid(call, 0), euid = arg_uid(call, 1);
    const struct cred *old = current->cred;
    if (unmapped(call, 0, ruid) || unmapped(call, 1, euid))
        return -LX_EINVAL;
    bool free_choice = may_set(LX_CAP_SETUID);
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
    uint32_t rgid = arg_gid(call, 0), egid = arg_gid(call, 1);
    const struct cred *old = current->cred;
    if (unmapped(call, 0, rgid) || unmapped(call, 1, egid))
        return -LX_EINVAL;
    bool free_choice = may_set(LX_CAP_SETGID);
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
    uint32_t ruid = arg_uid(call, 0), euid = arg_uid(call, 1), suid = arg_uid(call, 2);
    const struct cred *old = current->cred;
    if (unmapped(call, 0, ruid) || unmapped(call, 1, euid) || unmapped(call, 2, suid))
        return -LX_EINVAL;
    if (!may_set(LX_CAP_SETUID) &&
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
    uint32_t rgid = arg_gid(call, 0), egid = arg_gid(call, 1), sgid = arg_gid(call, 2);
    const struct cred *old = current->cred;
    if (unmapped(call, 0, rgid) || unmapped(call, 1, egid) || unmapped(call, 2, sgid))
        return -LX_EINVAL;
    if (!may_set(LX_CAP_SETGID) &&
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
    uint32_t uid = arg_uid(call, 0);
    const struct cred *old = current->cred;
    uint32_t before = show_uid(old->fsuid);
    if (uid == NO_ID || uid == old->fsuid ||
        !(uid == old->uid || uid == old->euid || uid == old->suid || may_set(LX_CAP_SETUID)))
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
    uint32_t gid = arg_gid(call, 0);
    const struct cred *old = current->cred;
    uint32_t before = show_gid(old->fsgid);
    if (gid == NO_ID || gid == old->fsgid ||
        !(gid == old->gid || gid == old->egid || gid == old->sgid || may_set(LX_CAP_SETGID)))
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
    for (uint32_t i = 0; i < c->nr_groups; i++) {
        uint32_t gid = show_gid(c->groups[i]);
        if (put_user(gid, call->args[1] + i * sizeof(gid)) != 0)
            return -LX_EFAULT;
    }
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
    if (!may_set(LX_CAP_SETGID) || !user_ns_may_setgroups(current->cred->user_ns))
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
        for (uint32_t i = 0; i < n; i++) {
            groups[i] = make_kgid(current->cred->user_ns, groups[i]);
            if (groups[i] == NO_ID) {
                free(groups);
                return -LX_EINVAL;
            }
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
