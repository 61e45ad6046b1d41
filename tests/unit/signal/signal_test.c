#include "tests/unit/task/world.h"
#include "abi/linux/resource.h"
#include "syscall_handlers.h"

#define INFO_ADDR fixture_addr(0)
#define SET_ADDR fixture_addr(256)

static struct lx_siginfo queued(int code, uint64_t value)
{
    struct lx_siginfo info = {.code = code};
    info.u.rt.value = value;
    return info;
}

Test(signal, standard_signals_merge_and_real_time_ones_queue)
{
    struct task *t = world_init(0);
    set_blocked(t, ~0ull);
    world_handle(t, LX_SIGUSR1, HANDLER, 0);
    world_handle(t, 40, HANDLER, 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct lx_siginfo info = queued(LX_SI_QUEUE, i);
        cr_assert_eq(send_signal_group(t->tg, LX_SIGUSR1, &info), 0);
        cr_assert_eq(send_signal_task(t, 40, &info), 0);
    }
    cr_assert_not(signal_pending(t));
    struct lx_siginfo info;
    cr_assert_eq(dequeue_signal(t, SIGBIT(40), &info), 40);
    cr_assert_eq(info.u.rt.value, 0, "in order");
    set_blocked(t, 0);
    cr_assert(signal_pending(t));
    cr_assert_eq(world_deliver(t), 40, "a thread's own signals come first");
    cr_assert_eq(world_deliver(t), 40);
    cr_assert_eq(world_deliver(t), LX_SIGUSR1);
    cr_assert_eq(world_deliver(t), 0);
    cr_assert_not(signal_pending(t));
}

Test(signal, faults_come_before_lower_numbers)
{
    struct task *t = world_init(0);
    world_handle(t, LX_SIGHUP, HANDLER, 0);
    world_handle(t, LX_SIGSEGV, HANDLER, 0);
    send_signal_task(t, LX_SIGHUP, NULL);
    struct lx_siginfo info = {.signo = LX_SIGSEGV, .code = 1};
    force_signal(t, &info);
    cr_assert_eq(world_deliver(t), LX_SIGSEGV);
    cr_assert_eq(world_deliver(t), LX_SIGHUP);
}

Test(signal, a_blocked_fault_kills)
{
    struct task *init = world_init(0), *t = world_fork(init);
    world_handle(t, LX_SIGSEGV, HANDLER, 0);
    set_blocked(t, SIGBIT(LX_SIGSEGV));
    struct lx_siginfo info = {.signo = LX_SIGSEGV, .code = 1};
    force_signal(t, &info);
    cr_assert_eq(world_deliver(t), 0);
    cr_assert(t->tg->zombie);
    cr_assert_eq(t->tg->exit_code, LX_SIGSEGV);
}

Test(signal, a_core_dump_shows_when_the_limit_allows_one)
{
    struct task *init = world_init(0), *t = world_fork(init);
    t->tg->rlim[LX_RLIMIT_CORE].cur = LX_RLIM_INFINITY;
    send_signal_group(t->tg, LX_SIGQUIT, NULL);
    world_deliver(t);
    cr_assert_eq(t->tg->exit_code, LX_SIGQUIT | 0x80);
}

Test(signal, ignored_signals_are_dropped_unless_blocked)
{
    struct task *t = world_init(0);
    send_signal_group(t->tg, LX_SIGWINCH, NULL);
    cr_assert_eq(t->tg->shared_pending.set, 0);
    set_blocked(t, SIGBIT(LX_SIGWINCH));
    send_signal_group(t->tg, LX_SIGWINCH, NULL);
    cr_assert_eq(t->tg->shared_pending.set, SIGBIT(LX_SIGWINCH));
    world_call(t, sys_rt_sigaction, LX_SIGWINCH, 0, 0, 8);
    cr_assert_eq(t->tg->shared_pending.set, SIGBIT(LX_SIGWINCH), "asking changes nothing");
    struct lx_sigaction ign = {.handler = LX_SIG_IGN};
    memcpy(fixture_guest, &ign, sizeof(ign));
    cr_assert_eq(world_call(t, sys_rt_sigaction, LX_SIGWINCH, fixture_addr(0), 0, 8), 0);
    cr_assert_eq(t->tg->shared_pending.set, 0, "ignoring drops what is pending");
}

Test(signal, sigaction_refuses_what_cannot_be_caught)
{
    struct task *t = world_init(0);
    cr_assert_eq(world_call(t, sys_rt_sigaction, LX_SIGKILL, fixture_addr(0), 0, 8), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_rt_sigaction, LX_SIGSTOP, 0, fixture_addr(0), 8), 0);
    cr_assert_eq(world_call(t, sys_rt_sigaction, 65, 0, 0, 8), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_rt_sigaction, LX_SIGHUP, 0, 0, 4), -LX_EINVAL);
    cr_assert_eq(world_call(t, sys_rt_sigaction, LX_SIGHUP, 8, 0, 8), -LX_EFAULT);
}

