// sendto(2), recvfrom(2), sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2).
#include "sentry/task/user_ns.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/time.h"
#include "sentry/core/timer.h"
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/ipc/poll.h"
#include "sentry/sys/socket.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"
#include <stdlib.h>

static uint32_t flags_for(const struct file *f, uint32_t flags)
{
    return flags | (f->flags & LX_O_NONBLOCK ? LX_MSG_DONTWAIT : 0);
}

int64_t sys_sendto(struct call *c)
{
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    if (!s)
        return err;
    if (!s->ops->sendmsg)
        return -LX_EOPNOTSUPP;
    struct sock_msg m = {.flags = flags_for(f, arg_uint(c, 3))};
    if (c->args[4]) {
        err = sys_get_sockaddr(m.name, c->args[4], arg_int(c, 5));
        if (err)
            return err;
        m.name_len = arg_uint(c, 5);
    }
    iter_init_one(&m.it, c->args[1], c->args[2]);
    m.scm.has_cred = true;
    sock_current_cred(&m.scm.cred);
    return s->ops->sendmsg(s, &m);
}

int64_t sys_recvfrom(struct call *c)
{
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    if (!s)
        return err;
    if (!s->ops->recvmsg)
        return -LX_EOPNOTSUPP;
    struct sock_msg m = {.flags = flags_for(f, arg_uint(c, 3))};
    iter_init_one(&m.it, c->args[1], c->args[2]);
    int64_t ret = s->ops->recvmsg(s, &m);
    scm_destroy(&m.scm); // no room for descriptors here: they are lost
    if (ret >= 0 && c->args[4]) {
        err = sys_put_sockaddr(c->args[4], c->args[5], m.name, m.name_len);
        if (err)
            return err;
    }
    return ret;
}

static int64_t send_one(struct socket *s, struct file *f, const struct lx_msghdr *h, uint32_t flags)
{
    struct sock_msg m = {.flags = flags_for(f, flags)};
    int err = 0;
    if (!s->ops->sendmsg)
        return -LX_EOPNOTSUPP;
    if (h->name && h->namelen) {
        // A longer one is cut, as Linux does for sendmsg only.
        int32_t len = h->namelen > (int32_t)LX_SOCKADDR_MAX ? (int32_t)LX_SOCKADDR_MAX : h->namelen;
        err = sys_get_sockaddr(m.name, h->name, len);
        if (err)
            return err;
        m.name_len = (uint32_t)len;
    }
    if (h->iovlen > GUEST_IOV_MAX)
        return -LX_EMSGSIZE;
    struct guest_iov *storage;
    ssize_t total = iter_init_iovec(&m.it, h->iov, h->iovlen, &storage);
    if (total < 0)
        return total;
    // With bytes on their way from an earlier run, the control messages are too.
    if (sock_progress() == 0)
        err = scm_send(&m.scm, h->control, h->controllen);
    else
        sock_current_cred(&m.scm.cred);
    int64_t ret = err ? err : s->ops->sendmsg(s, &m);
    scm_destroy(&m.scm); // empty if they were sent
    free(storage);
    return ret;
}

int64_t sys_sendmsg(struct call *c)
{
    int err;
    struct lx_msghdr h;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    if (!s)
        return err;
    if (get_user(h, c->args[1]))
        return -LX_EFAULT;
    return send_one(s, f, &h, arg_uint(c, 2));
}

static int put_stamp(const struct socket *s, const struct sock_msg *m, struct scm_out *out)
{
    const struct lx_timespec exact = {m->stamp.sec, m->stamp.nsec};
    const struct lx_timeval coarse = {m->stamp.sec, m->stamp.nsec / 1000};
    return s->timestampns ? scm_put(out, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_OLD, &exact, sizeof(exact))
                          : scm_put(out, LX_SOL_SOCKET, LX_SO_TIMESTAMP_OLD, &coarse, sizeof(coarse));
}

// Writes what came along: control messages, address, flags. `user` is the guest's struct msghdr.
static int finish_receive(struct socket *s, struct sock_msg *m, const struct lx_msghdr *h, gaddr_t user)
{
    struct scm_out out = {h->control, h->control ? h->controllen : 0, 0, 0};
    int err = 0;
    if (s->passcred) {
        struct lx_ucred nobody = {0, 65534, 65534};
        struct lx_ucred cred = m->scm.has_cred ? m->scm.cred : nobody;
        cred.uid = show_uid(cred.uid);
        cred.gid = show_gid(cred.gid);
        err = scm_put(&out, LX_SOL_SOCKET, LX_SCM_CREDENTIALS, &cred, sizeof(cred));
    }
    if (!err && (s->timestamp || s->timestampns) && m->stamp.sec)
        err = put_stamp(s, m, &out);
    if (!err && s->ops->put_control)
        err = s->ops->put_control(s, m, &out);
    if (m->scm.files)
        scm_put_files(&out, &m->scm, m->flags & LX_MSG_CMSG_CLOEXEC);
    struct lx_msghdr r = *h;
    r.flags = m->out_flags | out.flags | (m->flags & LX_MSG_CMSG_CLOEXEC);
    r.controllen = out.used;
    if (h->name && !err)
        err = sys_put_sockaddr(h->name, user + offsetof(struct lx_msghdr, namelen), m->name, m->name_len);
    // controllen and flags lie side by side.
    if (!err)
        err = copy_out(user + offsetof(struct lx_msghdr, controllen), &r.controllen,
                       offsetof(struct lx_msghdr, pad1) - offsetof(struct lx_msghdr, controllen));
    return err;
}

