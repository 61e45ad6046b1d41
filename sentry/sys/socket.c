// socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), names, options, shutdown(2).
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/host/inet.h"
#include "sentry/net/socket.h"
#include "sentry/sys/socket.h"
#include "sentry/task/task.h"
#include "syscall_handlers.h"

#define OPTION_MAX 264u // struct group_source_req

struct socket *sys_socket_of(int fd, struct file **file, int *err)
{
    struct file *f = fd_lookup(current->files, fd);
    struct socket *s = f ? file_socket(f) : NULL;
    *err = !f ? -LX_EBADF : !s ? -LX_ENOTSOCK : 0;
    if (file)
        *file = f;
    return s;
}

static bool nonblocking(const struct file *f)
{
    return f->flags & LX_O_NONBLOCK;
}

// The family's socket, or why there is none.
static int make(int family, int type, int protocol, struct socket **out)
{
    if (family < 0 || family >= LX_AF_MAX)
        return -LX_EAFNOSUPPORT;
    if (type < 0 || type > 10)
        return -LX_EINVAL;
    if (family == LX_AF_UNIX)
        return unix_socket(type, protocol, out);
    if (family == LX_AF_INET || family == LX_AF_INET6)
        return net_broker_present() ? host_inet_socket(family, type, protocol, out)
                                    : inet_socket(family, type, protocol, out);
    if (family == LX_AF_NETLINK)
        return netlink_socket(type, protocol, out);
    return -LX_EAFNOSUPPORT;
}

static int split_type(int *type, int *flags)
{
    *flags = *type & ~LX_SOCK_TYPE_MASK;
    *type &= LX_SOCK_TYPE_MASK;
    return *flags & ~(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC) ? -LX_EINVAL : 0;
}

