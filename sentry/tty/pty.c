// The slave side of a pseudo terminal, and what both sides share.
#include "sentry/tty/pty.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/timer.h"
#include "sentry/tty/progress.h"
#include <signal.h>

// Linux keeps 8 KiB between the sides, and 4 KiB in the discipline of the reader.
#define TYPED_SIZE 8192
#define DISPLAY_SIZE 12288
#define DECISECOND_NS 100000000ull

static struct pty *pty_of_ldisc(struct ldisc *ld)
{
    return container_of(ld, struct pty, ld);
}

static size_t display_room(struct ldisc *ld)
{
    struct pty *p = pty_of_ldisc(ld);
    return ld->stopped || p->master_closed ? 0 : ring_room(&p->display);
}

static void display_output(struct ldisc *ld, const uint8_t *bytes, size_t n)
{
    struct pty *p = pty_of_ldisc(ld);
    ring_put(&p->display, bytes, n);
    wake_up(&p->master_wait, EV_IN | EV_RDNORM);
}

void pty_packet_event(struct pty *p, uint8_t set, uint8_t clear)
{
    if (!p->packet)
        return;
    p->packet_status = (uint8_t)((p->packet_status & ~clear) | set);
    wake_up(&p->master_wait, EV_IN | EV_PRI | EV_RDNORM);
}

static void display_flush(struct ldisc *ld)
{
    struct pty *p = pty_of_ldisc(ld);
    ring_clear(&p->display);
    pty_packet_event(p, LX_TIOCPKT_FLUSHWRITE, 0);
    wake_up(&p->tty.wait, EV_OUT | EV_WRNORM);
}

static void input_flushed(struct ldisc *ld)
{
    pty_packet_event(pty_of_ldisc(ld), LX_TIOCPKT_FLUSHREAD, 0);
}

static void signal_foreground(struct ldisc *ld, int sig)
{
    tty_signal_foreground(&pty_of_ldisc(ld)->tty, sig);
}

static void flow_changed(struct ldisc *ld)
{
    struct pty *p = pty_of_ldisc(ld);
    if (ld->stopped) {
        pty_packet_event(p, LX_TIOCPKT_STOP, LX_TIOCPKT_START);
        return;
    }
    pty_packet_event(p, LX_TIOCPKT_START, LX_TIOCPKT_STOP);
    wake_up(&p->tty.wait, EV_OUT | EV_WRNORM);
}

static const struct ldisc_ops pty_ldisc_ops = {
    .room = display_room,
    .output = display_output,
    .flush_output = display_flush,
    .signal = signal_foreground,
    .flow = flow_changed,
    .flushed_input = input_flushed,
};

struct pty *pty_alloc(void)
{
    struct pty *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    tty_init(&p->tty, &pty_slave_ops);
    ldisc_init(&p->ld, &pty_ldisc_ops);
    wait_queue_init(&p->master_wait);
    p->typed.size = TYPED_SIZE;
    p->display.size = DISPLAY_SIZE;
    p->ispeed = p->ospeed = 38400;
    p->locked = true;
    return p;
}

static void slave_free(struct tty *t)
{
    struct pty *p = pty_of(t);
    wait_queue_release(&t->wait);
    wait_queue_release(&p->master_wait);
    ring_clear(&p->typed);
    ring_clear(&p->display);
    free(p);
}

void pty_push(struct pty *p)
{
    uint8_t chunk[512];
    size_t before = p->typed.used, n;
    while ((n = ring_peek(&p->typed, chunk, sizeof(chunk))) != 0) {
        size_t taken = ldisc_receive(&p->ld, chunk, n);
        if (p->typed.used)
            ring_drop(&p->typed, taken);
        if (taken < n)
            break;
    }
    if (p->typed.used == before)
        return;
    p->ld.last_input_ns = mono_now_ns();
    wake_up(&p->master_wait, EV_OUT | EV_WRNORM);
    if (ldisc_readable(&p->ld, 1))
        wake_up(&p->tty.wait, EV_IN | EV_RDNORM);
}

