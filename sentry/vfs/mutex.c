#include "sentry/vfs/mutex.h"
#include "sentry/core/kernel.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

bool vfs_mutex_trylock(struct vfs_mutex *m)
{
    if (m->held)
        return false;
    m->held = true;
    return true;
}

void vfs_mutex_lock(struct vfs_mutex *m)
{
    while (m->held) {
        uint32_t seen = m->seq;
        m->waiters++;
        kernel_blocking_begin();
        syscall(SYS_futex, &m->seq, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        kernel_blocking_end();
        m->waiters--;
    }
    m->held = true;
}

void vfs_mutex_unlock(struct vfs_mutex *m)
{
    m->held = false;
    if (m->waiters) {
        __atomic_add_fetch(&m->seq, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &m->seq, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}