static int64_t receive_one(struct socket *s, struct file *f, gaddr_t user, uint32_t flags)
{
    struct lx_msghdr h;
    if (!s->ops->recvmsg)
        return -LX_EOPNOTSUPP;
    if (get_user(h, user))
        return -LX_EFAULT;
    if (h.iovlen > GUEST_IOV_MAX)
        return -LX_EMSGSIZE;
    if (h.name && h.namelen < 0)
        return -LX_EINVAL;
    struct sock_msg m = {.flags = flags_for(f, flags)};
    struct guest_iov *storage;
    ssize_t total = iter_init_iovec(&m.it, h.iov, h.iovlen, &storage);
    if (total < 0)
        return total;
    int64_t ret = s->ops->recvmsg(s, &m);
    if (ret >= 0) {
        int err = finish_receive(s, &m, &h, user);
        if (err)
            ret = err;
    }
    scm_destroy(&m.scm);
    free(storage);
    return ret;
}

int64_t sys_recvmsg(struct call *c)
{
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    return s ? receive_one(s, f, c->args[1], arg_uint(c, 2)) : err;
}

// Several messages in one call. words[0] and words[1] are those of the message in hand.
struct many_state {
    uint64_t moved, deadline;
    uint64_t done;   // messages finished
    uint64_t end_ns; // of recvmmsg's timeout
};

// A message ended with `ret` after st->done others: what the call returns, or 1 to go on.
static int64_t after_message(struct call *c, struct many_state *st, int64_t ret)
{
    if (ret == -LX_EBLOCKED) {
        // A signal ends the call with the messages so far.
        if (st->done)
            c->interrupted = (int64_t)st->done;
        return ret;
    }
    if (ret < 0)
        return st->done ? (int64_t)st->done : ret;
    st->done++;
    st->moved = 0;
    st->deadline = 0;
    c->timed_out = false;
    return 1;
}

int64_t sys_sendmmsg(struct call *c)
{
    struct many_state *st = call_state(c, struct many_state);
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    uint64_t n = arg_uint(c, 2) < GUEST_IOV_MAX ? arg_uint(c, 2) : GUEST_IOV_MAX;
    if (!s)
        return err;
    while (st->done < n) {
        struct lx_mmsghdr h;
        gaddr_t at = c->args[1] + st->done * sizeof(h);
        int64_t ret = get_user(h, at) ? -LX_EFAULT : send_one(s, f, &h.hdr, arg_uint(c, 3));
        uint32_t len = (uint32_t)ret;
        if (ret >= 0 && put_user(len, at + offsetof(struct lx_mmsghdr, len)))
            ret = -LX_EFAULT;
        ret = after_message(c, st, ret);
        if (ret != 1)
            return ret;
    }
    return (int64_t)st->done;
}

int64_t sys_recvmmsg(struct call *c)
{
    struct many_state *st = call_state(c, struct many_state);
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    if (!s)
        return err;
    if (c->first) {
        st->end_ns = KTIMER_NEVER;
        struct lx_timespec ts;
        if (c->args[4]) {
            if (get_user(ts, c->args[4]))
                return -LX_EFAULT;
            int64_t ns = timespec_ns(&ts);
            if (ns < 0)
                return -LX_EINVAL;
            st->end_ns = deadline_after((uint64_t)ns);
        }
    }
    uint32_t flags = arg_uint(c, 3);
    // The timeout is looked at after each message only, as Linux does.
    while (st->done < arg_uint(c, 2)) {
        uint32_t now = flags & ~LX_MSG_WAITFORONE;
        if ((flags & LX_MSG_WAITFORONE) && st->done)
            now |= LX_MSG_DONTWAIT;
        gaddr_t at = c->args[1] + st->done * sizeof(struct lx_mmsghdr);
        int64_t ret = receive_one(s, f, at, now);
        uint32_t len = (uint32_t)ret;
        if (ret >= 0 && put_user(len, at + offsetof(struct lx_mmsghdr, len)))
            ret = -LX_EFAULT;
        ret = after_message(c, st, ret);
        if (ret != 1)
            return ret;
        if (st->end_ns != KTIMER_NEVER && mono_now_ns() >= st->end_ns)
            break;
    }
    return (int64_t)st->done;
}
