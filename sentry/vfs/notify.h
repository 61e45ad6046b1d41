#pragma once
// Tells watchers (inotify) what happens to files. Kernel lock. Costs one comparison while nobody watches anything.
#include "abi/linux/inotify.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

extern unsigned notify_watches; // watches in existence
// Set by the inotify code: `i` itself was touched (name NULL), or `name` in the directory `i` was.
extern void (*notify_hook)(struct inode *i, uint32_t mask, uint32_t cookie, const char *name);
uint32_t notify_cookie(void); // ties the two halves of a rename together

static inline void notify_inode(struct inode *i, uint32_t mask)
{
    if (notify_watches && i && i->watches)
        notify_hook(i, mask, 0, NULL);
}
// A name in a directory was made, removed or moved. LX_IN_ISDIR as part of the mask.
static inline void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name)
{
    if (notify_watches && dir->watches)
        notify_hook(dir, mask, cookie, name);
}
void notify_dentry_slow(struct dentry *d, uint32_t mask);
// Something happened to the file behind a name: its directory and the file itself hear of it.
static inline void notify_dentry(struct dentry *d, uint32_t mask)
{
    if (notify_watches && d->inode)
        notify_dentry_slow(d, mask);
}
static inline void notify_file(struct file *f, uint32_t mask)
{
    if (notify_watches && f->path.dentry && !(f->mode & FMODE_PATH))
        notify_dentry_slow(f->path.dentry, mask);
}
static inline uint32_t notify_isdir(const struct inode *i)
{
    return (i->attr.mode & 0170000u) == 0040000u ? LX_IN_ISDIR : 0;
}
