#pragma once
// Files and credentials that travel with messages (net/core/scm.c of Linux). Kernel lock.
#include "abi/linux/socket.h"
#include "sentry/mm/uaccess.h"
#include "sentry/vfs/file.h"
#include <stddef.h>

// Descriptors on their way: counted references. A file that is an AF_UNIX socket is counted in its `inflight`
// while the list sits in a queue (sentry/net/unix/gc.c).
struct scm_files {
    unsigned count;
    struct file *files[LX_SCM_MAX_FD];
};
// What a list takes in memory once it is complete.
static inline size_t scm_files_bytes(const struct scm_files *f)
{
    return offsetof(struct scm_files, files) + f->count * sizeof(f->files[0]);
}

struct scm {
    struct scm_files *files; // owned; NULL: none
    struct lx_ucred cred;
    bool has_cred, has_source, has_hops, has_class;
    int32_t hops, class; // IP_TTL or IPV6_HOPLIMIT, IP_TOS or IPV6_TCLASS
    uint8_t source[16];  // IP_PKTINFO, IPV6_PKTINFO: the address to send from; IPv4 as ::ffff:a.b.c.d
};

// Reads the control messages of a send. 0, -LX_EINVAL, -LX_EFAULT, -LX_EBADF, -LX_EPERM, -LX_ENOMEM,
// -LX_ETOOMANYREFS. The credentials are current's where the guest gives none. On failure nothing is held.
int must_check scm_send(struct scm *scm, gaddr_t control, uint64_t len);
// Drops what it holds.
void scm_destroy(struct scm *scm);
void scm_files_free(struct scm_files *files);
struct scm_files *scm_files_dup(const struct scm_files *files); // NULL: no memory

// Where control messages of a receive go.
struct scm_out {
    gaddr_t at;     // next byte
    uint64_t left;  // room
    uint64_t used;  // bytes written, with padding
    uint32_t flags; // LX_MSG_CTRUNC when something did not fit
};
// Writes one control message, cut if it does not fit. 0 or -LX_EFAULT.
int must_check scm_put(struct scm_out *out, int level, int type, const void *data, size_t n);
// Installs the files in current's table and writes SCM_RIGHTS; what does not fit is dropped (LX_MSG_CTRUNC).
// Takes them.
void scm_put_files(struct scm_out *out, struct scm *scm, bool cloexec);
