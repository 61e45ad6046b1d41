// Credentials of a new program (bprm_creds_from_file and cap_bprm_creds_from_file of Linux, capabilities(7)).
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"

#define S_ISUID_LX 04000u
#define S_ISGID_LX 02000u
#define S_IXGRP_LX 00010u

static void take_set_ids(struct cred *c, const struct exec_cred_file *file)
{
    // Ids that the namespace has no numbers for are nobody's there (bprm_fill_uid).
    if (c->no_new_privs || from_kuid(c->user_ns, file->uid) == ID_NONE ||
        from_kgid(c->user_ns, file->gid) == ID_NONE)
        return;
    if (file->mode & S_ISUID_LX)
        c->euid = file->uid;
    if ((file->mode & (S_ISGID_LX | S_IXGRP_LX)) == (S_ISGID_LX | S_IXGRP_LX))
        c->egid = file->gid;
}

// bprm_caps_from_vfs_caps: what the file gives within bounds. A program that counts on all of it does not run with less.
static int take_file_caps(struct cred *c, const struct exec_cred_file *file, bool *effective)
{
    c->cap_permitted = (c->cap_bounding & file->cap_permitted) | (c->cap_inheritable & file->cap_inheritable);
    *effective = file->cap_effective;
    return *effective && file->cap_permitted & ~c->cap_permitted ? -LX_EPERM : 0;
}

// handle_privileged_root
static void take_root_caps(struct cred *c, const struct cred *old, uint32_t root, bool file_caps,
                           bool *effective)
{
    bool is_root = c->euid == root;
    if (c->securebits & LX_SECBIT_NOROOT || (file_caps && is_root && c->uid != root))
        return;
    if (is_root || c->uid == root)
        c->cap_permitted = old->cap_bounding | old->cap_inheritable;
    if (is_root)
        *effective = true;
}

int cred_for_exec(struct task *t, const struct exec_cred_file *file, struct cred **out, bool *secure)
{
    const struct cred *old = t->cred;
    struct cred *c = cred_dup(old);
    if (!c)
        return -LX_ENOMEM;
    take_set_ids(c, file);
    uint32_t root = make_kuid(c->user_ns, 0);
    bool effective = false, file_caps = file->has_caps && c->user_ns == &init_user_ns;
    c->cap_permitted = 0;
    int err = file_caps ? take_file_caps(c, file, &effective) : 0;
    if (err) {
        cred_put(c);
        return err;
    }
    take_root_caps(c, old, root, file_caps, &effective);
    bool set_ids = c->euid != old->uid || c->egid != old->gid;
    if ((c->no_new_privs || ptrace_limits_exec(t)) &&
        (set_ids || c->cap_permitted & ~old->cap_permitted)) { // no more than before
        if (c->no_new_privs || !ns_capable(c->user_ns, LX_CAP_SETUID)) {
            c->euid = c->uid;
            c->egid = c->gid;
        }
        c->cap_permitted &= old->cap_permitted;
    }
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    if (file_caps || set_ids)
        c->cap_ambient = 0;
    c->cap_permitted |= c->cap_ambient;
    c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
    c->securebits &= ~LX_SECBIT_KEEP_CAPS;
    *secure = set_ids || (c->uid != root && (effective || c->cap_permitted & ~c->cap_ambient));
    *out = c;
    return 0;
}

// begin_exec and commit_creds: who has become somebody else cannot be looked into.
bool cred_exec_dumpable(const struct cred *old, const struct cred *new)
{
    if (new->euid != new->uid || new->egid != new->gid)
        return false;
    if (new->euid != old->euid || new->egid != old->egid || new->fsuid != old->fsuid ||
        new->fsgid != old->fsgid)
        return false;
    return !(new->cap_permitted & ~old->cap_permitted);
}
