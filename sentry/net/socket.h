#pragma once
// Sockets of every family (net/socket.c, net/core/sock.c of Linux). Kernel lock.
#include "abi/linux/socket.h"
#include "abi/net_header.h"
#include "sentry/core/wait.h"
#include "sentry/net/scm.h"
#include "sentry/vfs/file.h"

struct socket;

// A message on its way between a call and a family.
struct sock_msg {
    struct iov_iter it;
    uint32_t flags;     // LX_MSG_* of the call; LX_MSG_DONTWAIT where the file does not block
    uint32_t out_flags; // receive: LX_MSG_TRUNC and so on
    uint8_t name[LX_SOCKADDR_MAX];
    uint32_t name_len; // send: 0 when no address is given; receive: length of the sender's
    struct scm scm;    // send: what goes along, taken by the family on success; receive: what came along
    struct timespec64 stamp; // receive: when it came; 0: unknown
    uint8_t to[16];          // receive: the address it was sent to
    uint8_t hops, class;     // receive: of the header
    bool has_to;
    struct net_header header; // of the host's sockets, receive: what control messages told
};

// What a family does. An operation may be NULL: -LX_EOPNOTSUPP. Blocking as handlers do (see sock_block()).
struct socket_ops {
    bool peeks;                        // knows SO_PEEK_OFF
    void (*release)(struct socket *s); // the file is gone; frees it
    int (*bind)(struct socket *s, const uint8_t *addr, uint32_t len);
    int64_t (*connect)(struct socket *s, const uint8_t *addr, uint32_t len, bool nonblock);
    int (*listen)(struct socket *s, int backlog);
    int64_t (*accept)(struct socket *s, struct socket **out, bool nonblock); // a reference in *out
    int (*getname)(struct socket *s, uint8_t *addr, bool peer);              // length or -errno
    int64_t (*sendmsg)(struct socket *s, struct sock_msg *m);
    int64_t (*recvmsg)(struct socket *s, struct sock_msg *m);
    int (*shutdown)(struct socket *s, int how);
    uint32_t (*poll)(struct socket *s, struct poll_table *pt);
    int64_t (*ioctl)(struct socket *s, uint32_t cmd, uint64_t arg);
    void (*option_set)(struct socket *s, int name); // an option of level SOL_SOCKET has a new value
    int (*take_error)(struct socket *s);            // -errno of SO_ERROR, once; NULL: what `err` says
    // Control messages of its own, beside those of every socket. 0 or -LX_EFAULT.
    int (*put_control)(struct socket *s, const struct sock_msg *m, struct scm_out *out);
    // Levels other than LX_SOL_SOCKET, and of that what only the family knows. -LX_ENOPROTOOPT: unknown.
    int (*setsockopt)(struct socket *s, int level, int name, const void *value, uint32_t len);
    int (*getsockopt)(struct socket *s, int level, int name, void *value,
                      uint32_t *len); // *len: room, then length
};

#define SOCK_SHUT_RECV 1u
#define SOCK_SHUT_SEND 2u
#define SOCK_SHUT_BOTH 3u
#define SOCK_BUF_DEFAULT 212992 // net.core.wmem_default
#define SOCK_BUF_MAX 212992     // net.core.wmem_max
#define SOCK_SNDBUF_MIN 4608
#define SOCK_RCVBUF_MIN 2304

struct socket {
    const struct socket_ops *ops; // never changes
    struct file *file;            // not counted; NULL before accept and after the last close
    struct wait_queue wait;
    uint64_t rcvtimeo, sndtimeo; // nanoseconds, KTIMER_NEVER: none
    struct lx_linger linger;
    int sndbuf, rcvbuf, rcvlowat, priority;
    int peek_off; // SO_PEEK_OFF, where MSG_PEEK begins; below 0: at the beginning, always
    int err;      // of SO_ERROR, positive
    int protocol; // never changes, nor do these two
    uint8_t family, type;
    uint8_t shutdown; // SOCK_SHUT_*
    bool passcred, passpidfd, keepalive, reuseaddr, reuseport, broadcast, timestamp, timestampns, oobinline,
        listening;
};

// Sockets of the sandbox, those in accept queues included: a family asks before it makes one.
#define SOCKETS_MAX 131072u
bool socket_available(void);
// Fills what all families share.
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol);
// Releases what socket_init() and the options hold; the family frees the memory.
void socket_done(struct socket *s);
// An accepted socket has the options of its listener.
void socket_inherit(struct socket *s, const struct socket *listener);
// Gives a socket its file. NULL: no memory (the socket stays the caller's).
struct file *socket_file(struct socket *s, bool nonblock);
// The socket behind a file; NULL when it is none.
struct socket *file_socket(struct file *f);

// Blocks a send or receive. `timeo` nanoseconds counted from the call's first block; `done` bytes moved so
// far are what the call returns when time or a signal ends it.
int64_t sock_block(struct wait_queue *q, uint32_t events, uint64_t timeo, uint64_t done);
// Bytes moved by earlier runs of the call.
uint64_t sock_progress(void);
// The pending error, once.
static inline int sock_take_error(struct socket *s)
{
    int err = s->err;
    s->err = 0;
    return -err;
}
// Where a receive of these flags begins, in unread bytes; and what it leaves of SO_PEEK_OFF (sk_peek_offset and its relatives).
static inline uint64_t sock_peek_start(const struct socket *s, uint32_t flags)
{
    return (flags & LX_MSG_PEEK) && s->peek_off > 0 ? (uint64_t)s->peek_off : 0;
}
static inline void sock_peek_moved(struct socket *s, uint32_t flags, uint64_t bytes)
{
    if (s->peek_off < 0)
        return;
    int64_t off = flags & LX_MSG_PEEK ? s->peek_off + (int64_t)bytes : s->peek_off - (int64_t)bytes;
    s->peek_off = off < 0 ? 0 : off > INT32_MAX ? INT32_MAX : (int)off;
}
// -LX_EPIPE, with SIGPIPE unless the flags say no.
int64_t sock_epipe(uint32_t flags);
void sock_current_cred(struct lx_ucred *out);

int sock_setsockopt(struct socket *s, int name, const void *value, uint32_t len);
int sock_getsockopt(struct socket *s, int name, void *value, uint32_t *len);

// The ioctls that every socket knows (interface.c). -LX_ENOTTY for others.
int64_t interface_ioctl(uint32_t cmd, uint64_t arg);

// --- families
int unix_socket(int type, int protocol, struct socket **out);
int inet_socket(int family, int type, int protocol, struct socket **out);
int netlink_socket(int type, int protocol, struct socket **out);
int unix_socketpair(int type, int protocol, struct socket *out[2]);
