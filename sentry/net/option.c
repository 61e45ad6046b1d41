// Options of level SOL_SOCKET (net/core/sock.c of Linux).
#include "sentry/task/user_ns.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/time.h"
#include "sentry/core/timer.h"
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/ipc/poll.h"
#include "sentry/net/socket.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/task.h"
#include <string.h>

static int set_timeout(uint64_t *timeo, const void *value, uint32_t len)
{
    struct lx_timeval tv;
    if (len < sizeof(tv))
        return -LX_EINVAL;
    memcpy(&tv, value, sizeof(tv));
    if (tv.usec < 0 || tv.usec >= 1000000)
        return -LX_EDOM;
    if (tv.sec < 0) {
        *timeo = 0;
        return 0;
    }
    uint64_t ns;
    if ((tv.sec == 0 && tv.usec == 0) || __builtin_mul_overflow((uint64_t)tv.sec, 1000000000ull, &ns) ||
        ns >> 62)
        *timeo = KTIMER_NEVER;
    else
        *timeo = ns + (uint64_t)tv.usec * 1000u;
    return 0;
}

static int buffer_size(int value, int min, bool force)
{
    if (!force && (unsigned)value > SOCK_BUF_MAX)
        value = SOCK_BUF_MAX;
    if (force && ((unsigned)value > (1u << 24) || value < 0))
        value = 1 << 24;
    // Doubled: half is thought to go to bookkeeping.
    value *= 2;
    return value < min ? min : value;
}

int sock_setsockopt(struct socket *s, int name, const void *value, uint32_t len)
{
    int v = 0;
    if (name == LX_SO_RCVTIMEO_OLD || name == LX_SO_RCVTIMEO_NEW)
        return set_timeout(&s->rcvtimeo, value, len);
    if (name == LX_SO_SNDTIMEO_OLD || name == LX_SO_SNDTIMEO_NEW)
        return set_timeout(&s->sndtimeo, value, len);
    if (name == LX_SO_BINDTODEVICE)
        return -LX_EPERM;
    if (len < sizeof(v))
        return -LX_EINVAL;
    memcpy(&v, value, sizeof(v));
    switch (name) {
    case LX_SO_REUSEADDR:
        s->reuseaddr = v;
        return 0;
    case LX_SO_REUSEPORT:
        s->reuseport = v;
        return 0;
    case LX_SO_KEEPALIVE:
        s->keepalive = v;
        return 0;
    case LX_SO_BROADCAST:
        s->broadcast = v;
        return 0;
    case LX_SO_OOBINLINE:
        s->oobinline = v;
        return 0;
    case LX_SO_PASSCRED:
    case LX_SO_PASSPIDFD:
        if (s->family != LX_AF_UNIX)
            return -LX_EOPNOTSUPP;
        *(name == LX_SO_PASSCRED ? &s->passcred : &s->passpidfd) = v;
        return 0;
    case LX_SO_TIMESTAMP_OLD:
        s->timestamp = v;
        s->timestampns = false;
        return 0;
    case LX_SO_TIMESTAMPNS_OLD:
        s->timestampns = v;
        s->timestamp = false;
        return 0;
    case LX_SO_SNDBUFFORCE:
    case LX_SO_RCVBUFFORCE:
        if (!capable(LX_CAP_NET_ADMIN))
            return -LX_EPERM;
        if (name == LX_SO_SNDBUFFORCE)
            s->sndbuf = buffer_size(v, SOCK_SNDBUF_MIN, true);
        else
            s->rcvbuf = buffer_size(v, SOCK_RCVBUF_MIN, true);
        return 0;
    case LX_SO_SNDBUF:
        s->sndbuf = buffer_size(v, SOCK_SNDBUF_MIN, false);
        wake_up(&s->wait, EV_OUT | EV_WRNORM);
        return 0;
    case LX_SO_RCVBUF:
        s->rcvbuf = buffer_size(v, SOCK_RCVBUF_MIN, false);
        return 0;
    case LX_SO_RCVLOWAT:
        s->rcvlowat = v < 0 ? INT32_MAX : v ? v : 1;
        return 0;
    case LX_SO_PRIORITY:
        if ((v < 0 || v > 6) && !capable(LX_CAP_NET_RAW) && !capable(LX_CAP_NET_ADMIN))
            return -LX_EPERM;
        s->priority = v;
        return 0;
    case LX_SO_PEEK_OFF:
        if (!s->ops->peeks)
            return -LX_EOPNOTSUPP;
        s->peek_off = v;
        return 0;
    case LX_SO_LINGER:
        if (len < sizeof(s->linger))
            return -LX_EINVAL;
        memcpy(&s->linger, value, sizeof(s->linger));
        s->linger.onoff = s->linger.onoff != 0;
        return 0;
    case LX_SO_DEBUG:
        return v && !capable(LX_CAP_NET_ADMIN) ? -LX_EACCES : 0;
    case LX_SO_DONTROUTE:
    case LX_SO_NO_CHECK:
        return 0;
    case LX_SO_MARK:
        return capable(LX_CAP_NET_ADMIN) ? 0 : -LX_EPERM;
    case LX_SO_TYPE:
    case LX_SO_PROTOCOL:
    case LX_SO_DOMAIN:
    case LX_SO_ERROR:
    default:
        return -LX_ENOPROTOOPT;
    }
}

