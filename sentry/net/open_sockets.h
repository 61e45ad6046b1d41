#pragma once
// The sockets that processes have open, for what lists them: /proc/net and NETLINK_SOCK_DIAG. Kernel lock.
#include "sentry/net/socket.h"

#define OPEN_SOCKETS_MAX 65536u

struct open_sockets {
    struct socket *sockets[OPEN_SOCKETS_MAX]; // borrowed
    unsigned count;
};

// Each socket of a family once, in the order of their inodes; `type` 0: all types. Under the kernel lock they stay what they are. To be
// freed; NULL: no memory.
struct open_sockets *find_open_sockets(int family, int type);
