// variants: dynamic
// The calls that make mounts step by step: fsopen, fsconfig, fsmount, move_mount, open_tree, fspick, mount_setattr.
#include "guest.h"
#include <linux/mount.h>
#include <sys/statfs.h>

int umount2(const char *, int);
int mount(const char *, const char *, const char *, unsigned long, const void *);

static long fsopen_(const char *type, unsigned flags)
{
    return syscall(SYS_fsopen, type, flags);
}
static long fsconfig_(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
    return syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}
static long fsmount_(int fd, unsigned flags, unsigned attr)
{
    return syscall(SYS_fsmount, fd, flags, attr);
}
static long move_mount_(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}
static long open_tree_(int fd, const char *path, unsigned flags)
{
    return syscall(SYS_open_tree, fd, path, flags);
}
static long fspick_(int fd, const char *path, unsigned flags)
{
    return syscall(SYS_fspick, fd, path, flags);
}
static long mount_setattr_(int fd, const char *path, unsigned flags, struct mount_attr *attr, size_t size)
{
    return syscall(SYS_mount_setattr, fd, path, flags, attr, size);
}
#define MS_SHARED_ (1u << 20)
#define RAW(call) show_value(#call, call)

static void show_flags(const char *path)
{
    struct statfs st;
    if (statfs(path, &st))
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: type %lx flags %lx\n", path, (long)st.f_type, (long)st.f_flags & 0x3fff & ~0x20);
    fflush(stdout);
}

