// Netlink sockets: port numbers, requests, the queue of answers (net/netlink/af_netlink.c of Linux).
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/net/netlink/diag.h"
#include "sentry/net/netlink/netlink.h"
#include "sentry/net/netlink/notice.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAX 65536u
#define GROUPS_MAX 64u
#define PACKET_MAX 3776u         // of a dump: NLMSG_GOODSIZE, for which the C library has room
#define DUMP_MAX (8ull << 20)    // that one socket has to read
#define QUEUED_MAX (64ull << 20) // of all sockets of the sandbox

struct nl_packet {
    struct list_head link;
    uint32_t len;
    uint8_t data[];
};

struct nl_sock {
    struct socket sk;
    struct list_head link; // among all that have a port number
    uint32_t port, groups; // port 0: none yet
    struct lx_sockaddr_nl peer;
    struct list_head queue; // nl_packet.link
    uint64_t queued_bytes;
    struct list_head notices; // nl_notice.link: messages that may come
    bool strict, cap_ack;
    uint32_t options; // bits of options that are remembered
};

// See notice.h.
struct nl_notice {
    struct list_head link; // nl_sock.notices
    struct nl_sock *sock;  // NULL: gone, and the packet with it
    struct nl_packet *packet;
};

static struct list_head ports = LIST_INIT(ports);
static uint64_t all_queued_bytes;

static struct nl_sock *nl_sk(struct socket *s)
{
    return container_of(s, struct nl_sock, sk);
}

// A packet of n bytes, counted for the socket, in no queue. NULL: no memory, or no room with `most` for the socket.
static struct nl_packet *make_packet(struct nl_sock *s, const void *bytes, size_t n, uint64_t most)
{
    struct nl_packet *p = NULL;
    if (s->queued_bytes + n + sizeof(*p) <= most && all_queued_bytes + n + sizeof(*p) <= QUEUED_MAX)
        p = malloc(sizeof(*p) + n);
    if (!p)
        return NULL;
    list_init(&p->link);
    p->len = (uint32_t)n;
    memcpy(p->data, bytes, n);
    s->queued_bytes += p->len + sizeof(*p);
    all_queued_bytes += p->len + sizeof(*p);
    return p;
}

static void drop_packet(struct nl_sock *s, struct nl_packet *p)
{
    list_del(&p->link);
    s->queued_bytes -= p->len + sizeof(*p);
    all_queued_bytes -= p->len + sizeof(*p);
    free(p);
    wake_up(&s->sk.wait, EV_OUT); // who has a notice to add
}

static void nl_release(struct socket *sk)
{
    struct nl_sock *s = nl_sk(sk);
    list_del(&s->link);
    while (!list_empty(&s->queue))
        drop_packet(s, list_first(&s->queue, struct nl_packet, link));
    while (!list_empty(&s->notices)) {
        struct nl_notice *notice = list_first(&s->notices, struct nl_notice, link);
        list_del(&notice->link);
        drop_packet(s, notice->packet);
        notice->sock = NULL;
    }
    socket_done(sk);
    free(s);
}

static bool port_taken(int protocol, uint32_t port)
{
    list_for_each(s, &ports, struct nl_sock,
                  link) if (s->sk.protocol == protocol && s->port == port) return true;
    return false;
}

// The process's number, or one from the top when another socket of it has that.
static void autobind(struct nl_sock *s)
{
    uint32_t port = (uint32_t)current->tg->pid;
    if (s->port)
        return;
    for (uint32_t n = (uint32_t)-4097; port_taken(s->sk.protocol, port); n--)
        port = n;
    s->port = port;
    list_add_tail(&s->link, &ports);
}

static int parse(const uint8_t *addr, uint32_t len, struct lx_sockaddr_nl *out)
{
    if (len < sizeof(*out))
        return -LX_EINVAL;
    memcpy(out, addr, sizeof(*out));
    return out->family == LX_AF_NETLINK ? 0 : -LX_EINVAL;
}

static int nl_bind(struct socket *sk, const uint8_t *addr, uint32_t len)
{
    struct nl_sock *s = nl_sk(sk);
    struct lx_sockaddr_nl nl;
    int err = parse(addr, len, &nl);
    if (err)
        return err;
    if (s->port && nl.pid != s->port)
        return -LX_EINVAL;
    if (!s->port && nl.pid && port_taken(sk->protocol, nl.pid))
        return -LX_EADDRINUSE;
    if (!s->port && nl.pid) {
        s->port = nl.pid;
        list_add_tail(&s->link, &ports);
    }
    autobind(s);
    s->groups = nl.groups;
    return 0;
}

