#pragma once
// The first process's mount namespace, from the configuration. Kernel lock, at boot.
#include "sentry/boot/config.h"
struct fs_struct;

// Registers every filesystem. 0 or -errno.
int filesystems_init(const struct sentry_config *config, const struct boot_fds *fds);
// Mounts what the configuration lists and makes its links. A fresh fs_struct standing at the root, or NULL and *err.
struct fs_struct *boot_mounts(const struct sentry_config *config, int *err);