static int put(void *value, uint32_t *len, const void *from, uint32_t n)
{
    if (*len > n)
        *len = n;
    memcpy(value, from, *len);
    return 0;
}

static int get_timeout(uint64_t timeo, void *value, uint32_t *len)
{
    struct lx_timeval tv = {0, 0};
    if (timeo != KTIMER_NEVER)
        tv = (struct lx_timeval){(int64_t)(timeo / 1000000000u), (int64_t)(timeo % 1000000000u / 1000u)};
    return put(value, len, &tv, sizeof(tv));
}

static int put_peercred(struct socket *s, void *value, uint32_t *len)
{
    struct lx_ucred cred = {0, UINT32_MAX, UINT32_MAX};
    if (s->family == LX_AF_UNIX)
        cred = unix_sk(s)->peercred;
    if (cred.uid != UINT32_MAX) { // nobody's
        cred.uid = show_uid(cred.uid);
        cred.gid = show_gid(cred.gid);
    }
    return put(value, len, &cred, sizeof(cred));
}

static int get_peer_pidfd(struct socket *s, void *value, uint32_t *len)
{
    struct thread_group *peer = s->family == LX_AF_UNIX ? unix_sk(s)->peer_group : NULL;
    if (!peer)
        return -LX_ENODATA;
    if (!peer->linked)
        return -LX_ESRCH;
    struct file *f = pidfd_file(peer, 0);
    if (!f)
        return -LX_ENOMEM;
    int32_t fd = fd_install(current->files, f, 0, true);
    if (fd < 0) {
        file_put(f);
        return fd;
    }
    return put(value, len, &fd, sizeof(fd));
}

int sock_getsockopt(struct socket *s, int name, void *value, uint32_t *len)
{
    int v;
    switch (name) {
    case LX_SO_TYPE:
        v = s->type;
        break;
    case LX_SO_DOMAIN:
        v = s->family;
        break;
    case LX_SO_PROTOCOL:
        v = s->protocol;
        break;
    case LX_SO_ERROR:
        v = -(s->ops->take_error ? s->ops->take_error(s) : sock_take_error(s));
        break;
    case LX_SO_SNDBUF:
        v = s->sndbuf;
        break;
    case LX_SO_RCVBUF:
        v = s->rcvbuf;
        break;
    case LX_SO_REUSEADDR:
        v = s->reuseaddr;
        break;
    case LX_SO_REUSEPORT:
        v = s->reuseport;
        break;
    case LX_SO_KEEPALIVE:
        v = s->keepalive;
        break;
    case LX_SO_BROADCAST:
        v = s->broadcast;
        break;
    case LX_SO_OOBINLINE:
        v = s->oobinline;
        break;
    case LX_SO_PRIORITY:
        v = s->priority;
        break;
    case LX_SO_PASSCRED:
        v = s->passcred;
        break;
    case LX_SO_PASSPIDFD:
        v = s->passpidfd;
        break;
    case LX_SO_TIMESTAMP_OLD:
        v = s->timestamp;
        break;
    case LX_SO_TIMESTAMPNS_OLD:
        v = s->timestampns;
        break;
    case LX_SO_INCOMING_CPU:
    case LX_SO_BUSY_POLL:
        v = 0;
        break;
    case LX_SO_RCVLOWAT:
        v = s->rcvlowat;
        break;
    case LX_SO_SNDLOWAT:
        v = 1;
        break;
    case LX_SO_ACCEPTCONN:
        v = s->listening;
        break;
    case LX_SO_DEBUG:
    case LX_SO_DONTROUTE:
    case LX_SO_NO_CHECK:
    case LX_SO_MARK:
        v = 0;
        break;
    case LX_SO_PEEK_OFF:
        if (!s->ops->peeks)
            return -LX_EOPNOTSUPP;
        v = s->peek_off;
        break;
    case LX_SO_BINDTODEVICE: // to none
        *len = 0;
        return 0;
    case LX_SO_LINGER:
        return put(value, len, &s->linger, sizeof(s->linger));
    case LX_SO_RCVTIMEO_OLD:
    case LX_SO_RCVTIMEO_NEW:
        return get_timeout(s->rcvtimeo, value, len);
    case LX_SO_SNDTIMEO_OLD:
    case LX_SO_SNDTIMEO_NEW:
        return get_timeout(s->sndtimeo, value, len);
    case LX_SO_PEERCRED:
        return put_peercred(s, value, len);
    case LX_SO_PEERPIDFD:
        return get_peer_pidfd(s, value, len);
    case LX_SO_COOKIE: {
        uint64_t cookie = s->file ? s->file->inode->attr.ino : 0;
        return *len < sizeof(cookie) ? -LX_EINVAL : put(value, len, &cookie, sizeof(cookie));
    }
    default:
        return -LX_ENOPROTOOPT;
    }
    return put(value, len, &v, sizeof(v));
}
