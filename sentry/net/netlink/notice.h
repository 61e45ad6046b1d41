#pragma once
// A message for a netlink socket that is sent later, or never (netlink_attachskb and netlink_sendskb of Linux). It does not
// keep the socket alive. Kernel lock.
#include "sentry/vfs/file.h"

struct nl_notice;
// A copy of n bytes, counted against the socket's receive buffer. 0, -LX_ENOTSOCK, -LX_EINVAL for a socket of another
// family, -LX_ENOMEM, or what block_on() returned while the buffer is full.
int64_t netlink_notice_alloc(struct file *f, const void *data, size_t n, struct nl_notice **out);
// Delivers it with `last` for its last byte; frees it.
void netlink_notice_send(struct nl_notice *notice, uint8_t last);
void netlink_notice_drop(struct nl_notice *notice); // may be NULL
