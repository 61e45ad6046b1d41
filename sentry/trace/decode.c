// Arguments that are numbers: plain, named, or flags.
#include "sentry/trace/decode.h"
#include <stdbool.h>

#define MODE_TYPE 0170000u
#define MODE_BITS 07777u
#define OPEN_ACCMODE 3u
#define MAP_KIND 0xfu
#define FUTEX_PRIVATE 128u
#define FUTEX_REALTIME 256u
#define SOCK_KIND 0xfu
#define NSIG_ALL 64

// Types that are only a table: `flags` joins bits, else one name.
struct named_type {
    const struct trace_name *names;
    bool flags;
    const char *none; // flags that are zero
};
static const struct named_type *named(enum trace_type type)
{
    static const struct named_type types[TRACE_TYPE_COUNT] = {
        [TRACE_AT] = {trace_at, true, "0"},
        [TRACE_ACCESS] = {trace_access, true, "F_OK"},
        [TRACE_WHENCE] = {trace_whence, false, NULL},
        [TRACE_DOMAIN] = {trace_domain, false, NULL},
        [TRACE_SOCKFLAGS] = {trace_sockflags, true, "0"},
        [TRACE_SOCKLEVEL] = {trace_socklevel, false, NULL},
        [TRACE_MSGFLAGS] = {trace_msgflags, true, "0"},
        [TRACE_SHUTDOWN] = {trace_shutdown, false, NULL},
        [TRACE_MADVISE] = {trace_madvise, false, NULL},
        [TRACE_MSYNC] = {trace_msync, true, "0"},
        [TRACE_FADVISE] = {trace_fadvise, false, NULL},
        [TRACE_TIMER_FLAGS] = {trace_timer_flags, true, "0"},
        [TRACE_ITIMER] = {trace_itimer, false, NULL},
        [TRACE_FCNTL] = {trace_fcntl, false, NULL},
        [TRACE_IOCTL] = {trace_ioctl, false, NULL},
        [TRACE_FLOCK] = {trace_flock, true, "0"},
        [TRACE_FALLOC] = {trace_falloc, true, "0"},
        [TRACE_EPOLL_OP] = {trace_epoll_op, false, NULL},
        [TRACE_EVENTFD] = {trace_eventfd, true, "0"},
        [TRACE_MEMFD] = {trace_memfd, true, "0"},
        [TRACE_GETRANDOM] = {trace_getrandom, true, "0"},
        [TRACE_RENAME] = {trace_rename, true, "0"},
        [TRACE_XATTR] = {trace_xattr, true, "0"},
        [TRACE_SPLICE] = {trace_splice, true, "0"},
        [TRACE_RWF] = {trace_rwf, true, "0"},
        [TRACE_SIGHOW] = {trace_sighow, false, NULL},
        [TRACE_WAITOPTS] = {trace_waitopts, true, "0"},
        [TRACE_IDTYPE] = {trace_idtype, false, NULL},
        [TRACE_RLIMIT_RES] = {trace_rlimit_res, false, NULL},
        [TRACE_SCHED] = {trace_sched, false, NULL},
        [TRACE_SECCOMP] = {trace_seccomp, false, NULL},
        [TRACE_PRCTL] = {trace_prctl, false, NULL},
        [TRACE_ARCH_PRCTL] = {trace_arch_prctl, false, NULL},
        [TRACE_MEMBARRIER] = {trace_membarrier, false, NULL},
        [TRACE_CLOSE_RANGE] = {trace_close_range, true, "0"},
        [TRACE_IPCCMD] = {trace_ipccmd, false, NULL},
        [TRACE_STATX_MASK] = {trace_statx_mask, true, "0"},
        [TRACE_CLONE32] = {trace_clone, true, "0"},
        [TRACE_PROT] = {trace_prot, true, "PROT_NONE"},
        [TRACE_MREMAP] = {trace_mremap, true, "0"},
        [TRACE_MOUNT] = {trace_mount, true, "0"},
    };
    return types[type].names ? &types[type] : NULL;
}

