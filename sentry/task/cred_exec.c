// Credentials of a new program (bprm_creds_from_file and cap_bprm_creds_from_file of Linux, capabilities(7)).
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/task.h"
#include "abi/linux/capability.h"

#define S_ISUID_LX 04000u
#define S_ISGID_LX 02000u
#define S_IXGRP_LX 00010u

static void take_set_ids(struct cred *c, const struct exec_cred_file *file, bool limited)
{
    if (limited)
        return;
    if (file->mode & S_ISUID_LX)
        c->euid = file->uid;
    if ((file->mode & (S_ISGID_LX | S_IXGRP_LX)) == (S_ISGID_LX | S_IXGRP_LX))
        c->egid = file->gid;
}

int cred_for_exec(struct task *t, const struct exec_cred_file *file, struct cred **out, bool *secure)
{
    const struct cred *old = t->cred;
    struct cred *c = cred_dup(old);
    if (!c)
        return -LX_ENOMEM;
    bool limited = c->no_new_privs || ptrace_limits_exec(t);
    take_set_ids(c, file, limited);
    bool ids_changed = c->euid != old->euid || c->egid != old->egid;
    bool file_caps = file->has_caps && !limited, effective = file_caps && file->cap_effective;
    uint64_t permitted = file_caps ? file->cap_permitted : 0,
             inheritable = file_caps ? file->cap_inheritable : 0;
    bool root_rules = !(c->securebits & LX_SECBIT_NOROOT);
    if (root_rules && !(file_caps && c->uid != 0 && c->euid == 0) && (c->euid == 0 || c->uid == 0)) {
        permitted = inheritable = LX_CAP_FULL;
        if (c->euid == 0)
            effective = true;
    }
    uint64_t ambient = ids_changed || file_caps ? 0 : old->cap_ambient;
    c->cap_permitted = (permitted & c->cap_bounding) | (inheritable & old->cap_inheritable) | ambient;
    c->cap_ambient = ambient;
    c->cap_effective = effective ? c->cap_permitted : ambient;
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    c->securebits &= ~LX_SECBIT_KEEP_CAPS;
    bool gained = c->cap_permitted & ~(old->cap_permitted | ambient);
    *secure = ids_changed || c->euid != c->uid || c->egid != c->gid ||
              (c->uid != 0 && (effective || gained || file_caps) && c->cap_permitted & ~ambient);
    *out = c;
    return 0;
}
