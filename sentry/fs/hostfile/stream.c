// Nonblocking use of blocking host descriptors.
//
// O_NONBLOCK belongs to the open file, which processes outside share, so it cannot be set here. Pipes and sockets have a
// flag per call (RWF_NOWAIT from Linux 6.4 on pipes, MSG_DONTWAIT). Where that is missing (terminals, older pipes) the
// call is made after poll(2) said it will not wait, with the kernel lock dropped, and by one worker at a time: if a process
// outside takes the bytes in between, or the terminal is stopped, that one worker waits and nobody else.
#include "sentry/fs/hostfile/stream.h"
#include "sentry/core/kernel.h"
#include "sentry/tty/progress.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_CHUNK 65536u
#define WRITE_CHUNK 65536u
#define SAFE_CHUNK 4096u // PIPE_BUF: what POLLOUT promises room for

#define IN_EVENTS (EV_IN | EV_RDNORM | EV_PRI | EV_RDHUP)
#define OUT_EVENTS (EV_OUT | EV_WRNORM)

uint32_t host_events(uint32_t events)
{
    uint32_t host = events & (EV_IN | EV_OUT | EV_PRI | EV_RDHUP);
    if (events & EV_RDNORM)
        host |= EV_IN;
    if (events & EV_WRNORM)
        host |= EV_OUT;
    return host;
}

uint32_t guest_events(uint32_t host)
{
    uint32_t events = host & (EV_IN | EV_OUT | EV_PRI | EV_RDHUP | EV_ERR | EV_HUP);
    if (events & EV_IN)
        events |= EV_RDNORM;
    if (events & EV_OUT)
        events |= EV_WRNORM;
    return events;
}

uint32_t wanted_events(const struct wait_queue *queue)
{
    uint32_t want = 0;
    list_for_each(w, &queue->waiters, struct waiter, link) want |= w->events;
    return host_events(want);
}

// Whoever still waits has seen the events that fired and asks again when it has dealt with them; what did not fire stays armed.
static void stream_ready(struct host_watch *w, uint32_t events)
{
    struct host_stream *s = container_of(w, struct host_stream, watch);
    wake_up(s->wait, guest_events(events));
    uint32_t rest = wanted_events(s->wait) & ~events;
    if (rest && !(events & (EV_ERR | EV_HUP)))
        host_watch_arm(&s->watch, rest);
}

int host_stream_init(struct host_stream *s, int fd, enum stream_kind kind, struct wait_queue *wait)
{
    s->fd = fd;
    s->kind = kind;
    s->wait = wait;
    int err = host_watch_add(&s->watch, fd, 0, stream_ready);
    s->pollable = err == 0;
    return err == -EPERM ? 0 : err; // no poll operation: always ready
}

void host_stream_release(struct host_stream *s)
{
    if (s->pollable)
        host_watch_del(&s->watch);
    s->pollable = false;
}

uint32_t host_stream_ready(const struct host_stream *s, uint32_t mask)
{
    if (!s->pollable)
        return mask & (EV_IN | EV_OUT);
    struct pollfd p = {.fd = s->fd, .events = (short)host_events(mask)};
    int n = poll(&p, 1, 0);
    return n > 0 ? (uint32_t)(uint16_t)p.revents : 0;
}

void host_stream_arm(struct host_stream *s)
{
    uint32_t want = wanted_events(s->wait);
    if (s->pollable && want)
        host_watch_arm(&s->watch, want);
}

int64_t host_stream_block(struct host_stream *s, struct file *f, uint32_t events)
{
    if (f->flags & LX_O_NONBLOCK)
        return -LX_EAGAIN;
    int64_t blocked = block_on(s->wait, events);
    host_stream_arm(s);
    return blocked;
}

// A read or write with the kernel lock dropped.
static ssize_t unlocked(struct host_stream *s, void *buf, size_t n, bool write_it)
{
    bool *busy = write_it ? &s->writing : &s->reading;
    if (*busy)
        return -LX_EAGAIN;
    if (!host_stream_ready(s, write_it ? EV_OUT : EV_IN))
        return -LX_EAGAIN;
    *busy = true;
    kernel_blocking_begin();
    ssize_t done = write_it ? write(s->fd, buf, n) : read(s->fd, buf, n);
    int err = errno;
    kernel_blocking_end();
    *busy = false;
    wake_up(s->wait, write_it ? OUT_EVENTS : IN_EVENTS);
    return done < 0 ? -err : done;
}

