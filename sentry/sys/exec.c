// execve, execveat, rt_sigreturn.
#include "abi/linux/fcntl.h"
#include "sentry/exec/exec.h"
#include "sentry/trap/trap.h"
#include "syscall_handlers.h"

static int64_t do_exec(struct call *call, int dirfd, gaddr_t name, gaddr_t argv, gaddr_t envp,
                       unsigned lookup)
{
    char path[VFS_PATH_MAX];
    struct exec_image *im;
    ssize_t len = copy_in_str(path, name, sizeof(path));
    if (len < 0)
        return len;
    int err = exec_prepare_guest(dirfd, path, lookup, argv, envp, &im);
    return err ? err : trap_exec(call, im);
}

int64_t sys_execve(struct call *call)
{
    return do_exec(call, LX_AT_FDCWD, call->args[0], call->args[1], call->args[2], LOOKUP_FOLLOW);
}

int64_t sys_execveat(struct call *call)
{
    uint32_t flags = arg_uint(call, 4);
    if (flags & ~(uint32_t)(LX_AT_EMPTY_PATH | LX_AT_SYMLINK_NOFOLLOW))
        return -LX_EINVAL;
    unsigned lookup =
        (flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & LX_AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    return do_exec(call, arg_int(call, 0), call->args[1], call->args[2], call->args[3], lookup);
}

int64_t sys_rt_sigreturn(struct call *call)
{
    return trap_sigreturn(call);
}
