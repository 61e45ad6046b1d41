#pragma once
// What ping sockets share with UDP: datagrams in a queue. Kernel lock.
#include "sentry/net/inet/inet.h"

#define UDP_BYTES_MAX (64ull << 20) // queued by all sockets of the sandbox

void udp_release(struct socket *sk);
int64_t udp_connect(struct socket *sk, const uint8_t *addr, uint32_t len, bool nonblock);
int64_t udp_recv(struct socket *sk, struct sock_msg *m);
int udp_shutdown(struct socket *sk, int how);
uint32_t udp_poll(struct socket *sk, struct poll_table *pt);
int udp_put_control(struct socket *sk, const struct sock_msg *m, struct scm_out *out);
// Hop limit and class of the header that a datagram from `s` would have.
void udp_set_header(const struct inet_sock *s, struct inet_datagram *d, const struct scm *given);
// Takes over a datagram for a socket's queue. What finds no room, or nobody (NULL), is lost.
void udp_deliver(struct inet_sock *to, struct inet_datagram *d);
