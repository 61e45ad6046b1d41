#include "sentry/oci/view.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

// A detached copy of what is mounted there.
static int copy_tree(const char *path, bool recursive)
{
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0u));
    return fd < 0 ? -errno : fd;
}

static const struct gofer_export *export_of(const struct sandbox_spec *spec, const struct mount_config *mount)
{
    for (uint32_t i = 0; i < spec->nr_exports; i++)
        if (strcmp(spec->exports[i].name, mount->export_name) == 0)
            return &spec->exports[i];
    return NULL;
}

// The image decides what its names lead to: the place is looked for inside of the root.
static void show(int root, const struct sandbox_spec *spec, const struct mount_config *mount)
{
    const struct gofer_export *export = export_of(spec, mount);
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int place = (int)syscall(SYS_openat2, root, mount->destination, &how, sizeof(how));
    int tree = export && place >= 0 ? copy_tree(export->path, export->flags & GOFER_EXPORT_RECURSIVE) : -1;
    if (tree >= 0) {
        struct mount_attr attr = {.attr_set = mount->readonly ? MOUNT_ATTR_RDONLY : 0};
        (void)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
        (void)syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        close(tree);
    }
    if (place >= 0)
        close(place);
}

int view_enter(const char *rootfs, const struct sandbox_spec *spec)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    int tree = copy_tree(rootfs, true);
    if (tree < 0)
        return tree;
    int error = 0, root = -1;
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        (root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        error = -errno;
    close(tree);
    for (size_t i = 1; i < spec->config.nr_mounts && !error; i++)
        if (spec->config.mounts[i].kind == MOUNT_GOFER)
            show(root, spec, &spec->config.mounts[i]);
    if (!error && (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
                   umount2(".", MNT_DETACH) < 0 || chdir("/") < 0))
        error = -errno;
    if (root >= 0)
        close(root);
    return error;
}
