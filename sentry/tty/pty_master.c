// The master side of a pseudo terminal: what /dev/ptmx opens.
#include "abi/linux/fcntl.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/tty/progress.h"
#include "sentry/tty/pty.h"
#include <signal.h>
#include <stdio.h>

static int64_t read_packet(struct pty *p, struct iov_iter *it)
{
    uint8_t status = p->packet_status;
    p->packet_status = 0;
    ssize_t n = iter_copy_to(it, &status, 1);
    return n;
}

static int64_t master_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct pty *p = f->priv;
    if (p->packet && p->packet_status)
        return read_packet(p, it);
    if (!p->display.used) {
        if (p->slave_closed)
            return -LX_EIO;
        if (f->flags & LX_O_NONBLOCK)
            return -LX_EAGAIN;
        return block_on(&p->master_wait, EV_IN | EV_RDNORM | EV_PRI);
    }
    uint8_t bytes[LDISC_BUFFER];
    size_t at = 0, want = it->count < sizeof(bytes) ? it->count : sizeof(bytes);
    if (p->packet)
        bytes[at++] = 0; // TIOCPKT_DATA
    size_t n = ring_peek(&p->display, bytes + at, want - at);
    ssize_t copied = iter_copy_to(it, bytes, at + n);
    if (copied < 0)
        return copied;
    if ((size_t)copied > at)
        ring_drop(&p->display, (size_t)copied - at);
    ldisc_drain_echo(&p->ld);
    if (ring_room(&p->display))
        wake_up(&p->tty.wait, EV_OUT | EV_WRNORM);
    return copied;
}

static int64_t master_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct pty *p = f->priv;
    uint8_t bytes[1024];
    uint64_t total = write_resume(it), since = 0;
    while (it->count) {
        size_t want = it->count < sizeof(bytes) ? it->count : sizeof(bytes);
        if (want > ring_room(&p->typed))
            want = ring_room(&p->typed);
        if (!want)
            return write_wait(f, &p->master_wait, total);
        ssize_t n = iter_copy_from(it, bytes, want);
        if (n <= 0)
            return write_failed(total, n ? n : -LX_EFAULT);
        if (ring_put(&p->typed, bytes, (size_t)n) != (size_t)n)
            return write_failed(total, -LX_ENOMEM);
        total += (uint64_t)n;
        pty_push(p);
        if (transfer_pause(&since, (uint64_t)n))
            break;
    }
    return (int64_t)total;
}

static uint32_t master_poll(struct file *f, struct poll_table *pt)
{
    struct pty *p = f->priv;
    poll_wait(pt, &p->master_wait);
    uint32_t events = 0;
    if (p->display.used)
        events |= EV_IN | EV_RDNORM;
    if (p->packet && p->packet_status)
        events |= EV_PRI | EV_IN | EV_RDNORM;
    if (p->slave_closed)
        events |= EV_HUP;
    if (ring_room(&p->typed))
        events |= EV_OUT | EV_WRNORM;
    return events;
}

static int64_t open_peer(struct pty *p, int flags)
{
    struct file *peer = NULL;
    int err = devpts_open_peer(&p->tty, (uint32_t)flags, &peer);
    if (err)
        return err;
    int fd = fd_install(current->files, peer, 0, flags & LX_O_CLOEXEC);
    if (fd < 0)
        file_put(peer);
    return fd;
}

static int64_t send_signal(struct pty *p, int sig)
{
    if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
        return -LX_EINVAL;
    tty_signal_foreground(&p->tty, sig);
    return 0;
}

static int64_t set_packet(struct pty *p, bool on)
{
    if (on && !p->packet)
        p->packet_status = 0;
    p->packet = on;
    return 0;
}

static int64_t flush_master(struct pty *p, int queue)
{
    // Seen from here, input is what the slave wrote.
    if (queue != LX_TCOFLUSH) {
        ring_clear(&p->display);
        wake_up(&p->tty.wait, EV_OUT | EV_WRNORM);
    }
    if (queue != LX_TCIFLUSH) {
        ring_clear(&p->typed);
        ldisc_flush_input(&p->ld);
        wake_up(&p->master_wait, EV_OUT | EV_WRNORM);
    }
    return 0;
}

static int64_t master_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    struct pty *p = f->priv;
    int32_t value;
    switch (cmd) {
    case LX_TIOCGPTN:
        value = p->tty.index;
        return put_user(value, arg);
    case LX_TIOCSPTLCK:
        if (get_user(value, arg))
            return -LX_EFAULT;
        p->locked = value != 0;
        return 0;
    case LX_TIOCGPTLCK:
        value = p->locked;
        return put_user(value, arg);
    case LX_TIOCGPTPEER:
        return open_peer(p, (int)arg);
    case LX_TIOCPKT:
        return get_user(value, arg) ? -LX_EFAULT : set_packet(p, value != 0);
    case LX_TIOCGPKT:
        value = p->packet;
        return put_user(value, arg);
    case LX_TIOCSIG:
        return send_signal(p, (int)arg);
    case LX_FIONREAD:
        value = (int32_t)p->display.used;
        return put_user(value, arg);
    case LX_TCFLSH:
        return (uint64_t)(uint32_t)arg > LX_TCIOFLUSH ? -LX_EINVAL : flush_master(p, (int)arg);
    case LX_TCXONC:
        return (uint64_t)(uint32_t)arg > LX_TCION ? -LX_EINVAL : 0;
    case LX_TIOCGDEV: {
        uint32_t device = (5u << 8) | 2u;
        return put_user(device, arg);
    }
    default:
        return tty_ioctl(&p->tty, f, true, cmd, arg);
    }
}

static void master_release(struct file *f)
{
    struct pty *p = f->priv;
    p->master_closed = true;
    devpts_remove(&p->tty);
    tty_hangup(&p->tty);
    tty_put(&p->tty);
}

static size_t master_fdinfo(struct file *f, char *buf, size_t size)
{
    const struct pty *p = f->priv;
    int n = snprintf(buf, size, "tty-index:\t%d\n", p->tty.index);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static const struct file_ops pty_master_file_ops = {
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .release = master_release,
    .show_fdinfo = master_fdinfo,
};

int pty_open_master(struct file *f)
{
    struct pty *p = pty_alloc();
    if (!p)
        return -LX_ENOMEM;
    int err = devpts_add(&p->tty, -1, current->cred->fsuid, DEVPTS_GID_TTY, DEVPTS_MODE);
    if (err) {
        tty_put(&p->tty);
        return err;
    }
    f->ops = &pty_master_file_ops;
    f->priv = p;
    return 0;
}