Test(signal, resethand_runs_its_handler_once)
{
    struct task *init = world_init(0), *t = world_fork(init);
    world_handle(t, LX_SIGUSR1, HANDLER, LX_SA_RESETHAND);
    send_signal_task(t, LX_SIGUSR1, NULL);
    cr_assert_eq(world_deliver(t), LX_SIGUSR1);
    send_signal_task(t, LX_SIGUSR1, NULL);
    cr_assert(t->tg->zombie);
}

Test(signal, the_queue_limit_is_eagain_for_real_time_signals)
{
    struct task *t = world_init(0);
    set_blocked(t, ~0ull);
    t->tg->rlim[LX_RLIMIT_SIGPENDING].cur = 2;
    struct lx_siginfo info = queued(LX_SI_QUEUE, 1);
    cr_assert_eq(send_signal_group(t->tg, 40, &info), 0);
    cr_assert_eq(send_signal_group(t->tg, 40, &info), 0);
    cr_assert_eq(send_signal_group(t->tg, 40, &info), -LX_EAGAIN);
    cr_assert_eq(send_signal_group(t->tg, LX_SIGUSR1, NULL), 0, "a standard signal always arrives");
    sigpending_flush(&t->tg->shared_pending);
    cr_assert_eq(send_signal_group(t->tg, 40, &info), 0, "what is taken no longer counts");
}

Test(signal, a_group_signal_goes_to_a_thread_that_takes_it)
{
    struct task *t = world_init(0), *other = world_thread(t);
    world_handle(t, LX_SIGUSR1, HANDLER, 0);
    set_blocked(t, SIGBIT(LX_SIGUSR1));
    send_signal_group(t->tg, LX_SIGUSR1, NULL);
    cr_assert_eq(world_last_interrupted, other);
    cr_assert(signal_pending(other));
    set_blocked(t, 0);
    world_last_interrupted = NULL;
    set_blocked(other, SIGBIT(LX_SIGUSR1));
    cr_assert_eq(world_last_interrupted, t, "who blocks it passes it on");
}

Test(signal, kill_checks_who_may)
{
    struct task *init = world_init(0), *user = world_fork(init), *other = world_fork(init);
    struct cred *c = cred_dup(user->cred);
    c->uid = c->euid = c->suid = c->fsuid = 1000;
    c->cap_effective = c->cap_permitted = 0;
    task_set_cred(user, c);
    cr_assert_eq(world_call(user, sys_kill, (uint32_t)other->tid, LX_SIGTERM), -LX_EPERM);
    cr_assert_eq(world_call(user, sys_kill, (uint32_t)other->tid, LX_SIGCONT), 0, "same session");
    cr_assert_eq(world_call(user, sys_kill, (uint32_t)user->tid, 0), 0);
    cr_assert_eq(world_call(user, sys_kill, 4242, 0), -LX_ESRCH);
    cr_assert_eq(world_call(user, sys_kill, (uint32_t)user->tid, 65), -LX_EINVAL);
    cr_assert_eq(world_call(init, sys_kill, (uint32_t)-1, LX_SIGTERM), 0);
    cr_assert(user->tg->zombie);
    cr_assert(other->tg->zombie);
    cr_assert_not(init->tg->zombie);
    cr_assert_eq(world_call(init, sys_kill, (uint32_t)other->tid, LX_SIGTERM), 0,
                 "a zombie can be signalled");
    cr_assert_eq(world_call(init, sys_tgkill, 1, 4242, 0), -LX_ESRCH);
    cr_assert_eq(world_call(init, sys_tgkill, 0, 1, 0), -LX_EINVAL);
}

Test(signal, nobody_pretends_to_be_the_kernel)
{
    struct task *init = world_init(0), *other = world_fork(init);
    struct lx_siginfo info = queued(LX_SI_KERNEL, 0);
    memcpy(fixture_guest, &info, sizeof(info));
    cr_assert_eq(world_call(init, sys_rt_sigqueueinfo, (uint32_t)other->tid, 40, INFO_ADDR), -LX_EPERM);
    info.code = LX_SI_QUEUE;
    memcpy(fixture_guest, &info, sizeof(info));
    set_blocked(other, ~0ull);
    cr_assert_eq(world_call(init, sys_rt_sigqueueinfo, (uint32_t)other->tid, 40, INFO_ADDR), 0);
    cr_assert_eq(signals_pending_in(other, ~0ull), SIGBIT(40));
}

