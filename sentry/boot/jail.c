#include "sentry/boot/jail.h"
#include "abi/mutate.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MS_REC
#define MS_REC 16384
#endif

static int fs_open(const char *type)
{
    return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int fs_config(int fs, unsigned command, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fs, command, key, value, 0);
}

// Finishes a filesystem context as a detached mount.
static int fs_finish(int fs, unsigned attributes)
{
    int mount_fd = -1;
    if (fs_config(fs, FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
        mount_fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
    int error = mount_fd < 0 ? -errno : mount_fd;
    close(fs);
    return error;
}

int jail_proc_mount(void)
{
    int fs = fs_open("proc");
    if (fs < 0)
        return -errno;
    return fs_finish(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

// The tmpfs is mounted over "/", becomes the root by pivot_root(".", "."), and what it covered is detached.
int jail_empty_root(void)
{
    if (mutated("empty-root"))
        return 0;
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -errno;
    int fs = fs_open("tmpfs");
    if (fs < 0)
        return -errno;
    (void)fs_config(fs, FSCONFIG_SET_STRING, "size", "4k");
    (void)fs_config(fs, FSCONFIG_SET_STRING, "nr_inodes", "1");
    (void)fs_config(fs, FSCONFIG_SET_STRING, "mode", "0555");
    int root = fs_finish(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (root < 0)
        return root;
    int error = 0;
    if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(root) < 0 ||
        syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        error = -errno;
    close(root);
    return error;
}

// The structure of Landlock 6; older kernels take a prefix.
struct ruleset_attr {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

#define FS_V1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     // version 2
#define FS_TRUNCATE (1ull << 14)  // version 3
#define FS_IOCTL_DEV (1ull << 15) // version 5
#define NET_ALL 3ull              // version 4: bind and connect TCP
#define SCOPE_ALL 3ull            // version 6: abstract sockets and signals

int jail_landlock_version(void)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? -errno : version;
}

static int allow_access(int ruleset, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int jail_landlock(const struct jail_allowed *allowed)
{
    if (mutated("landlock"))
        return 0;
    int version = jail_landlock_version();
    if (version < 0)
        return version;
    struct ruleset_attr attr = {.fs = FS_V1};
    size_t size = sizeof(attr.fs);
    if (version >= 2)
        attr.fs |= FS_REFER;
    if (version >= 3)
        attr.fs |= FS_TRUNCATE;
    if (version >= 4) {
        attr.net = NET_ALL;
        size = 16;
    }
    if (version >= 5)
        attr.fs |= FS_IOCTL_DEV;
    if (version >= 6) {
        attr.scoped = SCOPE_ALL;
        size = 24;
    }
    if (allowed && allowed->execute)
        attr.fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return -errno;
    int error = 0;
    if (allowed && allowed->directory >= 0)
        error = allow_access(ruleset, allowed->directory,
                             LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                 (allowed->write ? LANDLOCK_ACCESS_FS_WRITE_FILE : 0));
    if (!error && allowed && allowed->file >= 0)
        error = allow_access(ruleset, allowed->file, LANDLOCK_ACCESS_FS_READ_FILE);
    if (!error && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        error = -errno;
    close(ruleset);
    return error;
}

struct capability_sets {
    struct __user_cap_data_struct low, high;
};

static int get_capabilities(struct capability_sets *sets)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, &sets->low) < 0 ? -errno : 0;
}

static int set_capabilities(const struct capability_sets *sets)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capset, &header, &sets->low) < 0 ? -errno : 0;
}

int jail_keep_capabilities(uint64_t mask)
{
    struct capability_sets sets;
    int error = get_capabilities(&sets);
    if (error)
        return error;
    sets.low.inheritable = (uint32_t)mask;
    sets.high.inheritable = (uint32_t)(mask >> 32);
    error = set_capabilities(&sets);
    for (unsigned cap = 0; !error && cap < 64; cap++) {
        if ((mask & (1ull << cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            error = -errno;
    }
    return error;
}

int jail_drop_bounding(void)
{
    for (unsigned cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
            continue; // also where it was not in the set
        int error = -errno, present = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (present < 0)
            break; // beyond the last one of this host
        if (present)
            return error;
    }
    return 0;
}

int jail_clear_capabilities(void)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    struct capability_sets none = {0};
    int error = set_capabilities(&none);
    if (error)
        return error;
    error = get_capabilities(&none);
    if (error)
        return error;
    return none.low.effective | none.low.permitted | none.low.inheritable | none.high.effective |
                   none.high.permitted | none.high.inheritable
               ? -EPERM
               : 0;
}

int jail_drop_capabilities(void)
{
    if (mutated("capabilities"))
        return 0;
    int error = jail_drop_bounding();
    return error ? error : jail_clear_capabilities();
}

#define KEYCTL_JOIN_SESSION_KEYRING 1

int jail_empty_keyring(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return -errno;
    return 0;
}

int jail_set_limit(int resource, uint64_t value)
{
    struct rlimit limit = {value, value};
    if (mutated("limits"))
        return 0;
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

int jail_forbid_core(void)
{
    struct rlimit limit;
    int error = jail_set_limit(RLIMIT_CORE, 1);
    if (error == -EPERM && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0)
        return 1;
    return error;
}

int jail_raise_nofile(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}
