#include "sentry/vfs/chrdev.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/vfs/vfs.h"
#include <stdlib.h>

struct driver {
    struct driver *next;
    uint32_t major, minor;
    chrdev_open_fn open;
};
static struct driver *drivers;

int chrdev_register(uint32_t major, uint32_t minor, chrdev_open_fn open)
{
    struct driver *d = malloc(sizeof(*d));
    if (!d)
        return -LX_ENOMEM;
    *d = (struct driver){drivers, major, minor, open};
    drivers = d;
    return 0;
}

int chrdev_open(struct inode *inode, struct file *f)
{
    uint32_t major = lx_major(inode->attr.rdev), minor = lx_minor(inode->attr.rdev);
    for (int exact = 1; exact >= 0; exact--)
        for (struct driver *d = drivers; d; d = d->next)
            if (d->major == major && d->minor == (exact ? minor : CHRDEV_ANY_MINOR))
                return d->open(inode, f);
    return -LX_ENXIO;
}
