// Resolution: one component, beneath the directory, no symlinks, no magic links (openat2(2)).
#include "gofer/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int host_open_self(struct host *host, bool clone)
{
    if (clone) {
        // As the root of a mount without parent, ".." of it is itself: nothing else of /proc is reachable
        // through it.
        host->self_fds =
            (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    } else {
        host->self_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (host->self_fds < 0 || fchdir(host->self_fds) < 0)
        return -errno;
    return 0;
}

int host_check(const struct host *host)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, host->self_fds, ".", &how, sizeof(how));
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

const struct export *host_find_export(const struct host *host, struct np_str name)
{
    if (name.length && name.bytes[0] == '/')
        name = (struct np_str){.bytes = name.bytes + 1, .length = (uint16_t)(name.length - 1)};
    if (!name.length)
        return host->export_count == 1 && !(host->exports[0].flags & GOFER_EXPORT_STORE) ? &host->exports[0]
                                                                                         : NULL;
    for (unsigned int i = 0; i < host->export_count; i++) {
        if (!(host->exports[i].flags & GOFER_EXPORT_STORE) && np_string_is(name, host->exports[i].name))
            return &host->exports[i];
    }
    return NULL;
}

int host_name(struct np_str name, char buffer[NP_NAME_MAX + 1])
{
    if (name.length > NP_NAME_MAX)
        return -ENAMETOOLONG;
    if (!name.length || memchr(name.bytes, '/', name.length) || memchr(name.bytes, 0, name.length))
        return -EINVAL;
    if (name.bytes[0] == '.' && (name.length == 1 || (name.length == 2 && name.bytes[1] == '.')))
        return -EINVAL;
    memcpy(buffer, name.bytes, name.length);
    buffer[name.length] = 0;
    return 0;
}

struct self_name host_self_name(int fd)
{
    struct self_name name;
    snprintf(name.text, sizeof(name.text), "%d", fd);
    return name;
}

// Opens what a descriptor holds once more: the one magic link that is followed, and its name is a number of
// ours.
int host_reopen(const struct host *host, int fd, int flags)
{
    struct open_how how = {.flags = (uint64_t)flags};
    return (int)syscall(SYS_openat2, host->self_fds, host_self_name(fd).text, &how, sizeof(how));
}

// The index of a device; those beyond the table share the last one.
static uint8_t device_index(struct host *host, uint32_t major_number, uint32_t minor_number)
{
    uint64_t dev = (uint64_t)major_number << 32 | minor_number;
    const unsigned int limit = sizeof(host->dev) / sizeof(host->dev[0]);
    for (unsigned int i = 0; i < host->dev_count; i++) {
        if (host->dev[i] == dev)
            return (uint8_t)i;
    }
    if (host->dev_count < limit) {
        host->dev[host->dev_count] = dev;
        return (uint8_t)host->dev_count++;
    }
    return (uint8_t)limit;
}

uint64_t host_qid_path(uint64_t inode, uint8_t dev_index)
{
    return inode ^ (uint64_t)dev_index << 56;
}

static uint32_t shown_owner(const struct host *host, uint32_t owner, uint32_t own, uint32_t shown)
{
    if (host->owner != GOFER_OWNER_SINGLE)
        return owner;
    return owner == own ? shown : 0;
}

static void fill_attr(struct host *host, const struct statx *st, struct np_attr *attr)
{
    uint8_t dev = device_index(host, st->stx_dev_major, st->stx_dev_minor);
    *attr = (struct np_attr){
        .valid = NP_GETATTR_BASIC | (st->stx_mask & STATX_BTIME ? NP_GETATTR_BTIME : 0),
        .qid =
            {
                .type = S_ISDIR(st->stx_mode)   ? NP_QTDIR
                        : S_ISLNK(st->stx_mode) ? NP_QTSYMLINK
                                                : NP_QTFILE,
                .version = (uint32_t)st->stx_ctime.tv_sec * 1000003u ^ st->stx_ctime.tv_nsec ^
                           (uint32_t)st->stx_size,
                .path = host_qid_path(st->stx_ino, dev),
            },
        .mode = st->stx_mode,
        .uid = shown_owner(host, st->stx_uid, host->uid, host->self_uid),
        .gid = shown_owner(host, st->stx_gid, host->gid, host->self_gid),
        .nlink = st->stx_nlink,
        .rdev = makedev(st->stx_rdev_major, st->stx_rdev_minor),
        .size = st->stx_size,
        .blksize = st->stx_blksize,
        .blocks = st->stx_blocks,
        .atime_sec = (uint64_t)st->stx_atime.tv_sec,
        .atime_nsec = st->stx_atime.tv_nsec,
        .mtime_sec = (uint64_t)st->stx_mtime.tv_sec,
        .mtime_nsec = st->stx_mtime.tv_nsec,
        .ctime_sec = (uint64_t)st->stx_ctime.tv_sec,
        .ctime_nsec = st->stx_ctime.tv_nsec,
        .btime_sec = (uint64_t)st->stx_btime.tv_sec,
        .btime_nsec = st->stx_btime.tv_nsec,
    };
}

int host_stat_entry(struct host *host, int directory, const char *name, struct np_attr *attr)
{
    struct statx st;
    if (statx(directory, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return -errno;
    fill_attr(host, &st, attr);
    return 0;
}

int host_give(const struct host *host, int fd, uint32_t uid, uint32_t gid)
{
    if (host->owner != GOFER_OWNER_SET || (uid == UINT32_MAX && gid == UINT32_MAX))
        return 0;
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int host_chown(const struct host *host, int fd, uint32_t uid, uint32_t gid)
{
    if (uid == UINT32_MAX && gid == UINT32_MAX)
        return 0;
    if (host->owner == GOFER_OWNER_SINGLE) {
        if ((uid != UINT32_MAX && uid != host->self_uid) || (gid != UINT32_MAX && gid != host->self_gid))
            return -EPERM;
        uid = uid == UINT32_MAX ? uid : host->uid;
        gid = gid == UINT32_MAX ? gid : host->gid;
    }
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

bool host_is_same(int directory, const char *name, int fd)
{
    struct stat named, held;
    return !fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) && !fstat(fd, &held) &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

int node_stat(struct host *host, const struct node *node, struct np_attr *attr)
{
    return host_stat_entry(host, node->fd, "", attr);
}

// Takes the descriptor over.
static int node_new(struct host *host, const struct export *export, int fd, struct node **out)
{
    struct np_attr attr;
    int error = host_stat_entry(host, fd, "", &attr);
    struct node *node = error ? NULL : malloc(sizeof(*node));
    if (!node) {
        close(fd);
        return error ? error : -ENOMEM;
    }
    *node = (struct node){
        .refs = 1,
        .fd = fd,
        .type = attr.mode & S_IFMT,
        .dev_index = (uint8_t)(attr.qid.path >> 56),
        .export = export,
    };
    *out = node;
    return 0;
}

// GOFER_EXPORT_WORLD: a Gofer of root owns most of the host's files, and an owner may more than the world.
static int check_world(const struct node *node, mode_t bits)
{
    struct statx st;
    if (!(node->export->flags & GOFER_EXPORT_WORLD))
        return 0;
    if (statx(node->fd, "", AT_EMPTY_PATH, STATX_MODE, &st) < 0)
        return -errno;
    return (st.stx_mode & bits) == bits ? 0 : -EACCES;
}

static int open_component(const struct export *export, int directory, const char *name, struct node **out,
                          struct host *host)
{
    struct open_how how = {
        .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                   (export->flags & GOFER_EXPORT_RECURSIVE ? 0 : RESOLVE_NO_XDEV),
    };
    int fd = -1;
    // EAGAIN: the kernel saw a rename while it looked and cannot tell whether the result is beneath.
    for (int attempt = 0; attempt < 8; attempt++) {
        fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    if (fd < 0)
        return -errno;
    return node_new(host, export, fd, out);
}

int node_root(struct host *host, const struct export *export, struct node **out)
{
    // A copy: clunking every fid must not close the mount.
    int fd = fcntl(export->root_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    return node_new(host, export, fd, out);
}

int node_walk(struct host *host, const struct node *directory, struct np_str name, struct node **out)
{
    char component[NP_NAME_MAX + 1];
    int error = host_name(name, component);
    if (error)
        return error;
    if (!S_ISDIR(directory->type))
        return -ENOTDIR;
    error = check_world(directory, S_IXOTH);
    if (error)
        return error;
    return open_component(directory->export, directory->fd, component, out, host);
}

int node_of(struct host *host, const struct node *directory, int fd, struct node **out)
{
    int path_fd = host_reopen(host, fd, O_PATH | O_CLOEXEC);
    if (path_fd < 0)
        return -errno;
    return node_new(host, directory->export, path_fd, out);
}

struct node *node_get(struct node *node)
{
    node->refs++;
    return node;
}

void node_put(struct node *node)
{
    if (!node || --node->refs)
        return;
    close(node->fd);
    free(node);
}

int node_reopen(const struct host *host, const struct node *node, int flags)
{
    flags &= O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    if (S_ISDIR(node->type)) {
        if (writes)
            return -EISDIR;
        flags = O_RDONLY | O_DIRECTORY;
    } else if (S_ISLNK(node->type)) {
        return -ELOOP;
    } else if (!S_ISREG(node->type)) {
        return -EACCES;
    } else if (writes && node_read_only(node)) {
        return -EROFS;
    }
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    int error = check_world(node, ((flags & O_ACCMODE) != O_WRONLY ? S_IROTH : 0) | (writes ? S_IWOTH : 0));
    if (error)
        return error;
    // O_NONBLOCK: a lease held by a host process must not make the Gofer wait.
    int fd = host_reopen(host, node->fd, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETFL, flags & (O_APPEND | O_SYNC | O_DSYNC)) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}
