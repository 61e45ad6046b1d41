// What the host does not run natively of arch_prctl and membarrier.
#include "sentry/trap/call.h"
#include "syscall_handlers.h"

#define LX_ARCH_GET_CPUID 0x1011
#define LX_ARCH_SET_CPUID 0x1012

// arch_prctl(2): segment bases run natively; the rest answers like a processor without these features.
int64_t sys_arch_prctl(struct call *call)
{
    switch (arg_int(call, 0)) {
    case LX_ARCH_GET_CPUID:
        return 1;
    case LX_ARCH_SET_CPUID:
        return -LX_ENODEV;
    default:
        return -LX_EINVAL;
    }
}

// membarrier(2): barriers over all processes of the host are refused, as on a kernel with nohz_full.
int64_t sys_membarrier(struct call *call)
{
    return -LX_EINVAL;
}
