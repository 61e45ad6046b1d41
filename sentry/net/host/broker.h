#pragma once
// The client of gofer --net (abi/gofer_net.h): makes, binds and connects sockets of the host's network namespace. The calls
// drop the kernel lock; callers hold the file of their socket.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// Takes over the connection and watches it: its loss ends the sandbox. `policy`: the operator gave one, so the broker keeps
// all sockets. 0 or -errno.
int net_broker_connect(int fd, bool policy);
// Is there one (--network=host)?
bool net_broker_present(void);
// Does it keep the sockets (kept.h)?
bool net_broker_keeps(void);
// A nonblocking socket, or -errno. `protocol`: 0, or that of a ping socket.
int net_broker_socket(int family, int type, int protocol);
// enum gofer_net_op on a socket. 0 or -errno.
int net_broker_ask(int op, int fd, int value, const uint8_t *address, uint32_t length);
// Netlink messages of a kind (enum gofer_net_route) from `skip` bytes on, into GOFER_NET_ROUTE_MAX bytes; `address` (4 or 16 bytes) for a
// look-up. Keeps the kernel lock. Bytes; 0: no more; -errno.
int net_broker_route(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes);
// One packet each way, with the kernel lock or without; request and reply begin with a serial, which is put in here. Returns the
// size of the reply, at least that of its first part. A Gofer that is out of step ends the sandbox.
size_t broker_exchange(struct iovec *request, size_t nr_request, struct iovec *reply, size_t nr_reply, int fd,
                       int *donated);
