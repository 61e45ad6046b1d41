// exit(2) and exit_group(2): the host ends the thread, after the last question about it (kernel/exit.c).
#include "sentry/fs/proc/proc.h"
#include "sentry/sys/process.h"
#include "syscall_handlers.h"

// The host knows the peak of a process only while it lives, and asking costs more than an exit: it is asked for a parent that
// wants to know. May drop the kernel lock.
static void note_peak(void)
{
    struct thread_group *tg = current->tg;
    if (!tg->parent || !tg->parent->usage_asked)
        return;
    uint64_t peak = proc_host_peak(current);
    if (peak > tg->maxrss)
        tg->maxrss = peak;
}

int64_t sys_exit(struct call *call)
{
    if (current->tg->nr_threads == 1)
        note_peak();
    task_exit(current, (arg_int(call, 0) & 0xff) << 8);
    return CALL_CONTINUE;
}

int64_t sys_exit_group(struct call *call)
{
    note_peak();
    group_exit_native(current->tg, (arg_int(call, 0) & 0xff) << 8);
    return CALL_CONTINUE;
}
