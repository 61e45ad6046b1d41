#include "sentry/sys/ptrace.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/seccomp/filter.h"
#include "abi/linux/capability.h"
#include <stddef.h>

#define LX_ADDRESS_END 0x7ffffffff000ull

// ptrace_peek_siginfo of kernel/ptrace.c
int64_t ptrace_peek_siginfo(struct task *t, gaddr_t args, gaddr_t to)
{
    struct lx_ptrace_peeksiginfo_args a;
    if (get_user(a, args) != 0)
        return -LX_EFAULT;
    if (a.flags & ~LX_PTRACE_PEEKSIGINFO_SHARED || a.nr < 0)
        return -LX_EINVAL;
    const struct sigpending *p =
        a.flags & LX_PTRACE_PEEKSIGINFO_SHARED ? &t->tg->shared_pending : &t->pending;
    int64_t copied = 0;
    uint64_t at = 0;
    list_for_each(q, &p->queue, struct sigqueue, link)
    {
        if (at++ < a.off)
            continue;
        if (copied == a.nr)
            break;
        if (put_user(q->info, to + (uint64_t)copied * sizeof(q->info)) != 0)
            return copied ? copied : -LX_EFAULT;
        copied++;
    }
    return copied;
}

// get_nth_filter of kernel/seccomp.c: the program, NULL and *err.
static const struct lx_sock_filter *program_of(const struct task *t, uint64_t n, unsigned *length, bool *log,
                                               int64_t *err)
{
    *err = -LX_EACCES;
    if (!capable(LX_CAP_SYS_ADMIN) || current->seccomp_mode)
        return NULL;
    *err = -LX_EINVAL;
    if (t->seccomp_mode != LX_SECCOMP_MODE_FILTER)
        return NULL;
    *err = -LX_ENOENT;
    return seccomp_filter_program(t->seccomp, n, length, log);
}

int64_t ptrace_seccomp_filter(struct task *t, uint64_t n, gaddr_t to)
{
    unsigned length;
    bool log;
    int64_t err;
    const struct lx_sock_filter *code = program_of(t, n, &length, &log, &err);
    if (!code)
        return err;
    if (to && copy_out(to, code, length * sizeof(*code)))
        return -LX_EFAULT;
    return length;
}

int64_t ptrace_seccomp_metadata(struct task *t, uint64_t size, gaddr_t at)
{
    struct lx_seccomp_metadata meta = {0};
    unsigned length;
    bool log;
    int64_t err;
    if (!capable(LX_CAP_SYS_ADMIN) || current->seccomp_mode)
        return -LX_EACCES;
    size = size < sizeof(meta) ? size : sizeof(meta);
    if (size < sizeof(meta.filter_off))
        return -LX_EINVAL;
    if (get_user(meta.filter_off, at) != 0)
        return -LX_EFAULT;
    if (!program_of(t, meta.filter_off, &length, &log, &err))
        return err;
    meta.flags = log ? LX_SECCOMP_FILTER_FLAG_LOG : 0;
    return copy_out(at, &meta, size) ? -LX_EFAULT : (int64_t)size;
}

// do_arch_prctl_64 for another thread.
int64_t ptrace_arch_prctl(struct task *t, uint64_t what, uint64_t value)
{
    if (what < LX_ARCH_SET_GS || what > LX_ARCH_GET_GS)
        return -LX_EINVAL;
    bool set = what == LX_ARCH_SET_FS || what == LX_ARCH_SET_GS;
    bool fs = what == LX_ARCH_SET_FS || what == LX_ARCH_GET_FS;
    if (set && value >= LX_ADDRESS_END)
        return -LX_EPERM;
    int64_t r = ptrace_read_bases(t);
    if (r)
        return r;
    if (!set) {
        uint64_t base = fs ? t->ptrace->fs_base : t->ptrace->gs_base;
        return put_user(base, value);
    }
    return fs ? ptrace_write_bases(t, value, t->ptrace->gs_base)
              : ptrace_write_bases(t, t->ptrace->fs_base, value);
}
