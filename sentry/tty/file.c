// Files of a terminal: read, write, poll, and what opening one means.
#include "sentry/task/task.h"
#include "sentry/tty/tty.h"
#include "sentry/vfs/file.h"
#include "abi/linux/capability.h"
#include "abi/linux/fcntl.h"
#include <signal.h>

void tty_init(struct tty *t, const struct tty_ops *ops)
{
    t->refs = 1;
    t->ops = ops;
    wait_queue_init(&t->wait);
}

struct tty *tty_get(struct tty *t)
{
    t->refs++;
    return t;
}

void tty_put(struct tty *t)
{
    if (!t || --t->refs)
        return;
    if (t->session)
        t->session->tty = NULL;
    t->ops->free(t);
}

uint64_t tty_rdev(const struct tty *t)
{
    uint32_t minor = (uint32_t)t->index;
    return (minor & 0xff) | (TTY_MAJOR_PTS << 8) | ((uint64_t)(minor & ~0xffu) << 12);
}

int tty_open_file(struct tty *t, struct file *f)
{
    if (t->hung_up)
        return -LX_EIO;
    if (t->exclusive && t->files && !capable(LX_CAP_SYS_ADMIN))
        return -LX_EBUSY;
    int err = t->ops->open ? t->ops->open(t, f) : 0;
    if (err)
        return err;
    t->files++;
    f->ops = &tty_file_ops;
    f->priv = tty_get(t);
    struct session *s = current && current->tg->pgrp ? current->tg->pgrp->session : NULL;
    if (s && !(f->flags & LX_O_NOCTTY) && (f->mode & FMODE_READ) && s->sid == current->tg->pid && !s->tty &&
        !t->session)
        tty_set_controlling(t);
    return 0;
}

static int64_t file_read_tty(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct tty *t = f->priv;
    if (t->hung_up)
        return 0;
    int err = tty_check_background(t, SIGTTIN);
    return err ? err : t->ops->read(t, f, it);
}

static bool wants_tostop(struct tty *t)
{
    struct lx_termios2 now;
    if (current_tty() != t || t->ops->get_termios(t, &now))
        return false;
    return now.c_lflag & LX_TOSTOP;
}

static int64_t file_write_tty(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct tty *t = f->priv;
    if (t->hung_up)
        return -LX_EIO;
    if (t->fg_pgid && current && current->tg->pgrp && t->fg_pgid != current->tg->pgrp->pgid &&
        wants_tostop(t)) {
        int err = tty_check_background(t, SIGTTOU);
        if (err)
            return err;
    }
    return t->ops->write(t, f, it);
}

static uint32_t file_poll_tty(struct file *f, struct poll_table *pt)
{
    struct tty *t = f->priv;
    if (t->hung_up)
        return EV_IN | EV_OUT | EV_ERR | EV_HUP | EV_RDNORM | EV_WRNORM;
    return t->ops->poll(t, f, pt);
}

static int64_t file_ioctl_tty(struct file *f, uint32_t cmd, uint64_t arg)
{
    struct tty *t = f->priv;
    if (t->hung_up)
        return cmd == LX_TIOCSPGRP ? -LX_ENOTTY : -LX_EIO;
    return tty_ioctl(t, f, false, cmd, arg);
}

static void file_release_tty(struct file *f)
{
    struct tty *t = f->priv;
    t->files--;
    if (t->ops->close)
        t->ops->close(t, f);
    tty_put(t);
}

const struct file_ops tty_file_ops = {
    .read = file_read_tty,
    .write = file_write_tty,
    .poll = file_poll_tty,
    .ioctl = file_ioctl_tty,
    .release = file_release_tty,
};
