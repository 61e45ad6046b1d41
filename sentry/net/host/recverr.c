#include "sentry/net/host/recverr.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include <string.h>

#define RECVERR 11  // IP_RECVERR
#define RECVERR6 25 // IPV6_RECVERR

bool host_recverr_is(int level, int name)
{
    return (level == LX_IPPROTO_IP && name == RECVERR) || (level == LX_IPPROTO_IPV6 && name == RECVERR6);
}

int host_recverr_set(struct host_recverr *r, int level, const void *value, uint32_t len)
{
    int32_t number = 0;
    if (len < 1 || (len < sizeof(number) && level == LX_IPPROTO_IPV6))
        return -LX_EINVAL;
    memcpy(&number, value, len < sizeof(number) ? 1 : sizeof(number));
    *(level == LX_IPPROTO_IP ? &r->ip : &r->ipv6) = number != 0;
    return 0;
}

int host_recverr_get(const struct host_recverr *r, int level, void *value, uint32_t *len)
{
    int32_t number = level == LX_IPPROTO_IP ? r->ip : r->ipv6;
    if (*len > sizeof(number))
        *len = sizeof(number);
    memcpy(value, &number, *len);
    return 0;
}
