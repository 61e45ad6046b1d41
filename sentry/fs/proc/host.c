// The client of gofer --proc: memory figures, maps and states that only the host knows.
//
// One request at a time. The Gofer is trusted with no more than these files. A reply that is out of step, late or without
// its descriptor, or a connection that is lost, ends the sandbox (invariant 7). A sandbox without this Gofer shows less.
#include "sentry/fs/proc/proc.h"
#include "abi/gofer_proc.h"
#include "abi/linux/errno.h"
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/task/task.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MS 5000
#define READ_CHUNK 65536u

// Who holds it waits for the Gofer alone, never for the kernel lock.
static pthread_mutex_t connection_lock = PTHREAD_MUTEX_INITIALIZER;
static int connection = -1; // never changes once the kernel runs
static struct host_watch hang_up;
static uint32_t last_serial; // connection_lock

static void lost(struct host_watch *w, uint32_t events)
{
    (void)w;
    (void)events;
    kernel_fatal("the Gofer of /proc is lost");
}

int proc_host_connect(int fd)
{
    connection = fd;
    return host_watch_add(&hang_up, fd, EV_HUP, lost);
}

static int receive(uint32_t serial, int *fd)
{
    struct gofer_proc_reply reply;
    struct iovec part = {&reply, sizeof(reply)};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    // Room for one descriptor and not, with the padding, for two: the kernel drops what is more.
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int))};
    struct pollfd ready = {.fd = connection, .events = POLLIN};
    int n;
    *fd = -1;
    while ((n = poll(&ready, 1, REPLY_MS)) < 0 && errno == EINTR)
        ;
    if (n <= 0 || recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(reply))
        return -LX_EPROTO;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(fd, CMSG_DATA(c), sizeof(int));
    if (reply.serial == serial && reply.error == 0 && *fd < 0 && message.msg_flags & MSG_CTRUNC)
        return -LX_ENFILE; // our table is full: the kernel has dropped it
    bool wrong = reply.serial != serial || (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) ||
                 (reply.error == 0) != (*fd >= 0) || reply.error < 0 || reply.error > 4095;
    if (wrong && *fd >= 0)
        close(*fd);
    return wrong ? -LX_EPROTO : -reply.error;
}

// A descriptor, or -errno. connection_lock held.
static int ask(int file, int host_pid, int host_tid)
{
    struct gofer_proc_request request = {.serial = ++last_serial, .file = (uint32_t)file, .pid = host_pid};
    if (file == GOFER_PROC_THREAD_STAT)
        request.tid = host_tid;
    struct iovec part = {&request, sizeof(request)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    int fd = -1, err = connection < 0 ? -LX_EOPNOTSUPP : 0;
    if (!err && sendmsg(connection, &message, MSG_NOSIGNAL) != (ssize_t)sizeof(request))
        err = -LX_EPROTO;
    if (!err)
        err = receive(request.serial, &fd);
    return err ? err : fd;
}

static int read_all(int fd, struct out_text *in)
{
    ssize_t n = 0;
    char *at;
    while ((at = out_room(in, READ_CHUNK)) && (n = read(fd, at, READ_CHUNK)) > 0)
        in->len += (size_t)n;
    int err = n < 0 ? -errno : in->failed ? -LX_ENOMEM : 0;
    close(fd);
    return err;
}

int proc_host_read(int file, int host_pid, int host_tid, struct out_text *in)
{
    if (connection < 0 || host_pid <= 0)
        return -LX_EOPNOTSUPP;
    kernel_blocking_begin();
    pthread_mutex_lock(&connection_lock);
    int fd = ask(file, host_pid, host_tid);
    bool broken = fd == -LX_EPROTO;
    pthread_mutex_unlock(&connection_lock);
    int err = fd < 0 ? fd : read_all(fd, in);
    kernel_blocking_end();
    if (broken)
        kernel_fatal("the Gofer of /proc is lost or out of step");
    return err;
}

int proc_host_open(int file, int host_tid)
{
    if (connection < 0 || host_tid <= 0)
        return -LX_EOPNOTSUPP;
    pthread_mutex_lock(&connection_lock);
    int fd = ask(file, host_tid, 0);
    pthread_mutex_unlock(&connection_lock);
    if (fd == -LX_EPROTO)
        kernel_fatal("the Gofer of /proc is lost or out of step");
    return fd;
}

int64_t proc_host_pread(int file, int host_pid, void *buf, size_t n, uint64_t offset)
{
    if (connection < 0 || host_pid <= 0)
        return -LX_EOPNOTSUPP;
    kernel_blocking_begin();
    pthread_mutex_lock(&connection_lock);
    int64_t r = ask(file, host_pid, 0);
    bool broken = r == -LX_EPROTO;
    pthread_mutex_unlock(&connection_lock);
    if (r >= 0) {
        int fd = (int)r;
        r = pread(fd, buf, n, (off_t)offset);
        r = r < 0 ? -errno : r;
        close(fd);
    }
    kernel_blocking_end();
    if (broken)
        kernel_fatal("the Gofer of /proc is lost or out of step");
    return r;
}

bool proc_host_stat(const struct task *t, struct proc_host_stat *out)
{
    struct out_text in = {NULL, 0, 0, false};
    memset(out, 0, sizeof(*out));
    if (t->tg->dead || t->state != TASK_RUNNING)
        return false;
    bool ok = proc_host_read(GOFER_PROC_THREAD_STAT, t->tg->host_pid, t->trap.host_tid, &in) == 0;
    out_add(&in, "", 1);
    const char *rest = ok && !in.failed ? strrchr(in.data, ')') : NULL; // the name may hold anything
    ok = rest && sscanf(rest,
                        ") %c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64 " %" SCNu64
                        " %*d %*d %*d %*d %*d %*d %*u %" SCNu64 " %" SCNu64
                        " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
                        &out->state, &out->minflt, &out->majflt, &out->utime, &out->stime, &out->vsize,
                        &out->rss, &out->processor) == 8;
    if (!ok)
        memset(out, 0, sizeof(*out));
    out_free(&in);
    return ok;
}
