// /dev is a small tmpfs that is filled when it is made, so that a guest may add to it and remove from it.
#include "sentry/fs/devtmpfs/devtmpfs.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/fs/devtmpfs/mem.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include <string.h>

#define DEV_SIZE (64ull * 1024 * 1024)

static const struct {
    const char *name;
    uint32_t mode, major, minor;
} nodes[] = {
    {"null", LX_S_IFCHR | 0666, 1, 3},    {"zero", LX_S_IFCHR | 0666, 1, 5},
    {"full", LX_S_IFCHR | 0666, 1, 7},    {"random", LX_S_IFCHR | 0666, 1, 8},
    {"urandom", LX_S_IFCHR | 0666, 1, 9}, {"tty", LX_S_IFCHR | 0666, 5, 0},
    {"pts", LX_S_IFDIR | 0755, 0, 0},     {"shm", LX_S_IFDIR | 01777, 0, 0},
    {"mqueue", LX_S_IFDIR | 01777, 0, 0},
};
static const struct {
    const char *name, *target;
} links[] = {
    {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
};

static int add_node(struct dentry *root, const char *name, uint32_t mode, uint64_t rdev, const char *target)
{
    struct inode *dir = root->inode;
    struct dentry *d;
    int err = dentry_lookup(root, name, strlen(name), &d);
    if (err)
        return err;
    if (target)
        err = dir->ops->symlink(dir, d, target, 0, 0);
    else if (LX_S_ISDIR(mode))
        err = dir->ops->mkdir(dir, d, mode & 07777, 0, 0);
    else
        err = dir->ops->mknod(dir, d, mode, rdev, 0, 0);
    dentry_put(d);
    return err;
}

static int devtmpfs_mount(const struct fs_type *t, const char *source, const char *options,
                          struct super_block **sb, struct dentry **root)
{
    int err = tmpfs_create(DEV_SIZE, 0755, 0, 0, sb, root);
    if (err)
        return err;
    (*sb)->fstype = "devtmpfs";
    strcpy((*sb)->source, "devtmpfs");
    for (size_t i = 0; err == 0 && i < sizeof(nodes) / sizeof(*nodes); i++)
        err = add_node(*root, nodes[i].name, nodes[i].mode, lx_makedev(nodes[i].major, nodes[i].minor), NULL);
    for (size_t i = 0; err == 0 && i < sizeof(links) / sizeof(*links); i++)
        err = add_node(*root, links[i].name, 0, 0, links[i].target);
    if (err) {
        dentry_put(*root);
        sb_put(*sb);
    }
    return err;
}

int devtmpfs_init(void)
{
    static struct fs_type type = {.name = "devtmpfs", .mount = devtmpfs_mount, .guest_may_mount = true};
    if (fs_type_find("devtmpfs"))
        return 0;
    fs_type_register(&type);
    return mem_devices_init();
}
