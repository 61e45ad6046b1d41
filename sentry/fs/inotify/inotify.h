#pragma once
// inotify instances (fs/notify/inotify of Linux). Kernel lock.
#include "sentry/vfs/file.h"

void inotify_init(void); // once at start
// An open file of a fresh instance. flags: LX_O_NONBLOCK. -LX_EMFILE at the limit, -LX_ENOMEM.
int inotify_create(uint32_t flags, struct file **out);
// The watch descriptor, -LX_EINVAL when `f` is no instance, -LX_EEXIST, -LX_ENOSPC, -LX_ENOMEM.
int inotify_add(struct file *f, struct inode *i, uint32_t mask);
int inotify_remove(struct file *f, int wd);
