// Arguments that point to structures in guest memory.
#include "sentry/trace/decode.h"
#include <arpa/inet.h>
#include <string.h>

#define FAMILY_UNIX 1
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define FAMILY_NETLINK 16
#define SIGNAL_SET_BYTES 8

// The layouts of x86-64, as far as they are shown.
struct wire_time {
    int64_t sec;
    int64_t frac; // nanoseconds or microseconds
};
struct wire_iovec {
    uint64_t base;
    uint64_t len;
};
struct wire_msghdr {
    uint64_t name;
    uint32_t namelen;
    uint32_t pad;
    uint64_t iov;
    uint64_t iovlen;
    uint64_t control;
    uint64_t controllen;
    uint32_t flags;
    uint32_t pad2;
};
struct wire_sigaction {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};
struct wire_stack {
    uint64_t sp;
    uint32_t flags;
    uint32_t pad;
    uint64_t size;
};
struct wire_stat {
    uint64_t dev;
    uint64_t ino;
    uint64_t nlink;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t pad;
    uint64_t rdev;
    int64_t size;
};
struct wire_statx {
    uint32_t mask;
    uint32_t blksize;
    uint64_t attributes;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode;
    uint16_t pad;
    uint64_t ino;
    uint64_t size;
};
struct wire_epoll_event {
    uint32_t events;
    uint32_t data_low;
    uint32_t data_high;
};
struct wire_pollfd {
    int32_t fd;
    int16_t events;
    int16_t revents;
};
struct wire_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

static void one_time(const struct decoder *d, uint64_t addr, int in_microseconds)
{
    struct wire_time t;
    if (!trace_read(d, &t, addr, sizeof(t)))
        trace_pointer(d, addr);
    else
        text_printf(d->text, in_microseconds ? "{tv_sec=%lld, tv_usec=%lld}" : "{tv_sec=%lld, tv_nsec=%lld}",
                    (long long)t.sec, (long long)t.frac);
}

// Two times: [first, second] for utimensat, {it_interval, it_value} for timers.
static void two_times(const struct decoder *d, uint64_t addr, int in_microseconds, int timer)
{
    struct wire_time t[2];
    if (!trace_read(d, t, addr, sizeof(t))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, timer ? "{it_interval=" : "[");
    one_time(d, addr, in_microseconds);
    text_add(d->text, timer ? ", it_value=" : ", ");
    one_time(d, addr + sizeof(t[0]), in_microseconds);
    text_add(d->text, timer ? "}" : "]");
}

static void signal_set(const struct decoder *d, uint64_t set)
{
    const char *separator = "";
    // A set of most signals reads better by what is missing.
    int inverted = __builtin_popcountll(set) > 48;
    if (inverted)
        set = ~set;
    text_add(d->text, inverted ? "~[" : "[");
    for (int sig = 1; sig <= 64; sig++) {
        if (set & (1ull << (sig - 1))) {
            text_add(d->text, separator);
            trace_signal(d, (uint64_t)sig);
            separator = " ";
        }
    }
    text_add(d->text, "]");
}

static void signal_set_at(const struct decoder *d, uint64_t addr)
{
    uint64_t set;
    if (trace_read(d, &set, addr, SIGNAL_SET_BYTES))
        signal_set(d, set);
    else
        trace_pointer(d, addr);
}

