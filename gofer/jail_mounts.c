// Exports as mounts without a place in the tree, and the empty root.
#include "gofer/jail.h"
#include "abi/mutate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what, const char *on)
{
    int error = errno;
    fprintf(stderr, "gofer: %s %s: %s\n", what, on, strerror(error));
    return -error;
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int jail_close_others(const int *keep, unsigned int count)
{
    int fds[GOFER_EXPORTS_MAX + 8];
    unsigned int used = 0;
    if (count > GOFER_EXPORTS_MAX + 4)
        return -EINVAL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 && errno != ENOENT && errno != EACCES)
        return fail("cannot open", "/dev/null");
    for (int fd = 0; fd < 2; fd++) {
        if (null < 0) // started in an empty root, or under Landlock
            close(fd);
        else if (dup2(null, fd) < 0)
            return fail("cannot replace", "standard input and output");
    }
    for (unsigned int i = 0; i < count; i++) {
        if (keep[i] > 2)
            fds[used++] = keep[i];
    }
    qsort(fds, used, sizeof(fds[0]), compare_fds);
    unsigned int next = 3;
    for (unsigned int i = 0; i < used; i++) {
        if ((unsigned int)fds[i] > next && close_range(next, (unsigned int)fds[i] - 1, 0) < 0)
            return fail("cannot close", "inherited descriptors");
        if ((unsigned int)fds[i] >= next)
            next = (unsigned int)fds[i] + 1;
        // Nothing is executed any more; a guard against a later change.
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0)
            return fail("cannot use", "an inherited descriptor");
    }
    return close_range(next, ~0u, 0) < 0 ? fail("cannot close", "inherited descriptors") : 0;
}

static int clone_path(const struct gofer_export *export, uint32_t *flags)
{
    unsigned int how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    int fd = -1;
    errno = EINVAL;
    if (!(*flags & GOFER_EXPORT_RECURSIVE))
        fd = (int)syscall(SYS_open_tree, AT_FDCWD, export->path, how);
    // EINVAL: mounts below it are locked to it (they came from another user namespace), so only all of it can
    // be cloned.
    if (fd < 0 && errno == EINVAL) {
        fd = (int)syscall(SYS_open_tree, AT_FDCWD, export->path, how | AT_RECURSIVE);
        *flags |= GOFER_EXPORT_RECURSIVE;
    }
    return fd;
}

static int open_export(const struct gofer_config *config, const struct gofer_export *from, struct export *to)
{
    *to = (struct export){.flags = from->flags, .root_fd = from->fd};
    memcpy(to->name, from->name, sizeof(to->name));
    if (config->waive & GOFER_WAIVE_MOUNTS) {
        to->flags |= GOFER_EXPORT_RECURSIVE;
        if (from->source == GOFER_SOURCE_PATH)
            to->root_fd = open(from->path, O_PATH | O_CLOEXEC);
        return to->root_fd < 0 ? fail("cannot open", from->path) : 0;
    }
    if (from->source == GOFER_SOURCE_PATH)
        to->root_fd = clone_path(from, &to->flags);
    else
        to->flags |= GOFER_EXPORT_RECURSIVE;
    if (to->root_fd < 0)
        return fail("cannot clone the mount of", from->path);
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                    (from->flags & GOFER_EXPORT_RO && !mutated("read-only") ? MOUNT_ATTR_RDONLY : 0),
        .propagation = MS_PRIVATE,
    };
    if (syscall(SYS_mount_setattr, to->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return fail("cannot set nosuid, nodev and the access of the mount of",
                    from->path[0] ? from->path : from->name);
    return 0;
}

int jail_exports(const struct gofer_config *config, const struct gofer_export *exports, struct host *host)
{
    host->exports = calloc(config->export_count ? config->export_count : 1, sizeof(*host->exports));
    if (!host->exports)
        return -ENOMEM;
    if (!(config->waive & GOFER_WAIVE_MOUNTS) && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail("cannot make private", "/");
    for (uint32_t i = 0; i < config->export_count; i++) {
        int error = open_export(config, &exports[i], &host->exports[i]);
        if (error)
            return error;
        host->export_count++;
    }
    return 0;
}

int jail_empty_root(void)
{
    if (mutated("empty-root"))
        return 0;
    // Nothing that happens here may reach another mount namespace: a host's mounts are shared by default.
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail("cannot make private", "/");
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "size", "4096", 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fail("cannot make", "a tmpfs");
    int root = fsmount(context, FSMOUNT_CLOEXEC,
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    close(context);
    if (root < 0 || move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return fail("cannot mount", "an empty root");
    // The old root ends up on top of the new one and is taken off.
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return fail("cannot enter", "an empty root");
    close(root);
    return 0;
}