static int64_t nl_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock)
{
    struct nl_sock *s = nl_sk(sk);
    struct lx_sockaddr_nl nl = {0};
    uint16_t family;
    if (len < sizeof(family))
        return -LX_EINVAL;
    memcpy(&family, addr, sizeof(family));
    if (family == LX_AF_UNSPEC) {
        s->peer = nl;
        return 0;
    }
    if (family != LX_AF_NETLINK || len < sizeof(nl))
        return -LX_EINVAL;
    memcpy(&nl, addr, sizeof(nl));
    if ((nl.pid || nl.groups) && !capable(LX_CAP_NET_ADMIN))
        return -LX_EPERM;
    autobind(s);
    s->peer = nl;
    return 0;
}

static int nl_getname(struct socket *sk, uint8_t *addr, bool peer)
{
    const struct nl_sock *s = nl_sk(sk);
    struct lx_sockaddr_nl nl = peer ? s->peer : (struct lx_sockaddr_nl){.pid = s->port, .groups = s->groups};
    nl.family = LX_AF_NETLINK;
    memcpy(addr, &nl, sizeof(nl));
    return sizeof(nl);
}

// One packet for the reader. False: no room.
static bool queue_packet(struct nl_sock *s, const uint8_t *bytes, size_t n, uint64_t most)
{
    struct nl_packet *p = make_packet(s, bytes, n, most);
    if (!p)
        return false;
    list_add_tail(&p->link, &s->queue);
    return true;
}

// Answers go to the socket that asked, a dump in packets as large as those of Linux. Linux makes each when the one before has been read;
// so a dump may be longer than the receive buffer.
static void deliver(struct nl_sock *s, const struct nl_out *out, bool dump)
{
    size_t begin = 0, end = 0;
    bool room = !out->failed;
    while (room && end < out->len) {
        uint32_t len;
        memcpy(&len, out->data + end, sizeof(len));
        size_t step = LX_NLMSG_ALIGN(len);
        if (dump && end > begin && end + step - begin > PACKET_MAX) {
            room = queue_packet(s, out->data + begin, end - begin, DUMP_MAX);
            begin = end;
        }
        end += step;
    }
    if (room && end > begin)
        room = queue_packet(s, out->data + begin, end - begin, dump ? DUMP_MAX : (uint64_t)s->sk.rcvbuf);
    if (!room) // the reader learns that something is lost
        s->sk.err = LX_ENOBUFS;
    wake_up(&s->sk.wait, room ? EV_IN | EV_RDNORM : EV_ERR | EV_IN);
}

static void put_error(struct nl_sock *s, struct nl_out *out, const struct lx_nlmsghdr *h,
                      const uint8_t *payload, size_t n, int err)
{
    struct {
        int32_t error;
        struct lx_nlmsghdr h;
    } head = {err, *h};
    // The request comes back with the error, without its payload when it worked or the reader asked so.
    bool whole = err && !s->cap_ack;
    uint8_t *body = whole ? malloc(sizeof(head) + n) : NULL;
    if (body) {
        memcpy(body, &head, sizeof(head));
        memcpy(body + sizeof(head), payload, n);
    }
    nl_begin(out, LX_NLMSG_ERROR, body ? 0 : LX_NLM_F_CAPPED, body ? body : (void *)&head,
             sizeof(head) + (body ? n : 0));
    nl_end(out);
    free(body);
}

static void answer(struct nl_sock *s, const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n)
{
    struct nl_out out = {.seq = h->seq, .pid = s->port};
    bool diag = s->sk.protocol == LX_NETLINK_SOCK_DIAG;
    bool reads = !diag && h->type >= LX_RTM_BASE && h->type <= LX_RTM_MAX && (h->type & 3) == 2;
    bool dump = (reads || diag) && (h->flags & LX_NLM_F_DUMP) == LX_NLM_F_DUMP;
    int err = 0;
    if (!(h->flags & LX_NLM_F_REQUEST) || h->type < LX_NLMSG_MIN_TYPE)
        ; // acknowledged and nothing else
    else if (diag)
        err = nl_diag_get(h, payload, n, dump, &out);
    else if (!reads && h->type >= LX_RTM_BASE && h->type <= LX_RTM_MAX && !capable(LX_CAP_NET_ADMIN))
        err = -LX_EPERM;
    else
        err = reads ? nl_route_get(h, payload, n, dump, s->strict, &out) : -LX_EOPNOTSUPP;
    if (!err && dump) {
        int32_t result = out.result;
        nl_begin(&out, LX_NLMSG_DONE, LX_NLM_F_MULTI, &result, sizeof(result));
        nl_end(&out);
    } else if (err || (h->flags & LX_NLM_F_ACK)) {
        put_error(s, &out, h, payload, n, err);
    }
    if (out.len || out.failed)
        deliver(s, &out, dump);
    free(out.data);
}

