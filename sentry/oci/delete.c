// delete, and what it does.
#include "sentry/oci/command.h"
#include "sentry/oci/delete_container.h"
#include "sentry/oci/hooks.h"
#include "sentry/oci/report.h"
#include "sentry/oci/start_container.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_MS 10000

static void warn(void *context, const char *text)
{
    (void)context;
    report_warning(text);
}

// Kills a process and waits for its end. True when it has ended.
static bool kill_process(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int n;
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    do {
        n = poll(&end, 1, END_MS);
    } while (n < 0 && errno == EINTR);
    close(pidfd);
    return n > 0;
}

#define CHILDREN_MAX 8 // kernel process, Gofers

// The monitor's children die with it, and the guests with the kernel process, whose end is later than theirs.
static int kill_monitor(const struct container *c, struct oci_error *error)
{
    int children[CHILDREN_MAX], fd = container_pidfd(c);
    if (fd < 0)
        return 0;
    unsigned count = container_children(c, children, CHILDREN_MAX);
    bool ended = kill_process(fd);
    for (unsigned i = 0; i < count; i++)
        ended = kill_process(children[i]) && ended;
    return ended ? 0 : oci_fail(error, ETIMEDOUT, "the container's monitor (%d) does not end", (int)c->pid);
}

int container_delete(struct container *c, const struct oci_config *config, struct oci_error *error)
{
    struct oci_state state;
    int failed = kill_monitor(c, error);
    if (!failed && c->cgroup.layout != OCI_CGROUP_NONE) {
        if (!c->cgroup_shared)
            (void)oci_cgroup_kill(&c->cgroup, SIGKILL, NULL);
        failed = oci_cgroup_delete(&c->cgroup, error);
        if (c->cgroup_shared)
            failed = 0; // it ends with the last of those
    }
    if (!failed)
        failed = container_remove(NULL, c, error);
    if (failed || !config)
        return failed;
    container_state(c, CONTAINER_STOPPED, &state);
    const struct oci_hook_run run = {.state = &state, .warn = warn};
    return oci_hooks_run(&config->hooks[OCI_HOOK_POSTSTOP], OCI_HOOK_POSTSTOP, &run, error);
}

static int delete_locked(struct container *c, bool force, struct oci_error *error)
{
    enum container_status status = container_status_now(c);
    if (!force && status != CONTAINER_STOPPED && status != CONTAINER_CREATED && c->pid)
        return oci_fail(error, EBUSY, "cannot delete container %s that is not stopped: %s", c->id,
                        container_status_name(status));
    struct oci_config config;
    bool readable = c->status >= CONTAINER_CREATED && container_config(c, &config, NULL) == 0;
    return container_delete(c, readable ? &config : NULL, error);
}

int oci_delete(const struct oci_globals *globals, int argc, char **argv)
{
    bool force = false;
    struct oci_error error = {""};
    struct container c;
    char root[PATH_MAX];
    const struct oci_option options[] = {
        {"force", 'f', OCI_FLAG, &force, NULL,
         "also one that runs, which is killed first; no error where there is none"},
        OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, 1, "delete", &error) ||
        container_root(globals->root, root, sizeof(root), &error))
        return oci_fail_command(&error);
    // A command that hangs with the lock must not keep a container alive: its process goes first.
    if (force && container_open(root, argv[1 + used], false, &c, &error) == 0) {
        (void)kill_monitor(&c, &error);
        container_close(&c);
    }
    int failed = container_open(root, argv[1 + used], true, &c, &error);
    if (failed == -ENOENT && force)
        return 0; // engines ask twice
    if (!failed)
        failed = delete_locked(&c, force, &error);
    return failed ? oci_fail_command(&error) : 0;
}
