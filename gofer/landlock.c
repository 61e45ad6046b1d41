#include "gofer/landlock.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Names of our own: Debian 12's header ends at version 2.
#define RIGHT_EXECUTE (1ull << 0)
#define RIGHT_WRITE_FILE (1ull << 1)
#define RIGHT_READ_FILE (1ull << 2)
#define RIGHT_READ_DIR (1ull << 3)
#define RIGHT_REMOVE_DIR (1ull << 4)
#define RIGHT_REMOVE_FILE (1ull << 5)
#define RIGHT_MAKE_DIR (1ull << 7)
#define RIGHT_MAKE_REG (1ull << 8)
#define RIGHT_MAKE_SOCK (1ull << 9)
#define RIGHT_MAKE_FIFO (1ull << 10)
#define RIGHT_MAKE_SYM (1ull << 12)
#define RIGHT_REFER (1ull << 13)    // version 2
#define RIGHT_TRUNCATE (1ull << 14) // version 3
#define RIGHTS_OF_FILES (RIGHT_EXECUTE | RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE)

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; // version 4
    uint64_t scoped;             // version 6
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

#define RULE_PATH_BENEATH 1
#define CREATE_RULESET_VERSION 1u

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    return version < 0 ? 0 : (int)version;
}

static uint64_t rights_of(uint32_t export_flags)
{
    uint64_t rights = RIGHT_READ_FILE | RIGHT_READ_DIR;
    if (export_flags & GOFER_EXPORT_RO)
        return rights;
    rights |= RIGHT_WRITE_FILE | RIGHT_REMOVE_DIR | RIGHT_REMOVE_FILE | RIGHT_MAKE_DIR | RIGHT_MAKE_REG |
              RIGHT_MAKE_SYM | RIGHT_REFER | RIGHT_TRUNCATE;
    if (export_flags & GOFER_EXPORT_SOCKETS)
        rights |= RIGHT_MAKE_SOCK;
    if (export_flags & GOFER_EXPORT_FIFOS)
        rights |= RIGHT_MAKE_FIFO;
    return rights;
}

static int allow(int ruleset, int fd, uint64_t rights)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rights &= RIGHTS_OF_FILES;
    struct path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int restrict_self(const struct host *host, int readable, bool ports)
{
    // File rights by version 1, 2, ...: 13 rights at first, then REFER, TRUNCATE, and in version 5 IOCTL_DEV.
    static const unsigned int file_rights[] = {0, 13, 14, 15, 15, 16};
    int version = landlock_version();
    if (version < 1)
        return -EOPNOTSUPP;
    uint64_t known = (1ull << file_rights[version < 5 ? version : 5]) - 1;
    struct ruleset_attr attr = {.handled_access_fs = known};
    size_t size = sizeof(uint64_t);
    if (version >= 4) {
        attr.handled_access_net = ports ? 0 : 3; // bind and connect
        size = 2 * sizeof(uint64_t);
    }
    if (version >= 6) {
        attr.scoped = 3; // abstract sockets and signals
        size = sizeof(attr);
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return -errno;
    int error = 0;
    for (unsigned int i = 0; host && i < host->export_count && !error; i++)
        error = allow(ruleset, host->exports[i].root_fd, rights_of(host->exports[i].flags) & known);
    if (!error && readable >= 0)
        error = allow(ruleset, readable, RIGHT_READ_FILE | RIGHT_READ_DIR);
    if (!error && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        error = -errno;
    close(ruleset);
    return error;
}

int landlock_restrict(const struct host *host, int readable)
{
    return restrict_self(host, readable, false);
}

int landlock_restrict_files(void)
{
    return restrict_self(NULL, -1, true);
}
