// Datagrams and sequenced packets: unix_dgram_sendmsg and unix_dgram_recvmsg of Linux.
#include "abi/linux/errno.h"
#include "sentry/net/unix/unix.h"

static int64_t queue_message(struct unix_sock *u, struct unix_sock *other, struct sock_msg *m)
{
    size_t n = m->it.count;
    int err = 0;
    struct unix_buf *b = unix_buf_alloc(u, (uint32_t)n, &err);
    if (!b)
        return err;
    if (n && iter_copy_from(&m->it, b->data, n) != (ssize_t)n) {
        unix_buf_free(b);
        return -LX_EFAULT;
    }
    b->cred = m->scm.cred;
    unix_attach_files(b, &m->scm);
    unix_queue_buf(other, b);
    return (int64_t)n;
}

// `other` is where it goes; the caller holds a reference.
static int64_t send_to(struct unix_sock *u, struct unix_sock *other, struct sock_msg *m)
{
    struct socket *s = &u->sk;
    if (other->peer && other->peer != u)
        return -LX_EPERM;
    if (other->dead) {
        if (u->peer == other) {
            unix_set_peer(u, NULL);
            u->state = UNIX_CLOSED;
            unix_flush(u);
        }
        return -LX_ECONNREFUSED;
    }
    if (other->sk.shutdown & SOCK_SHUT_RECV)
        return sock_epipe(m->flags);
    bool dontwait = m->flags & LX_MSG_DONTWAIT;
    if (u->charged >= (uint32_t)s->sndbuf)
        return dontwait ? -LX_EAGAIN : sock_block(&s->wait, EV_OUT, s->sndtimeo, 0);
    if (other != u && other->peer != u && unix_queue_full(other))
        return dontwait ? -LX_EAGAIN : sock_block(&other->room_wait, EV_OUT, s->sndtimeo, 0);
    return queue_message(u, other, m);
}

int64_t unix_dgram_send(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_sk(s), *other;
    int err = 0;
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    if (m->name_len) {
        err = unix_check_name(m->name, m->name_len);
        if (err)
            return err;
    } else if (!u->peer) {
        return -LX_ENOTCONN;
    }
    if (s->passcred && !u->addr) {
        uint16_t family = LX_AF_UNIX;
        err = unix_bind(s, (const uint8_t *)&family, sizeof(family));
        if (err)
            return err;
    }
    if (m->it.count > (size_t)s->sndbuf - 32)
        return -LX_EMSGSIZE;
    if (s->shutdown & SOCK_SHUT_SEND)
        return sock_epipe(m->flags);
    other = m->name_len ? unix_find(m->name, m->name_len, s->type, &err) : unix_get(u->peer);
    if (!other)
        return err;
    int64_t ret = send_to(u, other, m);
    unix_put(other);
    return ret;
}

// The message that a receive is about: the first, or where SO_PEEK_OFF says; *off bytes into it. NULL: none yet.
static struct unix_buf *message_at(struct unix_sock *u, uint64_t *off)
{
    list_for_each(b, &u->queue, struct unix_buf, link)
    {
        if (*off < b->len || (*off == 0 && b->len == 0))
            return b;
        *off -= b->len;
    }
    return NULL;
}

int64_t unix_dgram_recv(struct socket *s, struct sock_msg *m)
{
    struct unix_sock *u = unix_sk(s);
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    uint64_t off = sock_peek_start(s, m->flags);
    struct unix_buf *b = message_at(u, &off);
    if (!b) {
        if (s->err)
            return sock_take_error(s);
        // A sequenced packet socket reads the end; a datagram socket that was shut down as well.
        if (s->shutdown & SOCK_SHUT_RECV)
            return s->type == LX_SOCK_SEQPACKET || !(m->flags & LX_MSG_DONTWAIT) ? 0 : -LX_EAGAIN;
        return m->flags & LX_MSG_DONTWAIT ? -LX_EAGAIN : sock_block(&s->wait, EV_IN, s->rcvtimeo, 0);
    }
    size_t left = b->len - off, n = m->it.count < left ? m->it.count : left;
    if (n < left)
        m->out_flags |= LX_MSG_TRUNC;
    if (n && iter_copy_to(&m->it, b->data + off, n) != (ssize_t)n)
        return -LX_EFAULT;
    sock_peek_moved(s, m->flags, m->flags & LX_MSG_PEEK ? n : b->len);
    unix_copy_name(m, b->owner);
    m->scm.cred = b->cred;
    m->scm.has_cred = true;
    int64_t ret = m->flags & LX_MSG_TRUNC ? (int64_t)left : (int64_t)n;
    if (m->flags & LX_MSG_PEEK) {
        if (b->files)
            m->scm.files = scm_files_dup(b->files);
        return ret;
    }
    m->scm.files = unix_detach_files(b);
    unix_unqueue_buf(u, b);
    unix_buf_free(b);
    return ret;
}

int64_t unix_seqpacket_send(struct socket *s, struct sock_msg *m)
{
    if (unix_sk(s)->state != UNIX_CONNECTED)
        return -LX_ENOTCONN;
    m->name_len = 0;
    struct unix_sock *other = unix_sk(s)->peer;
    if (other && other->dead)
        return sock_epipe(m->flags);
    return unix_dgram_send(s, m);
}

int64_t unix_seqpacket_recv(struct socket *s, struct sock_msg *m)
{
    return unix_sk(s)->state == UNIX_CONNECTED ? unix_dgram_recv(s, m) : -LX_ENOTCONN;
}