static void configure(void)
{
    RAW(fsopen_("nosuchfs", 0));
    RAW(fsopen_("tmpfs", 2));
    RAW(fsopen_((const char *)1, 0));
    int fd = (int)fsopen_("tmpfs", 1 /* FSOPEN_CLOEXEC */);
    show_success("fsopen", fd);
    SHOW(fcntl(fd, F_GETFD));
    char message[128];
    SHOW(read(fd, message, sizeof(message)));
    RAW(fsmount_(fd, 0, 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "64k", 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "source", "origin", 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "source", "twice", 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "mode", "0700", 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, NULL, "x", 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "key", NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "key", "x", 1));
    RAW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", "x", 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_CREATE, "x", NULL, 0));
    RAW(fsconfig_(fd, 77, NULL, NULL, 0));
    RAW(fsconfig_(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    RAW(fsconfig_(99, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    RAW(fsconfig_(1, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "64k", 0));
    RAW(fsmount_(fd, 8, 0));
    RAW(fsmount_(fd, 0, 1u << 30));
    RAW(fsmount_(99, 0, 0));
    RAW(fsmount_(1, 0, 0));
    int m =
        (int)fsmount_(fd, 1 /* FSMOUNT_CLOEXEC */, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
    show_success("fsmount", m);
    RAW(fsmount_(fd, 0, 0));
    close(fd);
    // A detached mount can be used before it has a place.
    SHOW(fcntl(m, F_GETFL) & O_PATH);
    SHOW(mkdirat(m, "dir", 0755));
    int file = openat(m, "dir/file", O_RDWR | O_CREAT, 0600);
    SHOW(write(file, "text", 4));
    close(file);
    mkdir("at", 0755);
    RAW(move_mount_(m, "", AT_FDCWD, "at", 0));
    RAW(move_mount_(m, "", AT_FDCWD, "missing", MOVE_MOUNT_F_EMPTY_PATH));
    RAW(move_mount_(m, "", AT_FDCWD, "at", 0x80000));
    RAW(move_mount_(m, "dir", AT_FDCWD, "at", 0));
    RAW(move_mount_(m, "", AT_FDCWD, "at", MOVE_MOUNT_F_EMPTY_PATH));
    show_file("at/dir/file");
    show_flags("at");
    struct stat st;
    stat("at", &st);
    printf("mode %o\n", st.st_mode);
    // Again, elsewhere: now as a move.
    mkdir("other", 0755);
    RAW(move_mount_(m, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH));
    SHOW(access("at/dir/file", F_OK));
    show_file("other/dir/file");
    RAW(move_mount_(AT_FDCWD, "other", AT_FDCWD, "at", 0));
    RAW(move_mount_(AT_FDCWD, "at", AT_FDCWD, "at/dir", 0));
    RAW(move_mount_(AT_FDCWD, "at/dir", AT_FDCWD, "other", 0));
    close(m);
    // fsconfig that fails.
    fd = (int)fsopen_("tmpfs", 0);
    fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0);
    RAW(fsconfig_(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    m = (int)fsmount_(fd, 0, 0);
    SHOW(mkdirat(m, "dir", 0755));
    close(fd);
    close(m);
}

static void pick(void)
{
    RAW(fspick_(AT_FDCWD, "missing", 0));
    RAW(fspick_(AT_FDCWD, "at", 1u << 20));
    RAW(fspick_(AT_FDCWD, "at/dir", 0));
    int fd = (int)fspick_(AT_FDCWD, "at", 1 /* FSPICK_CLOEXEC */);
    show_success("fspick", fd);
    RAW(fsconfig_(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    SHOW(mkdir("at/no", 0755));
    show_flags("at");
    RAW(fsmount_(fd, 0, 0));
    close(fd);
    fd = (int)fspick_(AT_FDCWD, "at", 0);
    RAW(fsconfig_(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0));
    RAW(fsconfig_(fd, FSCONFIG_SET_STRING, "size", "1m", 0));
    RAW(fsconfig_(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    SHOW(mkdir("at/yes", 0755));
    close(fd);
}

static void trees(void)
{
    mkdir("copy", 0755);
    mkdir("at/sub", 0755);
    mount("inner", "at/sub", "tmpfs", 0, NULL);
    mkdir("at/sub/in", 0755);
    RAW(open_tree_(AT_FDCWD, "missing", OPEN_TREE_CLONE));
    RAW(open_tree_(AT_FDCWD, "at", 0x100000));
    RAW(open_tree_(AT_FDCWD, "at", AT_RECURSIVE));
    int fd = (int)open_tree_(AT_FDCWD, "at", OPEN_TREE_CLONE | O_CLOEXEC);
    show_success("open_tree", fd);
    SHOW(faccessat(fd, "dir/file", F_OK, 0));
    SHOW(faccessat(fd, "sub/in", F_OK, 0));
    RAW(move_mount_(fd, "", AT_FDCWD, "copy", MOVE_MOUNT_F_EMPTY_PATH));
    show_file("copy/dir/file");
    close(fd);
    SHOW(umount2("copy", 0));
    fd = (int)open_tree_(AT_FDCWD, "at", OPEN_TREE_CLONE | AT_RECURSIVE);
    SHOW(faccessat(fd, "sub/in", F_OK, 0));
    RAW(move_mount_(fd, "", AT_FDCWD, "copy", MOVE_MOUNT_F_EMPTY_PATH));
    SHOW(access("copy/sub/in", F_OK));
    SHOW(umount2("copy", 0));
    SHOW(umount2("copy", 2 /* MNT_DETACH */));
    close(fd);
    // Without CLONE: the place itself.
    fd = (int)open_tree_(AT_FDCWD, "at/dir", O_CLOEXEC);
    SHOW(faccessat(fd, "file", F_OK, 0));
    RAW(move_mount_(fd, "", AT_FDCWD, "copy", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
    // What is dropped before it has a place goes.
    fd = (int)open_tree_(AT_FDCWD, "at/sub", 1);
    close(fd);
    SHOW(umount2("at/sub", 0));
}

static void attributes(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    RAW(mount_setattr_(AT_FDCWD, "missing", 0, &attr, sizeof(attr)));
    RAW(mount_setattr_(AT_FDCWD, "at/dir", 0, &attr, sizeof(attr)));
    RAW(mount_setattr_(AT_FDCWD, "at", 1, &attr, sizeof(attr)));
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, 8));
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, 8192));
    RAW(mount_setattr_(AT_FDCWD, "at", 0, (void *)1, sizeof(attr)));
    int fd = open("at/dir/file", O_RDWR);
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    close(fd);
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    show_flags("at");
    SHOW(mkdir("at/ro", 0755));
    attr =
        (struct mount_attr){.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, .attr_set = MOUNT_ATTR_NOSUID};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    show_flags("at");
    attr = (struct mount_attr){.attr_set = MOUNT_ATTR_STRICTATIME};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    attr = (struct mount_attr){.attr_clr = MOUNT_ATTR__ATIME, .attr_set = MOUNT_ATTR_NODIRATIME};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    show_flags("at");
    attr = (struct mount_attr){.attr_clr = MOUNT_ATTR_NOATIME};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    attr = (struct mount_attr){.propagation = MS_SHARED_ | 1};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    attr = (struct mount_attr){.propagation = MS_SHARED_};
    RAW(mount_setattr_(AT_FDCWD, "at", AT_RECURSIVE, &attr, sizeof(attr)));
    attr = (struct mount_attr){.attr_set = 1ull << 40};
    RAW(mount_setattr_(AT_FDCWD, "at", 0, &attr, sizeof(attr)));
    attr = (struct mount_attr){0};
    RAW(mount_setattr_(AT_FDCWD, "missing", 0, &attr, sizeof(attr)));
    // On a tree that is not anywhere yet.
    fd = (int)open_tree_(AT_FDCWD, "at", 1);
    attr = (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY};
    RAW(mount_setattr_(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
    SHOW(mkdirat(fd, "ro", 0755));
    close(fd);
    SHOW(umount2("at", 0));
}

int main(void)
{
    if (geteuid() != 0) {
        RAW(fsopen_("tmpfs", 0));
        RAW(open_tree_(AT_FDCWD, ".", 1));
        return 0;
    }
    mkdir("base", 0755);
    if (mount("base", "base", "tmpfs", 0, NULL) || chdir("base"))
        return 1;
    configure();
    pick();
    trees();
    attributes();
    return 0;
}
