#pragma once
// ioctls of interfaces in the guest's ABI (netdevice(7)).
#include <stdint.h>

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

struct lx_ifconf {
    int32_t len, pad;
    uint64_t buf;
};
