#include "tests/unit/task/world.h"
#include "syscall_handlers.h"

Test(life, copies_and_shares_as_the_flags_say)
{
    struct task *init = world_init(0);
    world_handle(init, LX_SIGUSR1, HANDLER, 0);
    init->blocked = SIGBIT(LX_SIGUSR2);
    init->altstack = (struct sigaltstack_state){0x1000, 0x2000, 0};
    struct task *child = world_fork(init), *thread = world_thread(init);
    cr_assert_neq(child->sighand, init->sighand);
    cr_assert_eq(child->sighand->action[LX_SIGUSR1 - 1].handler, HANDLER);
    cr_assert_eq(child->altstack.size, 0x2000);
    cr_assert_eq(child->blocked, init->blocked);
    cr_assert_neq(child->files, init->files);
    cr_assert_eq(thread->sighand, init->sighand);
    cr_assert_eq(thread->files, init->files);
    cr_assert_eq(thread->mm, init->mm);
    cr_assert_eq(thread->altstack.size, 0, "a thread starts without an alternate stack");
    cr_assert_eq(thread->tg, init->tg);
    cr_assert_eq(init->tg->nr_threads, 2);
    cr_assert_eq(find_task(thread->tid), thread);
    cr_assert_null(find_group(thread->tid));
    struct task *cleared = world_clone(init, LX_CLONE_CLEAR_SIGHAND, LX_SIGCHLD);
    cr_assert_eq(cleared->sighand->action[LX_SIGUSR1 - 1].handler, LX_SIG_DFL);
}

Test(life, limits_of_tasks_are_eagain)
{
    struct task *init = world_init(1000);
    int err = 0;
    init->tg->rlim[6].cur = 3; // RLIMIT_NPROC
    world_fork(init);
    world_fork(init);
    cr_assert_null(task_copy(init, LX_CLONE_FS, LX_SIGCHLD, &err));
    cr_assert_eq(err, -LX_EAGAIN);
    init->tg->rlim[6].cur = UINT64_MAX;
    for (unsigned i = nr_tasks; i < max_tasks; i++)
        world_fork(init);
    cr_assert_null(task_copy(init, LX_CLONE_FS, LX_SIGCHLD, &err));
    cr_assert_eq(err, -LX_EAGAIN);
}

Test(life, an_abandoned_copy_leaves_no_trace)
{
    struct task *init = world_init(0);
    unsigned tasks = nr_tasks, groups = init->tg->refs, members = init->tg->pgrp->refs;
    int err;
    struct task *t = task_copy(init, LX_CLONE_FS, LX_SIGCHLD, &err);
    task_abandon(t);
    t = task_copy(init, LX_CLONE_FS | LX_CLONE_VM | LX_CLONE_SIGHAND | LX_CLONE_THREAD, 0, &err);
    task_abandon(t);
    cr_assert_eq(nr_tasks, tasks);
    cr_assert_eq(init->tg->refs, groups);
    cr_assert_eq(init->tg->pgrp->refs, members);
    cr_assert(list_empty(&init->tg->children));
}

Test(life, a_number_that_a_zombie_has_is_refused)
{
    struct task *init = world_init(0), *child = world_fork(init);
    int pid = child->tid, err;
    world_call(child, sys_exit_group, 0);
    struct task *t = task_copy(init, LX_CLONE_FS, LX_SIGCHLD, &err);
    cr_assert_eq(task_publish(t, pid, pid), -LX_EAGAIN);
    task_abandon(t);
}

Test(life, orphans_go_to_the_first_process_or_a_subreaper)
{
    struct task *init = world_init(0), *reaper = world_fork(init), *middle = world_fork(reaper);
    struct task *leaf = world_fork(middle), *second = world_fork(middle);
    reaper->tg->child_subreaper = true;
    world_call(second, sys_exit_group, 0);
    world_call(middle, sys_exit_group, 0);
    cr_assert_eq(leaf->tg->parent, reaper->tg);
    cr_assert_eq(find_group(second->tid)->parent, reaper->tg, "zombies, too");
    world_call(reaper, sys_exit_group, 0);
    cr_assert_eq(leaf->tg->parent, init->tg);
    cr_assert_eq(world_call(leaf, sys_getppid), 1);
}

