// Guest memory through process_vm_readv(2) and process_vm_writev(2).
#include "sentry/mm/process_vm.h"
#include "sentry/task/task.h"
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t vm_copy(struct task *t, void *local, gaddr_t remote, size_t n, bool write)
{
    if (t->mm_gone)
        return -LX_EFAULT;
    struct iovec l = {.iov_base = local, .iov_len = n};
    struct iovec r = {.iov_base = (void *)remote, .iov_len = n};
    int tid = t->trap.host_tid;
    ssize_t done = write ? process_vm_writev(tid, &l, 1, &r, 1, 0) : process_vm_readv(tid, &l, 1, &r, 1, 0);
    return done < 0 ? -LX_EFAULT : done;
}

static ssize_t vm_read(struct task *t, void *dst, gaddr_t src, size_t n)
{
    return vm_copy(t, dst, src, n, false);
}

static ssize_t vm_write(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    return vm_copy(t, (void *)(uintptr_t)src, dst, n, true);
}

static bool vm_valid(struct task *t)
{
    // SECCOMP_IOCTL_NOTIF_ID_VALID would say no more. A thread number can come to stand for other memory in two ways: by
    // an exec, which we order and which marks its siblings first, or when it is given out again, and then its new thread
    // has to register under the kernel lock before it runs guest code.
    return !t->mm_gone;
}

int process_vm_check(void)
{
    char from = 1, to = 0;
    struct iovec local = {&to, 1}, remote = {&from, 1};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1 ||
        process_vm_writev(getpid(), &local, 1, &remote, 1, 0) != 1)
        return -errno;
    return 0;
}

const struct uaccess_ops process_vm_ops = {.read = vm_read, .write = vm_write, .valid = vm_valid};
