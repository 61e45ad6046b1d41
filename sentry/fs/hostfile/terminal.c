// The host terminal: its line discipline, modes and size stay the host's; sessions, foreground groups and the signals of
// background use are ours. Requests to the host come from a fixed list: TIOCSTI, TIOCLINUX, TIOCSCTTY and the like never do.
#include "sentry/fs/hostfile/terminal.h"
#include "sentry/fs/hostfile/hostfile.h"
#include "sentry/core/kernel.h"
#include "sentry/core/timer.h"
#include "sentry/tty/progress.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READ_CHUNK 4096u
#define DECISECOND_NS 100000000ull
#define HOST_TTY_MAX 256 // standard streams of the first process and of those that `exec` adds

struct host_tty {
    struct tty tty; // first
    uint64_t host_rdev;
    struct host_stream *in,
        *out; // into `streams`; the same where one descriptor does both, NULL: no such side
    struct host_stream streams[2];
    unsigned nr_streams;
    bool draining;           // a worker waits inside TCSETSW, TCSBRK or the like
    uint64_t input_since_ns; // when a read that waits for more (VMIN, VTIME) first saw `input_seen` bytes
    int64_t input_seen;
    bool asked;    // the command line has been asked whether it is in the foreground
    bool answered; // its answer serves the next look at the input
    int answer;
};

static struct host_tty *terminals[HOST_TTY_MAX]; // weak

static struct host_tty *host_of(struct tty *t)
{
    return (struct host_tty *)(void *)t;
}

static int control_fd(const struct host_tty *h)
{
    return h->in ? h->in->fd : h->out->fd;
}

static int64_t host_ioctl(const struct host_tty *h, unsigned long cmd, void *arg)
{
    return ioctl(control_fd(h), cmd, arg) < 0 ? -errno : 0;
}

// For requests that wait until the output has gone: the kernel lock is dropped, one worker at a time.
static int64_t host_ioctl_waiting(struct host_tty *h, unsigned long cmd, void *arg)
{
    if (h->draining)
        return block_on(&h->tty.wait, EV_WRBAND);
    h->draining = true;
    tty_get(&h->tty);
    kernel_blocking_begin();
    int64_t err = host_ioctl(h, cmd, arg);
    kernel_blocking_end();
    h->draining = false;
    wake_up(&h->tty.wait, EV_WRBAND);
    tty_put(&h->tty);
    return err;
}

static int64_t host_get_termios(struct tty *t, struct lx_termios2 *out)
{
    struct lx_termios now;
    memset(out, 0, sizeof(*out));
    int64_t err = host_ioctl(host_of(t), LX_TCGETS, &now);
    memcpy(out, &now, sizeof(now));
    out->c_ispeed = out->c_ospeed = tty_speed(now.c_cflag, 38400);
    return err;
}

static int64_t host_set_termios(struct tty *t, const struct lx_termios2 *in, enum tty_when when)
{
    struct lx_termios wanted;
    memcpy(&wanted, in, sizeof(wanted));
    int64_t err = when == TTY_NOW
                      ? host_ioctl(host_of(t), LX_TCSETS, &wanted)
                      : host_ioctl_waiting(host_of(t), when == TTY_DRAIN ? LX_TCSETSW : LX_TCSETSF, &wanted);
    // Readers and pollers look again: what is readable depends on the mode.
    wake_up(&t->wait, EV_IN | EV_RDNORM);
    return err;
}

static int64_t host_get_winsize(struct tty *t, struct lx_winsize *out)
{
    return host_ioctl(host_of(t), LX_TIOCGWINSZ, out);
}

// The host tells its own foreground group, so SIGWINCH comes back to us from the command line.
static int64_t host_set_winsize(struct tty *t, const struct lx_winsize *in)
{
    struct lx_winsize size = *in;
    return host_ioctl(host_of(t), LX_TIOCSWINSZ, &size);
}

