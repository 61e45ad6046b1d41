#include "sentry/net/inet/tcp_close.h"
#include "sentry/core/timer.h"
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

static struct list_head by_port[BUCKETS], by_ports[BUCKETS], by_age = LIST_INIT(by_age);
static unsigned count;

static void expire(struct ktimer *timer);
static struct ktimer timer = {.fire = expire};

static struct list_head *bucket(struct list_head *table, unsigned port)
{
    if (!table[0].next)
        for (unsigned i = 0; i < BUCKETS; i++)
            list_init(&table[i]);
    return &table[port % BUCKETS];
}

// Those of a server have its port in common, and differ in the other.
static struct list_head *both_ports(const struct inet_addr *local, const struct inet_addr *remote)
{
    return bucket(by_ports, local->port + remote->port);
}

static void drop(struct tcp_wait *w)
{
    if (w->other)
        w->other->waits = NULL;
    list_del(&w->link);
    list_del(&w->ports_link);
    list_del(&w->age_link);
    count--;
    free(w);
}

static void expire(struct ktimer *t)
{
    uint64_t now = mono_now_ns();
    while (!list_empty(&by_age)) {
        struct tcp_wait *w = list_first(&by_age, struct tcp_wait, age_link);
        if (w->expires_ns > now) {
            (void)ktimer_arm(t, w->expires_ns);
            return;
        }
        drop(w);
    }
}

// All wait equally long, so who begins now is the youngest.
static void begin(struct tcp_wait *w)
{
    w->expires_ns = mono_now_ns() + TCP_WAIT_NS;
    list_del(&w->age_link);
    list_add_tail(&w->age_link, &by_age);
    if (!ktimer_armed(&timer))
        (void)ktimer_arm(&timer, w->expires_ns);
}

static void wait_for(const struct inet_sock *s, struct inet_sock *other)
{
    struct tcp_wait *w = count < TCP_WAITS_MAX ? calloc(1, sizeof(*w)) : NULL;
    if (!w)
        return;
    *w = (struct tcp_wait){.local = s->local,
                           .remote = s->remote,
                           .other = other,
                           .family = s->sk.family,
                           .reuseaddr = s->sk.reuseaddr,
                           .reuseport = s->sk.reuseport};
    list_init(&w->age_link);
    list_add_tail(&w->link, bucket(by_port, w->local.port));
    list_add_tail(&w->ports_link, both_ports(&w->local, &w->remote));
    count++;
    if (other)
        other->waits = w;
    begin(w);
}

void tcp_wait_end(struct inet_sock *s)
{
    if (s->waits)
        drop(s->waits);
}

void tcp_fin(struct inet_sock *s)
{
    if (s->fins & TCP_FIN_SENT)
        return;
    s->fins |= TCP_FIN_SENT | (s->fins & TCP_FIN_RECEIVED ? 0 : TCP_FIN_FIRST);
    if (s->peer)
        s->peer->fins |= TCP_FIN_RECEIVED;
    if (s->waits) { // the other side has closed before: it goes from FIN_WAIT2 to TIME_WAIT
        s->waits->other = NULL;
        begin(s->waits);
        s->waits = NULL;
    }
}

void tcp_closed(struct inet_sock *s, bool reset)
{
    if (reset)
        tcp_wait_end(s);
    else
        tcp_fin(s);
    bool first = !reset && (s->fins & TCP_FIN_FIRST);
    if (first && (s->fins & TCP_FIN_RECEIVED || s->peer))
        wait_for(s, s->fins & TCP_FIN_RECEIVED ? NULL : s->peer);
    if (s->peer)
        s->peer->peer = NULL;
    s->peer = NULL;
    s->fins = 0;
}

void tcp_wait_forget(const struct inet_addr *local, const struct inet_addr *remote)
{
    list_for_each(w, both_ports(local, remote), struct tcp_wait, ports_link)
    {
        if (memcmp(&w->local, local, sizeof(*local)) == 0 &&
            memcmp(&w->remote, remote, sizeof(*remote)) == 0) {
            drop(w);
            return;
        }
    }
}

bool tcp_wait_blocks(const struct inet_sock *s)
{
    list_for_each(w, bucket(by_port, s->local.port), struct tcp_wait, link)
    {
        if (w->local.port != s->local.port || !inet_overlap(&s->local, s->v6only, &w->local, false))
            continue;
        if (!(s->sk.reuseaddr && w->reuseaddr) && !(s->sk.reuseport && w->reuseport))
            return true;
    }
    return false;
}

unsigned tcp_wait_count(void)
{
    return count;
}

const struct tcp_wait *tcp_wait_next(const struct tcp_wait *after)
{
    struct list_head *next = after ? after->age_link.next : by_age.next;
    return next == &by_age ? NULL : list_entry(next, struct tcp_wait, age_link);
}
