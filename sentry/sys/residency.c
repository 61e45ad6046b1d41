// Advice about pages and locks on them, as far as the host does not answer natively (mm/madvise.c,
// mm/mlock.c, mm/mincore.c of Linux). The Sentry keeps no list of mappings: whether a page is there is asked
// by reading a byte of it.
#include "abi/linux/capability.h"
#include "abi/linux/mman.h"
#include "abi/linux/resource.h"
#include "sentry/task/task.h"
#include "sentry/trap/call.h"
#include "syscall_handlers.h"
#include <string.h>

#define PAGE 4096u
#define TASK_SIZE 0x7ffffffff000ull
#define PROBE_MAX 256u           // pages asked one by one; of longer ranges only some
#define RESIDENCY_BLOCK 4096u    // pages answered in one piece
#define RESIDENCY_MAX (1u << 20) // pages one call of mincore answers: it holds the kernel lock

static bool page_is_there(gaddr_t addr)
{
    char byte;
    return copy_in_part(&byte, addr, 1) == 1;
}

// 0 when the pages from `addr` (aligned) are mapped, else -LX_ENOMEM.
static int range_is_mapped(gaddr_t addr, uint64_t len)
{
    uint64_t pages = len / PAGE, step = pages > PROBE_MAX ? pages / PROBE_MAX : 1;
    for (uint64_t i = 0; i < pages; i += step)
        if (!page_is_there(addr + i * PAGE))
            return -LX_ENOMEM;
    return pages && !page_is_there(addr + (pages - 1) * PAGE) ? -LX_ENOMEM : 0;
}

// Rounds a length up to pages. False when it overflows or the range leaves the address space.
static bool page_range(gaddr_t addr, uint64_t len, uint64_t *rounded)
{
    uint64_t end;
    if (__builtin_add_overflow(len, PAGE - 1, rounded))
        return false;
    *rounded &= ~(uint64_t)(PAGE - 1);
    return !__builtin_add_overflow(addr, *rounded, &end) && end <= TASK_SIZE;
}

int64_t sys_madvise(struct call *call)
{
    gaddr_t addr = call->args[0];
    uint64_t len;
    switch (arg_int(call, 2)) {
    case LX_MADV_WILLNEED:
    case LX_MADV_COLD:
    case LX_MADV_PAGEOUT:
        break; // hints without an effect that a program could see
    default:
        return -LX_EINVAL;
    }
    if (addr % PAGE || !page_range(addr, call->args[1], &len))
        return -LX_EINVAL;
    return range_is_mapped(addr, len);
}

int64_t sys_mincore(struct call *call)
{
    uint8_t block[RESIDENCY_BLOCK];
    gaddr_t addr = call->args[0], out = call->args[2];
    uint64_t len;
    if (addr % PAGE)
        return -LX_EINVAL;
    if (!page_range(addr, call->args[1], &len) || len / PAGE > RESIDENCY_MAX)
        return -LX_ENOMEM;
    int err = range_is_mapped(addr, len);
    memset(block, 1, sizeof(block)); // asking may have brought them in anyway
    for (uint64_t pages = len / PAGE; !err && pages;) {
        uint64_t n = pages < RESIDENCY_BLOCK ? pages : RESIDENCY_BLOCK;
        err = copy_out(out, block, n);
        out += n;
        pages -= n;
    }
    return err;
}

// May the caller lock `bytes`? Nothing is counted, because nothing is locked on the host.
static int may_lock(uint64_t bytes)
{
    uint64_t limit = current->tg->rlim[LX_RLIMIT_MEMLOCK].cur;
    if (capable(LX_CAP_IPC_LOCK))
        return 0;
    if (limit == 0)
        return -LX_EPERM;
    return bytes > limit ? -LX_ENOMEM : 0;
}

static int64_t lock_range(gaddr_t addr, uint64_t len, bool lock)
{
    uint64_t rounded;
    gaddr_t start = addr & ~(gaddr_t)(PAGE - 1);
    if (__builtin_add_overflow(len, addr - start, &len))
        return -LX_EINVAL;
    if (!page_range(start, len, &rounded))
        return len > TASK_SIZE ? -LX_EINVAL : -LX_ENOMEM;
    int err = lock ? may_lock(rounded) : 0;
    return err ? err : range_is_mapped(start, rounded);
}

int64_t sys_mlock(struct call *call)
{
    return lock_range(call->args[0], call->args[1], true);
}

int64_t sys_mlock2(struct call *call)
{
    if (arg_uint(call, 2) & ~(uint32_t)LX_MLOCK_ONFAULT)
        return -LX_EINVAL;
    return lock_range(call->args[0], call->args[1], true);
}

int64_t sys_munlock(struct call *call)
{
    return lock_range(call->args[0], call->args[1], false);
}

int64_t sys_mlockall(struct call *call)
{
    uint32_t flags = arg_uint(call, 0), all = LX_MCL_CURRENT | LX_MCL_FUTURE | LX_MCL_ONFAULT;
    if (flags == 0 || (flags & ~all) || flags == LX_MCL_ONFAULT)
        return -LX_EINVAL;
    return may_lock(0);
}

int64_t sys_munlockall(struct call *call)
{
    return 0;
}
