// A migration between control groups waits for a grace period of the host's RCU (cgroup_threadgroup_rwsem), unless another one has
// just done so.
#include "sentry/oci/cgroup_internal.h"
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void move_to_own_group(void)
{
    struct oci_cgroup own;
    struct oci_error unused;
    if (oci_cgroup_resolve("here", "here", OCI_CGROUP_REQUIRED, &own, &unused) || own.count == 0)
        return;
    char *path = own.dirs[0].path;
    *strrchr(path, '/') = 0;
    (void)cgroup_write(path, "cgroup.procs", "0");
}

pid_t oci_cgroup_announce(void)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    move_to_own_group();
    _exit(0);
}

void oci_cgroup_announced(pid_t child)
{
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}
