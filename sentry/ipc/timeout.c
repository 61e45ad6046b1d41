#include "sentry/ipc/timeout.h"
#include "abi/linux/errno.h"
#include "abi/linux/time.h"
#include "sentry/core/timer.h"
#include "sentry/ipc/poll.h"
#include "sentry/task/task.h"

int timeout_begin(struct timeout_state *t, enum timeout_form form, gaddr_t user)
{
    t->deadline = KTIMER_NEVER;
    t->user = user;
    t->form = form;
    if (!user)
        return 0;
    struct lx_timespec ts; // a timeval has the same shape
    if (copy_in(&ts, user, sizeof(ts)))
        return -LX_EFAULT;
    if (form == TIMEOUT_TIMEVAL) {
        int64_t sec = ts.nsec / 1000000, usec = ts.nsec % 1000000;
        if (__builtin_add_overflow(ts.sec, sec, &ts.sec))
            return -LX_EINVAL;
        ts.nsec = usec * 1000;
    }
    int64_t ns = timespec_ns(&ts);
    if (ns < 0)
        return -LX_EINVAL;
    t->deadline = ns ? deadline_after((uint64_t)ns) : 0;
    return 0;
}

static void write_left(const struct timeout_state *t)
{
    if (!t->user || t->deadline == 0)
        return;
    uint64_t now = mono_now_ns(), left = t->deadline > now ? t->deadline - now : 0;
    struct lx_timespec ts = {(int64_t)(left / LX_NSEC_PER_SEC), (int64_t)(left % LX_NSEC_PER_SEC)};
    if (t->form == TIMEOUT_TIMEVAL)
        ts.nsec /= 1000;
    // Read-only memory is not an error (poll_select_finish).
    (void)!copy_out(t->user, &ts, sizeof(ts));
}

static void write_left_at_end(struct call *c)
{
    write_left(call_state(c, struct timeout_state));
}

int64_t timeout_end(struct timeout_state *t, int64_t ret)
{
    struct call *c = &current->call;
    c->release = NULL;
    if (ret == -LX_EBLOCKED) {
        if (t->user)
            c->release = write_left_at_end;
    } else {
        write_left(t);
    }
    return ret;
}

int temporary_mask(gaddr_t set, uint64_t size)
{
    if (!set)
        return 0;
    sigset64 mask;
    if (size != sizeof(mask))
        return -LX_EINVAL;
    if (copy_in(&mask, set, sizeof(mask)))
        return -LX_EFAULT;
    set_temporary_mask(current, mask);
    return 0;
}
