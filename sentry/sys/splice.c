// splice(2), tee(2), vmsplice(2) (fs/splice.c of Linux). Bytes are copied, never shared.
#include "abi/linux/fcntl.h"
#include "sentry/core/timer.h"
#include "sentry/fs/pipefs/internal.h"
#include "sentry/ipc/poll.h"
#include "sentry/net/socket.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"
#include <stdlib.h>

#define PIECE 65536u // bytes moved at a time
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL 15u

// words[0] and words[1] belong to the operations of the files.
struct splice_state {
    uint64_t unused[2];
    int64_t pos_in, pos_out;
};

struct end {
    struct file *file;
    struct pipe *pipe; // NULL: it is something else
    gaddr_t user_pos;  // 0: the file's own position
    int64_t *pos;      // in the call's state
};

static bool is_stream(const struct file *f)
{
    return !(f->mode & FMODE_SEEKABLE);
}

// One operation that does not wait. Streams keep the kernel lock, so nobody sees the flag.
static int64_t move_now(struct file *f, void *buf, size_t n, int64_t *pos, bool write)
{
    struct iov_iter it;
    uint32_t flags = f->flags;
    iter_init_kernel(&it, buf, n);
    if (is_stream(f))
        f->flags |= LX_O_NONBLOCK;
    int64_t ret = write ? file_write(f, &it, pos) : file_read(f, &it, pos);
    if (is_stream(f))
        f->flags = flags;
    return ret;
}

// The call waits for `f`, or ends because it may not.
static int64_t wait_for(struct file *f, uint32_t events, bool nonblock)
{
    if (nonblock)
        return -LX_EAGAIN;
    return block_on_file(f, events, KTIMER_NEVER);
}

// Where an end stands: read once, on the first run.
static int begin_end(struct end *e, struct file *f, gaddr_t user_pos, int64_t *pos, bool first)
{
    e->file = f;
    e->pipe = file_pipe(f);
    e->user_pos = user_pos;
    e->pos = pos;
    if (user_pos && is_stream(f))
        return -LX_ESPIPE;
    if (!first)
        return 0;
    *pos = f->pos;
    if (user_pos && copy_in(pos, user_pos, sizeof(*pos)))
        return -LX_EFAULT;
    return *pos < 0 ? -LX_EINVAL : 0;
}

static int finish_end(struct end *e)
{
    if (is_stream(e->file))
        return 0;
    if (e->user_pos)
        return copy_out(e->user_pos, e->pos, sizeof(*e->pos));
    e->file->pos = *e->pos;
    return 0;
}

// Ends of a call are kept over what may drop the kernel lock.
static int64_t with_files(struct file *a, struct file *b,
                          int64_t (*run)(struct call *, struct file *, struct file *), struct call *c)
{
    file_get(a);
    file_get(b);
    int64_t ret = run(c, a, b);
    file_put(a);
    file_put(b);
    return ret;
}

static size_t room_of(const struct pipe *p)
{
    return (size_t)(p->max_slots - p->used) * PIPE_PAGE;
}

// Bytes of `in` that a splice may take; or what the call returns (0: the end).
static int64_t source_ready(struct end *in, bool nonblock)
{
    struct pipe *p = in->pipe;
    if (p->bytes)
        return (int64_t)p->bytes;
    if (!p->writers)
        return 0;
    return wait_for(in->file, EV_IN, nonblock);
}

static int64_t sink_ready(struct end *out, bool nonblock)
{
    struct pipe *p = out->pipe;
    if (!p->readers)
        return sock_epipe(0);
    if (pipe_full(p))
        return wait_for(out->file, EV_OUT, nonblock);
    return (int64_t)room_of(p);
}

static void push_bytes(struct pipe *p, uint8_t *buf, size_t n, int64_t *pushed)
{
    struct iov_iter it;
    iter_init_kernel(&it, buf, n);
    *pushed = pipe_push(p, &it, false);
    if (*pushed > 0)
        wake_up(&p->rd_wait, EV_IN | EV_RDNORM);
}

// Between two pipes; `keep`: tee.
static int64_t pipe_to_pipe(struct end *in, struct end *out, uint64_t len, bool nonblock, bool keep,
                            uint8_t *buf)
{
    int64_t have = source_ready(in, nonblock);
    if (have <= 0)
        return have;
    int64_t room = sink_ready(out, nonblock);
    if (room < 0)
        return room;
    uint64_t total = len < (uint64_t)have ? len : (uint64_t)have, done = 0;
    while (done < total && room_of(out->pipe) > 0) {
        size_t n = total - done < PIECE ? total - done : PIECE;
        if (n > room_of(out->pipe))
            n = room_of(out->pipe);
        int64_t pushed;
        n = pipe_peek(in->pipe, keep ? done : 0, buf, n);
        push_bytes(out->pipe, buf, n, &pushed);
        if (pushed <= 0)
            return done ? (int64_t)done : pushed;
        if (!keep)
            pipe_drop(in->pipe, (size_t)pushed);
        done += (uint64_t)pushed;
    }
    return (int64_t)done;
}

static int64_t pipe_to_file(struct end *in, struct end *out, uint64_t len, bool nonblock, uint8_t *buf)
{
    int64_t have = source_ready(in, nonblock);
    if (have <= 0)
        return have;
    size_t n = len < PIECE ? len : PIECE;
    n = pipe_peek(in->pipe, 0, buf, n);
    if (!is_stream(out->file)) {
        // Taken first: the write may drop the kernel lock, and nobody else may have these bytes.
        pipe_drop(in->pipe, n);
        return move_now(out->file, buf, n, out->pos, true);
    }
    int64_t put = move_now(out->file, buf, n, out->pos, true);
    if (put == -LX_EAGAIN)
        return wait_for(out->file, EV_OUT, nonblock);
    if (put > 0)
        pipe_drop(in->pipe, (size_t)put);
    return put;
}

