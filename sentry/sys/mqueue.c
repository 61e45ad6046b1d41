// mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2).
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/signal.h"
#include "sentry/fs/mqueue/mqueuefs.h"
#include "sentry/ipc/poll.h"
#include "sentry/net/netlink/notice.h"
#include "sentry/sys/path.h"
#include "sentry/task/task.h"
#include <string.h>

int64_t sys_mq_open(struct call *c)
{
    struct lx_mq_attr attr;
    struct path root;
    char name[VFS_PATH_MAX];
    uint32_t flags = arg_uint(c, 1) & LX_VALID_OPEN_FLAGS;
    if (c->args[3] && get_user(attr, c->args[3]))
        return -LX_EFAULT;
    int err = get_path(name, c->args[0]);
    if (!err && !*name)
        err = -LX_ENOENT;
    if (!err)
        err = fd_available(current->files);
    if (!err)
        err = mqueuefs_root(mq_current(), &root);
    struct file *f;
    if (!err)
        err = vfs_open_in(&root, name, flags, arg_uint(c, 2), mqueuefs_make, c->args[3] ? &attr : NULL, &f);
    if (err)
        return err;
    int fd = fd_install(current->files, f, 0, true);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_mq_unlink(struct call *c)
{
    struct path root;
    char name[VFS_PATH_MAX];
    int err = get_path(name, c->args[0]);
    if (!err && !*name)
        err = -LX_ENOENT;
    if (!err)
        err = mqueuefs_root(mq_current(), &root);
    return err ? err : vfs_unlink_in(&root, name);
}

// The queue of a descriptor that is open for `mode`, or NULL.
static struct mqueue *queue_of(int fd, uint32_t mode, struct file **f)
{
    *f = fd_lookup(current->files, fd);
    struct mqueue *q = *f ? file_mqueue(*f) : NULL;
    return q && ((*f)->mode & mode) == mode ? q : NULL;
}

static void waiter_end(struct call *c)
{
    mq_waiter_end(call_state(c, struct mq_waiter));
}

// First run of a call that may wait. 0, -LX_EFAULT or -LX_EINVAL.
static int waiter_begin(struct call *c, struct mq_waiter *w, gaddr_t timeout)
{
    struct lx_timespec ts;
    list_init(&w->link);
    c->release = waiter_end;
    w->deadline = -1;
    if (!timeout)
        return 0;
    if (get_user(ts, timeout))
        return -LX_EFAULT;
    w->deadline = timespec_ns(&ts);
    return w->deadline < 0 ? -LX_EINVAL : 0;
}

static void touch(struct mqueue *q)
{
    q->inode->attr.atime = q->inode->attr.mtime = q->inode->attr.ctime = vfs_now();
}

static int copy_message(struct call *c, struct mq_waiter *w, const struct mqueue *q)
{
    uint64_t size = c->args[2];
    if (size > (uint64_t)q->msgsize)
        return -LX_EMSGSIZE;
    w->msg = mq_message_alloc((uint32_t)size, arg_uint(c, 3));
    if (!w->msg)
        return -LX_ENOMEM;
    return size && copy_in(w->msg->text, c->args[1], size) ? -LX_EFAULT : 0;
}

int64_t sys_mq_timedsend(struct call *c)
{
    struct mq_waiter *w = call_state(c, struct mq_waiter);
    struct file *f;
    int err = c->first ? waiter_begin(c, w, c->args[4]) : 0;
    if (err || w->done)
        return err;
    if (arg_uint(c, 3) >= LX_MQ_PRIO_MAX)
        return -LX_EINVAL;
    struct mqueue *q = queue_of(arg_int(c, 0), FMODE_WRITE, &f);
    if (!q)
        return -LX_EBADF;
    if (!w->msg && (err = copy_message(c, w, q)))
        return err;
    err = mq_put(q, w->msg);
    if (err == -LX_EAGAIN && !(f->flags & LX_O_NONBLOCK))
        return mq_wait(&q->senders, w);
    if (!err) {
        w->msg = NULL; // the queue's, or its receiver's
        touch(q);
    }
    return err;
}

static int64_t hand_over(struct call *c, struct mq_message *m)
{
    gaddr_t prio = c->args[3];
    int64_t r = m->size;
    if ((prio && put_user(m->prio, prio)) || (m->size && copy_out(c->args[1], m->text, m->size)))
        r = -LX_EFAULT; // and the message is lost all the same
    mq_message_free(m);
    return r;
}

int64_t sys_mq_timedreceive(struct call *c)
{
    struct mq_waiter *w = call_state(c, struct mq_waiter);
    struct file *f;
    int err = c->first ? waiter_begin(c, w, c->args[4]) : 0;
    if (err)
        return err;
    struct mq_message *m = w->msg;
    w->msg = NULL;
    if (!m) {
        struct mqueue *q = queue_of(arg_int(c, 0), FMODE_READ, &f);
        if (!q)
            return -LX_EBADF;
        if (c->args[2] < (uint64_t)q->msgsize)
            return -LX_EMSGSIZE;
        m = mq_take(q);
        if (!m)
            return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : mq_wait(&q->receivers, w);
        touch(q);
    }
    return hand_over(c, m);
}

// good_sigevent of this call.
static int check_event(const struct lx_sigevent *e)
{
    if (e->notify != LX_SIGEV_NONE && e->notify != LX_SIGEV_SIGNAL && e->notify != LX_SIGEV_THREAD)
        return -LX_EINVAL;
    return e->notify == LX_SIGEV_SIGNAL && (uint32_t)e->signo > LX_NSIG ? -LX_EINVAL : 0;
}

// SIGEV_THREAD: the value points to a cookie, the signal's number is a netlink socket that it is sent to.
static int64_t take_cookie(const struct lx_sigevent *e, struct nl_notice **out)
{
    uint8_t cookie[LX_NOTIFY_COOKIE_LEN];
    if (copy_in(cookie, e->value, sizeof(cookie)))
        return -LX_EFAULT;
    struct file *socket = fd_lookup(current->files, e->signo);
    return socket ? netlink_notice_alloc(socket, cookie, sizeof(cookie), out) : -LX_EBADF;
}

int64_t sys_mq_notify(struct call *c)
{
    struct lx_sigevent e = {0};
    struct nl_notice *notice = NULL;
    struct file *f;
    if (c->args[1] && get_user(e, c->args[1]))
        return -LX_EFAULT;
    int64_t err = c->args[1] ? check_event(&e) : 0;
    if (!err && c->args[1] && e.notify == LX_SIGEV_THREAD)
        err = take_cookie(&e, &notice);
    if (err)
        return err;
    struct mqueue *q = queue_of(arg_int(c, 0), 0, &f);
    if (!q)
        err = -LX_EBADF;
    else if (!c->args[1])
        mq_notify_clear(q, current->tg);
    else
        err = mq_notify_set(q, e.notify, e.signo, e.value, notice);
    if (err)
        netlink_notice_drop(notice);
    else
        q->inode->attr.atime = q->inode->attr.ctime = vfs_now();
    return err;
}

int64_t sys_mq_getsetattr(struct call *c)
{
    struct lx_mq_attr new, old;
    struct file *f;
    if (c->args[1] && get_user(new, c->args[1]))
        return -LX_EFAULT;
    if (c->args[1] && (new.flags & ~(int64_t)LX_O_NONBLOCK))
        return -LX_EINVAL;
    struct mqueue *q = queue_of(arg_int(c, 0), 0, &f);
    if (!q)
        return -LX_EBADF;
    old = (struct lx_mq_attr){
        .flags = f->flags & LX_O_NONBLOCK, .maxmsg = q->maxmsg, .msgsize = q->msgsize, .curmsgs = q->count};
    if (c->args[1]) {
        f->flags = (f->flags & ~LX_O_NONBLOCK) | (uint32_t)(new.flags &LX_O_NONBLOCK);
        q->inode->attr.atime = q->inode->attr.ctime = vfs_now();
    }
    return c->args[2] && put_user(old, c->args[2]) ? -LX_EFAULT : 0;
}
