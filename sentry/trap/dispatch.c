// From a notification to a handler, and from a result to a reply.
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/signal/frame.h"
#include "sentry/trap/host_tid.h"
#include "sentry/trap/hostile.h"
#include "sentry/trap/hypercall.h"
#include "sentry/trap/missing.h"
#include "sentry/trap/seccomp.h"
#include "sentry/trap/stats.h"
#include "sentry/trap/traced.h"
#include "sentry/trap/trap.h"
#include "abi/mutate.h"
#include "abi/stub/layout.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct task *current;
static struct list_head run_queue = LIST_INIT(run_queue); // call.run_link; kernel lock

uint64_t trap_open_id(const struct task *t)
{
    return t->trap.hypercall_id ? t->trap.hypercall_id : t->call.id;
}

static bool is_restart(int64_t r)
{
    return r == -LX_ERESTARTSYS || r == -LX_ERESTARTNOINTR || r == -LX_ERESTARTNOHAND ||
           r == -LX_ERESTART_RESTARTBLOCK;
}

static void call_release(struct call *c)
{
    call_unblock(c);
    if (c->run_link.next)
        list_del(&c->run_link);
    // These may write to the guest, as the handler may.
    struct task *before = current;
    current = c->task;
    if (c->release) {
        c->release(c);
        c->release = NULL;
    }
    held_drop(&c->held);
    current = before;
}

static void call_begin(struct call *c)
{
    c->first = true;
    c->timed_out = false;
    c->interrupted = -LX_ERESTARTSYS;
    c->deadline_ns = KTIMER_NEVER;
    memset(&c->state, 0, sizeof(c->state));
}

static void call_run(struct call *c);

// A restart code with no signal to deliver: the call starts over.
static void call_again(struct call *c, int64_t code)
{
    call_begin(c);
    c->restarted = code == -LX_ERESTART_RESTARTBLOCK;
    c->phase = CALL_RUNNABLE;
    list_add_tail(&c->run_link, &run_queue);
}

// The thread sits in its stub, in an open hypercall: the result goes into its registers.
static void finish_trapped(struct call *c, int64_t result)
{
    struct task *t = c->task;
    struct trap_state *trap = &t->trap;
    if (!trap_know_registers(t)) {
        violation(t, "its context is gone");
        return;
    }
    trap->fixup = result != CALL_CONTINUE;
    if (!trap->fixup && native_may_wait(c->nr, c->args)) {
        native_call_begin(c);
        return;
    }
    if (!trap->fixup) {
        struct stub_op op = {.nr = c->nr, .flags = STUB_OP_RESULT | STUB_OP_MAY_FAIL};
        memcpy(op.args, c->args, sizeof(op.args));
        if (ptrace_work_pending(t))
            trap_kick_ahead(t);
        if (stub_do(t, &op, 1, -1, THEN_RETURN))
            violation(t, "its stub area is gone");
        else if (signal_work(t) || t->stopped)
            trap_kick(t);
        return;
    }
    if (c->nr == SYS_rt_sigprocmask && result == 0 && !trap_tracing) // a trace shows every call
        mask_keep_in_stub(t);
    trap->fixup_ip = c->ip;
    trap->fixup_result = result;
    trap->fixup_nr = c->nr;
    hypercall_return(t);
}

