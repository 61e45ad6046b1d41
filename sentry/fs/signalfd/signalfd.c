// Signals read from a file (fs/signalfd.c of Linux): always those of the task that reads or polls.
#include "sentry/fs/signalfd/signalfd.h"
#include "abi/linux/errno.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>

struct signalfd {
    sigset64 mask;
};

static void describe(struct lx_signalfd_siginfo *out, const struct lx_siginfo *in)
{
    *out = (struct lx_signalfd_siginfo){.signo = (uint32_t)in->signo, .err = in->err, .code = in->code};
    bool fault =
        in->code > 0 && (in->signo == LX_SIGSEGV || in->signo == LX_SIGBUS || in->signo == LX_SIGILL ||
                         in->signo == LX_SIGFPE || in->signo == LX_SIGTRAP);
    if (in->code == LX_SI_TIMER) {
        out->tid = (uint32_t)in->u.timer.tid;
        out->overrun = (uint32_t)in->u.timer.overrun;
        out->value_ptr = in->u.timer.value;
        out->value_int = (int32_t)in->u.timer.value;
    } else if (fault) {
        out->addr = in->u.fault.addr;
        out->addr_lsb = (uint16_t)in->u.fault.addr_lsb;
    } else if (in->signo == LX_SIGIO && in->code > 0 && in->code != LX_SI_KERNEL) {
        out->band = (uint32_t)in->u.poll.band;
        out->fd = in->u.poll.fd;
    } else if (in->signo == LX_SIGCHLD && in->code > 0) {
        out->pid = (uint32_t)in->u.chld.pid;
        out->uid = in->u.chld.uid;
        out->status = in->u.chld.status;
        out->utime = (uint64_t)in->u.chld.utime;
        out->stime = (uint64_t)in->u.chld.stime;
    } else {
        out->pid = (uint32_t)in->u.rt.pid;
        out->uid = in->u.rt.uid;
        out->value_ptr = in->u.rt.value;
        out->value_int = (int32_t)in->u.rt.value;
    }
}

static int64_t signalfd_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct signalfd *s = f->priv;
    struct lx_signalfd_siginfo out;
    int64_t done = 0;
    if (it->count < sizeof(out))
        return -LX_EINVAL;
    while (it->count >= sizeof(out)) {
        struct lx_siginfo info;
        if (!dequeue_signal(current, s->mask, &info))
            break;
        describe(&out, &info);
        if (iter_copy_to(it, &out, sizeof(out)) != sizeof(out))
            return done ? done : -LX_EFAULT;
        done += (int64_t)sizeof(out);
    }
    if (done)
        return done;
    return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : block_on(&current->signalfd_wait, EV_IN);
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *pt)
{
    struct signalfd *s = f->priv;
    poll_wait(pt, &current->signalfd_wait);
    return signals_pending_in(current, s->mask) ? EV_IN : 0;
}

static void signalfd_release(struct file *f)
{
    free(f->priv);
}

static size_t signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
    struct signalfd *s = f->priv;
    int n = snprintf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static const struct file_ops signalfd_fops = {
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
    .show_fdinfo = signalfd_fdinfo,
};

bool is_signalfd(struct file *f)
{
    return f->ops == &signalfd_fops;
}

void signalfd_set_mask(struct file *f, sigset64 mask)
{
    struct signalfd *s = f->priv;
    s->mask = mask & ~(SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP));
    wake_up(&current->signalfd_wait, EV_IN);
}

struct file *signalfd_file(sigset64 mask, uint32_t flags)
{
    struct signalfd *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->mask = mask & ~(SIGBIT(LX_SIGKILL) | SIGBIT(LX_SIGSTOP));
    struct file *f = anon_file(&signalfd_fops, s, FMODE_READ | FMODE_WRITE,
                               LX_O_RDWR | (flags & LX_O_NONBLOCK), "anon_inode:[signalfd]", 0600);
    if (!f)
        free(s);
    return f;
}
