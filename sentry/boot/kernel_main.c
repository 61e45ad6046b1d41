// The kernel process from lock-down to the end of the first process.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/boot/config.h"
#include "sentry/boot/control.h"
#include "sentry/boot/control_kernel.h"
#include "sentry/boot/mounts.h"
#include "sentry/boot/partners.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/exec/exec.h"
#include "sentry/fs/hostfile/hostfile.h"
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

static const char *environment(char *const *envp, const char *name)
{
    size_t n = strlen(name);
    for (; *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

// Finds the program as execvp(3) does.
static int find_program(const struct sentry_config *config, struct exec_image **out)
{
    const char *name = config->argv[0];
    if (strchr(name, '/'))
        return exec_prepare(LX_AT_FDCWD, name, LOOKUP_FOLLOW, config->argv, config->envp, out);
    const char *path = environment(config->envp, "PATH");
    if (!path)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int err = -LX_ENOENT;
    if (!*name)
        return err;
    for (;;) {
        char full[VFS_PATH_MAX];
        int n = (int)strcspn(path, ":");
        int len = snprintf(full, sizeof(full), "%.*s%s%s", n, path, n ? "/" : "./", name);
        if (len > 0 && (size_t)len < sizeof(full)) {
            int r = exec_prepare(LX_AT_FDCWD, full, LOOKUP_FOLLOW, config->argv, config->envp, out);
            if (r != -LX_ENOENT && r != -LX_ENOTDIR && r != -LX_EACCES)
                return r;
            if (r == -LX_EACCES)
                err = r;
        }
        if (!path[n])
            return err;
        path += n + 1;
    }
}

static struct task *first_task(const struct sentry_config *config, const struct boot_fds *fds)
{
    int err;
    struct task *t = task_create(config, &err);
    if (!t)
        cannot_start("making the first task", err);
    t->fs = boot_mounts(config, &err);
    if (!t->fs)
        cannot_start("mounting the guest's root", err);
    current = t;
    struct path cwd;
    err = path_lookup(LX_AT_FDCWD, config->cwd ? config->cwd : "/", LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &cwd);
    if (err)
        cannot_start("entering the working directory", err);
    path_put(&t->fs->pwd);
    t->fs->pwd = cwd;
    err = stdio_install(fds, config, t->files);
    if (err)
        cannot_start("taking over the standard streams", err);
    current = NULL;
    return t;
}

static void start_first(const struct sentry_config *config, struct task *t)
{
    struct exec_image *image;
    current = t;
    int err = find_program(config, &image);
    current = NULL;
    if (err)
        control_finish(CONTROL_FAILED, -err, config->argv[0]);
    err = trap_launch(t, image);
    if (err)
        cannot_start("starting the first process", err);
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

_Noreturn void kernel_main(const struct sentry_config *config, const struct boot_fds *fds,
                           void (*lock_down)(void))
{
    // One arena: almost everything runs under the kernel lock, and choosing a number of arenas would read /sys.
    mallopt(M_ARENA_MAX, 1);
    log_open(fds->log, (enum log_level)config->log_level);
    int err = event_init();
    if (!err)
        err = trap_init(config, fds);
    if (!err)
        err = filesystems_init(config, fds);
    if (!err)
        err = prime_threads();
    if (err)
        cannot_start("initialising", err);
    init_exit_hook = init_exited;
    init_stop_hook = control_stopped;
    event_batch_hook = kernel_run_woken;
    kernel_lock();
    control_init(fds->control);
    err = partners_watch(fds);
    if (err)
        cannot_start("watching the zygote", err);
    uts_init(config);
    struct task *first = first_task(config, fds);
    lock_down(); // what follows reads the guest's files
    start_first(config, first);
    kernel_unlock();
    err = kernel_workers_start();
    if (err)
        cannot_start("starting workers", err);
    event_loop();
    kernel_fatal("the event loop has ended");
}