void call_finish(struct call *c, int64_t result)
{
    struct task *t = c->task;
    struct trap_state *trap = &t->trap;
    call_release(c);
    if (is_restart(result) && !signal_pending(t) && !t->stopped) {
        call_again(c, result);
        return;
    }
    trap_trace(c, result);
    c->phase = CALL_IDLE;
    if (result == -LX_ENOREPLY)
        return;
    uint64_t id = c->id;
    c->id = 0;
    if (t->ptrace)
        t->ptrace->call_over = result != CALL_CONTINUE || c->trapped;
    if (c->trapped) {
        finish_trapped(c, result);
        return;
    }
    if (result == CALL_CONTINUE) {
        traced_call_continues(c);
        if (mask_must_come_home(t))
            trap_kick(t);
        int r = listener_continue(id);
        if (r && r != -ENOENT)
            log_warn("letting the host run call %u failed: %s", c->nr, strerror(-r));
        return;
    }
    bool work = signal_work(t) || t->stopped || ptrace_work_pending(t);
    if (!work && t->restore_mask) {
        restore_saved_mask(t);
        work = signal_work(t);
    }
    if (work)
        trap_kick(t);
    if (trap->kick_sent) {
        trap->fixup = true;
        trap->fixup_ip = c->ip;
        trap->fixup_result = result;
        trap->fixup_nr = c->nr;
        trap->hypercall_due = true;
    }
    int r = listener_reply(id, is_restart(result) ? -EINTR : result);
    if (r && r != -ENOENT)
        log_warn("answering call %u failed: %s", c->nr, strerror(-r));
}

void call_abandon(struct call *c)
{
    call_release(c);
    c->phase = CALL_IDLE;
    c->id = 0;
}

static void call_run(struct call *c)
{
    struct task *t = task_get(c->task);
    const struct syscall_row *row = c->nr < syscall_table_size ? &syscall_table[c->nr] : NULL;
    int64_t r;
    uint64_t messages = stats_messages();
    c->phase = CALL_RUNNING;
    current = t;
    bool early = clone_pending(t);
    if (c->first && c->trapped && (t->ptrace || t->seccomp_mode))
        (void)trap_know_registers(t); // a watcher that has come while it waited, as in on_trapped_call()
    if (!early && c->first && t->ptrace && traced_call_entry(c)) {
        current = NULL;
        call_abandon(c);
        task_exit_finish(t);
        task_put(t);
        return;
    }
    if (c->first)
        c->interrupted = -LX_ERESTARTSYS; // a wait for the child has its own
    if (early) {
        r = clone_wait_child(c);
    } else if (c->first && t->seccomp_mode && !seccomp_allows(c, &r)) {
        // its filters decide
    } else if (hostile_call(c, &r)) {
        // only in the tests of escape
    } else if (row && row->native && row->native(c->args)) {
        r = CALL_CONTINUE; // only without native rows in the filter (--strace) do such calls get here
    } else if (row && row->handler) {
        r = c->restarted && t->restart_fn ? t->restart_fn(c) : row->handler(c);
        if (c->nr == SYS_uname && mutated("careless-handler"))
            r = CALL_CONTINUE;
        if (r == CALL_CONTINUE && row->path != PATH_CONTINUE && row->path != PATH_NATIVE && !c->trapped &&
            !mutated("continue-guard")) {
            log_error("the handler of %s may not let the host run its call", row->name);
            r = -LX_ENOSYS;
        }
    } else if (c->trapped && row && row->path == PATH_REFUSED) {
        r = CALL_CONTINUE; // by the stub, whom the guests' filter answers
    } else {
        missing_call_log(t->comm, c->nr);
        r = -LX_ENOSYS;
    }
    current = NULL;
    c->first = c->first && early; // the handler has not run yet
    if (r != -LX_EBLOCKED)
        stats_call(c->nr, r, stats_messages() - messages);
    if (t->exiting && r != CALL_CONTINUE) {
        call_abandon(c);
    } else if (r == -LX_EBLOCKED && !t->stopped && !signal_pending(t)) {
        held_wait(&c->held, t->files);
        c->phase = CALL_BLOCKED;
    } else {
        // The handler has looked once more and would wait: the signal ends the call.
        call_finish(c, r == -LX_EBLOCKED ? c->interrupted : r);
    }
    task_exit_finish(t);
    task_put(t);
}

void call_make_runnable(struct call *c)
{
    if (c->phase != CALL_BLOCKED)
        return;
    c->phase = CALL_RUNNABLE;
    list_add_tail(&c->run_link, &run_queue);
}