// How long a read waits. 0: not at all.
static uint64_t read_deadline(const struct pty *p, bool some)
{
    uint64_t time = p->ld.termios.c_cc[LX_VTIME] * DECISECOND_NS;
    if (ldisc_canonical(&p->ld))
        return KTIMER_NEVER;
    if (p->ld.termios.c_cc[LX_VMIN] == 0)
        return time ? mono_now_ns() + time : 0;
    return some && time ? p->ld.last_input_ns + time : KTIMER_NEVER;
}

static int64_t slave_read(struct tty *t, struct file *f, struct iov_iter *it)
{
    struct pty *p = pty_of(t);
    size_t minimum = p->ld.termios.c_cc[LX_VMIN];
    if (minimum > it->count)
        minimum = it->count;
    if (!ldisc_readable(&p->ld, minimum)) {
        bool some = !ldisc_canonical(&p->ld) && ldisc_available(&p->ld);
        if (!some && (f->flags & LX_O_NONBLOCK))
            return read_deadline(p, false) == 0 ? 0 : -LX_EAGAIN;
        bool over = current->call.timed_out || (f->flags & LX_O_NONBLOCK);
        if (!over) {
            uint64_t deadline = read_deadline(p, some);
            if (deadline != 0)
                return block_on_until(&t->wait, EV_IN | EV_RDNORM, deadline);
        }
        if (!some)
            return 0;
    }
    uint8_t bytes[LDISC_BUFFER];
    size_t n = it->count < sizeof(bytes) ? it->count : sizeof(bytes);
    n = ldisc_read(&p->ld, bytes, n);
    pty_push(p); // there is room again
    return n ? iter_copy_to(it, bytes, n) : 0;
}

static int64_t slave_write(struct tty *t, struct file *f, struct iov_iter *it)
{
    struct pty *p = pty_of(t);
    uint8_t bytes[2048];
    uint64_t total = write_resume(it);
    while (it->count) {
        struct iov_iter before = *it;
        ssize_t n = iter_copy_from(it, bytes, it->count < sizeof(bytes) ? it->count : sizeof(bytes));
        if (n <= 0)
            return write_failed(total, n ? n : -LX_EFAULT);
        size_t done = ldisc_write(&p->ld, bytes, (size_t)n);
        total += done;
        if (done < (size_t)n) {
            *it = before;
            iter_advance(it, done);
            return write_wait(f, &t->wait, total);
        }
    }
    return (int64_t)total;
}

static uint32_t slave_poll(struct tty *t, struct file *f, struct poll_table *pt)
{
    struct pty *p = pty_of(t);
    poll_wait(pt, &t->wait);
    uint32_t events = 0;
    size_t minimum = p->ld.termios.c_cc[LX_VTIME] ? 1 : p->ld.termios.c_cc[LX_VMIN];
    if (ldisc_readable(&p->ld, minimum))
        events |= EV_IN | EV_RDNORM;
    if (!p->ld.stopped && ring_room(&p->display) > DISPLAY_SIZE / 16)
        events |= EV_OUT | EV_WRNORM;
    return events;
}

static int64_t slave_get_termios(struct tty *t, struct lx_termios2 *out)
{
    struct pty *p = pty_of(t);
    memset(out, 0, sizeof(*out));
    memcpy(out, &p->ld.termios, sizeof(p->ld.termios));
    out->c_ispeed = p->ispeed;
    out->c_ospeed = p->ospeed;
    return 0;
}

static bool flow_characters(const struct lx_termios *t)
{
    return (t->c_iflag & LX_IXON) && t->c_cc[LX_VSTOP] == 023 && t->c_cc[LX_VSTART] == 021;
}

