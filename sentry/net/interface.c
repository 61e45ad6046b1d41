// What the ioctls of sockets tell of the interface (netdevice(7)): there is the loopback, and nobody may change it.
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "sentry/net/host/broker.h"
#include "sentry/net/socket.h"
#include <string.h>

#define LX_SIOCGIFNAME 0x8910u
#define LX_SIOCGIFCONF 0x8912u
#define LX_SIOCADDRT 0x890bu
#define LX_SIOCDELRT 0x890cu
#define LX_SIOCGIFFLAGS 0x8913u
#define LX_SIOCSIFFLAGS 0x8914u
#define LX_SIOCGIFADDR 0x8915u
#define LX_SIOCSIFADDR 0x8916u
#define LX_SIOCGIFDSTADDR 0x8917u
#define LX_SIOCGIFBRDADDR 0x8919u
#define LX_SIOCGIFNETMASK 0x891bu
#define LX_SIOCSIFNETMASK 0x891cu
#define LX_SIOCGIFMETRIC 0x891du
#define LX_SIOCGIFMTU 0x8921u
#define LX_SIOCSIFMTU 0x8922u
#define LX_SIOCGIFHWADDR 0x8927u
#define LX_SIOCGIFINDEX 0x8933u
#define LX_SIOCGIFTXQLEN 0x8942u
#define LO_FLAGS 0x49 // UP, LOOPBACK, RUNNING
#define LO_MTU 65536
#define ARPHRD_LOOPBACK 772

struct lx_ifreq {
    char name[16];
    union {
        uint8_t addr[16];
        int32_t value;
        int16_t flags;
        uint8_t room[24];
    } u;
};
_Static_assert(sizeof(struct lx_ifreq) == 40, "struct ifreq");

static void lo_address(struct lx_ifreq *r, uint8_t first, uint8_t last)
{
    struct lx_sockaddr_in in = {.family = LX_AF_INET, .addr = {first, 0, 0, last}};
    memcpy(r->u.addr, &in, sizeof(in));
}

static int64_t interface_list(uint64_t arg)
{
    struct {
        int32_t len, pad;
        uint64_t buf;
    } conf;
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
        return -LX_ENOTTY; // of the host's interfaces nobody tells
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
