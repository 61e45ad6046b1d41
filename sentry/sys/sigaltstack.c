// sigaltstack(2). Whether the thread is on its alternate stack depends on its stack pointer, which a notification does not
// show. So once a handler has entered that stack, the thread is asked for it: a kick, and the call ends in the hypercall.
#include "sentry/trap/hypercall.h"
#include "abi/linux/signal.h"
#include "syscall_handlers.h"
#include <stdlib.h>

struct lx_stack {
    uint64_t sp;
    uint32_t flags, pad;
    uint64_t size;
};

struct altstack_order {
    struct stub_order base;
    gaddr_t new, old;
};

static bool on_stack(const struct sigaltstack_state *s, gaddr_t sp)
{
    return !(s->flags & LX_SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

static int64_t change(struct task *t, const struct lx_stack *new)
{
    struct sigaltstack_state *s = &t->altstack;
    uint32_t mode = new->flags & ~LX_SS_AUTODISARM;
    if (mode != 0 && mode != LX_SS_ONSTACK && mode != LX_SS_DISABLE)
        return -LX_EINVAL;
    if (mode != LX_SS_DISABLE && new->size < LX_MINSIGSTKSZ)
        return -LX_ENOMEM;
    *s = (struct sigaltstack_state){.flags = new->flags};
    if (mode != LX_SS_DISABLE)
        *s = (struct sigaltstack_state){new->sp, new->size, new->flags};
    t->altstack_entered = false;
    return 0;
}

// The call itself; `busy`: the thread is on the stack.
static int64_t sigaltstack(struct task *t, gaddr_t new_addr, gaddr_t old_addr, bool busy)
{
    const struct sigaltstack_state *s = &t->altstack;
    struct lx_stack new, old = {.sp = s->sp, .size = s->size};
    old.flags = (!s->size ? LX_SS_DISABLE : busy ? LX_SS_ONSTACK : 0) | (s->flags & LX_SS_AUTODISARM);
    if (new_addr) {
        if (task_copy_in(t, &new, new_addr, sizeof(new)) != 0)
            return -LX_EFAULT;
        int64_t err = busy ? -LX_EPERM : change(t, &new);
        if (err)
            return err;
    }
    return old_addr && task_copy_out(t, old_addr, &old, sizeof(old)) != 0 ? -LX_EFAULT : 0;
}

static void start(struct stub_order *o)
{
    struct altstack_order *a = container_of(o, struct altstack_order, base);
    struct task *t = task_get(o->task);
    t->trap.fixup = true;
    t->trap.fixup_result = sigaltstack(t, a->new, a->old, on_stack(&t->altstack, t->trap.rsp));
    trap_trace_result(t, t->trap.fixup_result);
    order_end(t);
    hypercall_return(t);
    task_put(t);
}

static void done(struct stub_order *o, uint32_t index, int64_t result)
{
    (void)index;
    (void)result;
    violation(o->task, "operations that were not ordered");
}

static void drop(struct stub_order *o)
{
    task_put(o->task);
    free(container_of(o, struct altstack_order, base));
}

static const struct stub_order_ops altstack_ops = {
    .name = "sigaltstack", .start = start, .done = done, .drop = drop};

int64_t sys_sigaltstack(struct call *call)
{
    struct task *t = call->task;
    if (!t->altstack.size || !t->altstack_entered)
        return sigaltstack(t, call->args[0], call->args[1], false);
    struct altstack_order *a = malloc(sizeof(*a));
    if (!a)
        return -LX_ENOMEM;
    *a = (struct altstack_order){
        .base = {&altstack_ops, task_get(t)}, .new = call->args[0], .old = call->args[1]};
    return order_begin(call, &a->base);
}
