#pragma once
// Control messages of the host's sockets, between the guest's form and the one in which they travel (abi/net_header.h).
#include "sentry/net/socket.h"

// Is an address too short for the socket's family? The host says so only of addresses that come that far.
bool host_address_short(const struct socket *s, uint32_t len);
// The host's value of an option that the guest has set: true, and what to give to setsockopt(2), *size bytes. False: none of the host's.
bool host_option_value(const struct socket *s, int name, void *value, uint32_t *size);
// What a send of the guest asks for, by a socket of a family. Before scm_destroy().
struct net_header host_header_of(const struct scm *scm, int family);
// What came with a message, for the guest: socket_ops.put_control.
int host_put_control(struct socket *s, const struct sock_msg *m, struct scm_out *out);
