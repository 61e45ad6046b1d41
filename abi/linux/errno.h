#pragma once
// Error numbers of the guest's ABI (x86-64 Linux, whose numbers this host shares). Handlers return them negated.
#include <errno.h>

// clang-format off
#define LX_ERRNO_LIST(X) \
    X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(ENOEXEC) X(EBADF) X(ECHILD) X(EAGAIN) \
    X(ENOMEM) X(EACCES) X(EFAULT) X(ENOTBLK) X(EBUSY) X(EEXIST) X(EXDEV) X(ENODEV) X(ENOTDIR) X(EISDIR) \
    X(EINVAL) X(ENFILE) X(EMFILE) X(ENOTTY) X(ETXTBSY) X(EFBIG) X(ENOSPC) X(ESPIPE) X(EROFS) X(EMLINK) X(EPIPE) \
    X(EDOM) X(ERANGE) X(EDEADLK) X(ENAMETOOLONG) X(ENOLCK) X(ENOSYS) X(ENOTEMPTY) X(ELOOP) X(ENOMSG) X(EIDRM) \
    X(ENODATA) X(ETIME) X(ENONET) X(ENOLINK) X(EPROTO) X(EBADMSG) X(EOVERFLOW) X(EILSEQ) X(EUSERS) X(ENOTSOCK) \
    X(EDESTADDRREQ) X(EMSGSIZE) X(EPROTOTYPE) X(ENOPROTOOPT) X(EPROTONOSUPPORT) X(ESOCKTNOSUPPORT) X(EOPNOTSUPP) \
    X(EPFNOSUPPORT) X(EAFNOSUPPORT) X(EADDRINUSE) X(EADDRNOTAVAIL) X(ENETDOWN) X(ENETUNREACH) X(ENETRESET) \
    X(ECONNABORTED) X(ECONNRESET) X(ENOBUFS) X(EISCONN) X(ENOTCONN) X(ESHUTDOWN) X(ETOOMANYREFS) X(ETIMEDOUT) \
    X(ECONNREFUSED) X(EHOSTDOWN) X(EHOSTUNREACH) X(EALREADY) X(EINPROGRESS) X(ESTALE) X(EDQUOT) X(ECANCELED) \
    X(ENOKEY) X(EKEYEXPIRED) X(EKEYREVOKED) X(EKEYREJECTED) X(EOWNERDEAD) X(ENOTRECOVERABLE) X(ELIBBAD)
// clang-format on

enum lx_errno {
#define X(name) LX_##name = name,
    LX_ERRNO_LIST(X)
#undef X
    // Results that never leave the Sentry (include/linux/errno.h of the kernel).
    LX_ERESTARTSYS = 512,           // restart if SA_RESTART, else EINTR
    LX_ERESTARTNOINTR = 513,        // always restart
    LX_ERESTARTNOHAND = 514,        // restart if no handler runs, else EINTR
    LX_ERESTART_RESTARTBLOCK = 516, // restart through restart_syscall, else EINTR
    LX_EBLOCKED = 600,              // the call waits; its handler runs again after a wake-up
    LX_ENOREPLY = 601,              // answered already, or elsewhere (exit, exec, kick)
    LX_ECONTINUE = 602,             // the host runs the call; rows marked so only
};
