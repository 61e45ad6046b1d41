// Where a thread's signal mask is. rt_sigprocmask(2) is by far the most frequent call about signals, so the thread's stub answers
// it from a word of its own area (abi/stub/layout.h), and the Sentry is told of the mask with each hypercall.
//
// That goes on only while nothing depends on the mask's next change: no signal is pending for the thread or its process, it has no
// filter of the guest's and no tracer. Otherwise the mask comes home, and the thread's calls reach the Sentry again: a thread in
// guest code is kicked, one in a call is kicked at the end of it, and whoever leaves the stub leaves without the word's flag.
#include "sentry/signal/queue.h"
#include "sentry/trap/hypercall.h"
#include <stddef.h>

#define MASK_AT(t) (area_address((t)->trap.area) + offsetof(struct stub_area, mask))

static bool in_guest(const struct task *t)
{
    return t->trap.stage == STAGE_GUEST && !t->trap.hypercall_id;
}

sigset64 task_blocked(struct task *t)
{
    uint64_t word;
    bool known = t->mask_known && t->call.phase != CALL_IDLE;
    if (t->mask_local && (t->mask_untold || (!known && in_guest(t))) && !t->mm_gone &&
        task_copy_in(t, &word, MASK_AT(t), sizeof(word)) == 0) {
        t->blocked = word & ~UNBLOCKABLE_SIGNALS;
        t->mask_known = true;
        t->mask_untold = false;
    }
    return t->blocked;
}

void mask_told(struct task *t, uint64_t word)
{
    t->mask_known = t->mask_untold = false;
    if (t->mask_local)
        t->blocked = word & ~UNBLOCKABLE_SIGNALS;
}

static void write_word(struct task *t)
{
    uint64_t word = t->blocked | (t->mask_local ? STUB_MASK_LOCAL : 0);
    t->mask_changed = false;
    if (task_copy_out(t, MASK_AT(t), &word, sizeof(word)))
        return; // a guest without the area has no stub left: the next thing that needs it ends the process
}

void mask_not_told(struct task *t)
{
    t->mask_known = false;
    t->mask_untold = t->mask_local;
}

void mask_set(struct task *t, sigset64 mask)
{
    t->blocked = mask;
    t->mask_untold = false;
    if (!t->mask_local)
        return;
    t->mask_known = true;
    if (in_guest(t))
        write_word(t);
    else
        t->mask_changed = true; // written on the way out of the stub
}

bool mask_must_come_home(const struct task *t)
{
    return t->mask_local && (signals_pending_in(t, ~0ull) || t->seccomp_mode || t->ptrace);
}

void mask_keep_in_stub(struct task *t)
{
    if (t->mask_local || t->restore_mask)
        return;
    t->mask_local = t->mask_changed = true;
}

void mask_leave_stub(struct task *t)
{
    if (mask_must_come_home(t)) {
        (void)task_blocked(t); // while it is still in the stub
        t->mask_local = false;
        t->mask_changed = true;
        // A signal for the process that this thread turns out to block may be for another one.
        retarget_shared(t->tg, t, t->blocked);
    }
    if (t->mask_changed)
        write_word(t);
}

void mask_recall(struct task *t)
{
    if (mask_must_come_home(t) && in_guest(t) && t->call.phase == CALL_IDLE && t->state == TASK_RUNNING)
        task_interrupt(t);
}