static int64_t file_to_pipe(struct end *in, struct end *out, uint64_t len, bool nonblock, uint8_t *buf)
{
    int64_t room = sink_ready(out, nonblock);
    if (room < 0)
        return room;
    size_t n = len < (uint64_t)room ? len : (uint64_t)room, pushed;
    if (n > PIECE)
        n = PIECE;
    int64_t pos = *in->pos, got = move_now(in->file, buf, n, &pos, false), put;
    if (got == -LX_EAGAIN)
        return wait_for(in->file, EV_IN, nonblock);
    if (got <= 0)
        return got;
    push_bytes(out->pipe, buf, (size_t)got, &put);
    pushed = put > 0 ? (size_t)put : 0;
    // A file read goes on from what the pipe took.
    *in->pos += (int64_t)pushed;
    return put == 0 ? wait_for(out->file, EV_OUT, nonblock) : put;
}

static int64_t do_splice(struct call *c, struct file *fin, struct file *fout)
{
    struct splice_state *st = call_state(c, struct splice_state);
    uint64_t len = c->args[4] < GUEST_RW_MAX ? c->args[4] : GUEST_RW_MAX;
    bool nonblock = arg_uint(c, 5) & SPLICE_F_NONBLOCK;
    struct end in, out;
    if (!(fin->mode & FMODE_READ) || !(fout->mode & FMODE_WRITE))
        return -LX_EBADF;
    int err = begin_end(&in, fin, c->args[1], &st->pos_in, c->first);
    if (!err)
        err = begin_end(&out, fout, c->args[3], &st->pos_out, c->first);
    if (err)
        return err;
    if ((!in.pipe && !out.pipe) || in.pipe == out.pipe || !fin->ops->read || !fout->ops->write)
        return -LX_EINVAL;
    if (fout->flags & LX_O_APPEND)
        return -LX_EINVAL;
    uint8_t *buf = malloc(PIECE);
    if (!buf)
        return -LX_ENOMEM;
    bool pipe_nonblock =
        nonblock || (in.pipe && (fin->flags & LX_O_NONBLOCK)) || (out.pipe && (fout->flags & LX_O_NONBLOCK));
    int64_t ret = in.pipe && out.pipe ? pipe_to_pipe(&in, &out, len, pipe_nonblock, false, buf)
                  : in.pipe ? pipe_to_file(&in, &out, len, nonblock || (fin->flags & LX_O_NONBLOCK), buf)
                            : file_to_pipe(&in, &out, len, nonblock || (fout->flags & LX_O_NONBLOCK), buf);
    free(buf);
    if (ret < 0)
        return ret;
    err = finish_end(&in);
    if (!err)
        err = finish_end(&out);
    return err ? err : ret;
}

int64_t sys_splice(struct call *c)
{
    if (c->args[4] == 0)
        return 0;
    if (arg_uint(c, 5) & ~SPLICE_F_ALL)
        return -LX_EINVAL;
    struct file *in = fd_lookup(current->files, arg_int(c, 0)),
                *out = fd_lookup(current->files, arg_int(c, 2));
    return in && out ? with_files(in, out, do_splice, c) : -LX_EBADF;
}

int64_t sys_tee(struct call *c)
{
    uint32_t flags = arg_uint(c, 3);
    if (flags & ~SPLICE_F_ALL)
        return -LX_EINVAL;
    if (c->args[2] == 0)
        return 0;
    struct file *fin = fd_lookup(current->files, arg_int(c, 0)),
                *fout = fd_lookup(current->files, arg_int(c, 1));
    if (!fin || !fout || !(fin->mode & FMODE_READ) || !(fout->mode & FMODE_WRITE))
        return -LX_EBADF;
    struct end in = {.file = fin, .pipe = file_pipe(fin)}, out = {.file = fout, .pipe = file_pipe(fout)};
    if (!in.pipe || !out.pipe || in.pipe == out.pipe)
        return -LX_EINVAL;
    uint8_t *buf = malloc(PIECE);
    if (!buf)
        return -LX_ENOMEM;
    bool nonblock = (flags & SPLICE_F_NONBLOCK) || ((fin->flags | fout->flags) & LX_O_NONBLOCK);
    int64_t ret = pipe_to_pipe(&in, &out, c->args[2], nonblock, true, buf);
    free(buf);
    return ret;
}

int64_t sys_vmsplice(struct call *c)
{
    uint32_t flags = arg_uint(c, 3);
    if (flags & ~SPLICE_F_ALL)
        return -LX_EINVAL;
    struct file *f = fd_lookup(current->files, arg_int(c, 0));
    if (!f || !file_pipe(f))
        return -LX_EBADF;
    struct iov_iter it;
    struct guest_iov *storage;
    ssize_t total = iter_init_iovec(&it, c->args[1], c->args[2], &storage);
    if (total <= 0) {
        free(storage);
        return total;
    }
    int64_t pos = 0;
    uint32_t saved = f->flags;
    if (flags & SPLICE_F_NONBLOCK)
        f->flags |= LX_O_NONBLOCK;
    int64_t ret = f->mode & FMODE_WRITE ? file_write(f, &it, &pos) : file_read(f, &it, &pos);
    f->flags = saved;
    free(storage);
    return ret;
}