static void sigaction_at(const struct decoder *d, uint64_t addr)
{
    struct wire_sigaction sa;
    if (!trace_read(d, &sa, addr, sizeof(sa))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{sa_handler=");
    if (sa.handler <= 1)
        text_add(d->text, sa.handler ? "SIG_IGN" : "SIG_DFL");
    else
        trace_pointer(d, sa.handler);
    text_add(d->text, ", sa_mask=");
    signal_set(d, sa.mask);
    text_add(d->text, ", sa_flags=");
    text_flags(d->text, trace_sa_flags, sa.flags, "0");
    text_add(d->text, "}");
}

static void siginfo_at(const struct decoder *d, uint64_t addr)
{
    int32_t info[7]; // signo, errno, code, padding, then pid, uid, status in most forms
    if (!trace_read(d, info, addr, sizeof(info))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{si_signo=");
    trace_signal(d, (uint32_t)info[0]);
    text_add(d->text, ", si_code=");
    text_name(d->text, info[0] == 17 ? trace_cld_codes : trace_si_codes, (uint32_t)info[2]);
    if (info[0] == 17 || info[2] <= 0)
        text_printf(d->text, ", si_pid=%d, si_uid=%d", info[4], info[5]);
    if (info[0] == 17)
        text_printf(d->text, ", si_status=%d", info[6]);
    text_add(d->text, "}");
}

static void stack_at(const struct decoder *d, uint64_t addr)
{
    struct wire_stack s;
    if (!trace_read(d, &s, addr, sizeof(s))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{ss_sp=");
    trace_pointer(d, s.sp);
    text_add(d->text, ", ss_flags=");
    text_flags(d->text, trace_ss_flags, s.flags, "0");
    text_printf(d->text, ", ss_size=%llu}", (unsigned long long)s.size);
}

static void socket_address(const struct decoder *d, uint64_t addr, uint32_t len)
{
    uint8_t sa[128];
    char host[INET6_ADDRSTRLEN];
    uint16_t family, port;
    size_t n = len > sizeof(sa) ? sizeof(sa) : len;
    if (n < sizeof(family) || !trace_read(d, sa, addr, n)) {
        trace_pointer(d, addr);
        return;
    }
    memcpy(&family, sa, sizeof(family));
    memcpy(&port, sa + 2, sizeof(port));
    text_add(d->text, "{sa_family=");
    text_name(d->text, trace_domain, family);
    if (family == FAMILY_UNIX && n > 2) {
        const char *path = (const char *)sa + 2;
        int abstract = path[0] == '\0';
        text_add(d->text, abstract ? ", sun_path=@" : ", sun_path=");
        text_quoted(d->text, path + abstract, abstract ? n - 3 : strnlen(path, n - 2), false);
    } else if (family == FAMILY_INET && n >= 8) {
        text_printf(d->text, ", sin_port=%u, sin_addr=%s", ntohs(port),
                    inet_ntop(AF_INET, sa + 4, host, sizeof(host)));
    } else if (family == FAMILY_INET6 && n >= 24) {
        text_printf(d->text, ", sin6_port=%u, sin6_addr=%s", ntohs(port),
                    inet_ntop(AF_INET6, sa + 8, host, sizeof(host)));
    } else if (family == FAMILY_NETLINK && n >= 12) {
        uint32_t ids[2];
        memcpy(ids, sa + 4, sizeof(ids));
        text_printf(d->text, ", nl_pid=%u, nl_groups=%#x", ids[0], ids[1]);
    }
    text_add(d->text, "}");
}

// The length behind a pointer, as accept() and its like leave it.
static void socket_address_out(const struct decoder *d, uint64_t addr, uint64_t length_addr)
{
    uint32_t len;
    if (!trace_failed(d) && addr && trace_read(d, &len, length_addr, sizeof(len)))
        socket_address(d, addr, len);
    else
        trace_pointer(d, addr);
}

// Segments, each with its share of the `bytes` that were moved.
static void io_vector(const struct decoder *d, uint64_t addr, uint64_t count, uint64_t bytes)
{
    struct wire_iovec iov[TRACE_ITEMS_MAX];
    size_t n = count > TRACE_ITEMS_MAX ? TRACE_ITEMS_MAX : (size_t)count;
    if (n == 0 ? addr == 0 : !trace_read(d, iov, addr, n * sizeof(iov[0]))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "[");
    for (size_t i = 0; i < n; i++) {
        uint64_t here = iov[i].len < bytes ? iov[i].len : bytes;
        bytes -= here;
        text_add(d->text, i ? ", {" : "{");
        trace_data(d, iov[i].base, here);
        text_printf(d->text, ", %llu}", (unsigned long long)iov[i].len);
    }
    text_add(d->text, count > n ? ", ...]" : "]");
}

static void message(const struct decoder *d, uint64_t addr, int out)
{
    struct wire_msghdr m;
    if ((out && trace_failed(d)) || !trace_read(d, &m, addr, sizeof(m))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{msg_name=");
    if (m.name && m.namelen)
        socket_address(d, m.name, m.namelen);
    else
        trace_pointer(d, m.name);
    text_add(d->text, ", msg_iov=");
    io_vector(d, m.iov, m.iovlen, out ? (uint64_t)d->event->result : UINT64_MAX);
    text_printf(d->text, ", msg_controllen=%llu", (unsigned long long)m.controllen);
    if (out) {
        text_add(d->text, ", msg_flags=");
        text_flags(d->text, trace_msgflags, m.flags, "0");
    }
    text_add(d->text, "}");
}

static void string_vector(const struct decoder *d, uint64_t addr)
{
    uint64_t p;
    if (!trace_read(d, &p, addr, sizeof(p))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "[");
    for (int i = 0;; i++) {
        if (!trace_read(d, &p, addr + (uint64_t)i * sizeof(p), sizeof(p))) {
            text_add(d->text, i ? ", ???" : "???");
            break;
        }
        if (p == 0)
            break;
        text_add(d->text, i ? ", " : "");
        if (i == TRACE_ITEMS_MAX) {
            text_add(d->text, "...");
            break;
        }
        trace_string(d, p, 64);
    }
    text_add(d->text, "]");
}

// The number of strings only: an environment fills a line with what nobody looks for.
static void environment(const struct decoder *d, uint64_t addr)
{
    uint64_t p;
    int n = 0;
    trace_pointer(d, addr);
    while (n < 256 && addr && trace_read(d, &p, addr + (uint64_t)n * sizeof(p), sizeof(p)) && p)
        n++;
    if (n)
        text_printf(d->text, " /* %d%s vars */", n, n == 256 ? "+" : "");
}

static void poll_set(const struct decoder *d, uint64_t addr, uint32_t count)
{
    struct wire_pollfd p[TRACE_ITEMS_MAX];
    size_t n = count > TRACE_ITEMS_MAX ? TRACE_ITEMS_MAX : count;
    if (n == 0 || !trace_read(d, p, addr, n * sizeof(p[0]))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "[");
    for (size_t i = 0; i < n; i++) {
        text_printf(d->text, "%s{fd=%d, events=", i ? ", " : "", p[i].fd);
        text_flags(d->text, trace_poll_events, (uint16_t)p[i].events, "0");
        if (!trace_failed(d) && p[i].revents) {
            text_add(d->text, ", revents=");
            text_flags(d->text, trace_poll_events, (uint16_t)p[i].revents, "0");
        }
        text_add(d->text, "}");
    }
    text_add(d->text, count > n ? ", ...]" : "]");
}

static void descriptor_set(const struct decoder *d, uint64_t addr, int count)
{
    uint8_t bits[128];
    if (count > 1024)
        count = 1024;
    // The kernel reads whole longs.
    if (count <= 0 || !trace_read(d, bits, addr, (size_t)(count + 63) / 64 * 8)) {
        trace_pointer(d, addr);
        return;
    }
    const char *separator = "";
    text_add(d->text, "[");
    for (int fd = 0; fd < count; fd++) {
        if (bits[fd / 8] >> (fd % 8) & 1) {
            text_printf(d->text, "%s%d", separator, fd);
            separator = " ";
        }
    }
    text_add(d->text, "]");
}

static void epoll_events(const struct decoder *d, uint64_t addr, uint64_t count)
{
    struct wire_epoll_event e[TRACE_ITEMS_MAX];
    size_t n = count > TRACE_ITEMS_MAX ? TRACE_ITEMS_MAX : (size_t)count;
    if (n == 0 || !trace_read(d, e, addr, n * sizeof(e[0]))) {
        trace_pointer(d, addr);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        text_add(d->text, i ? ", {events=" : "{events=");
        text_flags(d->text, trace_epoll_events, e[i].events, "0");
        text_printf(d->text, ", data=%#llx}", (unsigned long long)e[i].data_high << 32 | e[i].data_low);
    }
    if (count > n)
        text_add(d->text, ", ...");
}

static void stat_at(const struct decoder *d, uint64_t addr)
{
    struct wire_stat s;
    if (!trace_read(d, &s, addr, sizeof(s))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{st_mode=");
    trace_mode(d, s.mode);
    text_printf(d->text, ", st_size=%lld, ...}", (long long)s.size);
}

static void statx_at(const struct decoder *d, uint64_t addr)
{
    struct wire_statx s;
    if (!trace_read(d, &s, addr, sizeof(s))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{stx_mask=");
    text_flags(d->text, trace_statx_mask, s.mask, "0");
    text_add(d->text, ", stx_mode=");
    trace_mode(d, s.mode);
    text_printf(d->text, ", stx_size=%llu, ...}", (unsigned long long)s.size);
}

static void wait_status(const struct decoder *d, uint64_t addr)
{
    uint32_t s;
    if (d->event->result == 0 || !trace_read(d, &s, addr, sizeof(s))) {
        trace_pointer(d, addr);
    } else if (s == 0xffff) {
        text_add(d->text, "[continued]");
    } else if ((s & 0xff) == 0x7f) {
        text_add(d->text, "[stopped by ");
        trace_signal(d, s >> 8 & 0xff);
        text_add(d->text, "]");
    } else if (s & 0x7f) {
        text_add(d->text, "[killed by ");
        trace_signal(d, s & 0x7f);
        text_add(d->text, s & 0x80 ? ", core]" : "]");
    } else {
        text_printf(d->text, "[exited %u]", s >> 8 & 0xff);
    }
}

static void limits(const struct decoder *d, uint64_t addr)
{
    uint64_t r[2];
    if (!trace_read(d, r, addr, sizeof(r))) {
        trace_pointer(d, addr);
        return;
    }
    for (int i = 0; i < 2; i++) {
        text_add(d->text, i ? ", rlim_max=" : "{rlim_cur=");
        if (r[i] == UINT64_MAX)
            text_add(d->text, "RLIM64_INFINITY");
        else
            text_printf(d->text, "%llu", (unsigned long long)r[i]);
    }
    text_add(d->text, "}");
}

static void number_at(const struct decoder *d, uint64_t addr, size_t size)
{
    int64_t wide;
    int32_t narrow;
    if (size == sizeof(wide) ? !trace_read(d, &wide, addr, size) : !trace_read(d, &narrow, addr, size))
        trace_pointer(d, addr);
    else
        text_printf(d->text, "[%lld]", size == sizeof(wide) ? (long long)wide : (long long)narrow);
}

static void descriptor_pair(const struct decoder *d, uint64_t addr)
{
    int32_t fd[2];
    if (trace_read(d, fd, addr, sizeof(fd)))
        text_printf(d->text, "[%d, %d]", fd[0], fd[1]);
    else
        trace_pointer(d, addr);
}

static void clone_arguments(const struct decoder *d, uint64_t addr, uint64_t size)
{
    uint64_t a[8]; // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    if (size < sizeof(a) || !trace_read(d, a, addr, sizeof(a))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{flags=");
    text_flags(d->text, trace_clone, a[0], "0");
    text_add(d->text, ", exit_signal=");
    trace_signal(d, a[4]);
    text_printf(d->text, ", stack=%#llx, stack_size=%#llx}", (unsigned long long)a[5],
                (unsigned long long)a[6]);
}

static void open_how(const struct decoder *d, uint64_t addr)
{
    struct wire_open_how how;
    if (!trace_read(d, &how, addr, sizeof(how))) {
        trace_pointer(d, addr);
        return;
    }
    text_add(d->text, "{flags=");
    trace_open_flags(d, how.flags);
    text_printf(d->text, ", mode=0%03llo, resolve=", (unsigned long long)how.mode);
    text_flags(d->text, trace_resolve, how.resolve, "0");
    text_add(d->text, "}");
}

static void system_name(const struct decoder *d, uint64_t addr)
{
    text_add(d->text, "{sysname=");
    trace_string(d, addr, 65);
    text_add(d->text, ", release=");
    trace_string(d, addr + 130, 65);
    text_add(d->text, ", ...}");
}

// The third argument of a futex call: a time for those that wait, a count for those that move waiters.
static void futex_timeout(const struct decoder *d, uint64_t value, uint64_t op)
{
    switch (op & 0x7f) {
    case 0:  // WAIT
    case 6:  // LOCK_PI
    case 9:  // WAIT_BITSET
    case 11: // WAIT_REQUEUE_PI
    case 13: // LOCK_PI2
        one_time(d, value, 0);
        break;
    default:
        text_printf(d->text, "%#llx", (unsigned long long)value);
    }
}

int trace_struct(const struct decoder *d, enum trace_type type, uint64_t addr, uint64_t ref)
{
    // What the call fills holds nothing when it failed.
    int unfilled = addr == 0 || trace_failed(d);
    switch (type) {
    case TRACE_PATH:
    case TRACE_STR:
        trace_string(d, addr, TRACE_PATH_MAX);
        break;
    case TRACE_PATH_OUT:
        unfilled ? trace_pointer(d, addr) : trace_string(d, addr, TRACE_PATH_MAX);
        break;
    case TRACE_IN:
        trace_data(d, addr, ref);
        break;
    case TRACE_OUT:
        unfilled ? trace_pointer(d, addr) : trace_data(d, addr, ref);
        break;
    case TRACE_IOV_IN:
        io_vector(d, addr, ref, UINT64_MAX);
        break;
    case TRACE_IOV_OUT:
        unfilled ? trace_pointer(d, addr) : io_vector(d, addr, ref, (uint64_t)d->event->result);
        break;
    case TRACE_ARGV:
        string_vector(d, addr);
        break;
    case TRACE_ENVP:
        environment(d, addr);
        break;
    case TRACE_TIMESPEC:
        one_time(d, addr, 0);
        break;
    case TRACE_TIMESPEC_OUT:
        // The time that was left, which an interrupted sleep fills too.
        d->event->result < 0 && d->event->result != -4 ? trace_pointer(d, addr) : one_time(d, addr, 0);
        break;
    case TRACE_TIMEVAL:
        one_time(d, addr, 1);
        break;
    case TRACE_TIMEVAL_OUT:
        unfilled ? trace_pointer(d, addr) : one_time(d, addr, 1);
        break;
    case TRACE_TIMESPEC2:
        two_times(d, addr, 0, 0);
        break;
    case TRACE_TIMEVAL2:
        two_times(d, addr, 1, 0);
        break;
    case TRACE_ITIMERSPEC:
        two_times(d, addr, 0, 1);
        break;
    case TRACE_ITIMERSPEC_OUT:
        unfilled ? trace_pointer(d, addr) : two_times(d, addr, 0, 1);
        break;
    case TRACE_ITIMERVAL:
        two_times(d, addr, 1, 1);
        break;
    case TRACE_ITIMERVAL_OUT:
        unfilled ? trace_pointer(d, addr) : two_times(d, addr, 1, 1);
        break;
    case TRACE_SIGSET:
        signal_set_at(d, addr);
        break;
    case TRACE_SIGSET_OUT:
        unfilled ? trace_pointer(d, addr) : signal_set_at(d, addr);
        break;
    case TRACE_SIGACTION:
        sigaction_at(d, addr);
        break;
    case TRACE_SIGACTION_OUT:
        unfilled ? trace_pointer(d, addr) : sigaction_at(d, addr);
        break;
    case TRACE_SIGINFO:
        siginfo_at(d, addr);
        break;
    case TRACE_SIGINFO_OUT:
        unfilled ? trace_pointer(d, addr) : siginfo_at(d, addr);
        break;
    case TRACE_STACK:
        stack_at(d, addr);
        break;
    case TRACE_STACK_OUT:
        unfilled ? trace_pointer(d, addr) : stack_at(d, addr);
        break;
    case TRACE_SOCKADDR:
        socket_address(d, addr, (uint32_t)ref);
        break;
    case TRACE_SOCKADDR_OUT:
        socket_address_out(d, addr, ref);
        break;
    case TRACE_MSGHDR:
        message(d, addr, 0);
        break;
    case TRACE_MSGHDR_OUT:
        message(d, addr, 1);
        break;
    case TRACE_POLLFDS:
        poll_set(d, addr, (uint32_t)ref);
        break;
    case TRACE_FDSET:
        descriptor_set(d, addr, (int)ref);
        break;
    case TRACE_EPOLL_EVENT:
        epoll_events(d, addr, 1);
        break;
    case TRACE_EPOLL_OUT:
        unfilled ? trace_pointer(d, addr) : epoll_events(d, addr, ref);
        break;
    case TRACE_STAT:
        unfilled ? trace_pointer(d, addr) : stat_at(d, addr);
        break;
    case TRACE_STATX:
        unfilled ? trace_pointer(d, addr) : statx_at(d, addr);
        break;
    case TRACE_FDPAIR:
        unfilled ? trace_pointer(d, addr) : descriptor_pair(d, addr);
        break;
    case TRACE_UTSNAME:
        unfilled ? trace_pointer(d, addr) : system_name(d, addr);
        break;
    case TRACE_RLIMIT:
        limits(d, addr);
        break;
    case TRACE_RLIMIT_OUT:
        unfilled ? trace_pointer(d, addr) : limits(d, addr);
        break;
    case TRACE_INT_PTR:
        number_at(d, addr, 4);
        break;
    case TRACE_INT_PTR_OUT:
        unfilled ? trace_pointer(d, addr) : number_at(d, addr, 4);
        break;
    case TRACE_OFF_PTR:
        number_at(d, addr, 8);
        break;
    case TRACE_WSTATUS:
        unfilled ? trace_pointer(d, addr) : wait_status(d, addr);
        break;
    case TRACE_CLONE_ARGS:
        clone_arguments(d, addr, ref);
        break;
    case TRACE_OPEN_HOW:
        open_how(d, addr);
        break;
    case TRACE_FUTEX_TIMEOUT:
        futex_timeout(d, addr, ref);
        break;
    default:
        return 0;
    }
    return 1;
}
