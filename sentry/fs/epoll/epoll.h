#pragma once
// epoll: what the rest of the kernel must know of it. Kernel lock.
#include "sentry/vfs/file.h"

// The last reference of `f` is gone: every registration on it ends. file_put() calls it while f->epoll_items
// is not zero, before f->ops->release.
void epoll_file_closed(struct file *f);