void trace_signal(const struct decoder *d, uint64_t sig)
{
    if (sig == 0)
        text_add(d->text, "0");
    else if (sig < 32)
        text_name(d->text, trace_signals, sig);
    else if (sig <= NSIG_ALL)
        text_printf(d->text, "SIGRT_%d", (int)sig - 32);
    else
        text_printf(d->text, "%d", (int)sig);
}

void trace_mode(const struct decoder *d, uint32_t mode)
{
    if (mode & MODE_TYPE) {
        text_name(d->text, trace_file_types, mode & MODE_TYPE);
        text_add(d->text, "|");
    }
    text_printf(d->text, "0%03o", mode & ~MODE_TYPE);
}

void trace_open_flags(const struct decoder *d, uint64_t flags)
{
    static const char *const access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    text_add(d->text, access[flags & OPEN_ACCMODE]);
    if (flags & ~(uint64_t)OPEN_ACCMODE) {
        text_add(d->text, "|");
        text_flags(d->text, trace_oflags, flags & ~(uint64_t)OPEN_ACCMODE, "");
    }
}

// Flags of a call like pipe2: those of open, but no access mode.
static void creation_flags(const struct decoder *d, uint64_t flags)
{
    if (flags & OPEN_ACCMODE)
        text_printf(d->text, "%#x", (unsigned)flags);
    else
        text_flags(d->text, trace_oflags, flags, "0");
}

static void map_flags(const struct decoder *d, uint64_t flags)
{
    if (flags & MAP_KIND)
        text_name(d->text, trace_mmap_kind, flags & MAP_KIND);
    else
        text_add(d->text, "0");
    if (flags & ~(uint64_t)MAP_KIND) {
        text_add(d->text, "|");
        text_flags(d->text, trace_mmap, flags & ~(uint64_t)MAP_KIND, "");
    }
}

static void clone_flags(const struct decoder *d, uint64_t flags)
{
    if (flags & ~0xffull)
        text_flags(d->text, trace_clone, flags & ~0xffull, "");
    if (flags & 0xff) {
        if (flags & ~0xffull)
            text_add(d->text, "|");
        trace_signal(d, flags & 0xff);
    } else if (flags == 0) {
        text_add(d->text, "0");
    }
}

static void futex_op(const struct decoder *d, uint32_t op)
{
    text_name(d->text, trace_futex_base, op & ~(FUTEX_PRIVATE | FUTEX_REALTIME));
    if (op & FUTEX_PRIVATE)
        text_add(d->text, "|FUTEX_PRIVATE_FLAG");
    if (op & FUTEX_REALTIME)
        text_add(d->text, "|FUTEX_CLOCK_REALTIME");
}

static void socket_type(const struct decoder *d, uint32_t type)
{
    text_name(d->text, trace_socktype_base, type & SOCK_KIND);
    if (type & ~SOCK_KIND) {
        text_add(d->text, "|");
        text_flags(d->text, trace_sockflags, type & ~SOCK_KIND, "");
    }
}

static void clock_id(const struct decoder *d, uint32_t clock)
{
    if ((int)clock < 0)
        text_printf(d->text, "%s_CPUCLOCK(%d)", clock & 4 ? "THREAD" : "PROCESS",
                    (int)~(clock >> 3 | 7u << 29));
    else
        text_name(d->text, trace_clockid, clock);
}

static void ipc_flags(const struct decoder *d, uint32_t flags)
{
    if (flags & ~0777u) {
        text_flags(d->text, trace_ipcflags, flags & ~0777u, "");
        text_add(d->text, "|");
    }
    text_printf(d->text, "0%03o", flags & 0777u);
}

static void socket_option(const struct decoder *d, uint32_t option, uint64_t level)
{
    if ((uint32_t)level == 1) // SOL_SOCKET
        text_name(d->text, trace_so_option, option);
    else if ((uint32_t)level == 6) // IPPROTO_TCP
        text_name(d->text, trace_tcp_option, option);
    else
        text_printf(d->text, "%d", (int)option);
}