static int64_t host_flush(struct tty *t, int queue)
{
    return host_ioctl(host_of(t), LX_TCFLSH, (void *)(intptr_t)queue);
}

static int64_t host_flow(struct tty *t, int action)
{
    return host_ioctl(host_of(t), LX_TCXONC, (void *)(intptr_t)action);
}

static int64_t host_break(struct tty *t, int arg, bool posix)
{
    // TCSBRKP differs in the length of the break only, and TCSBRK's argument 0 means one of the usual length.
    return host_ioctl_waiting(host_of(t), LX_TCSBRK, (void *)(intptr_t)(posix ? 0 : arg));
}

static int64_t host_bytes(struct tty *t, unsigned long cmd)
{
    int count = 0;
    int64_t err = host_ioctl(host_of(t), cmd, &count);
    return err ? err : count;
}

static int64_t host_input_bytes(struct tty *t)
{
    return host_bytes(t, LX_FIONREAD);
}

static int64_t host_output_bytes(struct tty *t)
{
    return host_bytes(t, LX_TIOCOUTQ);
}

static int64_t read_now(struct host_tty *h, struct file *f, struct iov_iter *it, size_t n)
{
    uint8_t bytes[READ_CHUNK];
    h->input_seen = 0;
    ssize_t done = host_stream_recv(h->in, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
    if (done == -LX_EAGAIN)
        return host_stream_block(h->in, f, EV_IN | EV_RDNORM);
    return done > 0 ? iter_copy_to(it, bytes, (size_t)done) : done;
}

static int64_t wait_until(struct host_tty *h, uint64_t deadline)
{
    int64_t blocked = block_on_until(&h->tty.wait, EV_IN | EV_RDNORM, deadline);
    host_stream_arm(h->in);
    return blocked;
}

// Raw mode: VMIN and VTIME decide, and a read takes no more than is there, so that the host never waits for them.
static int64_t read_raw(struct host_tty *h, struct file *f, struct iov_iter *it,
                        const struct lx_termios2 *mode)
{
    size_t minimum = mode->c_cc[LX_VMIN];
    uint64_t time = mode->c_cc[LX_VTIME] * DECISECOND_NS;
    int64_t available = host_input_bytes(&h->tty);
    if (available < 0)
        return available;
    bool hangup = host_stream_ready(h->in, 0) & (EV_ERR | EV_HUP);
    if (minimum > it->count)
        minimum = it->count;
    bool enough = available > 0 && (size_t)available >= minimum;
    bool over = current->call.timed_out || (f->flags & LX_O_NONBLOCK);
    if (hangup || enough || (available > 0 && over))
        return read_now(h, f, it,
                        available > 0 && (size_t)available < it->count ? (size_t)available : it->count);
    if (minimum == 0 && (time == 0 || over))
        return 0;
    if (f->flags & LX_O_NONBLOCK)
        return -LX_EAGAIN;
    if (minimum == 0)
        return wait_until(h, mono_now_ns() + time);
    if (available == 0 || time == 0)
        return wait_until(h, KTIMER_NEVER);
    if (available != h->input_seen) {
        h->input_seen = available;
        h->input_since_ns = mono_now_ns();
    }
    return wait_until(h, h->input_since_ns + time);
}

void (*host_tty_ask_hook)(void);

void host_tty_answer(int answer)
{
    for (int i = 0; i < HOST_TTY_MAX; i++) {
        struct host_tty *h = terminals[i];
        if (!h || !h->asked)
            continue;
        h->asked = false;
        h->answered = true;
        h->answer = answer;
        wake_up(&h->tty.wait, EV_RDBAND);
    }
}

// The host's own job control does not see us: nothing of the sandbox is in the terminal's session. So each look at the input
// asks the command line, which is, whether its shell has it in the foreground.
static int64_t check_foreground(struct host_tty *h)
{
    if (!host_tty_ask_hook || current->call.timed_out)
        return 0;
    if (!h->answered) {
        if (!h->asked)
            host_tty_ask_hook();
        h->asked = true;
        return block_on(&h->tty.wait, EV_RDBAND);
    }
    h->answered = false;
    return h->answer == 0 ? 0 : h->answer < 0 ? tty_stop_reader() : -LX_EIO;
}

static int64_t host_read(struct tty *t, struct file *f, struct iov_iter *it)
{
    struct host_tty *h = host_of(t);
    struct lx_termios2 mode;
    if (!h->in)
        return -LX_EIO;
    if (it->count == 0)
        return 0;
    int64_t err = check_foreground(h);
    if (!err)
        err = host_get_termios(t, &mode);
    if (err)
        return err;
    if (!(mode.c_lflag & LX_ICANON))
        return read_raw(h, f, it, &mode);
    return read_now(h, f, it, it->count);
}

static int64_t host_write(struct tty *t, struct file *f, struct iov_iter *it)
{
    struct host_tty *h = host_of(t);
    return !h->out ? -LX_EIO : host_stream_write(h->out, f, it);
}

static uint32_t host_poll(struct tty *t, struct file *f, struct poll_table *pt)
{
    struct host_tty *h = host_of(t);
    if (!h->in || !h->out || h->in == h->out)
        return host_stream_poll(h->in ? h->in : h->out, pt);
    uint32_t events = host_stream_poll(h->in, pt) & ~(EV_OUT | EV_WRNORM);
    return events | (host_stream_poll(h->out, pt) & ~(EV_IN | EV_RDNORM));
}

static void host_free(struct tty *t)
{
    struct host_tty *h = host_of(t);
    for (int i = 0; i < HOST_TTY_MAX; i++)
        if (terminals[i] == h)
            terminals[i] = NULL;
    wait_queue_release(&t->wait);
    for (unsigned i = 0; i < h->nr_streams; i++) {
        host_stream_release(&h->streams[i]);
        close(h->streams[i].fd);
    }
    free(h);
}

static const struct tty_ops host_tty_ops = {
    .read = host_read,
    .write = host_write,
    .poll = host_poll,
    .get_termios = host_get_termios,
    .set_termios = host_set_termios,
    .get_winsize = host_get_winsize,
    .set_winsize = host_set_winsize,
    .flush = host_flush,
    .flow = host_flow,
    .send_break = host_break,
    .input_bytes = host_input_bytes,
    .output_bytes = host_output_bytes,
    .free = host_free,
};

static struct host_tty *find_or_make(uint64_t host_rdev)
{
    int slot = -1;
    for (int i = 0; i < HOST_TTY_MAX; i++) {
        if (terminals[i] && terminals[i]->host_rdev == host_rdev) {
            tty_get(&terminals[i]->tty);
            return terminals[i];
        }
        if (!terminals[i])
            slot = i;
    }
    struct host_tty *h = slot < 0 ? NULL : calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    tty_init(&h->tty, &host_tty_ops);
    h->host_rdev = host_rdev;
    terminals[slot] = h;
    return h;
}

// Makes `fd` serve the sides that are still missing. False: it was of no use.
static bool take_sides(struct host_tty *h, int fd, bool readable, bool writable)
{
    readable = readable && !h->in;
    writable = writable && !h->out;
    if (!readable && !writable)
        return false;
    struct host_stream *s = &h->streams[h->nr_streams];
    if (host_stream_init(s, fd, STREAM_OTHER, &h->tty.wait))
        return false;
    h->nr_streams++;
    if (readable)
        h->in = s;
    if (writable)
        h->out = s;
    return true;
}

struct tty *host_tty_open(int fd, uint64_t host_rdev, bool readable, bool writable)
{
    struct host_tty *h = find_or_make(host_rdev);
    if (!h || !take_sides(h, fd, readable, writable))
        close(fd);
    if (h && h->nr_streams == 0) {
        tty_put(&h->tty);
        return NULL;
    }
    return h ? &h->tty : NULL;
}
