// net/ipv4/inet_diag.c, tcp_diag.c, udp_diag.c
#include "abi/linux/errno.h"
#include "sentry/core/timer.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/tcp_close.h"
#include "sentry/net/netlink/diag.h"
#include "sentry/net/open_sockets.h"
#include "sentry/task/user_ns.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define TIMER_TIME_WAIT 3

struct question {
    struct lx_inet_diag_req r;
    const uint8_t *filter; // NULL: none
    size_t filter_size;
    bool dump;
    struct nl_out *out;
};

static void put_address(uint8_t to[16], const struct inet_addr *a, int family)
{
    if (family == LX_AF_INET)
        memcpy(to, a->ip + 12, 4);
    else
        memcpy(to, a->ip, 16);
}

static struct lx_inet_diag_msg head_of(int family, uint8_t state, const struct inet_addr *local,
                                       const struct inet_addr *remote)
{
    struct lx_inet_diag_msg m = {
        .family = (uint8_t)family,
        .state = state,
        .id = {.sport = htobe16(local->port), .dport = htobe16(remote->port)},
    };
    put_address(m.id.src, local, family);
    put_address(m.id.dst, remote, family);
    return m;
}

static bool wanted(const struct question *q, const struct lx_inet_diag_msg *m)
{
    const struct lx_inet_diag_sockid *id = &q->r.id;
    if (q->r.family != m->family)
        return false;
    if (q->dump)
        return (q->r.states >> m->state & 1) && (!id->sport || id->sport == m->id.sport) &&
               (!id->dport || id->dport == m->id.dport) &&
               (!q->filter || diag_filter_matches(q->filter, q->filter_size, m, true));
    bool any = id->cookie[0] == UINT32_MAX && id->cookie[1] == UINT32_MAX;
    return id->sport == m->id.sport && id->dport == m->id.dport && memcmp(id->src, m->id.src, 16) == 0 &&
           memcmp(id->dst, m->id.dst, 16) == 0 && (any || id->cookie[0] == m->id.cookie[0]);
}

static bool asked(const struct question *q, unsigned attribute)
{
    return q->r.ext >> (attribute - 1) & 1;
}

static void put_attributes(const struct question *q, const struct inet_sock *s, uint8_t state)
{
    struct nl_out *out = q->out;
    const bool tcp = s->sk.type == LX_SOCK_STREAM, six = s->sk.family == LX_AF_INET6;
    const uint8_t shutdown = (uint8_t)(tcp ? s->data->sk.shutdown : s->sk.shutdown);
    const uint8_t tos = (uint8_t)inet_option(s, LX_IPPROTO_IP, LX_IP_TOS);
    const uint64_t received = tcp ? s->data->queued_bytes : s->queued_bytes,
                   sent = tcp ? s->data->charged : 0;
    nl_attr(out, LX_INET_DIAG_SHUTDOWN, &shutdown, sizeof(shutdown));
    if (asked(q, LX_INET_DIAG_TOS))
        nl_attr(out, LX_INET_DIAG_TOS, &tos, sizeof(tos));
    if (six && asked(q, LX_INET_DIAG_TCLASS)) {
        const uint8_t class = (uint8_t)inet_option(s, LX_IPPROTO_IPV6, LX_IPV6_TCLASS);
        nl_attr(out, LX_INET_DIAG_TCLASS, &class, sizeof(class));
    }
    if (six && (state == LX_TCP_LISTEN || state == LX_TCP_CLOSE)) {
        const uint8_t only = s->v6only;
        nl_attr(out, LX_INET_DIAG_SKV6ONLY, &only, sizeof(only));
    }
    if (asked(q, LX_INET_DIAG_MEMINFO)) {
        const uint32_t memory[4] = {(uint32_t)received, (uint32_t)sent, 0, (uint32_t)sent};
        nl_attr(out, LX_INET_DIAG_MEMINFO, memory, sizeof(memory));
    }
    if (asked(q, LX_INET_DIAG_SKMEMINFO))
        diag_put_memory(out, LX_INET_DIAG_SKMEMINFO, &s->sk, received, sent);
    if (tcp && asked(q, LX_INET_DIAG_INFO)) {
        uint8_t info[256];
        nl_attr(out, LX_INET_DIAG_INFO, info, tcp_info(s, info, sizeof(info)));
    }
    if (tcp && asked(q, LX_INET_DIAG_CONG))
        nl_attr(out, LX_INET_DIAG_CONG, "cubic", 6);
}

