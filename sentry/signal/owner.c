#include "sentry/signal/owner.h"
#include "abi/linux/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/file.h"

// sigio_perm of Linux, without a list of capabilities: user 0 may.
static bool permitted(const struct file *f, const struct task *t)
{
    return f->owner_uid == 0 || f->owner_uid == t->cred->uid || f->owner_uid == t->cred->suid;
}

static void tell(const struct file *f, struct thread_group *tg)
{
    struct lx_siginfo info = {.signo = LX_SIGURG, .code = LX_SI_KERNEL};
    if (tg->leader && permitted(f, tg->leader))
        (void)send_signal_group(tg, LX_SIGURG, &info);
}

void signal_owner_urgent(const struct file *f)
{
    if (f->owner > 0) {
        struct thread_group *tg = find_group(f->owner);
        struct task *t = tg ? tg->leader : find_task(f->owner);
        if (t)
            tell(f, t->tg);
        return;
    }
    if (f->owner == 0)
        return;
    struct process_group *p = find_pgrp(-f->owner);
    if (p)
        list_for_each(tg, &p->members, struct thread_group, pgrp_link) tell(f, tg);
}
