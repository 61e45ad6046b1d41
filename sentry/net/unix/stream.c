// Byte streams: unix_stream_sendmsg and unix_stream_read_generic of Linux.
#include "abi/linux/errno.h"
#include "sentry/net/unix/unix.h"
#include <string.h>

void unix_copy_name(struct sock_msg *m, const struct unix_sock *from)
{
    m->name_len = 0;
    if (!from->carrier && from->addr) {
        m->name_len = from->addr->len;
        memcpy(m->name, &from->addr->sun, from->addr->len);
    }
}

// One buffer of the message to `other`. Bytes, or -errno.
static int64_t send_piece(struct unix_sock *u, struct unix_sock *other, struct sock_msg *m)
{
    size_t n = m->it.count < UNIX_CHUNK_MAX ? m->it.count : UNIX_CHUNK_MAX;
    int err = 0;
    struct unix_buf *b = unix_buf_alloc(u, (uint32_t)n, &err);
    if (!b)
        return err;
    ssize_t got = iter_copy_from(&m->it, b->data, n);
    if (got <= 0) {
        unix_buf_free(b);
        return -LX_EFAULT;
    }
    b->len = (uint32_t)got;
    b->cred = m->scm.cred;
    unix_attach_files(b, &m->scm); // with the first piece
    unix_queue_buf(other, b);
    return (size_t)got < n ? -LX_EFAULT : got;
}

int64_t unix_stream_send(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_sk(s), *other = u->peer;
    uint64_t done = sock_progress();
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    if (m->name_len)
        return u->state == UNIX_CONNECTED ? -LX_EISCONN : -LX_EOPNOTSUPP;
    if (!other)
        return -LX_ENOTCONN;
    iter_advance(&m->it, done);
    if (s->shutdown & SOCK_SHUT_SEND)
        return done ? (int64_t)done : sock_epipe(m->flags);
    while (m->it.count > 0) {
        if (other->dead && u->carrier) {
            // TCP: what is sent to a closed end is lost, and the answer to it ends this direction.
            s->shutdown |= SOCK_SHUT_SEND;
            return (int64_t)(done + m->it.count);
        }
        if (other->dead || (!u->carrier && (other->sk.shutdown & SOCK_SHUT_RECV)))
            return done ? (int64_t)done : sock_epipe(m->flags);
        if (u->charged >= (uint32_t)s->sndbuf) {
            if (m->flags & LX_MSG_DONTWAIT)
                return done ? (int64_t)done : -LX_EAGAIN;
            return sock_block(&s->wait, EV_OUT, s->sndtimeo, done);
        }
        size_t before = m->it.count;
        int64_t sent = send_piece(u, other, m);
        done += before - m->it.count;
        if (sent < 0)
            return done ? (int64_t)done : sent;
    }
    return (int64_t)done;
}

static bool same_cred(const struct lx_ucred *a, const struct lx_ucred *b)
{
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

// Takes what it may of the queue. Bytes moved; *stop says that the call must not go on waiting for more.
static int64_t take(struct unix_sock *u, struct sock_msg *m, bool *stop)
{
    bool peek = m->flags & LX_MSG_PEEK, first = true;
    uint64_t skip = sock_peek_start(&u->sk, m->flags);
    int64_t done = 0;
    struct list_head *at = u->queue.next;
    *stop = false;
    while (at != &u->queue && m->it.count > 0) {
        struct unix_buf *b = list_entry(at, struct unix_buf, link);
        uint32_t left = b->len - b->off;
        if (skip >= left) {
            skip -= left;
            at = at->next;
            continue;
        }
        // Bytes of different senders do not join where the reader asks who they are.
        if (!first && u->sk.passcred && !same_cred(&b->cred, &m->scm.cred)) {
            *stop = true;
            break;
        }
        if (first) {
            m->scm.cred = b->cred;
            m->scm.has_cred = true;
            unix_copy_name(m, b->owner);
        }
        first = false;
        left -= (uint32_t)skip;
        size_t n = m->it.count < left ? m->it.count : left;
        ssize_t got = iter_copy_to(&m->it, b->data + b->off + skip, n);
        skip = 0;
        if (got <= 0 && n > 0) {
            *stop = true;
            return done ? done : -LX_EFAULT;
        }
        done += got;
        sock_peek_moved(&u->sk, m->flags, (uint64_t)got);
        bool has_files = b->files;
        at = at->next;
        if (peek) {
            if (has_files) {
                m->scm.files = scm_files_dup(b->files);
                *stop = true;
                break;
            }
            continue;
        }
        if (has_files)
            m->scm.files = unix_detach_files(b);
        b->off += (uint32_t)got;
        u->queued_bytes -= (uint64_t)got;
        if (b->off == b->len) {
            unix_unqueue_buf(u, b);
            unix_buf_free(b);
        }
        if (has_files || (size_t)got < n) {
            *stop = true;
            break;
        }
    }
    return done;
}

int64_t unix_stream_recv(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_sk(s);
    uint64_t done = sock_progress();
    if (u->state != UNIX_CONNECTED)
        return -LX_EINVAL;
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    bool whole = (m->flags & LX_MSG_WAITALL) && !(m->flags & LX_MSG_PEEK), stop;
    size_t wanted = m->it.count;
    iter_advance(&m->it, done);
    int64_t got = take(u, m, &stop);
    if (got < 0)
        return done ? (int64_t)done : got;
    done += (uint64_t)got;
    size_t target = whole ? wanted : (size_t)s->rcvlowat < wanted ? (size_t)s->rcvlowat : wanted;
    if (stop || done >= target || (m->flags & LX_MSG_PEEK && done))
        return (int64_t)done;
    if (s->err && !done)
        return sock_take_error(s);
    if (s->err || (s->shutdown & SOCK_SHUT_RECV))
        return (int64_t)done;
    if (m->flags & LX_MSG_DONTWAIT)
        return done ? (int64_t)done : -LX_EAGAIN;
    return sock_block(&s->wait, EV_IN, s->rcvtimeo, done);
}