static ssize_t nowait(struct host_stream *s, void *buf, size_t n, bool write_it)
{
    struct iovec iov = {buf, n};
    ssize_t done;
    if (s->kind == STREAM_SOCKET) {
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        done = write_it ? sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : recvmsg(s->fd, &message, MSG_DONTWAIT);
    } else {
        done = write_it ? pwritev2(s->fd, &iov, 1, -1, RWF_NOWAIT) : preadv2(s->fd, &iov, 1, -1, RWF_NOWAIT);
    }
    return done < 0 ? -errno : done;
}

static bool has_nowait(struct host_stream *s)
{
    return s->kind == STREAM_SOCKET || (s->kind == STREAM_PIPE && !s->no_nowait);
}

ssize_t host_stream_recv(struct host_stream *s, void *buf, size_t n)
{
    if (has_nowait(s)) {
        ssize_t done = nowait(s, buf, n, false);
        if (done != -LX_EOPNOTSUPP)
            return done;
        s->no_nowait = true;
    }
    return unlocked(s, buf, n, false);
}

ssize_t host_stream_send(struct host_stream *s, const void *buf, size_t n)
{
    void *bytes = (void *)(uintptr_t)buf;
    if (has_nowait(s)) {
        ssize_t done = nowait(s, bytes, n, true);
        if (done != -LX_EOPNOTSUPP)
            return done;
        s->no_nowait = true;
    }
    return unlocked(s, bytes, s->pollable && n > SAFE_CHUNK ? SAFE_CHUNK : n, true);
}

int64_t host_stream_read(struct host_stream *s, struct file *f, struct iov_iter *it)
{
    size_t n = it->count < READ_CHUNK ? it->count : READ_CHUNK;
    void *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -LX_ENOMEM;
    file_get(f);
    int64_t done = host_stream_recv(s, bytes, n);
    if (done == -LX_EAGAIN)
        done = host_stream_block(s, f, EV_IN | EV_RDNORM);
    else if (done > 0)
        done = iter_copy_to(it, bytes, (size_t)done);
    if (done >= 0 && !list_empty(&s->wait->waiters))
        host_stream_arm(s); // edge-triggered watchers hear of the next bytes
    free(bytes);
    file_put(f);
    return done;
}

// Sends one chunk. Bytes, or -errno; `it` is advanced by what went out.
static int64_t send_chunk(struct host_stream *s, struct iov_iter *it, void *bytes, size_t size)
{
    struct iov_iter before = *it;
    int64_t done = iter_copy_from(it, bytes, it->count < size ? it->count : size);
    if (done == 0)
        return -LX_EFAULT;
    if (done > 0)
        done = host_stream_send(s, bytes, (size_t)done);
    *it = before;
    if (done > 0)
        iter_advance(it, (size_t)done);
    return done;
}

int64_t host_stream_write(struct host_stream *s, struct file *f, struct iov_iter *it)
{
    uint64_t total = write_resume(it), since = 0;
    size_t size = it->count < WRITE_CHUNK ? it->count : WRITE_CHUNK;
    void *bytes = malloc(size ? size : 1);
    if (!bytes)
        return write_failed(total, -LX_ENOMEM);
    file_get(f);
    int64_t done = 1, result = 0;
    while (it->count && done > 0 && !current->exiting) {
        done = send_chunk(s, it, bytes, size);
        if (done <= 0)
            break;
        total += (uint64_t)done;
        if (transfer_pause(&since, (uint64_t)done))
            break;
    }
    if (done == -LX_EAGAIN) {
        result = write_wait(f, s->wait, total);
        host_stream_arm(s);
    } else {
        if (done == -LX_EPIPE)
            send_signal_task(current, SIGPIPE, NULL);
        result = done < 0 ? write_failed(total, done) : (int64_t)total;
    }
    free(bytes);
    file_put(f);
    return result;
}

uint32_t host_stream_poll(struct host_stream *s, struct poll_table *pt)
{
    poll_wait(pt, s->wait);
    if (!s->pollable)
        return EV_IN | EV_OUT | EV_RDNORM | EV_WRNORM;
    uint32_t now = host_stream_ready(s, IN_EVENTS | OUT_EVENTS), want = wanted_events(s->wait);
    // Whoever registers hears of what holds already, too: it may have come after the caller looked.
    if (!pt)
        want &= ~now;
    if (want && !(now & (EV_ERR | EV_HUP)))
        host_watch_arm(&s->watch, want);
    return guest_events(now);
}
