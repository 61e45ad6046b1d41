// Control messages: descriptors and credentials.
#include "sentry/net/scm.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/resource.h"
#include "sentry/net/socket.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include <stdlib.h>
#include <string.h>

// Room for every descriptor and the credentials, and as much again (net.core.optmem_max is larger).
#define CONTROL_MAX 20480u

void scm_files_free(struct scm_files *files)
{
    if (!files)
        return;
    for (unsigned i = 0; i < files->count; i++)
        file_put(files->files[i]);
    free(files);
}

struct scm_files *scm_files_dup(const struct scm_files *files)
{
    struct scm_files *copy = malloc(sizeof(*copy));
    if (!copy)
        return NULL;
    copy->count = files->count;
    for (unsigned i = 0; i < files->count; i++)
        copy->files[i] = file_get(files->files[i]);
    return copy;
}

void scm_destroy(struct scm *scm)
{
    scm_files_free(scm->files);
    scm->files = NULL;
}

static int add_files(struct scm *scm, const void *data, size_t n)
{
    size_t count = n / sizeof(int32_t);
    if (count == 0)
        return 0;
    if (!scm->files) {
        scm->files = calloc(1, sizeof(*scm->files));
        if (!scm->files)
            return -LX_ENOMEM;
    }
    if (count > LX_SCM_MAX_FD - scm->files->count)
        return -LX_EINVAL;
    for (size_t i = 0; i < count; i++) {
        int32_t fd;
        memcpy(&fd, (const char *)data + i * sizeof(fd), sizeof(fd));
        struct file *f = fd_lookup_path(current->files, fd);
        if (!f)
            return -LX_EBADF;
        scm->files->files[scm->files->count++] = file_get(f);
    }
    return 0;
}

// May current claim to be this one? (scm_check_creds) Its ids become those of the first user namespace.
static int check_cred(struct lx_ucred *u)
{
    const struct cred *c = current->cred;
    const struct user_ns *ns = c->user_ns;
    u->uid = make_kuid(ns, u->uid);
    u->gid = make_kgid(ns, u->gid);
    if (u->uid == ID_NONE || u->gid == ID_NONE)
        return -LX_EINVAL;
    if ((u->pid == current->tg->pid || capable(LX_CAP_SYS_ADMIN)) &&
        (u->uid == c->uid || u->uid == c->euid || u->uid == c->suid || ns_capable(ns, LX_CAP_SETUID)) &&
        (u->gid == c->gid || u->gid == c->egid || u->gid == c->sgid || ns_capable(ns, LX_CAP_SETGID)))
        return find_group(u->pid) ? 0 : -LX_ESRCH;
    return -LX_EPERM;
}

// A number of a packet's header. 0 or -LX_EINVAL.
static int parse_number(const uint8_t *data, size_t n, bool byte_ok, int32_t *value, bool *has)
{
    if (n == 1 && byte_ok) {
        *value = *data;
    } else if (n == sizeof(*value)) {
        memcpy(value, data, sizeof(*value));
        if (*value < -1 || *value > 255)
            return -LX_EINVAL;
    } else {
        return -LX_EINVAL;
    }
    *has = *value >= 0;
    return 0;
}

// Of the internet's control messages: the source address, time to live, class of traffic.
static int parse_inet(struct scm *scm, const struct lx_cmsghdr *h, const uint8_t *data, size_t n)
{
    bool four = h->level == LX_IPPROTO_IP && h->type == LX_IP_PKTINFO;
    bool six = h->level == LX_IPPROTO_IPV6 && h->type == LX_IPV6_PKTINFO;
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff}, none[16];
    if (h->level == LX_IPPROTO_IP && h->type == LX_IP_TTL)
        return parse_number(data, n, false, &scm->hops, &scm->has_hops);
    if (h->level == LX_IPPROTO_IP && h->type == LX_IP_TOS)
        return parse_number(data, n, true, &scm->class, &scm->has_class);
    if (h->level == LX_IPPROTO_IPV6 && h->type == LX_IPV6_HOPLIMIT)
        return parse_number(data, n, false, &scm->hops, &scm->has_hops);
    if (h->level == LX_IPPROTO_IPV6 && h->type == LX_IPV6_TCLASS)
        return parse_number(data, n, false, &scm->class, &scm->has_class);
    if (!four && !six)
        return 0;
    if (n != (four ? sizeof(struct lx_in_pktinfo) : sizeof(struct lx_in6_pktinfo)))
        return -LX_EINVAL;
    memcpy(scm->source, six ? data : mapped, six ? 16 : 12);
    if (four) // after the interface
        memcpy(scm->source + 12, data + sizeof(int32_t), 4);
    scm->has_source = memcmp(scm->source + 12, none, 4) != 0;
    return 0;
}

