// The socket tables of /proc/net (net/ipv4/tcp_ipv4.c, udp.c, net/unix/af_unix.c): sockets that some process has open.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "sentry/core/timer.h"
#include "sentry/net/inet/inet.h"
#include "sentry/net/inet/tcp_close.h"
#include "sentry/net/open_sockets.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/task.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add_address(struct out_text *out, const struct inet_addr *a, bool six)
{
    uint32_t words[4];
    memcpy(words, a->ip, sizeof(words));
    if (six)
        out_printf(out, "%08X%08X%08X", words[0], words[1], words[2]);
    out_printf(out, "%08X:%04X", words[3], a->port);
}

static unsigned inet_state_number(const struct inet_sock *s)
{
    if (s->sk.type == LX_SOCK_DGRAM)
        return s->state == INET_CONNECTED ? 1 : 7;
    return tcp_state(s);
}

// What is left of connections that this side closed first (get_timewait4_sock).
static void show_waits(struct out_text *out, int family, unsigned line)
{
    for (const struct tcp_wait *w = tcp_wait_next(NULL); w; w = tcp_wait_next(w)) {
        uint64_t now = mono_now_ns();
        if (w->family != family)
            continue;
        out_printf(out, "%4u: ", line++);
        add_address(out, &w->local, family == LX_AF_INET6);
        out_printf(out, " ");
        add_address(out, &w->remote, family == LX_AF_INET6);
        out_printf(out, " %02X 00000000:00000000 03:%08X 00000000     0        0 0 3 0000000000000000\n",
                   w->other ? LX_TCP_FIN_WAIT2 : LX_TCP_TIME_WAIT,
                   w->expires_ns > now ? (unsigned)((w->expires_ns - now) / 10000000) : 0);
    }
}

static void show_one(struct out_text *out, const struct inet_sock *s, unsigned line)
{
    const bool six = s->sk.family == LX_AF_INET6, udp = s->sk.type == LX_SOCK_DGRAM;
    const struct kstat *attr = s->sk.file ? &s->sk.file->inode->attr : NULL; // none before it is accepted
    out_printf(out, udp ? "%5u: " : "%4u: ", line);
    add_address(out, &s->local, six);
    out_printf(out, " ");
    add_address(out, &s->remote, six);
    out_printf(out, " %02X %08X:%08X 00:00000000 00000000 %5u        0 %" PRIu64 " 2 0000000000000000%s\n",
               inet_state_number(s), 0u, udp ? (uint32_t)s->queued_bytes : s->queue_len, attr ? attr->uid : 0,
               attr ? attr->ino : 0, udp ? " 0" : " 100 0 0 10 0");
}

// node->arg: type in the low byte, family above.
int proc_show_inet(const struct pseudo *p, struct out_text *out)
{
    int type = (int)(p->node->arg & 0xff), family = (int)(p->node->arg >> 8);
    bool udp = type == LX_SOCK_DGRAM;
    out_printf(out, "%s", (const char *)p->node->data);
    struct open_sockets *f = find_open_sockets(family, type);
    if (!f)
        return -LX_ENOMEM;
    unsigned line = 0;
    for (unsigned i = 0; i < f->count; i++) {
        const struct inet_sock *s = inet_sk(f->sockets[i]);
        if (!s->bound && s->state == INET_CLOSED)
            continue;
        show_one(out, s, line++);
        list_for_each(embryo, &s->accept_queue, struct inet_sock, accept_link) show_one(out, embryo, line++);
    }
    free(f);
    if (!udp)
        show_waits(out, family, line);
    return 0;
}

PROC_SHOW(net_unix)
{
    out_printf(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    struct open_sockets *f = find_open_sockets(LX_AF_UNIX, 0);
    if (!f)
        return -LX_ENOMEM;
    for (unsigned i = 0; i < f->count; i++) {
        const struct unix_sock *u = unix_sk(f->sockets[i]);
        out_printf(out, "0000000000000000: %08X 00000000 %08X %04X %02X %5" PRIu64, u->refs + 1,
                   u->state == UNIX_LISTENING ? 0x10000u : 0, u->sk.type, u->state == UNIX_CONNECTED ? 3 : 1,
                   u->sk.file->inode->attr.ino);
        size_t family = sizeof(u->addr->sun.family), len = u->addr ? u->addr->len : 0;
        if (len > family) {
            out_printf(out, " ");
            for (size_t k = 0; k < len - family; k++) { // an abstract name begins with a NUL, shown as @
                char c = u->addr->sun.path[k];
                if (!c && k && u->addr->sun.path[0])
                    break;
                out_add(out, c ? &c : "@", 1);
            }
        }
        out_printf(out, "\n");
    }
    free(f);
    return 0;
}

int proc_count_sockets(int family, int type, unsigned *bound, unsigned *connected)
{
    struct open_sockets *f = find_open_sockets(family, type);
    *bound = *connected = 0;
    if (!f)
        return -LX_ENOMEM;
    for (unsigned i = 0; (family == LX_AF_INET || family == LX_AF_INET6) && i < f->count; i++) {
        const struct inet_sock *s = inet_sk(f->sockets[i]);
        *bound += s->bound || s->state != INET_CLOSED;
        *connected += s->state == INET_CONNECTED;
    }
    int count = (int)f->count;
    free(f);
    return count;
}
