#pragma once
// Character devices: who opens a device node of a given number. Kernel lock.
#include <stdint.h>

struct inode;
struct file;

// Opens `f` on a device node: sets f->ops and f->priv. 0 or -errno.
typedef int (*chrdev_open_fn)(struct inode *inode, struct file *f);
#define CHRDEV_ANY_MINOR UINT32_MAX

// Registers the driver of one number, or of all minors of `major` (CHRDEV_ANY_MINOR). A later one replaces an earlier one.
// 0 or -LX_ENOMEM.
int chrdev_register(uint32_t major, uint32_t minor, chrdev_open_fn open);
// What vfs_open calls for a device node: -LX_ENXIO when nobody registered.
int chrdev_open(struct inode *inode, struct file *f);
