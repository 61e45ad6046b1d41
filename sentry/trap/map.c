// Orders: mapping a file through a donated descriptor, and rt_sigreturn.
#include "sentry/mm/filemap.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/signal/frame.h"
#include "sentry/trap/hypercall.h"
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct map_order {
    struct stub_order base;
    struct file *file; // referenced: keeps the host descriptor open
    int fd;
    uint64_t args[6];
    bool own;              // a trapped call whose own registers say it all
    bool alone;            // no other thread of the process can use the donation number meanwhile
    uint32_t nr;           // SYS_mmap, or SYS_munmap of args[0] and args[1]
    struct map_then *then; // owned; NULL: nobody asks for the result
};

bool donation_take(struct task *t)
{
    if (t->tg->donation_owner && t->tg->donation_owner != t) {
        t->trap.waits_for_donation = true;
        return false;
    }
    t->tg->donation_owner = t;
    return true;
}

static void map_start(struct stub_order *o)
{
    struct map_order *m = container_of(o, struct map_order, base);
    struct task *t = o->task;
    struct stub_op ops[2] = {
        {.nr = m->nr, .flags = STUB_OP_RESULT | STUB_OP_MAY_FAIL},
        {.nr = SYS_close, .flags = STUB_OP_MAY_FAIL, .args = {STUB_DONATION_FD}},
    };
    memcpy(ops[0].args, m->args, sizeof(m->args));
    bool donate = m->file;
    if (donate)
        ops[0].args[4] = STUB_DONATION_FD;
    if (donate && !m->alone && !donation_take(t))
        return; // goes on in donation_release()
    if (m->own && m->alone ? stub_map(t, m->fd)
                           : stub_do(t, ops, donate ? 2 : 1, m->fd, m->alone ? THEN_RETURN : THEN_REPORT)) {
        violation(t, "it takes no descriptor");
        return;
    }
    if (donate)
        filemap_add(t->mm, m->fd, m->file);
    if (!m->alone)
        return;
    order_end(t);
    t->trap.fixup = false; // the stub puts the result where it belongs
    if (signal_work(t) || t->stopped)
        trap_kick(t);
}

void donation_release(struct task *t)
{
    struct thread_group *tg = t->tg;
    if (tg->donation_owner != t)
        return;
    tg->donation_owner = NULL;
    list_for_each(other, &tg->threads, struct task, thread_link)
    {
        if (other->trap.waits_for_donation && other->trap.order) {
            other->trap.waits_for_donation = false;
            other->trap.order->ops->start(other->trap.order);
            if (tg->donation_owner)
                return;
        }
    }
}

// The result of the mmap is in the context, where the owner of `then` may put another one.
static bool tell_result(struct task *t, struct map_order *m)
{
    gaddr_t at = t->trap.ucontext + FRAME_RAX_OFFSET;
    int64_t result;
    if (task_copy_in(t, &result, at, sizeof(result)))
        return false;
    struct map_then *then = m->then;
    m->then = NULL;
    int64_t now = then->done(then, t, result);
    return now == result || task_copy_out(t, at, &now, sizeof(now)) == 0;
}

static void map_done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index, (void)result;
    struct map_order *m = container_of(o, struct map_order, base);
    struct task *t = o->task;
    if (m->then && !tell_result(t, m)) {
        violation(t, "its context is gone");
        return;
    }
    order_end(t);
    donation_release(t);
    hypercall_return_after_ops(t);
}

static void map_drop(struct stub_order *o)
{
    struct map_order *m = container_of(o, struct map_order, base);
    if (m->file)
        file_put(m->file);
    if (m->then)
        m->then->drop(m->then);
    task_put(o->task);
    free(m);
}

static const struct stub_order_ops map_ops = {
    .name = "mmap", .start = map_start, .done = map_done, .drop = map_drop};

static int64_t begin(struct call *call, uint32_t nr, struct file *file, int fd, const uint64_t args[6],
                     struct map_then *then)
{
    struct map_order *m = calloc(1, sizeof(*m));
    if (!m) {
        if (then)
            then->drop(then);
        return -LX_ENOMEM;
    }
    m->base.ops = &map_ops;
    m->base.task = task_get(call->task);
    m->file = file ? file_get(file) : NULL;
    m->fd = fd;
    m->nr = nr;
    m->then = then;
    // The trace wants the result, and so do a tracer and whoever gave `then`.
    m->alone = (!file || call->task->tg->nr_threads == 1) && !trap_tracing && !call->task->ptrace && !then;
    memcpy(m->args, args, sizeof(m->args));
    uint64_t said[6];
    memcpy(said, args, sizeof(said));
    said[4] = call->args[4];
    m->own = call->trapped && call->nr == SYS_mmap && nr == SYS_mmap && file &&
             memcmp(said, call->args, sizeof(said)) == 0;
    return order_begin(call, &m->base);
}

int64_t trap_map(struct call *call, struct file *file, int fd, uint64_t addr, uint64_t len, int prot,
                 int flags, uint64_t offset)
{
    const uint64_t args[6] = {addr, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd, offset};
    return begin(call, SYS_mmap, file, fd, args, NULL);
}

int64_t trap_map_then(struct call *call, struct file *file, int fd, uint64_t addr, uint64_t len, int prot,
                      int flags, struct map_then *then)
{
    const uint64_t args[6] = {addr, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd, 0};
    return begin(call, SYS_mmap, file, fd, args, then);
}

int64_t trap_unmap(struct call *call, uint64_t addr, uint64_t len)
{
    const uint64_t args[6] = {addr, len};
    return begin(call, SYS_munmap, NULL, -1, args, NULL);
}

int64_t trap_sigreturn(struct call *call)
{
    struct task *t = call->task;
    t->trap.sigreturn = true;
    if (t->ptrace)
        t->ptrace->call_over = true;
    if (call->trapped) {
        call->id = 0;
        hypercall_return(t);
        return -LX_ENOREPLY;
    }
    trap_kick(t);
    if (!t->trap.kick_sent)
        return -LX_ENOREPLY;
    t->trap.fixup = false;
    t->trap.hypercall_due = true;
    uint64_t id = call->id;
    call->id = 0;
    (void)listener_reply(id, 0);
    return -LX_ENOREPLY;
}
