#include "sentry/boot/config.h"
#include "sentry/exec/exec.h"
#include "sentry/mm/proc_mem.h"
#include "sentry/mm/process_vm.h"
#include "sentry/trap/hypercall.h"
#include "sentry/trap/numbers.h"
#include "sentry/trap/stats.h"
#include "sentry/trap/watchdog.h"

int trap_init(const struct sentry_config *config, const struct boot_fds *fds)
{
    proc_mem_no_query = config->disabled_features & FEATURE_PROCMAP_QUERY;
    uaccess_ops = config->disabled_features & FEATURE_PROCESS_VM ? &proc_mem_ops : &process_vm_ops;
    trap_tracing = config->strace;
    trap_natives_notified = config->strace || (config->seccomp.length && !config->seccomp.native_rows);
    trap_killable = !(config->disabled_features & FEATURE_WAIT_KILLABLE);
    numbers_init(fds->zygote_pidfd, !(config->disabled_features & FEATURE_NS_PID));
    exec_init(fds->stub_image);
    clone_init();
    listener_nested = config->nested;
    watchdog_init();
    trace_init(fds->strace);
    stats_init(fds->stats);
    return listener_init(fds->listener, !(config->disabled_features & FEATURE_SYNC_WAKE_UP));
}
