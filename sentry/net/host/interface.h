#pragma once
// The ioctls of netdevice(7) with --network=host: what the broker's netlink tells of the interfaces there. Kernel lock.
#include <stdint.h>

// As interface_ioctl(): 0 or -errno; -LX_ENOTTY for what is no ioctl of an interface. Those that change something are -LX_EPERM.
int64_t host_interface_ioctl(uint32_t cmd, uint64_t arg);
