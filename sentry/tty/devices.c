// The device numbers of terminals: /dev/tty (5:0), /dev/console (5:1), /dev/ptmx (5:2) and /dev/pts/N (136:N).
#include "abi/linux/errno.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/task/task.h"
#include "sentry/tty/pty.h"
#include "sentry/vfs/chrdev.h"
#include "sentry/vfs/file.h"

#define TTY_AUX_MAJOR 5u

static int open_current(struct inode *inode, struct file *f)
{
    struct tty *t = current_tty();
    return t ? tty_open_file(t, f) : -LX_ENXIO;
}

static int open_ptmx(struct inode *inode, struct file *f)
{
    return pty_open_master(f);
}

static int open_pts(struct inode *inode, struct file *f)
{
    uint64_t rdev = inode->attr.rdev;
    struct tty *t = devpts_find((int)((rdev & 0xff) | ((rdev >> 12) & 0xfff00)));
    return t ? tty_open_file(t, f) : -LX_EIO;
}

int tty_register_devices(void)
{
    session_leader_exit_hook = tty_session_leader_exit;
    int err = chrdev_register(TTY_AUX_MAJOR, 0, open_current);
    if (!err)
        err = chrdev_register(TTY_AUX_MAJOR, 1, open_current);
    if (!err)
        err = chrdev_register(TTY_AUX_MAJOR, 2, open_ptmx);
    if (!err)
        err = chrdev_register(TTY_MAJOR_PTS, CHRDEV_ANY_MINOR, open_pts);
    return err;
}