static void fcntl_argument(const struct decoder *d, uint64_t arg, uint32_t cmd)
{
    switch (cmd) {
    case 1: // F_GETFD, F_GETFL, F_GETSIG, F_GETLEASE, F_GETPIPE_SZ, F_GET_SEALS take none
    case 3:
    case 11:
    case 1025:
    case 1032:
    case 1034:
        text_printf(d->text, "%#llx", (unsigned long long)arg);
        break;
    case 2:
        text_flags(d->text, trace_fd_flags, arg, "0");
        break;
    case 4:
        trace_open_flags(d, arg);
        break;
    case 0:
    case 8:
    case 1030:
    case 1031:
        text_printf(d->text, "%d", (int)arg);
        break;
    case 10:
        trace_signal(d, arg);
        break;
    case 1033:
        text_flags(d->text, trace_seals, arg, "0");
        break;
    default:
        trace_pointer(d, arg);
    }
}

static void prctl_argument(const struct decoder *d, uint64_t arg, uint32_t option)
{
    if (option == 1)
        trace_signal(d, arg);
    else if (option == 15 || (option == 16 && !trace_failed(d))) // PR_SET_NAME, PR_GET_NAME
        trace_string(d, arg, 16);
    else
        text_printf(d->text, "%#llx", (unsigned long long)arg);
}

void trace_argument(const struct decoder *d, enum trace_type type, uint64_t value, uint64_t ref)
{
    const struct named_type *names = named(type);
    if (names) {
        // All but these look at 32 bits.
        uint64_t shown =
            type == TRACE_PROT || type == TRACE_MREMAP || type == TRACE_MOUNT ? value : (uint32_t)value;
        if (names->flags)
            text_flags(d->text, names->names, shown, names->none);
        else
            text_name(d->text, names->names, shown);
        return;
    }
    if (trace_struct(d, type, value, ref))
        return;
    switch (type) {
    case TRACE_INT:
    case TRACE_FD:
    case TRACE_PID:
    case TRACE_UID:
        text_printf(d->text, "%d", (int)value);
        break;
    case TRACE_UINT:
        text_printf(d->text, "%u", (unsigned)value);
        break;
    case TRACE_HEX32:
    case TRACE_IPCKEY:
        text_printf(d->text, "%#x", (unsigned)value);
        break;
    case TRACE_LONG:
    case TRACE_OFF:
        text_printf(d->text, "%lld", (long long)value);
        break;
    case TRACE_ULONG:
    case TRACE_SIZE:
        text_printf(d->text, "%llu", (unsigned long long)value);
        break;
    case TRACE_DFD:
        if ((int)value == -100)
            text_add(d->text, "AT_FDCWD");
        else
            text_printf(d->text, "%d", (int)value);
        break;
    case TRACE_PTR:
        trace_pointer(d, value);
        break;
    case TRACE_SIG:
        trace_signal(d, (uint32_t)value);
        break;
    case TRACE_MODE:
        trace_mode(d, (uint32_t)value);
        break;
    case TRACE_OFLAGS:
        trace_open_flags(d, (uint32_t)value);
        break;
    case TRACE_FDFLAGS:
        creation_flags(d, (uint32_t)value);
        break;
    case TRACE_MMAP:
        map_flags(d, value);
        break;
    case TRACE_CLONE:
        clone_flags(d, value);
        break;
    case TRACE_FUTEX:
        futex_op(d, (uint32_t)value);
        break;
    case TRACE_SOCKTYPE:
        socket_type(d, (uint32_t)value);
        break;
    case TRACE_CLOCKID:
        clock_id(d, (uint32_t)value);
        break;
    case TRACE_IPCFLAGS:
        ipc_flags(d, (uint32_t)value);
        break;
    case TRACE_SOCKOPT:
        socket_option(d, (uint32_t)value, ref);
        break;
    case TRACE_FCNTL_ARG:
        fcntl_argument(d, value, (uint32_t)ref);
        break;
    case TRACE_PRCTL_ARG:
        prctl_argument(d, value, (uint32_t)ref);
        break;
    default:
        text_printf(d->text, "%#llx", (unsigned long long)value);
    }
}
