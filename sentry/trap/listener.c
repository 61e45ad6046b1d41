// See seccomp_unotify(2).
#include "sentry/trap/listener.h"
#include "abi/stub/layout.h"
#include "sentry/core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

static int listener_fd = -1; // never changes after listener_init

int listener_init(int fd, bool sync_wake_up)
{
    listener_fd = fd;
    if (!sync_wake_up || ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    log_info("no synchronous wake-up of notifications (Linux 6.6): calls cost several times as much");
    return 0;
}

bool listener_nested;

static void find_nested_hypercall(struct trap_notif *n)
{
    if (n->ip < STUB_TEXT_START || n->ip >= STUB_TEXT_END)
        return;
    if (n->nr == STUB_NESTED_SIGNAL)
        n->nr = STUB_HC_SIGNAL;
    else if (n->nr == STUB_NESTED_OTHER && n->args[5] >= STUB_HYPERCALL_BASE && n->args[5] <= STUB_HC_LAST)
        n->nr = (uint32_t)n->args[5];
}

int listener_receive(struct trap_notif *n)
{
    // The kernel refuses a buffer that is not zero. Its structure may grow: it writes what this size allows.
    struct seccomp_notif notif;
    memset(&notif, 0, sizeof(notif));
    if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) != 0)
        return -errno;
    n->id = notif.id;
    n->tid = (int)notif.pid;
    n->nr = (uint32_t)notif.data.nr;
    n->ip = notif.data.instruction_pointer;
    for (int i = 0; i < 6; i++)
        n->args[i] = notif.data.args[i];
    if (listener_nested)
        find_nested_hypercall(n);
    return 0;
}

static int respond(uint64_t id, int64_t value, uint32_t flags)
{
    struct seccomp_notif_resp resp = {.id = id, .flags = flags};
    if (value < 0 && value >= -4095)
        resp.error = (int32_t)value;
    else
        resp.val = value;
    return ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &resp) == 0 ? 0 : -errno;
}

int listener_reply(uint64_t id, int64_t value)
{
    return respond(id, value, 0);
}

int listener_continue(uint64_t id)
{
    return respond(id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int listener_donate(uint64_t id, int host_fd, int at)
{
    struct seccomp_notif_addfd add = {
        .id = id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)host_fd,
        .newfd = (uint32_t)at,
        .newfd_flags = O_CLOEXEC,
    };
    return ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

bool listener_pending(void)
{
    struct pollfd p = {.fd = listener_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool listener_id_valid(uint64_t id)
{
    return ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
