#pragma once
// IP_RECVERR and IPV6_RECVERR (ip(7)) of a socket of the host: remembered and told again, as between sockets of the sandbox itself. A connected
// socket gets the errors of its peer either way; the queue of extended errors is always empty. libc's resolver gives a name server up that
// it cannot set this for.
#include <stdbool.h>
#include <stdint.h>

struct host_recverr {
    bool ip, ipv6; // kernel lock
};
// Is it one of the two?
bool host_recverr_is(int level, int name);
// 0 or -LX_EINVAL.
int host_recverr_set(struct host_recverr *r, int level, const void *value, uint32_t len);
int host_recverr_get(const struct host_recverr *r, int level, void *value, uint32_t *len);
