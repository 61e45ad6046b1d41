#include "sentry/vfs/notify.h"

unsigned notify_watches;
void (*notify_hook)(struct inode *i, uint32_t mask, uint32_t cookie, const char *name);

uint32_t notify_cookie(void)
{
    static uint32_t last;
    return ++last ? last : ++last;
}

void notify_dentry_slow(struct dentry *d, uint32_t mask)
{
    struct inode *i = d->inode;
    mask |= notify_isdir(i);
    struct inode *dir = d->parent != d ? d->parent->inode : NULL;
    if (dir && dir->watches && !d->unhashed)
        notify_hook(dir, mask, 0, d->name);
    if (i->watches)
        notify_hook(i, mask, 0, NULL);
}
