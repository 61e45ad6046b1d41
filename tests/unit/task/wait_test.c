#include "tests/unit/task/world.h"
#include "abi/linux/wait.h"
#include "syscall_handlers.h"

#define STATUS_ADDR fixture_addr(0)
#define INFO_ADDR fixture_addr(64)

static int status(void)
{
    int s;
    memcpy(&s, fixture_guest, sizeof(s));
    return s;
}
static int64_t wait4(struct task *t, int pid, uint32_t options)
{
    return world_call(t, sys_wait4, (uint32_t)pid, STATUS_ADDR, options);
}
static int info_word(unsigned i)
{
    int v;
    memcpy(&v, fixture_guest + 64 + 4 * i, sizeof(v));
    return v;
}

Test(wait4, without_children_is_echild)
{
    struct task *init = world_init(0);
    cr_assert_eq(wait4(init, -1, 0), -LX_ECHILD);
    cr_assert_eq(wait4(init, -1, 0x80), -LX_EINVAL);
}

Test(wait4, waits_for_an_exit_and_reaps)
{
    struct task *init = world_init(0), *child = world_fork(init);
    int pid = child->tid;
    cr_assert_eq(wait4(init, -1, LX_WNOHANG), 0);
    cr_assert_eq(wait4(init, -1, 0), -LX_EBLOCKED);
    world_call(child, sys_exit_group, 7);
    cr_assert_eq(init->call.phase, CALL_RUNNABLE, "the wait wakes up");
    cr_assert(find_group(pid)->zombie);
    cr_assert_eq(world_run(init, sys_wait4, false), pid);
    cr_assert_eq(status(), 7 << 8);
    cr_assert_null(find_group(pid));
    cr_assert_eq(wait4(init, -1, 0), -LX_ECHILD);
}

Test(wait4, selects_by_pid_and_group)
{
    struct task *init = world_init(0), *a = world_fork(init), *b = world_fork(init);
    cr_assert_eq(world_call(b, sys_setpgid, 0, 0), 0);
    world_call(a, sys_exit_group, 1);
    cr_assert_eq(wait4(init, b->tid, LX_WNOHANG), 0, "another child's end is not b's");
    cr_assert_eq(wait4(init, -b->tid, LX_WNOHANG), 0);
    cr_assert_eq(wait4(init, 0, LX_WNOHANG), a->tid, "a is in the caller's group");
    cr_assert_eq(wait4(init, 0, LX_WNOHANG), -LX_ECHILD);
    cr_assert_eq(wait4(init, 999, 0), -LX_ECHILD);
}

Test(wait4, a_zombie_leader_waits_for_its_threads)
{
    struct task *init = world_init(0), *child = world_fork(init), *thread = world_thread(child);
    int pid = child->tid;
    world_call(child, sys_exit, 3);
    cr_assert_eq(child->state, TASK_DEAD);
    cr_assert_eq(wait4(init, pid, LX_WNOHANG), 0);
    world_call(thread, sys_exit, 9);
    cr_assert_eq(wait4(init, pid, LX_WNOHANG), pid);
    cr_assert_eq(status(), 3 << 8, "the leader's code counts");
}

Test(wait4, clone_children_need_wclone_or_wall)
{
    struct task *init = world_init(0), *child = world_clone(init, 0, LX_SIGUSR1);
    world_handle(init, LX_SIGUSR1, HANDLER, 0);
    world_call(child, sys_exit_group, 0);
    cr_assert_eq(wait4(init, -1, LX_WNOHANG), -LX_ECHILD);
    cr_assert_eq(wait4(init, -1, LX_WCLONE | LX_WNOHANG), child->tid);
    struct task *other = world_clone(init, 0, LX_SIGUSR1);
    world_call(other, sys_exit_group, 0);
    cr_assert_eq(wait4(init, -1, LX_WALL | LX_WNOHANG), other->tid);
}

Test(wait4, sigchld_ignored_or_nocldwait_reaps_at_once)
{
    struct task *init = world_init(0);
    world_handle(init, LX_SIGCHLD, LX_SIG_IGN, 0);
    struct task *child = world_fork(init);
    world_call(child, sys_exit_group, 0);
    cr_assert_null(find_group(child->tid));
    cr_assert_eq(wait4(init, -1, 0), -LX_ECHILD);
    world_handle(init, LX_SIGCHLD, HANDLER, LX_SA_NOCLDWAIT);
    child = world_fork(init);
    world_call(child, sys_exit_group, 0);
    cr_assert_null(find_group(child->tid));
    cr_assert_eq(world_deliver(init), LX_SIGCHLD, "with a handler the signal still comes");
}

Test(wait4, stops_and_continues_are_reported_once)
{
    struct task *init = world_init(0), *child = world_fork(init);
    cr_assert_eq(world_call(init, sys_kill, (uint32_t)child->tid, LX_SIGSTOP), 0);
    cr_assert_eq(wait4(init, -1, LX_WUNTRACED | LX_WNOHANG), 0, "not before it has come to rest");
    cr_assert_eq(world_deliver(child), 0);
    cr_assert(child->stopped);
    cr_assert_eq(wait4(init, -1, LX_WNOHANG), 0);
    cr_assert_eq(wait4(init, -1, LX_WUNTRACED | LX_WNOHANG), child->tid);
    cr_assert_eq(status(), LX_SIGSTOP << 8 | 0x7f);
    cr_assert_eq(wait4(init, -1, LX_WUNTRACED | LX_WNOHANG), 0);
    cr_assert_eq(world_call(init, sys_kill, (uint32_t)child->tid, LX_SIGCONT), 0);
    cr_assert_not(child->stopped);
    cr_assert_eq(world_resumed, 1);
    cr_assert_eq(wait4(init, -1, LX_WCONTINUED | LX_WNOHANG), child->tid);
    cr_assert_eq(status(), 0xffff);
    cr_assert_eq(wait4(init, -1, LX_WCONTINUED | LX_WNOHANG), 0);
}

Test(waitid, wnowait_leaves_the_zombie)
{
    struct task *init = world_init(0), *child = world_fork(init);
    group_exit(child->tg, LX_SIGKILL);
    cr_assert_eq(world_killed, 1);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_ALL, 0, INFO_ADDR, LX_WEXITED | LX_WNOWAIT), 0);
    cr_assert_eq(info_word(0), LX_SIGCHLD);
    cr_assert_eq(info_word(2), LX_CLD_KILLED);
    cr_assert_eq(info_word(4), child->tid);
    cr_assert_eq(info_word(6), LX_SIGKILL);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_PID, (uint32_t)child->tid, INFO_ADDR, LX_WEXITED), 0);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_ALL, 0, INFO_ADDR, LX_WEXITED), -LX_ECHILD);
    cr_assert_eq(info_word(0), 0, "a failed waitid clears the info");
}

Test(waitid, checks_its_arguments)
{
    struct task *init = world_init(0);
    world_fork(init);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_ALL, 0, 0, LX_WNOHANG), -LX_EINVAL);
    cr_assert_eq(world_call(init, sys_waitid, 9, 0, 0, LX_WEXITED), -LX_EINVAL);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_PID, 0, 0, LX_WEXITED), -LX_EINVAL);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_PIDFD, 77, 0, LX_WEXITED), -LX_EBADF);
    cr_assert_eq(world_call(init, sys_waitid, LX_P_ALL, 0, INFO_ADDR, LX_WEXITED | LX_WNOHANG), 0);
    cr_assert_eq(info_word(4), 0);
}