Test(life, a_running_call_delays_the_end_of_its_thread)
{
    struct task *init = world_init(0), *child = world_fork(init);
    child->call.phase = CALL_RUNNING;
    group_exit(child->tg, LX_SIGKILL);
    cr_assert(child->exiting);
    cr_assert(child->files, "the handler may still use it");
    cr_assert_not(child->tg->zombie);
    task_exit_finish(child);
    cr_assert_null(child->files);
    cr_assert(child->tg->zombie);
}

Test(life, a_dead_host_process_ends_its_group_with_sigkill)
{
    struct task *init = world_init(0), *child = world_fork(init);
    world_thread(child);
    group_found_dead(child->tg);
    cr_assert(child->tg->zombie);
    cr_assert_eq(child->tg->exit_code, LX_SIGKILL);
    struct task *other = world_fork(init);
    world_call(other, sys_exit_group, 4);
    group_found_dead(other->tg);
    cr_assert_eq(other->tg->exit_code, 4 << 8, "a known end keeps its status");
}

Test(life, pdeath_signal_comes_when_the_making_thread_ends)
{
    struct task *init = world_init(0), *parent = world_fork(init), *maker = world_thread(parent);
    struct task *child = world_fork(maker);
    child->pdeath_signal = LX_SIGUSR1;
    world_handle(child, LX_SIGUSR1, HANDLER, 0);
    world_call(maker, sys_exit, 0);
    cr_assert_eq(world_deliver(child), LX_SIGUSR1);
    world_call(parent, sys_exit_group, 0);
    cr_assert_eq(world_deliver(child), LX_SIGUSR1, "and again when the process it went on to ends");
}

Test(life, exec_by_another_thread_takes_the_leaders_number)
{
    struct task *init = world_init(0), *leader = world_fork(init), *other = world_thread(leader);
    struct thread_group *tg = leader->tg;
    int old_tid = other->tid;
    world_handle(leader, LX_SIGUSR1, HANDLER, 0);
    world_handle(leader, LX_SIGUSR2, LX_SIG_IGN, 0);
    other->altstack = (struct sigaltstack_state){0x1000, 0x2000, 0};
    cr_assert_eq(task_exec_prepare(other), 0);
    cr_assert_neq(other->files, leader->files);
    struct mm *mm = mm_alloc();
    task_exec_commit(other, mm, "a name longer than fifteen");
    cr_assert_eq(other->tid, tg->pid);
    cr_assert_eq(tg->leader, other);
    cr_assert_eq(tg->nr_threads, 1);
    cr_assert_eq(leader->state, TASK_DEAD);
    cr_assert_null(find_task(old_tid));
    cr_assert_eq(find_task(tg->pid), other);
    cr_assert_eq(other->sighand->action[LX_SIGUSR1 - 1].handler, LX_SIG_DFL);
    cr_assert_eq(other->sighand->action[LX_SIGUSR2 - 1].handler, LX_SIG_IGN);
    cr_assert_eq(other->altstack.size, 0);
    cr_assert_eq(other->mm, mm);
    cr_assert_str_eq(other->comm, "a name longer t");
    cr_assert_not(tg->zombie);
}

Test(life, the_first_process_ends_the_sandbox)
{
    struct task *init = world_init(0), *child = world_fork(init);
    world_call(init, sys_exit_group, 5);
    cr_assert(init->tg->zombie);
    cr_assert_null(child->tg->parent);
    int err;
    struct task *late = task_copy(child, LX_CLONE_FS, LX_SIGCHLD, &err);
    cr_assert_eq(task_publish(late, 50, 50), -LX_ESRCH);
    task_abandon(late);
}
