#pragma once
// Sockets of the guest's ABI (uapi/linux/socket.h, net.h, un.h, asm-generic/socket.h).
#include <stdint.h>

#define LX_AF_UNSPEC 0
#define LX_AF_UNIX 1
#define LX_AF_INET 2
#define LX_AF_INET6 10
#define LX_AF_NETLINK 16
#define LX_AF_MAX 46

#define LX_SOCK_STREAM 1
#define LX_SOCK_DGRAM 2
#define LX_SOCK_RAW 3
#define LX_SOCK_RDM 4
#define LX_SOCK_SEQPACKET 5
#define LX_SOCK_TYPE_MASK 0xf
#define LX_SOCK_NONBLOCK 04000
#define LX_SOCK_CLOEXEC 02000000

#define LX_SHUT_RD 0
#define LX_SHUT_WR 1
#define LX_SHUT_RDWR 2

#define LX_MSG_OOB 0x1u
#define LX_MSG_PEEK 0x2u
#define LX_MSG_DONTROUTE 0x4u
#define LX_MSG_CTRUNC 0x8u
#define LX_MSG_TRUNC 0x20u
#define LX_MSG_DONTWAIT 0x40u
#define LX_MSG_EOR 0x80u
#define LX_MSG_WAITALL 0x100u
#define LX_MSG_ERRQUEUE 0x2000u
#define LX_MSG_NOSIGNAL 0x4000u
#define LX_MSG_MORE 0x8000u
#define LX_MSG_WAITFORONE 0x10000u
#define LX_MSG_CMSG_CLOEXEC 0x40000000u
#define LX_MSG_CMSG_COMPAT 0x80000000u

#define LX_SOL_SOCKET 1
#define LX_SO_DEBUG 1
#define LX_SO_REUSEADDR 2
#define LX_SO_TYPE 3
#define LX_SO_ERROR 4
#define LX_SO_DONTROUTE 5
#define LX_SO_BROADCAST 6
#define LX_SO_SNDBUF 7
#define LX_SO_RCVBUF 8
#define LX_SO_KEEPALIVE 9
#define LX_SO_OOBINLINE 10
#define LX_SO_NO_CHECK 11
#define LX_SO_PRIORITY 12
#define LX_SO_LINGER 13
#define LX_SO_REUSEPORT 15
#define LX_SO_PASSCRED 16
#define LX_SO_PEERCRED 17
#define LX_SO_RCVLOWAT 18
#define LX_SO_PEEK_OFF 42
#define LX_SO_SNDLOWAT 19
#define LX_SO_RCVTIMEO_OLD 20
#define LX_SO_SNDTIMEO_OLD 21
#define LX_SO_BINDTODEVICE 25
#define LX_SO_TIMESTAMP_OLD 29
#define LX_SO_ACCEPTCONN 30
#define LX_SO_TIMESTAMPNS_OLD 35
#define LX_SO_INCOMING_CPU 49
#define LX_SO_BUSY_POLL 46
#define LX_SO_PEERSEC 31
#define LX_SO_SNDBUFFORCE 32
#define LX_SO_RCVBUFFORCE 33
#define LX_SO_PASSSEC 34
#define LX_SO_MARK 36
#define LX_SO_PROTOCOL 38
#define LX_SO_DOMAIN 39
#define LX_SO_PEEK_OFF 42
#define LX_SO_COOKIE 57
#define LX_SO_PEERGROUPS 59
#define LX_SO_RCVTIMEO_NEW 66
#define LX_SO_SNDTIMEO_NEW 67
#define LX_SO_PASSPIDFD 76
#define LX_SO_PEERPIDFD 77

#define LX_SCM_RIGHTS 1
#define LX_SCM_CREDENTIALS 2
#define LX_SCM_PIDFD 4
#define LX_SCM_MAX_FD 253u

#define LX_SOMAXCONN 4096
#define LX_UNIX_PATH_MAX 108
#define LX_SOCKADDR_MAX 128u // sizeof(struct sockaddr_storage)

// ioctls of sockets
#define LX_SIOCATMARK 0x8905u
#define LX_SIOCOUTQ 0x5411u
#define LX_SIOCATMARK 0x8905u

struct lx_sockaddr_un {
    uint16_t family;
    char path[LX_UNIX_PATH_MAX];
};
_Static_assert(sizeof(struct lx_sockaddr_un) == 110, "struct sockaddr_un");

struct lx_msghdr {
    uint64_t name;
    int32_t namelen, pad0;
    uint64_t iov, iovlen;
    uint64_t control, controllen;
    uint32_t flags, pad1;
};
_Static_assert(sizeof(struct lx_msghdr) == 56, "struct msghdr");

struct lx_mmsghdr {
    struct lx_msghdr hdr;
    uint32_t len, pad;
};
_Static_assert(sizeof(struct lx_mmsghdr) == 64, "struct mmsghdr");

struct lx_cmsghdr {
    uint64_t len; // with this header, without padding
    int32_t level, type;
};
_Static_assert(sizeof(struct lx_cmsghdr) == 16, "struct cmsghdr");
#define LX_CMSG_ALIGN(n) (((n) + 7ull) & ~7ull)

struct lx_ucred {
    int32_t pid;
    uint32_t uid, gid;
};
_Static_assert(sizeof(struct lx_ucred) == 12, "struct ucred");

struct lx_linger {
    int32_t onoff, linger;
};
