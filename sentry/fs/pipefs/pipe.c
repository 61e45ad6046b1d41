// Files that are ends of pipes: read, write, poll, and opening fifos (fs/pipe.c of Linux).
#include "sentry/fs/pipefs/pipe.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "abi/linux/stat.h"
#include "sentry/fs/pipefs/internal.h"
#include "sentry/task/task.h"
#include <string.h>

// Bytes of a blocked write that are already in the pipe (see file_ops.write).
static uint64_t *written_before(void)
{
    return &current->call.state.words[0];
}

static int64_t pipe_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct pipe *p = f->priv;
    if (it->count == 0)
        return 0;
    if (p->used) {
        bool was_full = pipe_full(p);
        int64_t got = pipe_pull(p, it);
        // A writer that waits for room is woken when a slot came free, not for every byte.
        if (was_full && !pipe_full(p))
            wake_up(&p->wr_wait, EV_OUT | EV_WRNORM);
        return got;
    }
    if (!p->writers)
        return 0;
    if (f->flags & LX_O_NONBLOCK)
        return -LX_EAGAIN;
    return block_on(&p->rd_wait, EV_IN | EV_RDNORM);
}

static void send_sigpipe(void)
{
    struct lx_siginfo info;
    siginfo_from_current(&info, LX_SIGPIPE, LX_SI_USER);
    send_signal_task(current, LX_SIGPIPE, &info);
}

static int64_t pipe_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct pipe *p = f->priv;
    uint64_t done = *written_before();
    if (it->count == 0)
        return 0;
    iter_advance(it, done);
    if (!p->readers) {
        send_sigpipe();
        return done ? (int64_t)done : -LX_EPIPE;
    }
    int64_t got = pipe_push(p, it, f->flags & LX_O_DIRECT);
    if (got > 0) {
        done += (uint64_t)got;
        wake_up(&p->rd_wait, EV_IN | EV_RDNORM);
    }
    // A short push with room left means that the source's memory ended.
    if (got < 0 || it->count == 0 || !pipe_full(p))
        return done ? (int64_t)done : (got < 0 ? got : -LX_EFAULT);
    if (f->flags & LX_O_NONBLOCK)
        return done ? (int64_t)done : -LX_EAGAIN;
    *written_before() = done;
    if (done)
        current->call.interrupted = (int64_t)done;
    return block_on(&p->wr_wait, EV_OUT | EV_WRNORM);
}

static uint32_t pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->priv;
    uint32_t events = 0;
    if (f->mode & FMODE_READ) {
        poll_wait(pt, &p->rd_wait);
        if (p->used)
            events |= EV_IN | EV_RDNORM;
        // A fifo opened without waiting shows no hang-up before its first writer.
        if (!p->writers && (uint32_t)f->iterate_state != p->w_counter)
            events |= EV_HUP;
    }
    if (f->mode & FMODE_WRITE) {
        poll_wait(pt, &p->wr_wait);
        if (!pipe_full(p))
            events |= EV_OUT | EV_WRNORM;
        if (!p->readers)
            events |= EV_ERR;
    }
    return events;
}

static int64_t pipe_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    struct pipe *p = f->priv;
    if (cmd != LX_FIONREAD)
        return -LX_ENOTTY;
    int32_t bytes = (int32_t)p->bytes;
    return put_user(bytes, arg);
}

static int64_t pipe_fcntl(struct file *f, int cmd, uint64_t arg)
{
    struct pipe *p = f->priv;
    if (cmd == LX_F_GETPIPE_SZ)
        return (int64_t)p->max_slots * PIPE_PAGE;
    if (cmd != LX_F_SETPIPE_SZ)
        return -LX_EINVAL;
    bool was_full = pipe_full(p);
    int64_t size = pipe_set_size(p, (uint32_t)arg);
    if (was_full && !pipe_full(p))
        wake_up(&p->wr_wait, EV_OUT | EV_WRNORM);
    return size;
}

static void drop_side(struct pipe *p, bool reader, bool writer)
{
    p->readers -= reader;
    p->writers -= writer;
    if (!p->readers != !p->writers) {
        wake_up(&p->rd_wait, EV_IN | EV_RDNORM | EV_ERR | EV_HUP);
        wake_up(&p->wr_wait, EV_OUT | EV_WRNORM | EV_ERR | EV_HUP);
    }
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->priv;
    p->files--;
    drop_side(p, f->mode & FMODE_READ, f->mode & FMODE_WRITE);
    pipe_free_unused(p);
}

const struct file_ops pipe_fops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .fcntl = pipe_fcntl,
    .release = pipe_release,
};

struct pipe *file_pipe(struct file *f)
{
    return f->ops == &pipe_fops ? f->priv : NULL;
}