Test(signal, sigtimedwait_takes_times_out_and_restores_the_mask)
{
    struct task *t = world_init(0);
    sigset64 set = SIGBIT(LX_SIGUSR1);
    memcpy(fixture_guest + 256, &set, sizeof(set));
    memset(fixture_guest + 512, 0, 16);
    cr_assert_eq(world_call(t, sys_rt_sigtimedwait, SET_ADDR, 0, fixture_addr(512), 8), -LX_EAGAIN);
    cr_assert_eq(world_call(t, sys_rt_sigtimedwait, SET_ADDR, INFO_ADDR, 0, 8), -LX_EBLOCKED);
    cr_assert_eq(t->blocked, set);
    send_signal_task(t, LX_SIGUSR1, NULL);
    cr_assert_eq(t->call.phase, CALL_RUNNABLE);
    cr_assert_eq(world_run(t, sys_rt_sigtimedwait, false), LX_SIGUSR1);
    cr_assert_eq(t->blocked, 0);
    cr_assert_eq(((struct lx_siginfo *)(void *)fixture_guest)->signo, LX_SIGUSR1);
    cr_assert_not(t->tg->zombie);
}

Test(signal, a_temporary_mask_comes_back_once)
{
    struct task *t = world_init(0);
    set_blocked(t, SIGBIT(LX_SIGUSR1));
    sigset64 none = 0;
    memcpy(fixture_guest + 256, &none, sizeof(none));
    cr_assert_eq(world_call(t, sys_rt_sigsuspend, SET_ADDR, 8), -LX_EBLOCKED);
    cr_assert_eq(t->call.interrupted, -LX_ERESTARTNOHAND);
    cr_assert_eq(t->blocked, 0);
    cr_assert_eq(mask_for_frame(t), SIGBIT(LX_SIGUSR1), "the handler's return restores the old one");
    struct lx_sigaction action = {.mask = SIGBIT(LX_SIGUSR2)};
    signal_delivered(t, LX_SIGHUP, &action);
    cr_assert_eq(t->blocked, SIGBIT(LX_SIGUSR2) | SIGBIT(LX_SIGHUP));
    restore_saved_mask(t);
    cr_assert_eq(t->blocked, SIGBIT(LX_SIGUSR2) | SIGBIT(LX_SIGHUP), "nothing is left to restore");
}

Test(stop, all_threads_stop_before_the_parent_hears)
{
    struct task *init = world_init(0), *t = world_fork(init), *other = world_thread(t);
    world_handle(init, LX_SIGCHLD, HANDLER, 0);
    send_signal_group(t->tg, LX_SIGSTOP, NULL);
    world_deliver(t);
    cr_assert(t->stopped);
    cr_assert_eq(init->tg->shared_pending.set, 0);
    cr_assert(signal_pending(other), "the other thread has to park");
    world_deliver(other);
    cr_assert(other->stopped);
    cr_assert_eq(world_deliver(init), LX_SIGCHLD);
    send_signal_group(t->tg, LX_SIGTERM, NULL);
    cr_assert_not(t->tg->zombie, "a stopped process takes no other signal");
    send_signal_group(t->tg, LX_SIGCONT, NULL);
    cr_assert_eq(world_resumed, 2);
    cr_assert_eq(world_deliver(t), 0);
    cr_assert(t->tg->zombie, "SIGTERM was waiting");
}

Test(stop, sigkill_ends_a_stopped_process)
{
    struct task *init = world_init(0), *t = world_fork(init);
    send_signal_group(t->tg, LX_SIGSTOP, NULL);
    world_deliver(t);
    send_signal_group(t->tg, LX_SIGKILL, NULL);
    cr_assert(t->tg->zombie);
    cr_assert_eq(t->tg->exit_code, LX_SIGKILL);
}

Test(stop, cont_discards_pending_stops_and_stops_discard_cont)
{
    struct task *init = world_init(0), *t = world_fork(init);
    set_blocked(t, ~0ull);
    send_signal_group(t->tg, LX_SIGTSTP, NULL);
    send_signal_group(t->tg, LX_SIGCONT, NULL);
    cr_assert_eq(signals_pending_in(t, ~0ull), SIGBIT(LX_SIGCONT));
    send_signal_group(t->tg, LX_SIGTTIN, NULL);
    cr_assert_eq(signals_pending_in(t, ~0ull), SIGBIT(LX_SIGTTIN));
}

Test(stop, nocldstop_keeps_the_parent_quiet)
{
    struct task *init = world_init(0), *t = world_fork(init);
    world_handle(init, LX_SIGCHLD, HANDLER, LX_SA_NOCLDSTOP);
    send_signal_group(t->tg, LX_SIGSTOP, NULL);
    world_deliver(t);
    cr_assert_eq(init->tg->shared_pending.set, 0);
    cr_assert(t->tg->stop_notified);
}
