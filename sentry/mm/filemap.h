#pragma once
// Which guest file a host file is, for the names in /proc/PID/maps. Kernel lock.
#include "sentry/task/task.h"

// Remembers that the host file behind `fd` is `file`. Best effort: without memory or past the limit a name is missing.
void filemap_add(struct mm *m, int fd, const struct file *file);
// Guest path of a host file, or NULL. Borrowed until the next filemap call on this mm. *dev and *ino become what stat(2)
// shows the guest.
const char *filemap_name(struct mm *m, uint64_t *dev, uint64_t *ino);
int filemap_dup(struct mm *to, const struct mm *from); // 0 or -LX_ENOMEM
void filemap_free(struct mm *m);