static int64_t slave_set_termios(struct tty *t, const struct lx_termios2 *in, enum tty_when when)
{
    struct pty *p = pty_of(t);
    struct lx_termios old = p->ld.termios, now;
    memcpy(&now, in, sizeof(now));
    now.c_cflag = (now.c_cflag & ~(LX_CSIZE | LX_PARENB)) | LX_CS8 | LX_CREAD;
    if (when == TTY_FLUSH)
        ldisc_flush_input(&p->ld);
    if (p->packet) {
        if (flow_characters(&old) != flow_characters(&now))
            pty_packet_event(p, flow_characters(&now) ? LX_TIOCPKT_DOSTOP : LX_TIOCPKT_NOSTOP,
                             LX_TIOCPKT_DOSTOP | LX_TIOCPKT_NOSTOP);
        if ((old.c_lflag ^ now.c_lflag) & LX_EXTPROC ||
            ((now.c_lflag & LX_EXTPROC) && memcmp(&old, &now, sizeof(now))))
            pty_packet_event(p, LX_TIOCPKT_IOCTL, 0);
    }
    ldisc_set_termios(&p->ld, &now);
    p->ispeed = in->c_ispeed;
    p->ospeed = in->c_ospeed;
    pty_push(p);
    if (ldisc_readable(&p->ld, 1))
        wake_up(&t->wait, EV_IN | EV_RDNORM);
    return 0;
}

static int64_t slave_get_winsize(struct tty *t, struct lx_winsize *out)
{
    *out = pty_of(t)->winsize;
    return 0;
}

static int64_t slave_set_winsize(struct tty *t, const struct lx_winsize *in)
{
    struct pty *p = pty_of(t);
    if (!memcmp(&p->winsize, in, sizeof(*in)))
        return 0;
    p->winsize = *in;
    tty_signal_foreground(t, SIGWINCH);
    return 0;
}

static int64_t slave_flush(struct tty *t, int queue)
{
    struct pty *p = pty_of(t);
    if (queue != LX_TCOFLUSH) {
        ldisc_flush_input(&p->ld);
        ring_clear(&p->typed);
        pty_packet_event(p, LX_TIOCPKT_FLUSHREAD, 0);
        wake_up(&p->master_wait, EV_OUT | EV_WRNORM);
    }
    if (queue != LX_TCIFLUSH)
        display_flush(&p->ld);
    return 0;
}

static int64_t slave_flow(struct tty *t, int action)
{
    struct pty *p = pty_of(t);
    if (action == LX_TCOOFF) {
        p->ld.stopped_by_ioctl = true;
        ldisc_stop(&p->ld);
    } else if (action == LX_TCOON) {
        p->ld.stopped_by_ioctl = false;
        ldisc_start(&p->ld);
    } else {
        uint8_t c = p->ld.termios.c_cc[action == LX_TCIOFF ? LX_VSTOP : LX_VSTART];
        if (c)
            display_output(&p->ld, &c, ring_room(&p->display) ? 1 : 0);
    }
    return 0;
}

static int64_t slave_break(struct tty *t, int arg, bool posix)
{
    return 0; // a pseudo terminal sends none, and its output is never "on the wire"
}

static int64_t slave_input_bytes(struct tty *t)
{
    return (int64_t)ldisc_available(&pty_of(t)->ld);
}

static int64_t slave_output_bytes(struct tty *t)
{
    return 0;
}

static int slave_open(struct tty *t, struct file *f)
{
    struct pty *p = pty_of(t);
    if (p->locked)
        return -LX_EIO;
    p->slave_closed = false;
    return 0;
}

static void slave_close(struct tty *t, struct file *f)
{
    struct pty *p = pty_of(t);
    if (t->files)
        return;
    p->slave_closed = true;
    wake_up(&p->master_wait, EV_IN | EV_RDNORM | EV_HUP);
}

const struct tty_ops pty_slave_ops = {
    .read = slave_read,
    .write = slave_write,
    .poll = slave_poll,
    .get_termios = slave_get_termios,
    .set_termios = slave_set_termios,
    .get_winsize = slave_get_winsize,
    .set_winsize = slave_set_winsize,
    .flush = slave_flush,
    .flow = slave_flow,
    .send_break = slave_break,
    .input_bytes = slave_input_bytes,
    .output_bytes = slave_output_bytes,
    .open = slave_open,
    .close = slave_close,
    .free = slave_free,
};
