// What the kernel tells of interfaces, addresses and routes, asked by requests that are made here (abi/gofer_net.h).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Opens the netlink socket, before the filter is installed, which lets none be made. 0 or -errno after a message.
int net_route_prepare(void);
// Messages of one kind (enum gofer_net_route) from `skip` bytes on, as many whole ones as fit. `address` for a look-up: 4 or 16 bytes.
// Bytes; 0: no more; -errno.
ssize_t net_route_ask(int kind, int family, uint32_t skip, const uint8_t *address, uint8_t *bytes,
                      size_t room);