// Gives a socket its file and number; on failure the socket is gone.
static int64_t install(struct socket *s, int flags)
{
    struct file *f = socket_file(s, flags & LX_SOCK_NONBLOCK);
    if (!f) {
        s->ops->release(s);
        return -LX_ENFILE;
    }
    int fd = fd_install(current->files, f, 0, flags & LX_SOCK_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t sys_socket(struct call *c)
{
    int type = arg_int(c, 1), flags;
    struct socket *s;
    int err = split_type(&type, &flags);
    if (!err)
        err = make(arg_int(c, 0), type, arg_int(c, 2), &s);
    return err ? err : install(s, flags);
}

int64_t sys_socketpair(struct call *c)
{
    int family = arg_int(c, 0), type = arg_int(c, 1), flags;
    struct socket *pair[2];
    int err = split_type(&type, &flags);
    if (!err && family != LX_AF_UNIX)
        err = family == LX_AF_INET || family == LX_AF_INET6 || family == LX_AF_NETLINK ? -LX_EOPNOTSUPP
                                                                                       : -LX_EAFNOSUPPORT;
    if (!err)
        err = unix_socketpair(type, arg_int(c, 2), pair);
    if (err)
        return err;
    int64_t a = install(pair[0], flags);
    int64_t b = a < 0 ? a : install(pair[1], flags);
    if (a < 0)
        pair[1]->ops->release(pair[1]);
    if (b < 0) {
        if (a >= 0)
            fd_close(current->files, (int)a);
        return b;
    }
    int32_t fds[2] = {(int32_t)a, (int32_t)b};
    if (copy_out(c->args[3], fds, sizeof(fds))) {
        fd_close(current->files, fds[0]);
        fd_close(current->files, fds[1]);
        return -LX_EFAULT;
    }
    return 0;
}

int sys_get_sockaddr(uint8_t addr[LX_SOCKADDR_MAX], gaddr_t user, int len)
{
    if (len < 0 || (unsigned)len > LX_SOCKADDR_MAX)
        return -LX_EINVAL;
    return len ? copy_in(addr, user, (size_t)len) : 0;
}

int sys_put_sockaddr(gaddr_t user, gaddr_t user_len, const uint8_t *addr, uint32_t len)
{
    int32_t room;
    if (get_user(room, user_len))
        return -LX_EFAULT;
    if (room < 0)
        return -LX_EINVAL;
    uint32_t n = (uint32_t)room < len ? (uint32_t)room : len;
    if (n && copy_out(user, addr, n))
        return -LX_EFAULT;
    return put_user(len, user_len);
}

int64_t sys_bind(struct call *c)
{
    int err;
    uint8_t addr[LX_SOCKADDR_MAX] = {0};
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    err = sys_get_sockaddr(addr, c->args[1], arg_int(c, 2));
    if (err)
        return err;
    return s->ops->bind ? s->ops->bind(s, addr, arg_uint(c, 2)) : -LX_EOPNOTSUPP;
}

int64_t sys_connect(struct call *c)
{
    int err;
    uint8_t addr[LX_SOCKADDR_MAX] = {0};
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err);
    if (!s)
        return err;
    err = sys_get_sockaddr(addr, c->args[1], arg_int(c, 2));
    if (err)
        return err;
    return s->ops->connect ? s->ops->connect(s, addr, arg_uint(c, 2), nonblocking(f)) : -LX_EOPNOTSUPP;
}

int64_t sys_listen(struct call *c)
{
    int err;
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    return s->ops->listen ? s->ops->listen(s, arg_int(c, 1)) : -LX_EOPNOTSUPP;
}

static int64_t do_accept(struct call *c, int flags)
{
    int err;
    struct file *f;
    struct socket *s = sys_socket_of(arg_int(c, 0), &f, &err), *peer;
    if (flags & ~(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
        return -LX_EINVAL;
    if (!s)
        return err;
    if (!s->ops->accept)
        return -LX_EOPNOTSUPP;
    err = fd_available(current->files);
    if (err)
        return err;
    int64_t ret = s->ops->accept(s, &peer, nonblocking(f));
    if (ret)
        return ret;
    uint8_t name[LX_SOCKADDR_MAX];
    int len = peer->ops->getname(peer, name, true);
    int64_t fd = install(peer, flags);
    if (fd < 0 || !c->args[1])
        return fd;
    err = len < 0 ? -LX_ECONNABORTED : sys_put_sockaddr(c->args[1], c->args[2], name, (uint32_t)len);
    if (err) {
        fd_close(current->files, (int)fd);
        return err;
    }
    return fd;
}

int64_t sys_accept(struct call *c)
{
    return do_accept(c, 0);
}

int64_t sys_accept4(struct call *c)
{
    return do_accept(c, arg_int(c, 3));
}

static int64_t get_name(struct call *c, bool peer)
{
    int err;
    uint8_t name[LX_SOCKADDR_MAX];
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    int len = s->ops->getname(s, name, peer);
    return len < 0 ? len : sys_put_sockaddr(c->args[1], c->args[2], name, (uint32_t)len);
}

int64_t sys_getsockname(struct call *c)
{
    return get_name(c, false);
}

int64_t sys_getpeername(struct call *c)
{
    return get_name(c, true);
}

int64_t sys_shutdown(struct call *c)
{
    int err, how = arg_int(c, 1);
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    if (how < LX_SHUT_RD || how > LX_SHUT_RDWR)
        return -LX_EINVAL;
    return s->ops->shutdown ? s->ops->shutdown(s, how) : -LX_EOPNOTSUPP;
}

int64_t sys_setsockopt(struct call *c)
{
    int err, len = arg_int(c, 4);
    uint8_t value[OPTION_MAX];
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    if (len < 0)
        return -LX_EINVAL;
    if ((unsigned)len > sizeof(value))
        len = sizeof(value);
    if (len && copy_in(value, c->args[3], (size_t)len))
        return -LX_EFAULT;
    if (arg_int(c, 1) == LX_SOL_SOCKET) {
        err = sock_setsockopt(s, arg_int(c, 2), value, (uint32_t)len);
        if (!err && s->ops->option_set)
            s->ops->option_set(s, arg_int(c, 2));
        return err;
    }
    return s->ops->setsockopt ? s->ops->setsockopt(s, arg_int(c, 1), arg_int(c, 2), value, (uint32_t)len)
                              : -LX_EOPNOTSUPP;
}

int64_t sys_getsockopt(struct call *c)
{
    int err;
    int32_t room;
    uint8_t value[OPTION_MAX];
    struct socket *s = sys_socket_of(arg_int(c, 0), NULL, &err);
    if (!s)
        return err;
    if (get_user(room, c->args[4]))
        return -LX_EFAULT;
    if (room < 0)
        return -LX_EINVAL;
    uint32_t len = (uint32_t)room < sizeof(value) ? (uint32_t)room : sizeof(value);
    if (arg_int(c, 1) == LX_SOL_SOCKET)
        err = sock_getsockopt(s, arg_int(c, 2), value, &len);
    else
        err = s->ops->getsockopt ? s->ops->getsockopt(s, arg_int(c, 1), arg_int(c, 2), value, &len)
                                 : -LX_EOPNOTSUPP;
    if (err)
        return err;
    if (len && copy_out(c->args[3], value, len))
        return -LX_EFAULT;
    return put_user(len, c->args[4]);
}