int pipe_create(struct file *files[2], uint32_t flags)
{
    struct pipe *p = pipe_alloc();
    if (!p)
        return -LX_ENFILE;
    files[0] = anon_file(&pipe_fops, p, FMODE_READ, LX_O_RDONLY | (flags & LX_O_NONBLOCK),
                         "pipe:", LX_S_IFIFO | 0600);
    if (!files[0]) {
        pipe_free_unused(p);
        return -LX_ENFILE;
    }
    p->inode = inode_get(files[0]->inode); // /proc/self/fd/N opens it again
    p->inode->pipe = p;
    p->files = 1;
    p->readers = 1;
    p->r_counter = 1;
    p->w_counter = 1;
    files[1] = file_alloc();
    if (!files[1]) {
        file_put(files[0]);
        return -LX_ENFILE;
    }
    files[1]->mode = FMODE_WRITE;
    files[1]->flags = LX_O_WRONLY | (flags & (LX_O_NONBLOCK | LX_O_DIRECT));
    files[1]->ops = &pipe_fops;
    files[1]->priv = p;
    files[1]->path = files[0]->path;
    files[1]->inode = files[0]->inode;
    path_get(&files[1]->path);
    p->files = 2;
    p->writers = 1;
    return 0;
}

// --- fifos

// An open that waits for its partner is already counted; this is what it left behind. At the end of the
// call's state, out of the way of open itself.
struct fifo_wait {
    struct pipe *pipe;
    uint32_t seen; // the partner's counter when the wait began
    bool reader;
};
static struct fifo_wait *fifo_wait_of(struct call *c)
{
    return (struct fifo_wait *)(void *)&c->state.words[CALL_STATE_BYTES / 8 - 2];
}
_Static_assert(sizeof(struct fifo_wait) <= 16, "two words at the end");

static void fifo_wait_end(struct call *c)
{
    struct fifo_wait *w = fifo_wait_of(c);
    struct pipe *p = w->pipe;
    c->release = NULL;
    if (!p)
        return;
    w->pipe = NULL;
    drop_side(p, w->reader, !w->reader);
    pipe_free_unused(p);
}

static void become_file(struct file *f, struct pipe *p)
{
    p->files++;
    f->ops = &pipe_fops;
    f->priv = p;
    f->iterate_state = 0;
}

static void wake_partners(struct pipe *p)
{
    wake_up(&p->rd_wait, EV_IN | EV_HUP);
}

static int fifo_block(struct pipe *p, bool reader, uint32_t seen)
{
    struct call *c = &current->call;
    *fifo_wait_of(c) = (struct fifo_wait){p, seen, reader};
    c->release = fifo_wait_end;
    return (int)block_on(&p->rd_wait, EV_IN);
}

static int fifo_open(struct inode *inode, struct file *f)
{
    struct call *c = &current->call;
    struct fifo_wait *w = fifo_wait_of(c);
    bool reader = f->mode & FMODE_READ, writer = f->mode & FMODE_WRITE;
    if (c->release == fifo_wait_end && w->pipe) {
        struct pipe *p = w->pipe;
        if (inode->pipe == p && w->reader == reader) {
            if ((w->reader ? p->w_counter : p->r_counter) == w->seen)
                return (int)block_on(&p->rd_wait, EV_IN);
            w->pipe = NULL; // its count becomes the file's
            c->release = NULL;
            become_file(f, p);
            return 0;
        }
        fifo_wait_end(c); // the name leads elsewhere now
    }
    struct pipe *p = inode->pipe;
    if (!p) {
        p = pipe_alloc();
        if (!p)
            return -LX_ENOMEM;
        p->inode = inode_get(inode);
        p->is_fifo = true;
        inode->pipe = p;
    }
    if (p->is_fifo && writer && !reader && (f->flags & LX_O_NONBLOCK) && !p->readers) {
        pipe_free_unused(p);
        return -LX_ENXIO;
    }
    p->r_counter += reader;
    p->w_counter += writer;
    bool news = (reader && !p->readers) || (writer && !p->writers);
    p->readers += reader;
    p->writers += writer;
    if (news)
        wake_partners(p);
    if (p->is_fifo && reader && !writer && !p->writers) {
        if (!(f->flags & LX_O_NONBLOCK))
            return fifo_block(p, true, p->w_counter);
        become_file(f, p);
        f->iterate_state = (int32_t)p->w_counter;
        return 0;
    }
    if (p->is_fifo && writer && !reader && !p->readers)
        return fifo_block(p, false, p->r_counter);
    become_file(f, p);
    return 0;
}

void pipe_init(void)
{
    fifo_open_hook = fifo_open;
}
