// What the system is: uname, host name, sysinfo, random bytes.
#include "sentry/core/kernel.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include "sentry/task/uts.h"
#include "abi/linux/capability.h"
#include "syscall_handlers.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

struct lx_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
_Static_assert(sizeof(struct lx_utsname) == 390, "new_utsname");

int64_t sys_uname(struct call *call)
{
    struct lx_utsname u;
    memset(&u, 0, sizeof(u));
    strcpy(u.sysname, UTS_SYSNAME);
    strcpy(u.nodename, uts_names()->nodename);
    strcpy(u.release, UTS_RELEASE);
    strcpy(u.version, UTS_VERSION);
    strcpy(u.machine, UTS_MACHINE);
    strcpy(u.domainname, uts_names()->domainname);
    return put_user(u, call->args[0]);
}

static int64_t set_uts_name(struct call *call, char dst[UTS_LEN + 1])
{
    int len = arg_int(call, 1);
    char name[UTS_LEN + 1] = {0};
    if (!ns_capable(current->uts->ns.owner, LX_CAP_SYS_ADMIN))
        return -LX_EPERM;
    if (len < 0 || len > UTS_LEN)
        return -LX_EINVAL;
    if (len && copy_in(name, call->args[0], (size_t)len) != 0)
        return -LX_EFAULT;
    memcpy(dst, name, sizeof(name));
    return 0;
}

int64_t sys_sethostname(struct call *call)
{
    return set_uts_name(call, uts_names()->nodename);
}

int64_t sys_setdomainname(struct call *call)
{
    return set_uts_name(call, uts_names()->domainname);
}

struct lx_sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t pad2;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit, pad3;
};
_Static_assert(sizeof(struct lx_sysinfo) == 112, "sysinfo");

int64_t sys_sysinfo(struct call *call)
{
    struct sysinfo host;
    if (sysinfo(&host) != 0)
        return -LX_EFAULT;
    uint64_t unit = host.mem_unit ? host.mem_unit : 1;
    struct lx_sysinfo s = {
        .uptime = host.uptime,
        .loads = {host.loads[0], host.loads[1], host.loads[2]},
        .totalram = host.totalram * unit,
        .freeram = host.freeram * unit,
        .sharedram = host.sharedram * unit,
        .bufferram = host.bufferram * unit,
        .procs = (uint16_t)(nr_tasks < UINT16_MAX ? nr_tasks : UINT16_MAX),
        .mem_unit = 1,
    };
    if (system_memory_limit && s.totalram > system_memory_limit) {
        s.totalram = system_memory_limit;
        if (s.freeram > system_memory_limit)
            s.freeram = system_memory_limit;
        s.sharedram = s.bufferram = 0;
    }
    return put_user(s, call->args[0]);
}

#define GRND_ALL (GRND_NONBLOCK | GRND_RANDOM | 4u /* GRND_INSECURE */)
#define RANDOM_CHUNK 4096u
#define RANDOM_UNLOCK_EVERY (1u << 20) // give the kernel lock to others now and then

int64_t sys_getrandom(struct call *call)
{
    uint64_t count = call->args[1], done = 0;
    uint32_t flags = arg_uint(call, 2);
    uint8_t buf[RANDOM_CHUNK];
    if (flags & ~GRND_ALL || (flags & (GRND_RANDOM | 4u)) == (GRND_RANDOM | 4u))
        return -LX_EINVAL;
    if (count > INT_MAX)
        count = INT_MAX;
    while (done < count) {
        size_t n = count - done < sizeof(buf) ? count - done : sizeof(buf);
        ssize_t got = getrandom(buf, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (copy_out(call->args[0] + done, buf, (size_t)got) != 0)
            return done ? (int64_t)done : -LX_EFAULT;
        done += (size_t)got;
        if (done % RANDOM_UNLOCK_EVERY == 0) {
            if (signal_pending(current))
                break;
            kernel_blocking_begin();
            kernel_blocking_end();
        }
    }
    return (int64_t)done;
}