// netlink_rcv_skb
static void answer_all(struct nl_sock *s, const uint8_t *bytes, size_t len)
{
    struct lx_nlmsghdr h;
    while (len >= sizeof(h)) {
        memcpy(&h, bytes, sizeof(h));
        if (h.len < sizeof(h) || h.len > len)
            return;
        answer(s, &h, bytes + sizeof(h), h.len - sizeof(h));
        size_t step = LX_NLMSG_ALIGN(h.len);
        if (step >= len)
            return;
        bytes += step;
        len -= step;
    }
}

static int64_t nl_send(struct socket *sk, struct sock_msg *m)
{
    struct nl_sock *s = nl_sk(sk);
    struct lx_sockaddr_nl to = s->peer;
    size_t n = m->it.count;
    scm_destroy(&m->scm);
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    if (m->name_len) {
        int err = parse(m->name, m->name_len, &to);
        if (err)
            return err;
        if ((to.pid || to.groups) && !capable(LX_CAP_NET_ADMIN))
            return -LX_EPERM;
    }
    autobind(s);
    if (n == 0)
        return -LX_ENODATA;
    if (n > (size_t)sk->sndbuf - 32 || n > REQUEST_MAX)
        return -LX_EMSGSIZE;
    uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -LX_ENOBUFS;
    int64_t ret = (int64_t)n;
    if (n && iter_copy_from(&m->it, bytes, n) != (ssize_t)n)
        ret = -LX_EFAULT;
    else if (to.pid || sk->protocol == LX_NETLINK_KOBJECT_UEVENT)
        ret = -LX_ECONNREFUSED; // processes do not talk to each other here
    else
        answer_all(s, bytes, n);
    free(bytes);
    return ret;
}

static int64_t nl_recv(struct socket *sk, struct sock_msg *m)
{
    struct nl_sock *s = nl_sk(sk);
    const struct lx_sockaddr_nl kernel = {.family = LX_AF_NETLINK};
    if (m->flags & LX_MSG_OOB)
        return -LX_EOPNOTSUPP;
    if (sk->err)
        return sock_take_error(sk);
    if (list_empty(&s->queue))
        return m->flags & LX_MSG_DONTWAIT ? -LX_EAGAIN : sock_block(&sk->wait, EV_IN, sk->rcvtimeo, 0);
    struct nl_packet *p = list_first(&s->queue, struct nl_packet, link);
    size_t n = m->it.count < p->len ? m->it.count : p->len;
    if (n < p->len)
        m->out_flags |= LX_MSG_TRUNC;
    if (n && iter_copy_to(&m->it, p->data, n) != (ssize_t)n)
        return -LX_EFAULT;
    memcpy(m->name, &kernel, sizeof(kernel));
    m->name_len = sizeof(kernel);
    m->scm.cred = (struct lx_ucred){0, 0, 0};
    m->scm.has_cred = true;
    int64_t ret = m->flags & LX_MSG_TRUNC ? (int64_t)p->len : (int64_t)n;
    if (!(m->flags & LX_MSG_PEEK))
        drop_packet(s, p);
    return ret;
}

static uint32_t nl_poll(struct socket *sk, struct poll_table *pt)
{
    poll_wait(pt, &sk->wait);
    return (list_empty(&nl_sk(sk)->queue) ? 0 : EV_IN | EV_RDNORM) | (sk->err ? EV_ERR : 0) | EV_OUT |
           EV_WRNORM | EV_WRBAND;
}

