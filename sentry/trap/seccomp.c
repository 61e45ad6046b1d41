#include "sentry/trap/seccomp.h"
#include "sentry/core/log.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/seccomp/filter.h"
#include "sentry/signal/frame.h"
#include "sentry/trap/hypercall.h"
#include "abi/linux/seccomp.h"
#include "abi/linux/signal.h"
#include "seccomp_programs.h"
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

// In the area of the thread, between the operations and the alternate stack: the second host filter, and what names it.
#define PROGRAM_OFFSET 16384u
#define PROGRAM_MAX 1000u // instructions
#define ERRNO_MAX 4095u

// --- a thread ends alone: its stub makes the call ---

struct end_order {
    struct stub_order base;
    int wait_status;
};

static void end_start(struct stub_order *o)
{
    struct stub_op op = {.nr = SYS_exit};
    if (stub_do(o->task, &op, 1, -1, THEN_REPORT))
        violation(o->task, "its stub area is gone");
}

static bool end_native(struct stub_order *o, const struct trap_notif *n)
{
    if (n->nr != SYS_exit)
        return false;
    task_exit(o->task, container_of(o, struct end_order, base)->wait_status); // frees the order
    return true;
}

static void end_done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index, (void)result;
    violation(o->task, "it outlives its end");
}

static void end_drop(struct stub_order *o)
{
    task_put(o->task);
    free(container_of(o, struct end_order, base));
}

static const struct stub_order_ops end_ops = {
    .name = "end", .start = end_start, .done = end_done, .native = end_native, .drop = end_drop};

// do_exit() of one thread.
static int64_t end_thread(struct call *call, int wait_status)
{
    struct task *t = call->task;
    struct end_order *e = t->tg->nr_threads > 1 ? calloc(1, sizeof(*e)) : NULL;
    if (!e) {
        group_exit(t->tg, wait_status);
        return -LX_ENOREPLY;
    }
    e->base.ops = &end_ops;
    e->base.task = task_get(t);
    e->wait_status = wait_status;
    return order_begin(call, &e->base);
}

// --- decisions ---

static bool strict_allows(int32_t nr)
{
    return nr == SYS_read || nr == SYS_write || nr == SYS_exit || nr == SYS_rt_sigreturn;
}

static void send_sigsys(struct task *t, const struct lx_seccomp_data *d, uint32_t data)
{
    struct lx_siginfo info = {.signo = LX_SIGSYS, .err = (int32_t)data, .code = LX_SYS_SECCOMP};
    info.u.sys.call_addr = d->instruction_pointer;
    info.u.sys.nr = d->nr;
    info.u.sys.arch = d->arch;
    force_signal(t, &info);
}

static struct lx_seccomp_data filter_data(const struct call *call)
{
    struct lx_seccomp_data data = {
        .nr = (int32_t)call->nr, .arch = LX_AUDIT_ARCH_X86_64, .instruction_pointer = call->ip};
    memcpy(data.args, call->args, sizeof(data.args));
    return data;
}

static bool suspended(const struct task *t)
{
    return t->ptrace && t->ptrace->options & LX_PTRACE_O_SUSPEND_SECCOMP;
}

bool seccomp_traces(const struct call *call, uint32_t *data)
{
    const struct task *t = call->task;
    if (t->seccomp_mode != LX_SECCOMP_MODE_FILTER || suspended(t))
        return false;
    const struct lx_seccomp_data d = filter_data(call);
    bool logs;
    uint32_t r = seccomp_filter_run(t->seccomp, &d, &logs);
    *data = r & LX_SECCOMP_RET_DATA;
    return (r & LX_SECCOMP_RET_ACTION_FULL) == LX_SECCOMP_RET_TRACE;
}

