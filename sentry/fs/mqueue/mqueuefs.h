#pragma once
// The mqueue filesystem: a directory for each IPC namespace, whose files are POSIX message queues (ipc/mqueue.c of
// Linux). Kernel lock.
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/vfs/file.h"

void mqueuefs_init(void); // registers the type
// Where the queues of current's namespace are; borrowed. 0 or -LX_ENOMEM.
int mqueuefs_root(struct mq_ns *ns, struct path *out);
// Makes a queue; `attr` is its struct lx_mq_attr or NULL (vfs_make).
int mqueuefs_make(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t uid, uint32_t gid,
                  const void *attr);
// The namespace goes: its filesystem, unless it is mounted, and the right to make queues there.
void mqueuefs_forget_ns(struct mq_ns *ns);
// The queue behind a file, or NULL.
struct mqueue *file_mqueue(const struct file *f);
