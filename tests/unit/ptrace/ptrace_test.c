// Who traces whom, what stops a traced thread, and what remains when either end goes.
#include "sentry/ptrace/ptrace.h"
#include "tests/unit/task/world.h"

static struct task *tracer, *tracee;

static void attach(bool seized, uint32_t options)
{
    tracer = world_init(0);
    tracee = world_fork(tracer);
    cr_assert_eq(ptrace_link(tracee, tracer, seized, options), 0);
}

static void send(int sig)
{
    const struct lx_siginfo info = {.signo = sig, .code = LX_SI_USER};
    send_signal_task(tracee, sig, &info);
}

Test(ptrace, a_signal_stops_even_if_it_is_ignored)
{
    attach(false, 0);
    world_handle(tracee, LX_SIGUSR1, LX_SIG_IGN, 0);
    send(LX_SIGUSR1);
    cr_assert_eq(world_deliver(tracee), 0);
    cr_assert(ptrace_stopped(tracee));
    cr_assert_eq(tracee->ptrace->code, LX_SIGUSR1);
    cr_assert_eq(tracee->ptrace->where, PTRACE_STOP_SIGNAL);
}

Test(ptrace, a_fatal_signal_ends_nobody_before_the_tracer_has_decided)
{
    attach(false, 0);
    send(LX_SIGTERM);
    cr_assert_not(tracee->tg->group_exit);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, LX_SIGTERM);
    cr_assert_eq(world_deliver(tracee), 0);
    cr_assert(tracee->tg->group_exit);
}

Test(ptrace, a_suppressed_signal_is_gone)
{
    attach(false, 0);
    send(LX_SIGTERM);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, 0);
    cr_assert_eq(world_deliver(tracee), 0);
    cr_assert_not(tracee->tg->group_exit);
    cr_assert_not(ptrace_stopped(tracee));
}

Test(ptrace, another_signal_in_its_place_comes_from_the_tracer)
{
    struct lx_siginfo info;
    struct lx_sigaction action;
    attach(false, 0);
    world_handle(tracee, LX_SIGUSR2, HANDLER, 0);
    send(LX_SIGTERM);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, LX_SIGUSR2);
    cr_assert_eq(dequeue_for_delivery(tracee, &info, &action), LX_SIGUSR2);
    cr_assert_eq(info.u.rt.pid, tracer->tg->pid);
}

Test(ptrace, a_replacement_that_is_blocked_waits)
{
    attach(false, 0);
    tracee->blocked = SIGBIT(LX_SIGUSR2);
    send(LX_SIGTERM);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, LX_SIGUSR2);
    cr_assert_eq(world_deliver(tracee), 0);
    cr_assert_not(ptrace_stopped(tracee));
    cr_assert(tracee->pending.set & SIGBIT(LX_SIGUSR2));
}

Test(ptrace, sigkill_asks_no_tracer)
{
    attach(false, 0);
    send(LX_SIGKILL);
    cr_assert(tracee->tg->group_exit);
}

Test(ptrace, a_group_stop_of_a_seized_thread_is_an_event)
{
    attach(true, 0);
    send(LX_SIGSTOP);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, LX_SIGSTOP);
    world_deliver(tracee);
    cr_assert(ptrace_stopped(tracee));
    cr_assert_eq(tracee->ptrace->code, LX_SIGSTOP | LX_PTRACE_EVENT_STOP << 8);
    tracee->ptrace->listening = true;
    struct lx_siginfo info = {.signo = LX_SIGCONT, .code = LX_SI_USER};
    send_signal_group(tracee->tg, LX_SIGCONT, &info);
    cr_assert_not(ptrace_stopped(tracee));
    world_deliver(tracee);
    cr_assert_eq(tracee->ptrace->code, LX_SIGTRAP | LX_PTRACE_EVENT_STOP << 8);
}

Test(ptrace, a_thread_let_go_on_runs_in_a_stopped_group)
{
    attach(false, 0);
    send(LX_SIGSTOP);
    world_deliver(tracee);
    ptrace_resume(tracee, PTRACE_MODE_CONT, LX_SIGSTOP);
    world_deliver(tracee);
    cr_assert_eq(tracee->ptrace->where, PTRACE_STOP_GROUP);
    ptrace_resume(tracee, PTRACE_MODE_CONT, 0);
    cr_assert_not(signal_pending(tracee));
    world_deliver(tracee);
    cr_assert_not(ptrace_stopped(tracee));
}

Test(ptrace, children_are_traced_as_the_options_say)
{
    attach(false, LX_PTRACE_O_TRACEFORK);
    struct task *child = world_fork(tracee);
    ptrace_child(tracee, child, 0, LX_SIGCHLD);
    cr_assert(child->ptrace);
    cr_assert_eq(tracee->ptrace->event, LX_PTRACE_EVENT_FORK);
    cr_assert_eq(tracee->ptrace->event_message, (uint64_t)child->tid);
    cr_assert(child->pending.set & SIGBIT(LX_SIGSTOP));
    struct task *hidden = world_fork(tracee);
    ptrace_child(tracee, hidden, LX_CLONE_UNTRACED, LX_SIGCHLD);
    cr_assert_null(hidden->ptrace);
}

Test(ptrace, a_tracer_that_ends_lets_go_or_kills)
{
    attach(true, 0);
    struct task *other = world_fork(tracer);
    cr_assert_eq(ptrace_link(other, tracer, true, LX_PTRACE_O_EXITKILL), 0);
    ptrace_thread_exits(tracer);
    cr_assert_null(tracee->ptrace);
    cr_assert_not(tracee->tg->group_exit);
    cr_assert_null(other->ptrace);
    cr_assert(other->tg->group_exit);
}

Test(ptrace, the_end_of_a_thread_is_kept_for_its_tracer)
{
    attach(true, 0);
    struct task *thread = world_thread(tracee);
    cr_assert_eq(ptrace_link(thread, tracer, true, 0), 0);
    int tid = thread->tid;
    task_exit(thread, 3 << 8);
    cr_assert_not(list_empty(&tracer->ended_tracees));
    const struct ptrace_end *end = list_first(&tracer->ended_tracees, struct ptrace_end, link);
    cr_assert_eq(end->tid, tid);
    cr_assert_eq(end->status, 3 << 8);
    ptrace_thread_exits(tracer);
    cr_assert(list_empty(&tracer->ended_tracees));
}

Test(ptrace, a_set_id_program_gains_nothing_under_a_weaker_tracer)
{
    struct cred *got;
    bool secure;
    const struct exec_cred_file file = {.mode = 04755, .uid = 0};
    attach(true, 0);
    struct cred *weak = cred_dup(tracer->cred);
    weak->uid = weak->euid = weak->suid = 1000;
    weak->cap_effective = weak->cap_permitted = 0;
    task_set_cred(tracer, weak);
    task_set_cred(tracee, cred_dup(weak));
    cr_assert_eq(cred_for_exec(tracee, &file, &got, &secure), 0);
    cr_assert_eq(got->euid, 1000);
    cred_put(got);
    ptrace_unlink(tracee);
    cr_assert_eq(cred_for_exec(tracee, &file, &got, &secure), 0);
    cr_assert_eq(got->euid, 0);
    cred_put(got);
}
