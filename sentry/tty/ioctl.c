// The ioctls that every terminal has (drivers/tty/tty_io.c, tty_ioctl.c): attributes, window size, flushing, exclusive use.
// What is not here, TIOCSTI and TIOCLINUX among them, is refused and reaches no host terminal.
#include "sentry/mm/uaccess.h"
#include "sentry/trap/call.h"
#include "sentry/tty/tty.h"
#include <signal.h>
#include <string.h>

static const uint32_t speeds[] = {0,   50,   75,   110,  134,  150,  200,   300,
                                  600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const uint32_t fast_speeds[] = {0,       57600,   115200,  230400,  460800,  500000,
                                       576000,  921600,  1000000, 1152000, 1500000, 2000000,
                                       2500000, 3000000, 3500000, 4000000};
#define CBAUDEX 0x1000u

uint32_t tty_speed(uint32_t cflag, uint32_t given)
{
    uint32_t index = cflag & 0xf;
    if (!(cflag & CBAUDEX))
        return speeds[index];
    return index == 0 ? given : fast_speeds[index]; // BOTHER: any speed
}

static int64_t get_attributes(struct tty *t, uint32_t cmd, gaddr_t arg)
{
    struct lx_termios2 now;
    int64_t err = t->ops->get_termios(t, &now);
    if (err)
        return err;
    if (cmd == LX_TCGETS2)
        return put_user(now, arg);
    if (cmd == LX_TCGETS)
        return copy_out(arg, &now, sizeof(struct lx_termios));
    struct lx_termio old = {(uint16_t)now.c_iflag,
                            (uint16_t)now.c_oflag,
                            (uint16_t)now.c_cflag,
                            (uint16_t)now.c_lflag,
                            now.c_line,
                            {0},
                            0};
    memcpy(old.c_cc, now.c_cc, sizeof(old.c_cc));
    return put_user(old, arg);
}

static int copy_attributes(struct lx_termios2 *t, uint32_t cmd, gaddr_t arg)
{
    switch (cmd) {
    case LX_TCSETA:
    case LX_TCSETAW:
    case LX_TCSETAF: {
        struct lx_termio old;
        if (get_user(old, arg))
            return -LX_EFAULT;
        t->c_iflag = (t->c_iflag & 0xffff0000u) | old.c_iflag;
        t->c_oflag = (t->c_oflag & 0xffff0000u) | old.c_oflag;
        t->c_cflag = (t->c_cflag & 0xffff0000u) | old.c_cflag;
        t->c_lflag = (t->c_lflag & 0xffff0000u) | old.c_lflag;
        t->c_line = old.c_line;
        memcpy(t->c_cc, old.c_cc, sizeof(old.c_cc));
        break;
    }
    case LX_TCSETS:
    case LX_TCSETSW:
    case LX_TCSETSF:
        if (copy_in(t, arg, sizeof(struct lx_termios)))
            return -LX_EFAULT;
        break;
    default:
        if (copy_in(t, arg, sizeof(*t)))
            return -LX_EFAULT;
    }
    t->c_ospeed = tty_speed(t->c_cflag, t->c_ospeed);
    t->c_ispeed = t->c_ospeed;
    return 0;
}

static int64_t set_attributes(struct tty *t, uint32_t cmd, gaddr_t arg)
{
    int err = tty_check_background(t, SIGTTOU);
    if (err)
        return err;
    struct lx_termios2 wanted;
    int64_t failed = t->ops->get_termios(t, &wanted);
    if (failed)
        return failed;
    err = copy_attributes(&wanted, cmd, arg);
    if (err)
        return err;
    enum tty_when when = TTY_NOW;
    if (cmd == LX_TCSETSW || cmd == LX_TCSETAW || cmd == LX_TCSETSW2)
        when = TTY_DRAIN;
    if (cmd == LX_TCSETSF || cmd == LX_TCSETAF || cmd == LX_TCSETSF2)
        when = TTY_FLUSH;
    return t->ops->set_termios(t, &wanted, when);
}

static int64_t discipline(uint32_t cmd, gaddr_t arg)
{
    int32_t number = 0; // N_TTY, the only one
    if (cmd == LX_TIOCGETD)
        return put_user(number, arg);
    if (get_user(number, arg))
        return -LX_EFAULT;
    return number == 0 ? 0 : -LX_EINVAL;
}

static int64_t put_count(int64_t value, gaddr_t arg)
{
    int32_t count = (int32_t)value;
    return value < 0 ? value : put_user(count, arg);
}

int64_t tty_ioctl(struct tty *t, struct file *f, bool master, uint32_t cmd, uint64_t arg)
{
    if (tty_is_jobctl_ioctl(cmd))
        return tty_jobctl_ioctl(t, f, master, cmd, arg);
    int err;
    struct lx_winsize size;
    switch (cmd) {
    case LX_TCGETS:
    case LX_TCGETS2:
    case LX_TCGETA:
        return get_attributes(t, cmd, arg);
    case LX_TCSETS:
    case LX_TCSETSW:
    case LX_TCSETSF:
    case LX_TCSETA:
    case LX_TCSETAW:
    case LX_TCSETAF:
    case LX_TCSETS2:
    case LX_TCSETSW2:
    case LX_TCSETSF2:
        return set_attributes(t, cmd, arg);
    case LX_TIOCGWINSZ: {
        int64_t failed = t->ops->get_winsize(t, &size);
        return failed ? failed : put_user(size, arg);
    }
    case LX_TIOCSWINSZ:
        return get_user(size, arg) ? -LX_EFAULT : t->ops->set_winsize(t, &size);
    case LX_TCSBRK:
    case LX_TCSBRKP:
        err = tty_check_background(t, SIGTTOU);
        return err ? err : t->ops->send_break(t, (int)arg, cmd == LX_TCSBRKP);
    case LX_TCXONC:
        err = tty_check_background(t, SIGTTOU);
        if (err)
            return err;
        return (uint64_t)(uint32_t)arg > LX_TCION ? -LX_EINVAL : t->ops->flow(t, (int)arg);
    case LX_TCFLSH:
        err = tty_check_background(t, SIGTTOU);
        if (err)
            return err;
        return (uint64_t)(uint32_t)arg > LX_TCIOFLUSH ? -LX_EINVAL : t->ops->flush(t, (int)arg);
    case LX_FIONREAD:
        return put_count(t->ops->input_bytes(t), arg);
    case LX_TIOCOUTQ:
        return put_count(t->ops->output_bytes(t), arg);
    case LX_TIOCGETD:
    case LX_TIOCSETD:
        return discipline(cmd, arg);
    case LX_TIOCEXCL:
        t->exclusive = true;
        return 0;
    case LX_TIOCNXCL:
        t->exclusive = false;
        return 0;
    case LX_TIOCGEXCL:
        return put_count(t->exclusive, arg);
    case LX_TIOCGDEV: {
        uint32_t device = (uint32_t)tty_rdev(t);
        return put_user(device, arg);
    }
    case LX_TIOCSTI:
        return -LX_EIO; // as with dev.tty.legacy_tiocsti = 0
    default:
        return -LX_ENOTTY;
    }
}
