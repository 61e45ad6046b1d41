#pragma once
// AF_UNIX sockets (net/unix/ of Linux). Kernel lock.
#include "sentry/net/socket.h"
#include "sentry/vfs/vfs.h"

#define UNIX_MAX_DGRAM_QLEN 10u       // net.unix.max_dgram_qlen
#define UNIX_CHUNK_MAX 65536u         // bytes of a stream in one buffer
#define UNIX_BUF_OVERHEAD 576u        // what one buffer counts for beside its bytes, about as in Linux
#define UNIX_BYTES_MAX (256ull << 20) // buffered by all sockets of the sandbox

// A name, shared by a listener and the sockets it accepts.
struct unix_addr {
    unsigned refs;
    uint32_t len; // of `sun`, as getsockname tells it
    struct lx_sockaddr_un sun;
};

// One buffer in a receive queue: a datagram, or a piece of a stream.
struct unix_buf {
    struct list_head link;
    struct unix_sock *owner; // who sent it and is charged, counted
    uint32_t len, off;       // bytes; of a stream, already read
    uint32_t charge;
    struct scm_files *files; // owned, counted in flight; NULL: none
    struct lx_ucred cred;
    uint8_t data[];
};

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

// One that carries the bytes of TCP has no file, name or queue of its own, and ends before `addr`: there may be very many.
struct unix_sock {
    struct socket sk;
    unsigned refs;      // its file (or its place in an accept queue), peers, buffers it sent
    uint8_t state;      // enum unix_state
    bool dead;          // released
    bool carrier;       // carries TCP: closing ends one direction only; never changes
    unsigned queue_len; // entries of `queue` or `accept_queue`
    unsigned backlog;
    uint32_t charged;       // what it sent and nobody has read
    struct list_head queue; // unix_buf.link
    uint64_t queued_bytes;
    struct unix_sock *peer; // counted
    // From here on: not there in a carrier.
    struct unix_addr *addr;        // NULL: unbound
    struct path path;              // of a name in the filesystem, counted
    struct list_head name_link;    // abstract names
    struct list_head peers_link;   // datagram: in peer->senders
    struct list_head senders;      // datagram: sockets connected to this one
    struct list_head accept_queue; // unix_sock.accept_link: connected, not accepted yet, one reference each
    struct list_head accept_link;
    struct wait_queue room_wait;     // senders and connectors waiting for its queue
    struct lx_ucred peercred;        // pid 0: unknown
    struct thread_group *peer_group; // counted; for SO_PEERPIDFD; NULL: unknown
    // Garbage collection (gc.c)
    struct list_head inflight_link; // among sockets that are in flight
    unsigned inflight;              // times its file is in queues
    unsigned gc_count;
    bool gc_candidate;
};

static inline struct unix_sock *unix_sk(struct socket *s)
{
    return container_of(s, struct unix_sock, sk);
}
struct unix_sock *unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
struct unix_sock *unix_alloc(int type, int protocol);            // refs 1; NULL: no memory
struct unix_sock *unix_alloc_carrier(void);                      // of a stream; the same
void unix_set_peer(struct unix_sock *u, struct unix_sock *peer); // takes its own reference; NULL: none
// The socket goes: peers learn of it, its name and queue are freed. Drops the caller's reference.
void unix_release_sock(struct unix_sock *u);

// --- buffers (buffer.c)
// A charged buffer with room for n bytes. NULL and *err: -LX_ENOBUFS, -LX_ENOMEM.
struct unix_buf *unix_buf_alloc(struct unix_sock *sender, uint32_t n, int *err);
void unix_buf_free(struct unix_buf *b); // uncharges, wakes the sender when it may write again
void unix_queue_buf(struct unix_sock *to, struct unix_buf *b); // and wakes the reader
void unix_unqueue_buf(struct unix_sock *from, struct unix_buf *b);
// Drops all that is queued. What the messages hold may go later, when a flush further up the stack gets to
// it.
void unix_flush(struct unix_sock *u);
static inline bool unix_writable(const struct unix_sock *u)
{
    return u->state != UNIX_LISTENING && (uint64_t)u->charged * 4 <= (uint64_t)u->sk.sndbuf;
}
static inline bool unix_queue_full(const struct unix_sock *u)
{
    return u->queue_len > u->backlog;
}
// Gives the message's files to a buffer: they are in flight from now on.
void unix_attach_files(struct unix_buf *b, struct scm *scm);
// Takes a buffer's files out of flight.
struct scm_files *unix_detach_files(struct unix_buf *b);

// --- names (addr.c)
void unix_addr_put(struct unix_addr *a);
int unix_bind(struct socket *s, const uint8_t *addr, uint32_t len);
// The socket of a name, with a reference; or NULL and *err.
struct unix_sock *unix_find(const uint8_t *addr, uint32_t len, int type, int *err);
int unix_check_name(const uint8_t *addr, uint32_t len); // 0 or -LX_EINVAL
void unix_unname(struct unix_sock *u);

// --- moving data (stream.c, dgram.c)
int64_t unix_stream_send(struct socket *s, struct sock_msg *m);
int64_t unix_stream_recv(struct socket *s, struct sock_msg *m);
int64_t unix_dgram_send(struct socket *s, struct sock_msg *m);
int64_t unix_dgram_recv(struct socket *s, struct sock_msg *m);
int64_t unix_seqpacket_send(struct socket *s, struct sock_msg *m);
int64_t unix_seqpacket_recv(struct socket *s, struct sock_msg *m);
void unix_copy_name(struct sock_msg *m, const struct unix_sock *from);

// --- files in flight (gc.c)
void unix_inflight(struct scm_files *files);
void unix_notinflight(struct scm_files *files);
// Would `more` descriptors in flight be too many for current?
bool unix_inflight_over(unsigned more);
// Frees sockets that only messages to themselves keep alive. Called when a socket is closed.
void unix_gc(void);