// __seccomp_filter and __secure_computing_strict.
bool seccomp_allows(struct call *call, int64_t *result)
{
    struct task *t = call->task;
    if (suspended(t))
        return true;
    const struct lx_seccomp_data data = filter_data(call), *d = &data;
    if (t->seccomp_mode == LX_SECCOMP_MODE_STRICT) {
        if (strict_allows(d->nr))
            return true;
        *result = end_thread(call, LX_SIGKILL);
        return false;
    }
    bool logs;
    uint32_t r = seccomp_filter_run(t->seccomp, d, &logs), value = r & LX_SECCOMP_RET_DATA;
    switch (r & LX_SECCOMP_RET_ACTION_FULL) {
    case LX_SECCOMP_RET_LOG:
        log_debug("a filter of process %d logs call %d", t->tg->pid, d->nr);
        return true;
    case LX_SECCOMP_RET_ALLOW:
        return true;
    case LX_SECCOMP_RET_ERRNO:
        *result = -(int64_t)(value < ERRNO_MAX ? value : ERRNO_MAX);
        break;
    case LX_SECCOMP_RET_TRAP:
        send_sigsys(t, d, value);
        *result = d->nr; // the registers are as they were
        break;
    case LX_SECCOMP_RET_TRACE:
        if (t->ptrace && t->ptrace->seccomp_told) // its tracer lets it go on
            return true;
        *result = -LX_ENOSYS;
        break;
    case LX_SECCOMP_RET_USER_NOTIF: // nobody listens
        *result = -LX_ENOSYS;
        break;
    case LX_SECCOMP_RET_KILL_THREAD:
        if (t->tg->nr_threads > 1) {
            *result = end_thread(call, LX_SIGSYS);
            break;
        }
        // fall through
    default:
        signal_kill(t, LX_SIGSYS);
        *result = -LX_ENOREPLY;
    }
    if (logs)
        log_debug("a filter of process %d answered call %d with %#x", t->tg->pid, d->nr, r);
    return false;
}

// --- native calls that may wait ---

// Not inside the stub's handler, where no kick could interrupt it. The registers are the call's own.
void native_call_begin(struct call *c)
{
    struct task *t = c->task;
    struct frame_regs regs = {.rip = STUB_NATIVE_CALL, .rax = t->trap.rax, .rsp = t->trap.rsp};
    t->trap.native_ip = c->ip;
    if (frame_load(t, &regs) || frame_write_regs(t, &regs)) {
        violation(t, "its context is gone");
        return;
    }
    hypercall_reply_return(t);
    if (signal_work(t) || t->stopped)
        trap_kick(t);
}

int native_call_over(struct task *t, int *signo)
{
    struct trap_state *trap = &t->trap;
    struct frame_regs regs = {.rip = trap->native_ip, .rax = trap->rax, .rsp = trap->rsp};
    if (trap->rip == STUB_NATIVE_CALL)
        regs.rip -= 2;
    trap->rip = regs.rip;
    if (*signo == LX_SIGILL)
        *signo = 0;
    return frame_write_regs(t, &regs);
}

// --- installing ---

struct seccomp_order {
    struct stub_order base;
    int mode;
    struct seccomp_filter *filter; // referenced
    bool sync;
    bool only_trap;          // no filter of the guest's: for its tracer
    uint64_t flags, program; // what the stub's call must have
};

// seccomp_assign_mode and seccomp_sync_threads
static void commit(struct task *t, struct seccomp_order *s)
{
    list_for_each(other, &t->tg->threads, struct task, thread_link)
    {
        if (other != t && !s->sync)
            continue;
        struct seccomp_filter *old = other->seccomp;
        other->seccomp = seccomp_filter_get(s->filter);
        other->seccomp_mode = s->mode;
        other->trap.natives_trap = true;
        mask_recall(other);
        seccomp_filter_put(old);
        if (other == t || !t->cred->no_new_privs || other->cred->no_new_privs)
            continue;
        struct cred *c = cred_dup(other->cred);
        if (!c)
            continue;
        c->no_new_privs = true;
        task_set_cred(other, c);
    }
}

