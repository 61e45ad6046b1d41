#pragma once
// The end of connections: whose FIN was first, and the port that this side keeps for a while (TIME_WAIT). Kernel lock.
#include "sentry/net/inet/inet.h"

#define TCP_WAIT_NS (60ull * 1000000000) // TCP_TIMEWAIT_LEN, and net.ipv4.tcp_fin_timeout
#define TCP_WAITS_MAX \
    8192u // beyond that many a connection ends at once, as beyond net.ipv4.tcp_max_tw_buckets

// FINs of a connection, as inet_sock.fins has them.
#define TCP_FIN_SENT 1u
#define TCP_FIN_RECEIVED 2u
#define TCP_FIN_FIRST 4u // ours was sent before the other's came

// What is left of a connection that this side has closed first: its addresses.
struct tcp_wait {
    struct list_head link;       // by local port
    struct list_head ports_link; // by both ports
    struct list_head age_link;   // the oldest first
    struct inet_addr local, remote;
    struct inet_sock *other; // FIN_WAIT2: who has not closed yet; NULL: TIME_WAIT
    uint64_t expires_ns;
    int family;
    bool reuseaddr, reuseport;
};

// `s` has ended its direction, by shutdown(2) or close(2).
void tcp_fin(struct inet_sock *s);
// `s` is closed: `reset` without a FIN. What has to wait does from now on.
void tcp_closed(struct inet_sock *s, bool reset);
// The other side, which has closed, waits for `s` no longer.
void tcp_wait_end(struct inet_sock *s);
// A new connection between the two addresses takes the place of one that waits there.
void tcp_wait_forget(const struct inet_addr *local, const struct inet_addr *remote);
// Does one that waits keep `s` from its port? (inet_csk_bind_conflict)
bool tcp_wait_blocks(const struct inet_sock *s);
unsigned tcp_wait_count(void);
// The next of all that wait, in no order; NULL after the last. The first: after NULL.
const struct tcp_wait *tcp_wait_next(const struct tcp_wait *after);
