// Calls that administer a machine: refused without the capability, and there is little to administer with it.
#include "sentry/core/log.h"
#include "sentry/task/task.h"
#include "sentry/tty/tty.h"
#include "abi/linux/capability.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include "syscall_handlers.h"

#define REBOOT_MAGIC1 0xfee1deadu
#define REBOOT_RESTART 0x01234567u
#define REBOOT_HALT 0xcdef0123u
#define REBOOT_POWER_OFF 0x4321fedcu
#define REBOOT_RESTART2 0xa1b2c3d4u

static bool reboot_magic2(uint32_t m)
{
    return m == 672274793u || m == 85072278u || m == 369367448u || m == 537993216u;
}

// As in a pid namespace: ends the first process, and with it the sandbox (reboot_pid_ns of Linux).
int64_t sys_reboot(struct call *call)
{
    uint32_t command = arg_uint(call, 2);
    if (!capable(LX_CAP_SYS_BOOT))
        return -LX_EPERM;
    if (arg_uint(call, 0) != REBOOT_MAGIC1 || !reboot_magic2(arg_uint(call, 1)))
        return -LX_EINVAL;
    if (command == REBOOT_RESTART || command == REBOOT_RESTART2)
        group_exit(init_tg, LX_SIGHUP);
    else if (command == REBOOT_HALT || command == REBOOT_POWER_OFF)
        group_exit(init_tg, LX_SIGINT);
    else
        return -LX_EINVAL;
    return 0;
}

int64_t sys_vhangup(struct call *call)
{
    if (!capable(LX_CAP_SYS_TTY_CONFIG))
        return -LX_EPERM;
    struct tty *tty = current->tg->pgrp->session->tty;
    if (tty)
        tty_hangup(tty);
    return 0;
}

int64_t sys_acct(struct call *call)
{
    return capable(LX_CAP_SYS_PACCT) ? -LX_ENOSYS : -LX_EPERM;
}

int64_t sys_swapon(struct call *call)
{
    return capable(LX_CAP_SYS_ADMIN) ? -LX_EINVAL : -LX_EPERM;
}

int64_t sys_swapoff(struct call *call)
{
    return capable(LX_CAP_SYS_ADMIN) ? -LX_EINVAL : -LX_EPERM;
}

// Nobody gets at the host's ports; giving up what nobody has is allowed.
int64_t sys_iopl(struct call *call)
{
    uint32_t level = arg_uint(call, 0);
    return level > 3 ? -LX_EINVAL : level ? -LX_EPERM : 0;
}

int64_t sys_ioperm(struct call *call)
{
    uint64_t from = call->args[0], count = call->args[1];
    if (from + count <= from || from + count > 65536)
        return -LX_EINVAL;
    return arg_int(call, 2) ? -LX_EPERM : 0;
}

// The kernel's log of messages, which is empty (kernel/printk/printk.c).
int64_t sys_syslog(struct call *call)
{
    enum {
        CLOSE,
        OPEN,
        READ,
        READ_ALL,
        READ_CLEAR,
        CLEAR,
        CONSOLE_OFF,
        CONSOLE_ON,
        CONSOLE_LEVEL,
        UNREAD,
        SIZE
    };
    int type = arg_int(call, 0), len = arg_int(call, 2);
    if (!capable(LX_CAP_SYSLOG) && !capable(LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    switch (type) {
    case READ_ALL:
    case READ_CLEAR:
        return !call->args[1] || len < 0 ? -LX_EINVAL : 0;
    case CONSOLE_LEVEL:
        return len < 1 || len > 8 ? -LX_EINVAL : 0;
    case CLOSE:
    case OPEN:
    case CLEAR:
    case CONSOLE_OFF:
    case CONSOLE_ON:
    case UNREAD:
        return 0;
    case SIZE:
        return 1 << 16;
    default:
        return -LX_EINVAL;
    }
}

struct lx_timex {
    uint32_t modes, pad0;
    int64_t offset, freq, maxerror, esterror;
    int32_t status, pad1;
    int64_t constant, precision, tolerance;
    struct lx_timeval time;
    int64_t tick, ppsfreq, jitter;
    int32_t shift, pad2;
    int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
    int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct lx_timex) == 208, "__kernel_timex");
#define STA_UNSYNC_LX 0x40
#define TIME_ERROR_LX 5

// The clock is the host's: it can be read, as one that nobody told us to be synchronised, and not be changed.
static int64_t adjust(gaddr_t addr)
{
    struct lx_timex t;
    if (get_user(t, addr) != 0)
        return -LX_EFAULT;
    if (t.modes)
        return -LX_EPERM;
    uint64_t now = clock_now_ns(LX_CLOCK_REALTIME);
    t = (struct lx_timex){
        .maxerror = 16000000,
        .esterror = 16000000,
        .status = STA_UNSYNC_LX,
        .constant = 2,
        .precision = 1,
        .tolerance = 32768000,
        .tick = 10000,
        .time = {(int64_t)(now / LX_NSEC_PER_SEC), (int64_t)(now % LX_NSEC_PER_SEC / 1000)},
    };
    return put_user(t, addr) != 0 ? -LX_EFAULT : TIME_ERROR_LX;
}

int64_t sys_adjtimex(struct call *call)
{
    return adjust(call->args[0]);
}

int64_t sys_clock_adjtime(struct call *call)
{
    int id = arg_int(call, 0);
    if (id == LX_CLOCK_REALTIME)
        return adjust(call->args[1]);
    return id < 0 || id > LX_CLOCK_TAI || id == 10 ? -LX_EINVAL : -LX_EOPNOTSUPP;
}
