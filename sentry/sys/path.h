#pragma once
// What handlers of the file families share.
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/mm/uaccess.h"
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include "syscall_handlers.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

// Copies a path name in. 0, -LX_EFAULT or -LX_ENAMETOOLONG.
static inline int must_check get_path(char buf[VFS_PATH_MAX], gaddr_t from)
{
    ssize_t n = copy_in_str(buf, from, VFS_PATH_MAX);
    return n < 0 ? (int)n : 0;
}
// Resolves a guest path with AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW and AT_EMPTY_PATH as `at_flags` has them; `follow` is
// what the call does without a flag.
int must_check lookup_name(int dirfd, const char *path, int at_flags, bool follow, struct path *out);
int must_check lookup_user(int dirfd, gaddr_t name, int at_flags, bool follow, struct path *out);
