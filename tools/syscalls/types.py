"""Argument types of syscall-tables/x86_64.tbl.

Each maps to (decoder, bits). `bits` is how much of the register the host kernel looks at: filter rules compare
exactly that, because a 32-bit argument may have anything in its upper half. A decoder is an enumerator of
sentry/trace/decode.h without its prefix TRACE_.
"""

TYPES = {}


def _add(bits, *names):
    for name in names:
        TYPES[name] = (name.upper(), bits)


# Plain numbers.
_add(32, "int", "uint", "hex32")
_add(64, "long", "ulong", "hex", "size", "off", "ptr")
# Numbers with names.
_add(32, "fd", "dfd", "pid", "uid", "sig", "mode", "oflags", "fdflags", "at", "access", "whence", "domain", "socktype",
     "sockflags", "socklevel", "msgflags", "shutdown", "madvise", "msync", "fadvise", "futex", "clockid",
     "timer_flags", "itimer", "fcntl", "ioctl", "flock", "falloc", "epoll_op", "eventfd", "memfd", "getrandom",
     "rename", "xattr", "splice", "rwf", "sighow", "waitopts", "idtype", "rlimit_res", "sched", "seccomp", "prctl",
     "arch_prctl", "membarrier", "close_range", "ipckey", "ipcflags", "ipccmd", "statx_mask", "clone32")
_add(64, "prot", "mmap", "mremap", "clone", "mount")
# What the meaning of depends on another argument.
_add(32, "sockopt")
_add(64, "fcntl_arg", "prctl_arg", "futex_timeout")
# Guest memory that is there before the call.
_add(64, "path", "str", "in", "iov_in", "argv", "envp", "timespec", "timespec2", "timeval", "timeval2", "itimerval",
     "itimerspec", "sigset", "sigaction", "siginfo", "stack", "sockaddr", "msghdr", "pollfds", "fdset",
     "epoll_event", "rlimit", "int_ptr", "off_ptr", "clone_args", "open_how")
# Guest memory that the call fills.
_add(64, "out", "path_out", "iov_out", "stat", "statx", "fdpair", "utsname", "timespec_out", "timeval_out",
     "itimerval_out", "itimerspec_out", "sigset_out", "sigaction_out", "siginfo_out", "stack_out", "sockaddr_out",
     "msghdr_out", "epoll_out", "rlimit_out", "int_ptr_out", "wstatus")

# Types that say in brackets which other argument (or `ret`, the result) they depend on.
NEEDS_REFERENCE = {"in", "out", "iov_in", "iov_out", "sockaddr", "sockaddr_out", "pollfds", "fdset", "epoll_out",
                   "sockopt", "fcntl_arg", "prctl_arg", "futex_timeout", "clone_args"}
