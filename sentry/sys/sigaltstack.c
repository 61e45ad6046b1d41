// sigaltstack(2).
#include "sentry/trap/trap.h"
#include "abi/linux/signal.h"
#include "syscall_handlers.h"

struct lx_stack {
    uint64_t sp;
    uint32_t flags, pad;
    uint64_t size;
};

static bool on_stack(const struct sigaltstack_state *s, gaddr_t sp)
{
    return sp && !(s->flags & LX_SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

static int64_t change(struct sigaltstack_state *s, const struct lx_stack *new, bool busy)
{
    uint32_t mode = new->flags & ~LX_SS_AUTODISARM;
    if (busy)
        return -LX_EPERM;
    if (mode != 0 && mode != LX_SS_ONSTACK && mode != LX_SS_DISABLE)
        return -LX_EINVAL;
    if (mode == LX_SS_DISABLE) {
        *s = (struct sigaltstack_state){.flags = new->flags};
        return 0;
    }
    if (new->size < LX_MINSIGSTKSZ)
        return -LX_ENOMEM;
    *s = (struct sigaltstack_state){new->sp, new->size, new->flags};
    return 0;
}

int64_t sys_sigaltstack(struct call *call)
{
    struct sigaltstack_state *s = &current->altstack;
    struct lx_stack new, old = {.sp = s->sp, .size = s->size};
    // Only a thread in the stub has a stack pointer that we know; elsewhere the use of the stack cannot be told.
    bool busy = on_stack(s, trap_guest_sp(current));
    old.flags = (s->size ? busy ? LX_SS_ONSTACK : 0 : LX_SS_DISABLE) | (s->flags & LX_SS_AUTODISARM);
    if (call->args[0]) {
        if (get_user(new, call->args[0]) != 0)
            return -LX_EFAULT;
        int64_t err = change(s, &new, busy);
        if (err)
            return err;
    }
    if (call->args[1] && put_user(old, call->args[1]) != 0)
        return -LX_EFAULT;
    return 0;
}
