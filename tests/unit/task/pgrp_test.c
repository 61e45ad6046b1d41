#include "tests/unit/task/world.h"
#include "syscall_handlers.h"

#define setpgid(t, pid, pgid) world_call(t, sys_setpgid, (uint32_t)(pid), (uint32_t)(pgid))

Test(pgrp, setpgid_follows_the_rules)
{
    struct task *init = world_init(0), *shell = world_fork(init);
    cr_assert_eq(world_call(shell, sys_setsid), shell->tid);
    struct task *a = world_fork(shell), *b = world_fork(shell), *grandchild = world_fork(a);
    cr_assert_eq(setpgid(shell, a->tid, 0), 0, "a child into a group of its own");
    cr_assert_eq(a->tg->pgrp->pgid, a->tid);
    cr_assert_eq(setpgid(shell, b->tid, a->tid), 0, "another child into the same");
    cr_assert_eq(setpgid(shell, b->tid, -1), -LX_EINVAL);
    cr_assert_eq(setpgid(shell, grandchild->tid, 0), -LX_ESRCH, "not a child of the caller");
    cr_assert_eq(setpgid(shell, 0, 0), -LX_EPERM, "a session leader stays");
    cr_assert_eq(setpgid(shell, b->tid, 4242), -LX_EPERM, "no such group");
    cr_assert_eq(setpgid(shell, b->tid, 1), -LX_EPERM, "a group of another session");
    b->tg->did_exec = true;
    cr_assert_eq(setpgid(shell, b->tid, 0), -LX_EACCES);
    cr_assert_eq(setpgid(b, 0, 0), 0, "itself, even after an exec");
    cr_assert_eq(world_call(a, sys_setsid), -LX_EPERM, "a group leader makes no session");
    cr_assert_eq(world_call(grandchild, sys_setsid), grandchild->tid);
    cr_assert_eq(world_call(grandchild, sys_getsid, 0), grandchild->tid);
    cr_assert_eq(setpgid(a, grandchild->tid, a->tid), -LX_EPERM, "in another session by now");
}

Test(pgrp, an_empty_group_is_gone)
{
    struct task *init = world_init(0), *a = world_fork(init);
    cr_assert_eq(setpgid(init, a->tid, 0), 0);
    cr_assert(find_pgrp(a->tid));
    cr_assert_eq(setpgid(init, a->tid, 1), 0);
    cr_assert_null(find_pgrp(a->tid));
    cr_assert_eq(send_signal_pgrp(a->tid, LX_SIGTERM, NULL), -LX_ESRCH);
}

Test(pgrp, a_stopped_group_that_is_orphaned_gets_hup_and_cont)
{
    struct task *init = world_init(0), *shell = world_fork(init);
    world_call(shell, sys_setsid);
    struct task *job = world_fork(shell);
    setpgid(shell, job->tid, 0);
    cr_assert_not(pgrp_is_orphaned(job->tg->pgrp));
    world_handle(job, LX_SIGHUP, HANDLER, 0);
    world_handle(job, LX_SIGCONT, HANDLER, 0);
    send_signal_group(job->tg, LX_SIGTSTP, NULL);
    world_deliver(job);
    cr_assert(job->stopped);
    world_call(shell, sys_exit_group, 0);
    cr_assert(pgrp_is_orphaned(job->tg->pgrp), "its parent is in another session now");
    cr_assert_not(job->stopped);
    cr_assert_eq(world_deliver(job), LX_SIGHUP);
    cr_assert_eq(world_deliver(job), LX_SIGCONT);
}

Test(pgrp, an_orphaned_group_ignores_terminal_stops)
{
    struct task *init = world_init(0), *shell = world_fork(init);
    world_call(shell, sys_setsid);
    send_signal_group(shell->tg, LX_SIGTSTP, NULL);
    cr_assert_eq(world_deliver(shell), 0);
    cr_assert_not(shell->stopped, "its only parent is in another session");
    send_signal_group(shell->tg, LX_SIGSTOP, NULL);
    cr_assert_eq(world_deliver(shell), 0);
    cr_assert(shell->stopped, "SIGSTOP cannot be ignored");
}