static int nl_setsockopt(struct socket *sk, int level, int name, const void *value, uint32_t len)
{
    struct nl_sock *s = nl_sk(sk);
    int32_t v = 0;
    if (level != LX_SOL_NETLINK)
        return -LX_ENOPROTOOPT;
    if (len >= sizeof(v))
        memcpy(&v, value, sizeof(v));
    switch (name) {
    case LX_NETLINK_ADD_MEMBERSHIP:
    case LX_NETLINK_DROP_MEMBERSHIP:
        if (v < 1 || v > (int32_t)GROUPS_MAX)
            return -LX_EINVAL;
        if (v <= 32 && name == LX_NETLINK_ADD_MEMBERSHIP)
            s->groups |= 1u << (v - 1);
        else if (v <= 32)
            s->groups &= ~(1u << (v - 1));
        return 0;
    case LX_NETLINK_CAP_ACK:
        s->cap_ack = v;
        break;
    case LX_NETLINK_GET_STRICT_CHK:
        s->strict = v;
        break;
    case LX_NETLINK_PKTINFO:
    case LX_NETLINK_BROADCAST_ERROR:
    case LX_NETLINK_NO_ENOBUFS:
    case LX_NETLINK_EXT_ACK:
        break;
    default:
        return -LX_ENOPROTOOPT;
    }
    s->options = v ? s->options | 1u << name : s->options & ~(1u << name);
    return 0;
}

static int nl_getsockopt(struct socket *sk, int level, int name, void *value, uint32_t *len)
{
    bool known = name == LX_NETLINK_CAP_ACK || name == LX_NETLINK_GET_STRICT_CHK ||
                 name == LX_NETLINK_PKTINFO || name == LX_NETLINK_BROADCAST_ERROR ||
                 name == LX_NETLINK_NO_ENOBUFS || name == LX_NETLINK_EXT_ACK;
    if (level != LX_SOL_NETLINK || !known)
        return -LX_ENOPROTOOPT;
    int32_t v = nl_sk(sk)->options >> name & 1;
    if (*len < sizeof(v))
        return -LX_EINVAL;
    *len = sizeof(v);
    memcpy(value, &v, sizeof(v));
    return 0;
}

static const struct socket_ops netlink_ops = {
    .release = nl_release,
    .bind = nl_bind,
    .connect = nl_connect,
    .getname = nl_getname,
    .sendmsg = nl_send,
    .recvmsg = nl_recv,
    .poll = nl_poll,
    .setsockopt = nl_setsockopt,
    .getsockopt = nl_getsockopt,
};

int netlink_socket(int type, int protocol, struct socket **out)
{
    if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
        return -LX_ESOCKTNOSUPPORT;
    if (protocol != LX_NETLINK_ROUTE && protocol != LX_NETLINK_KOBJECT_UEVENT &&
        protocol != LX_NETLINK_SOCK_DIAG)
        return -LX_EPROTONOSUPPORT;
    struct nl_sock *s = socket_available() ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return -LX_ENOMEM;
    socket_init(&s->sk, &netlink_ops, LX_AF_NETLINK, type, protocol);
    list_init(&s->link);
    list_init(&s->queue);
    list_init(&s->notices);
    *out = &s->sk;
    return 0;
}

// --- messages that are sent later

int64_t netlink_notice_alloc(struct file *f, const void *data, size_t n, struct nl_notice **out)
{
    struct socket *sk = file_socket(f);
    if (!sk)
        return -LX_ENOTSOCK;
    if (sk->ops != &netlink_ops)
        return -LX_EINVAL;
    struct nl_sock *s = nl_sk(sk);
    if (s->queued_bytes > (uint64_t)sk->rcvbuf)
        return block_on(&sk->wait, EV_OUT);
    struct nl_notice *notice = malloc(sizeof(*notice));
    struct nl_packet *p = notice ? make_packet(s, data, n, UINT64_MAX) : NULL;
    if (!p) {
        free(notice);
        return -LX_ENOMEM;
    }
    *notice = (struct nl_notice){.sock = s, .packet = p};
    list_add_tail(&notice->link, &s->notices);
    *out = notice;
    return 0;
}

void netlink_notice_send(struct nl_notice *notice, uint8_t last)
{
    struct nl_sock *s = notice->sock;
    struct nl_packet *p = notice->packet;
    list_del(&notice->link);
    free(notice);
    if (!s)
        return;
    p->data[p->len - 1] = last;
    list_add_tail(&p->link, &s->queue);
    wake_up(&s->sk.wait, EV_IN | EV_RDNORM);
}

void netlink_notice_drop(struct nl_notice *notice)
{
    if (!notice)
        return;
    list_del(&notice->link);
    if (notice->sock)
        drop_packet(notice->sock, notice->packet);
    free(notice);
}
