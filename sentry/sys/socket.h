#pragma once
// What the handlers of socket calls share.
#include "sentry/net/socket.h"

// The socket of a descriptor of current and its file (`file` may be NULL); or NULL and *err.
struct socket *sys_socket_of(int fd, struct file **file, int *err);
// Copies an address in. 0, -LX_EINVAL, -LX_EFAULT.
int must_check sys_get_sockaddr(uint8_t addr[LX_SOCKADDR_MAX], gaddr_t user, int len);
// Copies an address out, cut to the room in the int at `user_len`, and stores its whole length there.
int must_check sys_put_sockaddr(gaddr_t user, gaddr_t user_len, const uint8_t *addr, uint32_t len);
