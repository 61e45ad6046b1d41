// Socket files: what all families share.
#include "sentry/net/socket.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "abi/linux/stat.h"
#include "sentry/core/timer.h"
#include "sentry/core/trim.h"
#include "sentry/ipc/poll.h"
#include "sentry/task/task.h"

#define SOCKET_MEMORY 1024u // of a socket with its file, about
static unsigned sockets;    // initialised and not done

bool socket_available(void)
{
    return sockets < SOCKETS_MAX;
}

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
    sockets++;
    s->ops = ops;
    s->family = (uint8_t)family;
    s->type = (uint8_t)type;
    s->protocol = protocol;
    wait_queue_init(&s->wait);
    s->sndbuf = SOCK_BUF_DEFAULT;
    s->rcvbuf = SOCK_BUF_DEFAULT;
    s->rcvlowat = 1;
    s->peek_off = -1;
    s->rcvtimeo = KTIMER_NEVER;
    s->sndtimeo = KTIMER_NEVER;
}

void socket_inherit(struct socket *s, const struct socket *listener)
{
    s->reuseaddr = listener->reuseaddr;
    s->reuseport = listener->reuseport;
    s->keepalive = listener->keepalive;
    s->oobinline = listener->oobinline;
    s->linger = listener->linger;
    s->sndbuf = listener->sndbuf;
    s->rcvbuf = listener->rcvbuf;
    s->rcvlowat = listener->rcvlowat;
}

void socket_done(struct socket *s)
{
    sockets--;
    memory_freed(SOCKET_MEMORY);
    wait_queue_release(&s->wait);
}

void sock_current_cred(struct lx_ucred *out)
{
    *out = (struct lx_ucred){current->tg->pid, current->cred->euid, current->cred->egid};
}

int64_t sock_epipe(uint32_t flags)
{
    if (!(flags & LX_MSG_NOSIGNAL)) {
        struct lx_siginfo info;
        siginfo_from_current(&info, LX_SIGPIPE, LX_SI_USER);
        send_signal_task(current, LX_SIGPIPE, &info);
    }
    return -LX_EPIPE;
}

uint64_t sock_progress(void)
{
    return current->call.state.words[0];
}

int64_t sock_block(struct wait_queue *q, uint32_t events, uint64_t timeo, uint64_t done)
{
    struct call *c = &current->call;
    if (c->timed_out)
        return done ? (int64_t)done : -LX_EAGAIN;
    uint64_t *deadline = &c->state.words[1];
    if (timeo != KTIMER_NEVER && *deadline == 0)
        *deadline = deadline_after(timeo);
    c->state.words[0] = done;
    c->interrupted = done ? (int64_t)done : timeo == KTIMER_NEVER ? -LX_ERESTARTSYS : -LX_EINTR;
    return block_on_until(q, events, timeo == KTIMER_NEVER ? KTIMER_NEVER : *deadline);
}

static int64_t socket_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct socket *s = f->priv;
    struct sock_msg m = {.it = *it, .flags = f->flags & LX_O_NONBLOCK ? LX_MSG_DONTWAIT : 0};
    if (it->count == 0)
        return 0;
    int64_t ret = s->ops->recvmsg ? s->ops->recvmsg(s, &m) : -LX_EOPNOTSUPP;
    scm_destroy(&m.scm); // descriptors that nobody asked for are lost
    *it = m.it;
    return ret;
}

static int64_t socket_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct socket *s = f->priv;
    struct sock_msg m = {.it = *it, .flags = f->flags & LX_O_NONBLOCK ? LX_MSG_DONTWAIT : 0};
    m.scm.has_cred = true;
    sock_current_cred(&m.scm.cred);
    int64_t ret = s->ops->sendmsg ? s->ops->sendmsg(s, &m) : -LX_EOPNOTSUPP;
    *it = m.it;
    return ret;
}

static uint32_t socket_poll(struct file *f, struct poll_table *pt)
{
    struct socket *s = f->priv;
    return s->ops->poll(s, pt);
}

static int64_t socket_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    struct socket *s = f->priv;
    int64_t ret = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -LX_ENOTTY;
    return ret == -LX_ENOTTY ? interface_ioctl(cmd, arg) : ret;
}

static void socket_release(struct file *f)
{
    struct socket *s = f->priv;
    s->file = NULL;
    s->ops->release(s);
}

static const struct file_ops socket_fops = {
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .release = socket_release,
};

struct socket *file_socket(struct file *f)
{
    return f->ops == &socket_fops ? f->priv : NULL;
}

struct file *socket_file(struct socket *s, bool nonblock)
{
    struct file *f = anon_file(&socket_fops, s, FMODE_READ | FMODE_WRITE,
                               LX_O_RDWR | (nonblock ? LX_O_NONBLOCK : 0), "socket:", LX_S_IFSOCK | 0777);
    if (f)
        s->file = f;
    return f;
}