static void run_one(struct call *c)
{
    struct task *t = c->task;
    list_del(&c->run_link);
    if (t->trap.resume_queued) {
        t->trap.resume_queued = false;
        if (!t->stopped && !ptrace_stopped(t) && t->trap.parked && t->trap.hypercall_id && !t->trap.order) {
            task_get(t); // a fatal signal may be waiting
            hypercall_resume(t);
            task_put(t);
        }
        return;
    }
    if (c->phase != CALL_RUNNABLE)
        return;
    call_run(c);
}

void trap_run_queue(void)
{
    while (!kernel_paused() && !list_empty(&run_queue))
        run_one(list_first(&run_queue, struct call, run_link));
}

bool trap_queue_empty(void)
{
    return list_empty(&run_queue);
}

void task_interrupt(struct task *t)
{
    if (t->state != TASK_RUNNING)
        return;
    struct call *c = &t->call;
    if (c->phase == CALL_BLOCKED) {
        if (signal_pending(t) || t->stopped)
            call_make_runnable(c);
    } else if (c->phase == CALL_IDLE) {
        if (t->trap.parked)
            task_resume(t);
        else if (t->trap.stage == STAGE_GUEST)
            trap_kick(t);
    }
}

void task_resume(struct task *t)
{
    if (!t->trap.parked || t->trap.resume_queued)
        return;
    t->trap.resume_queued = true;
    list_add_tail(&t->call.run_link, &run_queue);
}

static void call_start(struct task *t, const struct trap_notif *n, bool trapped)
{
    struct call *c = &t->call;
    c->nr = n->nr;
    memcpy(c->args, n->args, sizeof(c->args));
    c->ip = n->ip;
    c->id = n->id;
    c->trapped = trapped;
    c->restarted = false;
    call_begin(c);
    if (!trapped)
        t->mask_known = false;
    if (trap_tracing)
        c->started_ns = mono_now_ns();
    call_run(c);
}

void call_trapped(struct task *t, const struct trap_notif *n)
{
    struct frame_regs regs = {.rip = t->trap.rip, .rax = t->trap.rax, .rsp = t->trap.rsp};
    if (traced_step_off(t, &regs) || (regs.dirty && frame_write_regs(t, &regs))) {
        violation(t, "its context is gone");
        return;
    }
    call_start(t, n, true);
}

// A thread that we do not know: a leftover of a process that is ending, or a forgery. Neither may go on.
static void unknown_thread(const struct trap_notif *n)
{
    log_debug("call %u from unknown thread %d: killed", n->nr, n->tid);
    kill_unknown(n->tid);
}

static void receive(struct task *t, const struct trap_notif *n)
{
    bool hypercall = n->nr >= STUB_HYPERCALL_BASE && n->nr <= STUB_HC_LAST;
    if (t && t->state == TASK_DEAD)
        return; // about to be killed by the host; no answer
    if (hypercall) {
        hypercall_entry(t, n);
    } else if (!t) {
        if (!zygote_call(n) && !doomed_call(n))
            unknown_thread(n);
    } else if (t->trap.stage == STAGE_STUB) {
        stub_native_call(t, n);
    } else if (!trap_killable && t->trap.kick_sent && !t->trap.hypercall_due) {
        // The kick that is on its way makes the host give up this call, which comes again after the hypercall.
        return;
    } else if (t->trap.hypercall_due) {
        violation(t, "a call where the kick was due");
    } else {
        if (t->call.phase == CALL_RUNNING) {
            violation(t, "a call inside a call");
            return;
        }
        if (t->call.phase != CALL_IDLE)
            call_abandon(
                &t->call); // the host gave up the earlier one: without killable receive a signal may do that
        call_start(t, n, false);
    }
}

void trap_receive(const struct trap_notif *n)
{
    struct task *t = host_tid_find(n->tid);
    if (t)
        task_get(t); // what it asks for may be its end
    receive(t, n);
    task_put(t);
    trap_run_queue();
}
