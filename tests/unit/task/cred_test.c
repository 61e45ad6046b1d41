#include "tests/unit/task/world.h"
#include "abi/linux/capability.h"
#include "abi/linux/prctl.h"
#include "syscall_handlers.h"

#define KEEP ((uint64_t)UINT32_MAX)
#define prctl(t, ...) world_call(t, sys_prctl, __VA_ARGS__)

Test(cred, leaving_root_for_good_loses_capabilities)
{
    struct task *t = world_init(0);
    cr_assert_eq(world_call(t, sys_setresuid, KEEP, 1000, KEEP), 0);
    cr_assert_eq(t->cred->cap_effective, 0);
    cr_assert_eq(t->cred->cap_permitted, LX_CAP_FULL, "root is still the real user");
    cr_assert_eq(world_call(t, sys_setresuid, KEEP, 0, KEEP), 0);
    cr_assert_eq(t->cred->cap_effective, LX_CAP_FULL);
    cr_assert_eq(world_call(t, sys_setuid, 1000), 0);
    cr_assert_eq(t->cred->suid, 1000);
    cr_assert_eq(t->cred->fsuid, 1000);
    cr_assert_eq(t->cred->cap_permitted, 0);
    cr_assert_eq(world_call(t, sys_setuid, 0), -LX_EPERM);
    cr_assert_eq(world_call(t, sys_setgroups, 0, 0), -LX_EPERM);
}

Test(cred, keepcaps_keeps_permitted_only)
{
    struct task *t = world_init(0);
    cr_assert_eq(prctl(t, LX_PR_SET_KEEPCAPS, 1), 0);
    cr_assert_eq(world_call(t, sys_setuid, 1000), 0);
    cr_assert_eq(t->cred->cap_permitted, LX_CAP_FULL);
    cr_assert_eq(t->cred->cap_effective, 0);
}

Test(cred, unprivileged_changes_stay_among_the_three_ids)
{
    struct task *t = world_init(1000);
    cr_assert_eq(world_call(t, sys_setreuid, KEEP, 1001), -LX_EPERM);
    cr_assert_eq(world_call(t, sys_setresuid, 1000, 1000, 1001), -LX_EPERM);
    cr_assert_eq(world_call(t, sys_setresgid, KEEP, KEEP, 1000), 0);
    cr_assert_eq(world_call(t, sys_setuid, KEEP), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_setfsuid, 5), 1000);
    cr_assert_eq(t->cred->fsuid, 1000);
    cr_assert_eq(world_call(t, sys_setgid, 7), -LX_EPERM);
}

Test(cred, groups_are_sorted_and_bounded)
{
    struct task *t = world_init(0);
    uint32_t groups[] = {30, 10, 20};
    memcpy(fixture_guest, groups, sizeof(groups));
    cr_assert_eq(world_call(t, sys_setgroups, 3, fixture_addr(0)), 0);
    cr_assert(cred_in_group(t->cred, 20));
    cr_assert_not(cred_in_group(t->cred, 25));
    cr_assert_eq(world_call(t, sys_getgroups, 0, 0), 3);
    cr_assert_eq(world_call(t, sys_getgroups, 2, fixture_addr(0)), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_getgroups, 3, fixture_addr(64)), 3);
    cr_assert_eq(fixture_guest[64], 10);
    cr_assert_eq(world_call(t, sys_setgroups, CRED_GROUPS_MAX + 1, fixture_addr(0)), -LX_EINVAL);
}

Test(cred, exec_follows_set_id_bits_and_no_new_privs)
{
    struct task *t = world_init(1000);
    struct exec_cred_file file = {.mode = 04755, .uid = 0, .gid = 0};
    struct cred *c;
    bool secure;
    cr_assert_eq(cred_for_exec(t, &file, &c, &secure), 0);
    cr_assert_eq(c->euid, 0);
    cr_assert_eq(c->suid, 0);
    cr_assert_eq(c->uid, 1000);
    cr_assert_eq(c->cap_effective, LX_CAP_FULL);
    cr_assert(secure);
    cred_put(c);
    cr_assert_eq(prctl(t, LX_PR_SET_NO_NEW_PRIVS, 1), 0);
    cr_assert_eq(cred_for_exec(t, &file, &c, &secure), 0);
    cr_assert_eq(c->euid, 1000);
    cr_assert_eq(c->cap_permitted, 0);
    cr_assert_not(secure);
    cred_put(c);
    file.mode = 02745; // set-group-ID without group execute is a lock mark
    cr_assert_eq(cred_for_exec(t, &file, &c, &secure), 0);
    cr_assert_eq(c->egid, 1000);
    cred_put(c);
}