static int parse_one(struct scm *scm, const struct lx_cmsghdr *h, const void *data)
{
    size_t n = h->len - sizeof(*h);
    if (h->level != LX_SOL_SOCKET)
        return parse_inet(scm, h, data, n);
    switch (h->type) {
    case LX_SCM_RIGHTS:
        return add_files(scm, data, n);
    case LX_SCM_CREDENTIALS:
        if (n != sizeof(scm->cred))
            return -LX_EINVAL;
        memcpy(&scm->cred, data, n);
        return check_cred(&scm->cred);
    default:
        return -LX_EINVAL;
    }
}

static int parse(struct scm *scm, const uint8_t *buf, size_t len)
{
    size_t at = 0;
    while (len - at >= sizeof(struct lx_cmsghdr)) {
        struct lx_cmsghdr h;
        memcpy(&h, buf + at, sizeof(h));
        if (h.len < sizeof(h) || h.len > len - at)
            return -LX_EINVAL;
        int err = parse_one(scm, &h, buf + at + sizeof(h));
        if (err)
            return err;
        if (LX_CMSG_ALIGN(h.len) >= len - at)
            break;
        at += LX_CMSG_ALIGN(h.len);
    }
    return 0;
}

int scm_send(struct scm *scm, gaddr_t control, uint64_t len)
{
    scm->files = NULL;
    scm->has_source = scm->has_hops = scm->has_class = false;
    scm->has_cred = true;
    sock_current_cred(&scm->cred);
    if (!control || len < sizeof(struct lx_cmsghdr))
        return 0;
    if (len > CONTROL_MAX)
        return -LX_ENOBUFS;
    uint8_t *buf = malloc(len);
    if (!buf)
        return -LX_ENOMEM;
    int err = copy_in(buf, control, len);
    if (!err)
        err = parse(scm, buf, len);
    free(buf);
    if (!err && scm->files && unix_inflight_over(scm->files->count))
        err = -LX_ETOOMANYREFS;
    if (!err && scm->files) { // it may wait in a queue for long
        struct scm_files *fitting = realloc(scm->files, scm_files_bytes(scm->files));
        if (fitting)
            scm->files = fitting;
    }
    if (err)
        scm_destroy(scm);
    return err;
}

int scm_put(struct scm_out *out, int level, int type, const void *data, size_t n)
{
    struct lx_cmsghdr h = {sizeof(h) + n, level, type};
    if (out->left < sizeof(h)) {
        out->flags |= LX_MSG_CTRUNC;
        return 0;
    }
    if (out->left < h.len) {
        out->flags |= LX_MSG_CTRUNC;
        h.len = out->left;
        n = h.len - sizeof(h);
    }
    if (copy_out(out->at, &h, sizeof(h)) || copy_out(out->at + sizeof(h), data, n))
        return -LX_EFAULT;
    uint64_t space = LX_CMSG_ALIGN(h.len);
    if (space > out->left)
        space = out->left;
    out->at += space;
    out->left -= space;
    out->used += space;
    return 0;
}

void scm_put_files(struct scm_out *out, struct scm *scm, bool cloexec)
{
    struct scm_files *list = scm->files;
    if (!list)
        return;
    int32_t fds[LX_SCM_MAX_FD];
    unsigned room = 0, n = 0;
    if (out->left > sizeof(struct lx_cmsghdr))
        room = (unsigned)((out->left - sizeof(struct lx_cmsghdr)) / sizeof(int32_t) < LX_SCM_MAX_FD
                              ? (out->left - sizeof(struct lx_cmsghdr)) / sizeof(int32_t)
                              : LX_SCM_MAX_FD);
    while (n < room && n < list->count) {
        fds[n] = fd_install(current->files, file_get(list->files[n]), 0, cloexec);
        if (fds[n] < 0) {
            file_put(list->files[n]);
            break;
        }
        n++;
    }
    if (n < list->count)
        out->flags |= LX_MSG_CTRUNC;
    if (n && scm_put(out, LX_SOL_SOCKET, LX_SCM_RIGHTS, fds, n * sizeof(fds[0])))
        for (unsigned i = 0; i < n; i++)
            fd_close(current->files, fds[i]);
    scm_destroy(scm);
}