// True: it was what the question is about.
static bool tell(const struct question *q, const struct inet_sock *s)
{
    const bool tcp = s->sk.type == LX_SOCK_STREAM;
    const uint8_t state = tcp ? tcp_state(s) : s->state == INET_CONNECTED ? LX_TCP_ESTABLISHED : LX_TCP_CLOSE;
    struct lx_inet_diag_msg m = head_of(s->sk.family, state, &s->local, &s->remote);
    const struct kstat *attr = s->sk.file ? &s->sk.file->inode->attr : NULL; // none before it is accepted
    if (s->sk.protocol != q->r.protocol || (!s->bound && s->state == INET_CLOSED) ||
        (tcp && state == LX_TCP_CLOSE))
        return false;
    m.inode = attr ? (uint32_t)attr->ino : 0;
    m.id.cookie[0] = m.inode;
    m.uid = attr ? show_uid(attr->uid) : 0;
    m.rqueue = state == LX_TCP_LISTEN ? s->queue_len
               : tcp                  ? (uint32_t)s->data->queued_bytes
                                      : (uint32_t)s->queued_bytes;
    m.wqueue = state == LX_TCP_LISTEN ? s->backlog : 0;
    if (!wanted(q, &m))
        return false;
    nl_begin(q->out, LX_SOCK_DIAG_BY_FAMILY, q->dump ? LX_NLM_F_MULTI : 0, &m, sizeof(m));
    put_attributes(q, s, state);
    nl_end(q->out);
    return true;
}

static void tell_waiting(const struct question *q)
{
    const uint64_t now = mono_now_ns();
    for (const struct tcp_wait *w = tcp_wait_next(NULL); w; w = tcp_wait_next(w)) {
        struct lx_inet_diag_msg m =
            head_of(w->family, w->other ? LX_TCP_FIN_WAIT2 : LX_TCP_TIME_WAIT, &w->local, &w->remote);
        m.timer = TIMER_TIME_WAIT;
        m.expires = w->expires_ns > now ? (uint32_t)((w->expires_ns - now) / 1000000) : 0;
        if (!wanted(q, &m))
            continue;
        nl_begin(q->out, LX_SOCK_DIAG_BY_FAMILY, LX_NLM_F_MULTI, &m, sizeof(m));
        nl_end(q->out);
    }
}

int diag_inet(const uint8_t *payload, size_t n, bool dump, struct nl_out *out)
{
    struct question q = {.dump = dump, .out = out};
    if (n < sizeof(q.r))
        return -LX_EINVAL;
    memcpy(&q.r, payload, sizeof(q.r));
    const uint8_t protocol = q.r.protocol;
    if (protocol != LX_IPPROTO_TCP && protocol != LX_IPPROTO_UDP && protocol != LX_IPPROTO_UDPLITE) {
        out->result = protocol == LX_IPPROTO_RAW ? 0 : -LX_ENOENT;
        return dump ? 0 : -LX_ENOENT;
    }
    q.filter =
        nl_find_attr(payload + sizeof(q.r), n - sizeof(q.r), LX_INET_DIAG_REQ_BYTECODE, &q.filter_size);
    if (q.filter && !diag_filter_valid(q.filter, q.filter_size))
        return -LX_EINVAL;
    struct open_sockets *found =
        find_open_sockets(q.r.family, protocol == LX_IPPROTO_TCP ? LX_SOCK_STREAM : LX_SOCK_DGRAM);
    if (!found)
        return -LX_ENOMEM;
    bool any = false;
    for (unsigned i = 0; i < found->count && (dump || !any); i++) {
        const struct inet_sock *s = inet_sk(found->sockets[i]);
        any = tell(&q, s) || any;
        list_for_each(embryo, &s->accept_queue, struct inet_sock, accept_link) any = tell(&q, embryo) || any;
    }
    free(found);
    if (dump && protocol == LX_IPPROTO_TCP)
        tell_waiting(&q);
    return dump || any ? 0 : -LX_ENOENT;
}
