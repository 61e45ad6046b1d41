// kcmp(2) (kernel/kcmp.c).
#include "sentry/sys/process.h"
#include "syscall_handlers.h"

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

// A stable order that does not tell addresses.
static int64_t order(const void *a, const void *b)
{
    static const uintptr_t scramble = 0x9e3779b97f4a7c15u;
    uintptr_t x = (uintptr_t)a * scramble, y = (uintptr_t)b * scramble;
    return x == y ? 0 : x < y ? 1 : 2;
}

int64_t sys_kcmp(struct call *call)
{
    const struct task *a = find_task(arg_int(call, 0)), *b = find_task(arg_int(call, 1));
    if (!a || !b)
        return -LX_ESRCH;
    if (!task_may_access(a) || !task_may_access(b))
        return -LX_EPERM;
    const struct file *f, *g;
    switch (arg_int(call, 2)) {
    case KCMP_FILE:
        f = call->args[3] < FD_TABLE_MAX ? fd_lookup_path(a->files, (int)call->args[3]) : NULL;
        g = call->args[4] < FD_TABLE_MAX ? fd_lookup_path(b->files, (int)call->args[4]) : NULL;
        return f && g ? order(f, g) : -LX_EBADF;
    case KCMP_VM:
        return order(a->mm, b->mm);
    case KCMP_FILES:
        return order(a->files, b->files);
    case KCMP_FS:
        return order(a->fs, b->fs);
    case KCMP_SIGHAND:
        return order(a->sighand, b->sighand);
    case KCMP_IO:
        return order(a->tg, b->tg);
    default:
        return -LX_EINVAL;
    }
}
