#pragma once
// tmpfs: files that live in the Sentry's memory. Kernel lock.
#include "sentry/fs/tmpfs/account.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

void tmpfs_init(void);
// The size of a tmpfs that names none: half of the sandbox's memory. Once at start, before the first mount.
void tmpfs_set_default_size(uint64_t bytes);
uint64_t tmpfs_default_size(void); // 0: half of the host's memory
// Makes a tmpfs of `bytes` (0: default) with a root of that mode and owner. References in *sb and *root.
int tmpfs_create(uint64_t bytes, uint32_t mode, uint32_t uid, uint32_t gid, struct super_block **sb,
                 struct dentry **root);
// memfd_create(2): an open file on a fresh inode. `seals` as F_GET_SEALS shows them at first. NULL: no memory.
struct file *tmpfs_memfd(const char *name, uint32_t seals, uint32_t mode);