Test(cred, exec_as_root_and_with_file_capabilities)
{
    struct task *root = world_init(0);
    struct exec_cred_file file = {.mode = 0755};
    struct cred *c;
    bool secure;
    cr_assert_eq(prctl(root, LX_PR_CAPBSET_DROP, LX_CAP_SYS_ADMIN), 0);
    cr_assert_eq(cred_for_exec(root, &file, &c, &secure), 0);
    cr_assert_eq(c->cap_permitted, LX_CAP_FULL & ~LX_CAP_BIT(LX_CAP_SYS_ADMIN));
    cr_assert_not(secure);
    cred_put(c);
    cr_assert_eq(world_call(root, sys_setuid, 1000), 0);
    file = (struct exec_cred_file){
        .mode = 0755, .has_caps = true, .cap_effective = true, .cap_permitted = LX_CAP_BIT(LX_CAP_NET_RAW)};
    cr_assert_eq(cred_for_exec(root, &file, &c, &secure), 0);
    cr_assert_eq(c->cap_effective, LX_CAP_BIT(LX_CAP_NET_RAW));
    cr_assert(secure);
    cred_put(c);
}

Test(cred, ambient_capabilities_survive_an_exec)
{
    struct task *t = world_init(0);
    cr_assert_eq(prctl(t, LX_PR_CAP_AMBIENT, LX_PR_CAP_AMBIENT_RAISE, LX_CAP_CHOWN), -LX_EPERM,
                 "not inheritable");
    struct cred *c = cred_dup(t->cred);
    c->cap_inheritable = LX_CAP_BIT(LX_CAP_CHOWN);
    c->securebits = LX_SECBIT_KEEP_CAPS | LX_SECBIT_NO_SETUID_FIXUP;
    task_set_cred(t, c);
    cr_assert_eq(prctl(t, LX_PR_CAP_AMBIENT, LX_PR_CAP_AMBIENT_RAISE, LX_CAP_CHOWN), 0);
    cr_assert_eq(prctl(t, LX_PR_CAP_AMBIENT, LX_PR_CAP_AMBIENT_IS_SET, LX_CAP_CHOWN), 1);
    cr_assert_eq(world_call(t, sys_setuid, 1000), 0);
    struct exec_cred_file file = {.mode = 0755};
    bool secure;
    cr_assert_eq(cred_for_exec(t, &file, &c, &secure), 0);
    cr_assert_eq(c->cap_effective, LX_CAP_BIT(LX_CAP_CHOWN));
    cred_put(c);
}

Test(cred, prctl_knows_what_it_does_not_know)
{
    struct task *t = world_init(1000);
    cr_assert_eq(prctl(t, 9999), -LX_EINVAL);
    cr_assert_eq(prctl(t, LX_PR_SET_PDEATHSIG, 65), -LX_EINVAL);
    cr_assert_eq(prctl(t, LX_PR_CAPBSET_DROP, 0), -LX_EPERM);
    cr_assert_eq(prctl(t, LX_PR_CAPBSET_READ, 64), -LX_EINVAL);
    cr_assert_eq(prctl(t, LX_PR_SET_NO_NEW_PRIVS, 1, 1), -LX_EINVAL);
    strcpy((char *)fixture_guest, "a name longer than fifteen");
    cr_assert_eq(prctl(t, LX_PR_SET_NAME, fixture_addr(0)), 0);
    cr_assert_str_eq(t->comm, "a name longer t");
}

Test(cred, capset_only_takes_away)
{
    struct task *t = world_init(1000);
    struct lx_cap_header h = {LX_CAPABILITY_VERSION_3, 0};
    struct lx_cap_data data[2] = {{1, 1, 0}};
    memcpy(fixture_guest, &h, sizeof(h));
    memcpy(fixture_guest + 64, data, sizeof(data));
    cr_assert_eq(world_call(t, sys_capset, fixture_addr(0), fixture_addr(64)), -LX_EPERM);
    memset(fixture_guest + 64, 0, sizeof(data));
    cr_assert_eq(world_call(t, sys_capset, fixture_addr(0), fixture_addr(64)), 0);
    h.version = 1;
    memcpy(fixture_guest, &h, sizeof(h));
    cr_assert_eq(world_call(t, sys_capget, fixture_addr(0), fixture_addr(64)), -LX_EINVAL);
    memcpy(&h, fixture_guest, sizeof(h));
    cr_assert_eq(h.version, LX_CAPABILITY_VERSION_3);
}
