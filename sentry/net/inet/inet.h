#pragma once
// AF_INET and AF_INET6 inside the sandbox: TCP and UDP between its own sockets on the loopback addresses. No
// packet exists: a connection is two stream buffers, a datagram is queued where it goes. Kernel lock.
#include "abi/linux/inet.h"
#include "sentry/net/socket.h"
#include "sentry/net/unix/unix.h"

#define INET_EPHEMERAL_FIRST 32768u
#define INET_EPHEMERAL_LAST 60999u
#define UDP_PAYLOAD_MAX 65507u

// An address of either family; IPv4 as ::ffff:a.b.c.d.
struct inet_addr {
    uint8_t ip[16];
    uint16_t port; // host order; 0: none
};

struct inet_datagram {
    struct list_head link;
    struct inet_addr from, to;
    struct timespec64 stamp;
    uint8_t hops, class; // of the header it would have
    uint32_t len;
    uint8_t data[];
};

enum tcp_urgent { TCP_URGENT_NONE, TCP_URGENT_THERE, TCP_URGENT_READ };
enum inet_state { INET_CLOSED, INET_LISTENING, INET_CONNECTED, INET_CONNECTING };

struct inet_sock {
    struct socket sk;
    enum inet_state state;
    bool bound, v6only;
    struct inet_addr local, remote;
    struct list_head port_link; // among the bound sockets of its type
    // TCP
    struct unix_sock *data;        // carries the bytes; its peer is the other side's
    struct list_head accept_queue; // inet_sock.accept_link; owned
    union {
        struct list_head accept_link;  // connected and not accepted: in the listener's accept_queue
        struct list_head pending_link; // state INET_CONNECTING: in the listener's `pending`
    };
    union {
        struct list_head pending; // TCP: connects that wait for a place in the queue
        struct list_head queue;   // others: inet_datagram.link
    };
    unsigned queue_len, backlog;
    bool connecting; // a connect that did not wait has yet to be told how it ended
    // Urgent data (tcp_data.c): one byte, which comes after `urgent_ahead` unread ones.
    uint8_t urgent, urgent_byte; // enum tcp_urgent
    uint8_t fins;                // TCP_FIN_*
    uint32_t urgent_ahead;
    struct inet_sock *peer; // the other end; NULL: none, or it is closed
    struct tcp_wait *waits; // what is left of the other end, which waits for this one to close; NULL: nothing
    // UDP
    uint64_t queued_bytes;
    struct inet_groups *groups; // multicast.h; NULL: none
    int32_t *options;           // by place in the table of option.c; NULL: none was ever set
};

static inline struct inet_sock *inet_sk(struct socket *s)
{
    return container_of(s, struct inet_sock, sk);
}
struct inet_sock *inet_alloc(int family, int type, int protocol); // NULL: no memory
void inet_free(struct inet_sock *s);
int32_t inet_option(const struct inet_sock *s, int level, int name); // its value, or what it is at first
// An accepted socket has the options of its listener, as far as memory goes.
void inet_copy_options(struct inet_sock *to, const struct inet_sock *from);

// --- addresses and ports (addr.c)
// Reads a guest's address for socket `s`. 0, -LX_EINVAL, -LX_EAFNOSUPPORT.
int inet_parse(const struct inet_sock *s, const uint8_t *addr, uint32_t len, struct inet_addr *out);
// Writes an address as the socket's family shows it; returns its length.
int inet_format(const struct inet_sock *s, const struct inet_addr *a, uint8_t *addr);
bool inet_is_any(const struct inet_addr *a);
bool inet_is_broadcast(const struct inet_addr *a); // 127.255.255.255
bool inet_is_local(const struct inet_addr *a);
// Makes a destination one that can be reached (any: this host). 0 or -LX_ENETUNREACH.
int inet_route(const struct inet_sock *s, struct inet_addr *to);
int inet_bind(struct socket *s, const uint8_t *addr, uint32_t len);
// Gives an unbound socket an ephemeral port at `local`'s address. 0 or -LX_EADDRNOTAVAIL.
int inet_autobind(struct inet_sock *s, const struct inet_addr *local);
// May two sockets not be bound to these addresses and one port at a time, unless they share it?
bool inet_overlap(const struct inet_addr *a, bool a_v6only, const struct inet_addr *b, bool b_v6only);
void inet_register(struct inet_sock *s); // its port is taken
void inet_unregister(struct inet_sock *s);
// The next socket of a port and a protocol in no order; the first: after NULL. NULL: no more.
struct inet_sock *inet_next(int protocol, uint16_t port, struct inet_sock *after);
// Is the socket bound to this address, or to all?
bool inet_is_at(const struct inet_sock *s, const struct inet_addr *to);
// The socket that gets what is sent to `to`; `from` prefers a UDP socket connected to it. NULL: nobody.
struct inet_sock *inet_lookup(int protocol, const struct inet_addr *to, const struct inet_addr *from);
int inet_getname(struct socket *s, uint8_t *addr, bool peer);

int inet_setsockopt(struct socket *s, int level, int name, const void *value, uint32_t len);
int inet_getsockopt(struct socket *s, int level, int name, void *value, uint32_t *len);

// --- bytes of a connection (tcp_data.c)
int64_t tcp_send(struct socket *sk, struct sock_msg *m);
int64_t tcp_recv(struct socket *sk, struct sock_msg *m);
bool tcp_readable(
    const struct inet_sock *s); // are there as many bytes as SO_RCVLOWAT says, the urgent one apart?
uint64_t tcp_queued(const struct inet_sock *s); // bytes to read, up to the urgent one
bool tcp_at_mark(const struct inet_sock *s);    // is the urgent byte the next one?

uint8_t tcp_state(const struct inet_sock *s); // LX_TCP_*
// struct tcp_info of a socket; bytes written.
uint32_t tcp_info(const struct inet_sock *s, void *value, uint32_t room);

extern const struct socket_ops tcp_ops, udp_ops;
