#pragma once
// NETLINK_SOCK_DIAG of the guest's ABI (uapi/linux/sock_diag.h, inet_diag.h, unix_diag.h).
#include <stdint.h>

#define LX_SOCK_DIAG_BY_FAMILY 20
#define LX_SOCK_DESTROY 21

struct lx_inet_diag_sockid {
    uint16_t sport, dport; // big-endian
    uint8_t src[16], dst[16];
    uint32_t interface;
    uint32_t cookie[2]; // all ones: any
};
struct lx_inet_diag_req { // v2
    uint8_t family, protocol, ext, pad;
    uint32_t states;
    struct lx_inet_diag_sockid id;
};
struct lx_inet_diag_msg {
    uint8_t family, state, timer, retrans;
    struct lx_inet_diag_sockid id;
    uint32_t expires, rqueue, wqueue, uid, inode;
};
_Static_assert(sizeof(struct lx_inet_diag_req) == 56, "struct inet_diag_req_v2");
_Static_assert(sizeof(struct lx_inet_diag_msg) == 72, "struct inet_diag_msg");

// An attribute of a request: a program that chooses sockets.
#define LX_INET_DIAG_REQ_BYTECODE 1
struct lx_inet_diag_op {
    uint8_t code, yes;
    uint16_t no;
};
enum lx_inet_diag_code {
    LX_DIAG_NOP,
    LX_DIAG_JMP,
    LX_DIAG_S_GE,
    LX_DIAG_S_LE,
    LX_DIAG_D_GE,
    LX_DIAG_D_LE,
    LX_DIAG_AUTO,
    LX_DIAG_S_COND,
    LX_DIAG_D_COND,
    LX_DIAG_DEV_COND,
    LX_DIAG_MARK_COND,
    LX_DIAG_S_EQ,
    LX_DIAG_D_EQ,
};
struct lx_inet_diag_hostcond {
    uint8_t family, prefix_len;
    int32_t port; // -1: any
    // the address follows
};
_Static_assert(sizeof(struct lx_inet_diag_hostcond) == 8, "struct inet_diag_hostcond");

// Attributes of answers; what is asked for is bit N - 1 of `ext`.
#define LX_INET_DIAG_MEMINFO 1
#define LX_INET_DIAG_INFO 2
#define LX_INET_DIAG_CONG 4
#define LX_INET_DIAG_TOS 5
#define LX_INET_DIAG_TCLASS 6
#define LX_INET_DIAG_SKMEMINFO 7
#define LX_INET_DIAG_SHUTDOWN 8
#define LX_INET_DIAG_SKV6ONLY 11

struct lx_unix_diag_req {
    uint8_t family, protocol;
    uint16_t pad;
    uint32_t states, ino, show;
    uint32_t cookie[2];
};
struct lx_unix_diag_msg {
    uint8_t family, type, state, pad;
    uint32_t ino;
    uint32_t cookie[2];
};
_Static_assert(sizeof(struct lx_unix_diag_req) == 24, "struct unix_diag_req");
_Static_assert(sizeof(struct lx_unix_diag_msg) == 16, "struct unix_diag_msg");
#define LX_UDIAG_SHOW_NAME 1u
#define LX_UDIAG_SHOW_VFS 2u
#define LX_UDIAG_SHOW_PEER 4u
#define LX_UDIAG_SHOW_ICONS 8u
#define LX_UDIAG_SHOW_RQLEN 16u
#define LX_UDIAG_SHOW_MEMINFO 32u
#define LX_UDIAG_SHOW_UID 64u
#define LX_UNIX_DIAG_NAME 0
#define LX_UNIX_DIAG_VFS 1
#define LX_UNIX_DIAG_PEER 2
#define LX_UNIX_DIAG_ICONS 3
#define LX_UNIX_DIAG_RQLEN 4
#define LX_UNIX_DIAG_MEMINFO 5
#define LX_UNIX_DIAG_SHUTDOWN 6
#define LX_UNIX_DIAG_UID 7

#define LX_SK_MEMINFO_VARS 9
#define LX_SK_MEMINFO_RMEM_ALLOC 0
#define LX_SK_MEMINFO_RCVBUF 1
#define LX_SK_MEMINFO_WMEM_ALLOC 2
#define LX_SK_MEMINFO_SNDBUF 3
