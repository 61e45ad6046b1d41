#pragma once
// Files that stand for a namespace: what /proc/PID/ns/KIND leads to. Kernel lock.
#include "sentry/task/namespace.h"
#include "sentry/vfs/file.h"

// The namespace of an open file, and its type (LX_CLONE_NEW*): exactly one of *common and *mnt is set, or neither for the kinds of
// which there is one. Borrowed. False: it is another file.
bool ns_of_file(const struct file *f, uint64_t *type, struct ns_common **common, struct mount_ns **mnt);
