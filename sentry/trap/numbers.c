// NS_GET_PID_IN_PIDNS of ioctl_nsfs(2) (Linux 6.11) on the namespace that PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE gives.
#include "sentry/trap/numbers.h"
#include <errno.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>

#ifndef PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xFF, 6)
#endif
#ifndef NS_GET_PID_IN_PIDNS
#define NS_GET_PID_IN_PIDNS _IOR(0xb7, 0x8, int)
#endif

static int zygote = -1;
static int guest_ns = -1;

void numbers_init(int zygote_pidfd)
{
    zygote = zygote_pidfd;
}

int guest_number(int host_tid)
{
    if (guest_ns < 0) {
        // The namespace has no descriptor before its first process exists: ask at the first registration.
        guest_ns = ioctl(zygote, PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, 0);
        if (guest_ns < 0)
            return -errno;
    }
    int r = ioctl(guest_ns, NS_GET_PID_IN_PIDNS, host_tid);
    return r < 0 ? -errno : r;
}
