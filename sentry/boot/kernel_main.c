// The kernel process from lock-down to the end of the first process.
#include "abi/linux/errno.h"
#include "sentry/boot/client.h"
#include "sentry/boot/config.h"
#include "sentry/boot/control.h"
#include "sentry/boot/control_kernel.h"
#include "sentry/boot/launch.h"
#include "sentry/boot/mounts.h"
#include "sentry/boot/partners.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/exec/exec.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/hostfile/hostfile.h"
#include "sentry/mm/proc_mem.h"
#include "sentry/mm/process_vm.h"
#include "sentry/task/task.h"
#include "sentry/task/uts.h"
#include "sentry/trap/trap.h"
#include "sentry/vfs/vfs.h"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The first process has ended: the answer to the monitor is the last thing we do.
static void init_exited(int wait_status)
{
    control_finish(CONTROL_EXIT, wait_status, "");
}

static _Noreturn void cannot_start(const char *what, int err)
{
    kernel_fatal("%s: %s", what, strerror(-err));
}

static struct {
    const struct sentry_config *config;
    struct task *task;    // referenced until it is launched
    struct tty *terminal; // among its standard streams; a reference
    struct task *held;    // it waits before its program; a reference, never given back
} first;                  // kernel lock

static void prepare_first(struct sentry_config *config, const struct boot_fds *fds)
{
    int err = 0;
    struct launch_plan plan = {.config = config,
                               .streams = {.fd = {fds->stdio[0], fds->stdio[1], fds->stdio[2]},
                                           .uid = config->uid,
                                           .gid = config->gid}};
    stdio_find_same(&plan.streams);
    plan.fs = boot_mounts(config, &err);
    if (!plan.fs)
        cannot_start("mounting the guest's root", err);
    if (clients_init(config, plan.fs))
        cannot_start("preparing for clients", -LX_ENOMEM);
    err = launch_init(config);
    if (err)
        cannot_start("taking the seccomp profile", err);
    err = launch_prepare(&plan, &first.task, &first.terminal);
    if (err)
        cannot_start("making the first task", err);
    first.config = config;
}

static int start_first(void)
{
    struct exec_image *image;
    struct task *t = first.held ? first.held : first.task;
    if (first.held && first.task)
        return -LX_EBUSY; // it has not registered
    int err = launch_find(first.config, t, &image);
    if (err)
        control_finish(CONTROL_FAILED, -err, first.config->argv[0]);
    if (first.held) {
        trap_begin_launched(t, image);
        return 0;
    }
    err = trap_launch(t, image);
    if (err)
        cannot_start("starting the first process", err);
    return 0;
}

// It gets its number, and no program yet: what else is launched comes after it and is ended with it.
static int hold_first(void)
{
    if (first.held) {
        if (!first.task)
            client_held();
        return 0;
    }
    int err = trap_launch(first.task, NULL);
    if (!err)
        first.held = task_get(first.task);
    return err;
}

static int give_first(int fd)
{
    static unsigned given;
    struct task *t = first.held ? first.held : first.task;
    return launch_give(t, fd, given++);
}

// A container's program is looked for before its engine is told that the container is there, and again when it starts.
static void check_first(void)
{
    struct exec_image *image;
    int err = launch_find(first.config, first.task, &image);
    if (err)
        control_finish(CONTROL_FAILED, -err, first.config->argv[0]);
    exec_image_free(image);
    static const struct control_first actions = {start_first, hold_first, give_first};
    control_ready(&actions);
}

static void launched(struct task *t, int err)
{
    if (t != first.task) {
        client_launched(t, err);
        return;
    }
    init_has_shell = !first.config->container && first.terminal;
    stdio_control_terminal(t->tg, first.terminal);
    control_terminal(first.terminal);
    first.task = NULL;
    if (first.held)
        client_held();
}

static void *no_work(void *arg)
{
    return arg;
}

// The C library installs handlers of its own with the first thread, which the filter would refuse.
static int prime_threads(void)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, no_work, NULL);
    return r ? -r : -pthread_join(thread, NULL);
}

_Noreturn void kernel_main(struct sentry_config *config, const struct boot_fds *fds, void (*lock_down)(void))
{
    // One arena: almost everything runs under the kernel lock, and choosing a number of arenas would read /sys.
    mallopt(M_ARENA_MAX, 1);
    log_open(fds->log, (enum log_level)config->log_level);
    proc_mem_open = proc_host_open;
    int err = config->disabled_features & FEATURE_PROCESS_VM ? 0 : process_vm_check();
    if (err)
        cannot_start(
            "guest memory cannot be read: process_vm_readv(2) and process_vm_writev(2) must be allowed, or "
            "--disable-feature process-vm given",
            err);
    err = event_init();
    if (!err)
        err = trap_init(config, fds);
    if (!err)
        err = filesystems_init(config, fds);
    if (!err)
        err = prime_threads();
    if (err)
        cannot_start("initialising", err);
    init_exit_hook = init_exited;
    launched_exit_hook = client_process_ended;
    launch_hook = launched;
    init_is_protected = config->container;
    init_stop_hook = control_stopped;
    if (!config->container) // whose terminal is nobody's but its own
        host_tty_ask_hook = control_may_read;
    event_batch_hook = kernel_run_woken;
    kernel_lock();
    control_init(fds->control);
    err = partners_watch(fds);
    if (err)
        cannot_start("watching the zygote", err);
    uts_init(config);
    prepare_first(config, fds);
    lock_down(); // what follows reads the guest's files
    if (config->container && !config->begins) {
        check_first();
    } else {
        (void)start_first();
        if (config->container)
            control_ready(NULL);
    }
    kernel_unlock();
    err = kernel_workers_start();
    if (err)
        cannot_start("starting workers", err);
    event_loop();
    kernel_fatal("the event loop has ended");
}
