#pragma once
// What mount(2) and the calls that replace it share. Kernel lock.
#include "sentry/vfs/vfs.h"
#include <stdbool.h>

int may_mount(void); // 0 or -LX_EPERM
bool path_is_mount_root(const struct path *p);
// A detached copy of what is mounted at a place: a reference in *out, -LX_EINVAL or -LX_ENOSPC.
int mount_bind_copy(const struct path *from, bool recursive, struct mount **out);
// 0 when the mount `from` stands for may go to `to`, else -LX_EINVAL.
int mount_may_move(const struct path *from, const struct path *to);