static void seccomp_start(struct stub_order *o)
{
    struct seccomp_order *s = container_of(o, struct seccomp_order, base);
    const struct seccomp_program *program =
        trap_natives_notified ? &filter_guest_second_trace : &filter_guest_second;
    _Static_assert(sizeof(struct lx_sock_filter) == sizeof(*program->code), "sock_filter");
    gaddr_t address = area_address(o->task->trap.area) + PROGRAM_OFFSET;
    struct lx_sock_fprog fprog = {.length = program->length, .filter = address + sizeof(fprog)};
    s->flags = s->sync ? LX_SECCOMP_FILTER_FLAG_TSYNC : 0;
    s->program = address;
    struct stub_op op = {.nr = SYS_seccomp, .args = {LX_SECCOMP_SET_MODE_FILTER, s->flags, s->program}};
    if (program->length > PROGRAM_MAX || task_copy_out(o->task, address, &fprog, sizeof(fprog)) ||
        task_copy_out(o->task, fprog.filter, program->code, program->length * sizeof(*program->code)) ||
        stub_do(o->task, &op, 1, -1, THEN_REPORT))
        violation(o->task, "its stub area is gone");
}

// Whatever becomes of the program in the guest's memory meanwhile: without a listener a filter can only forbid.
static bool seccomp_native(struct stub_order *o, const struct trap_notif *n)
{
    const struct seccomp_order *s = container_of(o, struct seccomp_order, base);
    return n->nr == SYS_seccomp && n->args[0] == LX_SECCOMP_SET_MODE_FILTER && n->args[1] == s->flags &&
           n->args[2] == s->program;
}

// Has a thread got a filter meanwhile that this one does not stand on?
static bool overtaken(const struct task *t, const struct seccomp_order *s)
{
    list_for_each(other, &t->tg->threads, struct task, thread_link)
    {
        if ((other == t || s->sync) && other->seccomp &&
            (!s->filter || !seccomp_filter_extends(s->filter, other->seccomp)))
            return true;
    }
    return false;
}

static void seccomp_done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index;
    struct task *t = o->task;
    struct seccomp_order *s = container_of(o, struct seccomp_order, base);
    if (s->only_trap) {
        t->trap.natives_trap = result == 0;
        if (result && t->ptrace)
            t->ptrace->natives_fail = true;
        order_end(t);
        hypercall_return(t);
        return;
    }
    t->trap.fixup_result = result == 0 ? 0 : -LX_ENOMEM;
    if (result)
        log_debug("the host takes no second filter: %ld", (long)result);
    else if (overtaken(t, s))
        t->trap.fixup_result = -LX_EAGAIN;
    else
        commit(t, s);
    order_end(t);
    hypercall_return(t);
}

static void seccomp_drop(struct stub_order *o)
{
    struct seccomp_order *s = container_of(o, struct seccomp_order, base);
    seccomp_filter_put(s->filter);
    task_put(o->task);
    free(s);
}

static const struct stub_order_ops seccomp_ops = {.name = "seccomp",
                                                  .start = seccomp_start,
                                                  .done = seccomp_done,
                                                  .native = seccomp_native,
                                                  .drop = seccomp_drop};

int trap_natives(struct task *t)
{
    struct seccomp_order *s = calloc(1, sizeof(*s));
    if (!s)
        return -LX_ENOMEM;
    s->base.ops = &seccomp_ops;
    s->base.task = task_get(t);
    s->only_trap = true;
    t->trap.order = &s->base;
    seccomp_start(&s->base);
    return 0;
}

static bool all_trap(const struct task *t, bool sync)
{
    if (!sync)
        return t->trap.natives_trap;
    list_for_each(other, &t->tg->threads, struct task,
                  thread_link) if (!other->trap.natives_trap) return false;
    return true;
}

int64_t trap_seccomp(struct call *call, int mode, struct seccomp_filter *filter, bool sync)
{
    struct task *t = call->task;
    struct seccomp_order *s = calloc(1, sizeof(*s));
    if (!s) {
        seccomp_filter_put(filter);
        return -LX_ENOMEM;
    }
    s->base.ops = &seccomp_ops;
    s->base.task = task_get(t);
    s->mode = mode;
    s->filter = filter;
    s->sync = sync;
    if (all_trap(t, sync)) {
        commit(t, s);
        seccomp_drop(&s->base);
        return 0;
    }
    return order_begin(call, &s->base);
}
