// Files that stand for a process (kernel/fork.c, fs/pidfs.c of Linux).
#include "sentry/fs/pidfd/pidfd.h"
#include "abi/linux/fcntl.h"
#include "sentry/task/task.h"
#include <stdio.h>

static uint32_t pidfd_poll(struct file *f, struct poll_table *pt)
{
    struct thread_group *tg = f->priv;
    poll_wait(pt, &tg->exit_wait);
    if (!tg->zombie)
        return 0;
    // Reaped as well: nothing more will come.
    return EV_IN | EV_RDNORM | (tg->linked ? 0 : EV_HUP);
}

static void pidfd_release(struct file *f)
{
    tg_put(f->priv);
}

static size_t pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
    struct thread_group *tg = f->priv;
    int pid = tg->linked ? tg->pid : -1;
    int n = snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static const struct file_ops pidfd_fops = {
    .poll = pidfd_poll,
    .release = pidfd_release,
    .show_fdinfo = pidfd_fdinfo,
};

struct thread_group *pidfd_group(struct file *f)
{
    return f->ops == &pidfd_fops ? f->priv : NULL;
}

struct file *pidfd_file(struct thread_group *tg, uint32_t flags)
{
    struct file *f = anon_file(&pidfd_fops, tg_get(tg), FMODE_READ | FMODE_WRITE,
                               LX_O_RDWR | (flags & LX_O_NONBLOCK), "anon_inode:[pidfd]", 0600);
    if (!f)
        tg_put(tg);
    return f;
}
