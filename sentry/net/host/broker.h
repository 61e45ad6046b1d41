#pragma once
// The client of gofer --net (abi/gofer_net.h): makes, binds and connects sockets of the host's network namespace. The calls
// drop the kernel lock; callers hold the file of their socket.
#include <stdbool.h>
#include <stdint.h>

// Takes over the connection and watches it: its loss ends the sandbox. 0 or -errno.
int net_broker_connect(int fd);
// Is there one (--network=host)?
bool net_broker_present(void);
// A nonblocking socket, or -errno.
int net_broker_socket(int family, int type);
// enum gofer_net_op on a socket. 0 or -errno.
int net_broker_ask(int op, int fd, int value, const uint8_t *address, uint32_t length);
