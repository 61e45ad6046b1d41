// What the ioctls of sockets tell of the interface (netdevice(7)): there is the loopback, and nobody may change it.
#include "abi/linux/errno.h"
#include "abi/linux/ifreq.h"
#include "abi/linux/inet.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/host/interface.h"
#include "sentry/net/socket.h"
#include <string.h>

#define LO_FLAGS 0x49 // UP, LOOPBACK, RUNNING
#define LO_MTU 65536
#define ARPHRD_LOOPBACK 772

static void lo_address(struct lx_ifreq *r, uint8_t first, uint8_t last)
{
    struct lx_sockaddr_in in = {.family = LX_AF_INET, .addr = {first, 0, 0, last}};
    memcpy(r->u.addr, &in, sizeof(in));
}

static int64_t interface_list(uint64_t arg)
{
    struct lx_ifconf conf;
    struct lx_ifreq r = {.name = "lo"};
    if (get_user(conf, arg))
        return -LX_EFAULT;
    lo_address(&r, 127, 1);
    if (conf.buf && conf.len >= (int32_t)sizeof(r)) {
        if (put_user(r, conf.buf))
            return -LX_EFAULT;
        conf.len = sizeof(r);
    } else {
        conf.len = conf.buf ? 0 : (int32_t)sizeof(r);
    }
    return put_user(conf, arg);
}

int64_t interface_ioctl(uint32_t cmd, uint64_t arg)
{
    struct lx_ifreq r;
    if (net_broker_present())
        return host_interface_ioctl(cmd, arg);
    if (cmd == LX_SIOCGIFCONF)
        return interface_list(arg);
    switch (cmd) {
    case LX_SIOCSIFFLAGS:
    case LX_SIOCSIFADDR:
    case LX_SIOCSIFNETMASK:
    case LX_SIOCSIFMTU:
    case LX_SIOCADDRT:
    case LX_SIOCDELRT:
        return -LX_EPERM;
    case LX_SIOCGIFBRDADDR:
    case LX_SIOCGIFDSTADDR:
    case LX_SIOCGIFMETRIC:
    case LX_SIOCGIFTXQLEN:
    case LX_SIOCGIFNAME:
    case LX_SIOCGIFFLAGS:
    case LX_SIOCGIFADDR:
    case LX_SIOCGIFNETMASK:
    case LX_SIOCGIFMTU:
    case LX_SIOCGIFHWADDR:
    case LX_SIOCGIFINDEX:
        break;
    default:
        return -LX_ENOTTY;
    }
    if (get_user(r, arg))
        return -LX_EFAULT;
    if (cmd == LX_SIOCGIFNAME ? r.u.value != 1 : strncmp(r.name, "lo", sizeof(r.name)) != 0)
        return -LX_ENODEV;
    memcpy(r.name, "lo", 3);
    if (cmd != LX_SIOCGIFNAME)
        memset(&r.u, 0, sizeof(r.u));
    if (cmd == LX_SIOCGIFFLAGS)
        r.u.flags = LO_FLAGS;
    else if (cmd == LX_SIOCGIFADDR)
        lo_address(&r, 127, 1);
    else if (cmd == LX_SIOCGIFNETMASK)
        lo_address(&r, 255, 0);
    else if (cmd == LX_SIOCGIFMTU)
        r.u.value = LO_MTU;
    else if (cmd == LX_SIOCGIFHWADDR)
        r.u.flags = ARPHRD_LOOPBACK;
    else if (cmd == LX_SIOCGIFTXQLEN)
        r.u.value = 1000;
    else if (cmd == LX_SIOCGIFBRDADDR)
        lo_address(&r, 0, 0);
    else if (cmd == LX_SIOCGIFDSTADDR)
        lo_address(&r, 127, 1);
    else if (cmd == LX_SIOCGIFINDEX)
        r.u.value = 1;
    return put_user(r, arg);
}
