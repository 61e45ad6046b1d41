// Pause: the host stops every guest process, and nothing is received or run until it goes on.
//
// The stop does not show: a guest thread that waits for our answer waits on (its wait is killable only), one that computes or
// sleeps natively goes on where it was, and guests have no host parent that would be told. A call that a worker receives in
// the last moment is kept and handled afterwards.
#include "sentry/trap/pause.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/task/task.h"
#include "sentry/trap/hypercall.h"
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static void signal_all(int sig)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link) if (tg->host_pidfd >= 0 && !tg->dead)(void)
        syscall(SYS_pidfd_send_signal, tg->host_pidfd, sig, NULL, 0);
}

int pause_begin(void)
{
    if (kernel_paused())
        return -LX_EBUSY;
    if (!trap_killable)
        return -LX_EOPNOTSUPP;
    kernel_pause(true);
    event_hold_timers(true);
    signal_all(SIGSTOP);
    return 0;
}

int pause_end(void)
{
    if (!kernel_paused())
        return -LX_EINVAL;
    signal_all(SIGCONT);
    event_hold_timers(false);
    kernel_pause(false);
    return 0;
}

bool pause_is_on(void)
{
    return kernel_paused();
}
