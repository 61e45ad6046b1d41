#include "sentry/oci/container_hooks.h"
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

// A mount of its own, as every runtime makes the root: what is mounted below it concerns nobody else.
static int enter_mount_namespace(const char *rootfs)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0 ||
        mount(NULL, rootfs, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    return 0;
}

static int enter_others(void *context)
{
    (void)context;
    return unshare(CLONE_NEWUTS | CLONE_NEWIPC) < 0 ? -errno : 0;
}

int container_hooks_run(const struct oci_config *config, const struct oci_state *state, const char *rootfs,
                        struct oci_error *error)
{
    const struct oci_hooks *hooks = &config->hooks[OCI_HOOK_CREATE_CONTAINER];
    if (hooks->count == 0)
        return 0;
    struct oci_hook_run run = {.state = state, .directory = rootfs};
    if (geteuid() == 0) {
        int failed = enter_mount_namespace(rootfs);
        if (failed)
            return oci_fail_errno(error, -failed,
                                  "cannot make a mount namespace for the createContainer hooks");
        run.enter = enter_others;
    }
    return oci_hooks_run(hooks, OCI_HOOK_CREATE_CONTAINER, &run, error);
}
