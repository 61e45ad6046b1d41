#pragma once
// NETLINK_SOCK_DIAG: what sockets there are (net/core/sock_diag.c of Linux), those that some process has open. Kernel lock.
#include "sentry/net/netlink/netlink.h"
#include "abi/linux/sock_diag.h"

// A request. Writes the answers; with `dump` all that match. 0 or -errno.
int nl_diag_get(const struct lx_nlmsghdr *h, const uint8_t *payload, size_t n, bool dump, struct nl_out *out);

// --- families
int diag_inet(const uint8_t *payload, size_t n, bool dump, struct nl_out *out);
int diag_unix(const uint8_t *payload, size_t n, bool dump, struct nl_out *out);
// What they share: SKMEMINFO of a socket.
void diag_put_memory(struct nl_out *out, uint16_t type, const struct socket *s, uint64_t received,
                     uint64_t sent);

// The programs of `ss` that choose sockets (diag_filter.c).
bool diag_filter_valid(const uint8_t *code, size_t n);
bool diag_filter_matches(const uint8_t *code, size_t n, const struct lx_inet_diag_msg *m, bool bound_by_user);
