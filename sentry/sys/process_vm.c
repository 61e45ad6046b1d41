// process_vm_readv(2) and process_vm_writev(2) between guests (mm/process_vm_access.c).
#include "sentry/core/kernel.h"
#include "sentry/sys/process.h"
#include "syscall_handlers.h"
#include <stdlib.h>

#define PAGE 4096u
#define CHUNK 65536u
#define UNLOCK_EVERY (16 * CHUNK)

// Moves what can be moved, page by page once something cannot. The number of bytes.
static size_t transfer(struct task *other, gaddr_t at, uint8_t *buf, size_t n, bool write)
{
    if ((write ? task_copy_out(other, at, buf, n) : task_copy_in(other, buf, at, n)) == 0)
        return n;
    size_t done = 0;
    while (done < n) {
        size_t part = PAGE - (at + done) % PAGE;
        part = part < n - done ? part : n - done;
        if (write ? task_copy_out(other, at + done, buf + done, part)
                  : task_copy_in(other, buf + done, at + done, part))
            break;
        done += part;
    }
    return done;
}

// Walks both lists, through a buffer of ours. Bytes moved, or -errno when none.
static int64_t move(struct task *other, struct iov_iter *local, struct iov_iter *remote, bool write)
{
    int64_t done = 0, err = 0;
    uint8_t *buf = malloc(CHUNK);
    if (!buf)
        return -LX_ENOMEM;
    while (local->count && remote->count) {
        if (done && done % UNLOCK_EVERY == 0) { // others may go on; and either process may end meanwhile
            kernel_blocking_begin();
            kernel_blocking_end();
            if (other->state != TASK_RUNNING || signal_pending(current))
                break;
        }
        const struct guest_iov *seg = remote->iov;
        size_t left = seg->len - remote->seg_offset;
        if (left == 0) {
            remote->iov++;
            remote->nr_segs--;
            remote->seg_offset = 0;
            continue;
        }
        size_t n = left < CHUNK ? left : CHUNK;
        if (n > local->count)
            n = local->count;
        gaddr_t at = seg->base + remote->seg_offset;
        ssize_t part = write ? iter_copy_from(local, buf, n) : (ssize_t)n;
        size_t moved = part > 0 ? transfer(other, at, buf, (size_t)part, write) : 0;
        if (part > 0 && moved < (size_t)part) { // up to the page that is not there
            err = -LX_EFAULT;
            part = (ssize_t)moved;
        }
        if (part > 0 && !write)
            part = iter_copy_to(local, buf, (size_t)part);
        if (part <= 0) {
            err = -LX_EFAULT;
            break;
        }
        remote->seg_offset += (size_t)part;
        remote->count -= (size_t)part;
        done += part;
        if (err)
            break;
    }
    free(buf);
    return done ? done : err;
}

static int64_t process_vm(struct call *call, bool write)
{
    struct guest_iov *local_storage = NULL, *remote_storage = NULL;
    struct iov_iter local, remote;
    if (call->args[5])
        return -LX_EINVAL;
    int64_t r = iter_init_iovec(&local, call->args[1], call->args[2], &local_storage);
    if (r <= 0)
        goto out;
    r = iter_init_iovec(&remote, call->args[3], call->args[4], &remote_storage);
    if (r <= 0)
        goto out;
    struct task *other = find_task(arg_int(call, 0));
    if (!other || !other->mm)
        r = -LX_ESRCH;
    else if (!task_may_access(other))
        r = -LX_EPERM;
    else
        r = move(task_get(other), &local, &remote, write), task_put(other);
out:
    free(local_storage);
    free(remote_storage);
    return r;
}

int64_t sys_process_vm_readv(struct call *call)
{
    return process_vm(call, false);
}

int64_t sys_process_vm_writev(struct call *call)
{
    return process_vm(call, true);
}
