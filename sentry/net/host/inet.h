#pragma once
// AF_INET and AF_INET6 of the host (--network=host): a donated socket behind each of the guest's.
#include "sentry/net/socket.h"

int host_inet_socket(int family, int type, int protocol, struct socket **out);
