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

static int zygote = -1;         // never changes after numbers_init
static int guest_ns = -1;       // kernel lock
static bool translated = false; // kernel lock
static int highest;             // number given out so far; kernel lock

#define NUMBERS_SAFE 30000 // below every host's pid_max, whose default on small machines is 32768

void numbers_init(int zygote_pidfd, bool translate)
{
    zygote = zygote_pidfd;
    translated = translate;
}

bool numbers_translated(void)
{
    return translated;
}

int guest_number(int host_tid)
{
    if (!translated)
        return -ENOSYS;
    if (guest_ns < 0) {
        // The namespace has no descriptor before its first process exists: ask at the first registration.
        guest_ns = ioctl(zygote, PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, 0);
        if (guest_ns < 0) {
            translated = false;
            return -ENOSYS;
        }
    }
    int r = ioctl(guest_ns, NS_GET_PID_IN_PIDNS, host_tid);
    if (r < 0 && errno == ENOTTY) {
        translated = false;
        return -ENOSYS;
    }
    if (r > highest)
        highest = r;
    return r < 0 ? -errno : r;
}

bool numbers_may_repeat(void)
{
    return !translated || highest >= NUMBERS_SAFE;
}
