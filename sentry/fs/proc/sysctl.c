// /proc/sys: what programs read of it. A value that root may write is kept and shown again; it governs nothing else.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/net/inet/ping.h"
#include "sentry/task/namespace.h"
#include "sentry/task/task.h"
#include "sentry/task/uts.h"
#include "sentry/vfs/file.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// --- numbers that can be written

struct number {
    int64_t value, least, most;
};

static int show_number(const struct pseudo *p, struct out_text *out)
{
    const struct number *n = p->node->data;
    out_printf(out, "%" PRId64 "\n", n->value);
    return 0;
}

// Text that is a number within bounds and nothing else.
static bool parse_number(const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    *value = strtoll(text, &end, 0);
    bool empty = end == text;
    while (*end == '\n' || *end == ' ' || *end == '\t')
        end++;
    return !empty && !*end && *value >= least && *value <= most;
}

static int64_t store_number(const struct pseudo *p, const char *text, size_t n)
{
    struct number *number = (struct number *)(uintptr_t)p->node->data;
    int64_t value;
    if (!parse_number(text, number->least, number->most, &value))
        return -LX_EINVAL;
    number->value = value;
    return (int64_t)n;
}

// A limit of System V objects or message queues, in the namespace of who asks.
struct limit {
    size_t offset; // in struct sysv_limits, or struct mq_limits with the node's arg
    int64_t least, most;
};

static void *limit_at(const struct pseudo *p)
{
    const struct limit *l = p->node->data;
    return (p->node->arg ? (char *)&mq_current()->limits : (char *)&sysv_current()->limits) + l->offset;
}

static int show_limit(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%" PRId64 "\n", *(const int64_t *)limit_at(p));
    return 0;
}

static int64_t store_limit(const struct pseudo *p, const char *text, size_t n)
{
    const struct limit *l = p->node->data;
    int64_t value;
    if (!parse_number(text, l->least, l->most, &value))
        return -LX_EINVAL;
    *(int64_t *)limit_at(p) = value;
    return (int64_t)n;
}

#define LIMIT(name_, at_, least_, most_) LIMIT_OF(0, name_, at_, least_, most_)
#define MQ_LIMIT(name_, least_, most_) LIMIT_OF(1, #name_, offsetof(struct mq_limits, name_), least_, most_)
#define LIMIT_OF(arg_, name_, at_, least_, most_)                                                        \
    {                                                                                                    \
        .name = name_, .mode = LX_S_IFREG | 0644, .show = show_limit, .store = store_limit, .arg = arg_, \
        .data = &(struct limit)                                                                          \
        {                                                                                                \
            at_, least_, most_                                                                           \
        }                                                                                                \
    }

// A row and the number behind it.
#define NUMBER(name_, initial_, ...)                                                          \
    {                                                                                         \
        .name = name_, .mode = LX_S_IFREG | 0644, .show = show_number, .store = store_number, \
        .data = &(struct number)                                                              \
        {                                                                                     \
            initial_, __VA_ARGS__                                                             \
        }                                                                                     \
    }
#define ANY_INT INT32_MIN, INT32_MAX
#define BOOLEAN 0, 1

// --- strings

static int show_name(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%s\n", (const char *)p->node->data);
    return 0;
}

static int64_t store_name(const struct pseudo *p, const char *text, size_t n)
{
    char *name = (char *)(uintptr_t)p->node->data;
    size_t len = strcspn(text, "\n");
    if (len > p->node->arg)
        len = p->node->arg;
    memset(name, 0, p->node->arg + 1);
    memcpy(name, text, len);
    return (int64_t)n;
}

#define NAME(name_, buffer_)                                                                               \
    {                                                                                                      \
        .name = name_, .mode = LX_S_IFREG | 0644, .show = show_name, .store = store_name, .data = buffer_, \
        .arg = sizeof(buffer_) - 1                                                                         \
    }

// Names of the namespace of whoever looks.
static char *uts_name(const struct pseudo *p)
{
    return p->node->arg ? uts_names()->domainname : uts_names()->nodename;
}

static int show_uts_name(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%s\n", uts_name(p));
    return 0;
}

static int64_t store_uts_name(const struct pseudo *p, const char *text, size_t n)
{
    char *name = uts_name(p);
    size_t len = strcspn(text, "\n");
    if (len > UTS_LEN)
        len = UTS_LEN;
    memset(name, 0, UTS_LEN + 1);
    memcpy(name, text, len);
    return (int64_t)n;
}

#define UTS_NAME(name_, domain_)                                                                  \
    {                                                                                             \
        .name = name_, .mode = LX_S_IFREG | 0644, .show = show_uts_name, .store = store_uts_name, \
        .arg = domain_                                                                            \
    }

static char core_pattern[128] = "core";
static char port_range[32] = "32768\t60999";
static char printk_words[24] = "4\t4\t1\t7";
static char tcp_rmem[40] = "4096\t131072\t6291456", tcp_wmem[40] = "4096\t16384\t4194304";

// --- live values

static void format_uuid(struct out_text *out, const uint8_t b[16])
{
    for (int i = 0; i < 16; i++)
        out_printf(out, "%02x%s", b[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    out_printf(out, "\n");
}

static int show_uuid(const struct pseudo *p, struct out_text *out)
{
    static uint8_t boot_id[16];
    static bool have_boot_id;
    uint8_t b[16];
    if (getrandom(b, sizeof(b), GRND_NONBLOCK) != sizeof(b))
        return -LX_EAGAIN;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    if (p->node->arg) {
        if (!have_boot_id)
            memcpy(boot_id, b, sizeof(b));
        have_boot_id = true;
        memcpy(b, boot_id, sizeof(b));
    }
    format_uuid(out, b);
    return 0;
}

static int show_threads_max(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%u\n", max_tasks);
    return 0;
}

static int show_pty_count(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%d\n", devpts_count());
    return 0;
}

static const struct pseudo_node random_rows[] = {
    {.name = "boot_id", .mode = LX_S_IFREG | 0444, .show = show_uuid, .arg = 1},
    {.name = "uuid", .mode = LX_S_IFREG | 0444, .show = show_uuid},
    PSEUDO_TEXT("entropy_avail", "256\n"),
    PSEUDO_TEXT("poolsize", "256\n"),
    NUMBER("urandom_min_reseed_secs", 60, 0, INT32_MAX),
    NUMBER("write_wakeup_threshold", 256, 0, INT32_MAX),
    {.name = NULL},
};

static const struct pseudo_node pty_rows[] = {
    PSEUDO_TEXT("max", "4096\n"),
    PSEUDO_FILE("nr", 0444, show_pty_count),
    PSEUDO_TEXT("reserve", "1024\n"),
    {.name = NULL},
};

static const struct pseudo_node yama_rows[] = {NUMBER("ptrace_scope", 1, 0, 3), {.name = NULL}};
static const struct pseudo_node keys_rows[] = {
    PSEUDO_TEXT("maxkeys", "200\n"), PSEUDO_TEXT("maxbytes", "20000\n"), {.name = NULL}};
static const struct pseudo_node seccomp_rows[] = {
    PSEUDO_TEXT("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow\n"),
    PSEUDO_TEXT("actions_logged", "kill_process kill_thread trap errno user_notif trace log\n"),
    {.name = NULL},
};

// --- System V IPC

static int show_size(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%" PRIu64 "\n", *(const uint64_t *)limit_at(p));
    return 0;
}

static int64_t store_size(const struct pseudo *p, const char *text, size_t n)
{
    char *end;
    if (*text == '-')
        return -LX_EINVAL;
    unsigned long long value = strtoull(text, &end, 0);
    if (end == text || (*end && *end != '\n'))
        return -LX_EINVAL;
    *(uint64_t *)limit_at(p) = value;
    return (int64_t)n;
}

#define SIZE(name_, at_)                                                                  \
    {                                                                                     \
        .name = name_, .mode = LX_S_IFREG | 0644, .show = show_size, .store = store_size, \
        .data = &(struct limit)                                                           \
        {                                                                                 \
            at_, 0, 0                                                                     \
        }                                                                                 \
    }

static int show_sem(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\n", sysv_current()->limits.semmsl,
               sysv_current()->limits.semmns, sysv_current()->limits.semopm, sysv_current()->limits.semmni);
    return 0;
}

static int64_t store_sem(const struct pseudo *p, const char *text, size_t n)
{
    int64_t *const at[] = {&sysv_current()->limits.semmsl, &sysv_current()->limits.semmns,
                           &sysv_current()->limits.semopm, &sysv_current()->limits.semmni};
    static const int64_t most[] = {65536, INT32_MAX, 65536, 32768};
    int64_t value[4];
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &value[0], &value[1], &value[2],
               &value[3]) != 4)
        return -LX_EINVAL;
    for (unsigned i = 0; i < 4; i++)
        if (value[i] < 0 || value[i] > most[i])
            return -LX_EINVAL;
    for (unsigned i = 0; i < 4; i++)
        *at[i] = value[i];
    return (int64_t)n;
}

static const struct pseudo_node kernel_rows[] = {
    PSEUDO_TEXT("ostype", UTS_SYSNAME "\n"),
    PSEUDO_TEXT("osrelease", UTS_RELEASE "\n"),
    PSEUDO_TEXT("version", UTS_VERSION "\n"),
    PSEUDO_TEXT("arch", UTS_MACHINE "\n"),
    UTS_NAME("hostname", 0),
    UTS_NAME("domainname", 1),
    NUMBER("pid_max", 4194304, 301, 4194304),
    PSEUDO_FILE("threads-max", 0444, show_threads_max),
    PSEUDO_TEXT("cap_last_cap", "40\n"),
    PSEUDO_TEXT("ngroups_max", "65536\n"),
    NUMBER("overflowuid", 65534, 0, 65535),
    NUMBER("overflowgid", 65534, 0, 65535),
    NUMBER("randomize_va_space", 2, 0, 2),
    {.name = "sem", .mode = LX_S_IFREG | 0644, .show = show_sem, .store = store_sem},
    SIZE("shmmax", offsetof(struct sysv_limits, shmmax)),
    SIZE("shmall", offsetof(struct sysv_limits, shmall)),
    LIMIT("shmmni", offsetof(struct sysv_limits, shmmni), 0, 32768),
    NUMBER("shm_rmid_forced", 0, BOOLEAN),
    LIMIT("msgmax", offsetof(struct sysv_limits, msgmax), 0, INT32_MAX),
    LIMIT("msgmnb", offsetof(struct sysv_limits, msgmnb), 0, INT32_MAX),
    LIMIT("msgmni", offsetof(struct sysv_limits, msgmni), 0, 32768),
    NUMBER("auto_msgmni", 0, BOOLEAN),
    NUMBER("sem_next_id", -1, -1, INT32_MAX),
    NUMBER("msg_next_id", -1, -1, INT32_MAX),
    NUMBER("shm_next_id", -1, -1, INT32_MAX),
    NUMBER("tainted", 0, 0, INT32_MAX),
    NUMBER("panic", 0, ANY_INT),
    NUMBER("panic_on_oops", 0, BOOLEAN),
    NAME("core_pattern", core_pattern),
    NUMBER("core_uses_pid", 0, BOOLEAN),
    NUMBER("core_pipe_limit", 0, ANY_INT),
    NUMBER("sysrq", 0, ANY_INT),
    NUMBER("ctrl-alt-del", 0, BOOLEAN),
    NUMBER("dmesg_restrict", 1, BOOLEAN),
    NUMBER("kptr_restrict", 1, 0, 2),
    NAME("printk", printk_words),
    NUMBER("perf_event_paranoid", 4, ANY_INT),
    NUMBER("unprivileged_bpf_disabled", 2, 0, 2),
    NUMBER("io_uring_disabled", 2, 0, 2),
    NUMBER("modules_disabled", 1, 1, 1),
    NUMBER("kexec_load_disabled", 1, 1, 1),
    NUMBER("sched_child_runs_first", 0, BOOLEAN),
    NUMBER("sched_rt_period_us", 1000000, 1, INT32_MAX),
    NUMBER("sched_rt_runtime_us", 950000, -1, INT32_MAX),
    NUMBER("sched_autogroup_enabled", 0, BOOLEAN),
    NUMBER("numa_balancing", 0, 0, 3),
    NUMBER("print-fatal-signals", 0, BOOLEAN),
    NUMBER("timer_migration", 1, BOOLEAN),
    PSEUDO_DIR("random", random_rows),
    PSEUDO_DIR("pty", pty_rows),
    PSEUDO_DIR("yama", yama_rows),
    PSEUDO_DIR("keys", keys_rows),
    PSEUDO_DIR("seccomp", seccomp_rows),
    {.name = NULL},
};

static const struct pseudo_node vm_rows[] = {
    NUMBER("overcommit_memory", 0, 0, 2),
    NUMBER("overcommit_ratio", 50, 0, INT32_MAX),
    NUMBER("overcommit_kbytes", 0, 0, INT64_MAX),
    NUMBER("max_map_count", 65530, 0, INT32_MAX),
    NUMBER("swappiness", 60, 0, 200),
    NUMBER("mmap_min_addr", 65536, 0, INT32_MAX),
    NUMBER("dirty_ratio", 20, 0, 100),
    NUMBER("dirty_background_ratio", 10, 0, 100),
    NUMBER("dirty_bytes", 0, 0, INT64_MAX),
    NUMBER("dirty_expire_centisecs", 3000, 0, INT32_MAX),
    NUMBER("dirty_writeback_centisecs", 500, 0, INT32_MAX),
    NUMBER("min_free_kbytes", 67584, 0, INT32_MAX),
    NUMBER("nr_hugepages", 0, 0, 0),
    NUMBER("nr_overcommit_hugepages", 0, 0, 0),
    NUMBER("hugetlb_shm_group", 0, 0, INT32_MAX),
    NUMBER("oom_kill_allocating_task", 0, BOOLEAN),
    NUMBER("panic_on_oom", 0, 0, 2),
    NUMBER("vfs_cache_pressure", 100, 0, INT32_MAX),
    NUMBER("zone_reclaim_mode", 0, 0, 7),
    NUMBER("page-cluster", 3, 0, 31),
    NUMBER("legacy_va_layout", 0, BOOLEAN),
    NUMBER("memfd_noexec", 0, 0, 2),
    NUMBER("mmap_rnd_bits", 28, 28, 32),
    NUMBER("unprivileged_userfaultfd", 0, BOOLEAN),
    {.name = NULL},
};

static const struct pseudo_node inotify_rows[] = {
    NUMBER("max_user_instances", 128, 0, INT32_MAX),
    NUMBER("max_user_watches", 65536, 0, INT32_MAX),
    NUMBER("max_queued_events", 16384, 0, INT32_MAX),
    {.name = NULL},
};
static const struct pseudo_node mqueue_rows[] = {
    MQ_LIMIT(msg_default, 1, MQ_MSG_HARD_MAX),
    MQ_LIMIT(msg_max, 1, MQ_MSG_HARD_MAX),
    MQ_LIMIT(msgsize_default, 128, MQ_MSGSIZE_HARD_MAX),
    MQ_LIMIT(msgsize_max, 128, MQ_MSGSIZE_HARD_MAX),
    MQ_LIMIT(queues_max, 0, INT32_MAX),
    {.name = NULL},
};
static const struct pseudo_node epoll_rows[] = {NUMBER("max_user_watches", 1048576, 0, INT32_MAX),
                                                {.name = NULL}};
static const struct pseudo_node empty_rows[] = {{.name = NULL}};

static const struct pseudo_node fs_rows[] = {
    NUMBER("file-max", 9223372036854775807, 0, INT64_MAX),
    PSEUDO_TEXT("file-nr", "1024\t0\t9223372036854775807\n"),
    PSEUDO_TEXT("inode-nr", "1024\t128\n"),
    PSEUDO_TEXT("inode-state", "1024\t128\t0\t0\t0\t0\t0\n"),
    PSEUDO_TEXT("dentry-state", "1024\t512\t45\t0\t256\t0\n"),
    NUMBER("nr_open", 1048576, 8, 2147483584),
    NUMBER("pipe-max-size", 1048576, 4096, 2147483647),
    NUMBER("pipe-user-pages-hard", 0, 0, INT32_MAX),
    NUMBER("pipe-user-pages-soft", 16384, 0, INT32_MAX),
    NUMBER("aio-max-nr", 65536, 0, INT32_MAX),
    PSEUDO_TEXT("aio-nr", "0\n"),
    NUMBER("lease-break-time", 45, 0, INT32_MAX),
    NUMBER("leases-enable", 1, BOOLEAN),
    NUMBER("mount-max", 100000, 1, INT32_MAX),
    NUMBER("overflowuid", 65534, 0, 65535),
    NUMBER("overflowgid", 65534, 0, 65535),
    NUMBER("protected_hardlinks", 1, BOOLEAN),
    NUMBER("protected_symlinks", 1, BOOLEAN),
    NUMBER("protected_fifos", 1, 0, 2),
    NUMBER("protected_regular", 2, 0, 2),
    NUMBER("suid_dumpable", 0, 0, 2),
    PSEUDO_DIR("inotify", inotify_rows),
    PSEUDO_DIR("mqueue", mqueue_rows),
    PSEUDO_DIR("epoll", epoll_rows),
    PSEUDO_DIR("binfmt_misc", empty_rows),
    {.name = NULL},
};

static const struct pseudo_node core_rows[] = {
    NUMBER("somaxconn", 4096, 0, INT32_MAX),
    NUMBER("rmem_default", 212992, 0, INT32_MAX),
    NUMBER("rmem_max", 212992, 0, INT32_MAX),
    NUMBER("wmem_default", 212992, 0, INT32_MAX),
    NUMBER("wmem_max", 212992, 0, INT32_MAX),
    NUMBER("netdev_max_backlog", 1000, 0, INT32_MAX),
    NUMBER("optmem_max", 20480, 0, INT32_MAX),
    PSEUDO_TEXT("default_qdisc", "pfifo_fast\n"),
    {.name = NULL},
};
static const struct pseudo_node unix_rows[] = {NUMBER("max_dgram_qlen", 512, 0, INT32_MAX), {.name = NULL}};
static int show_ping_groups(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%u\t%u\n", ping_groups[0], ping_groups[1]);
    return 0;
}

// ipv4_ping_group_range: a range that ends before it begins is nobody.
static int64_t store_ping_groups(const struct pseudo *p, const char *text, size_t n)
{
    uint32_t range[2];
    char *end = (char *)(uintptr_t)text;
    for (unsigned i = 0; i < 2; i++) {
        const char *at = end;
        unsigned long value = strtoul(at, &end, 10);
        if (end == at || value > INT32_MAX)
            return -LX_EINVAL;
        range[i] = (uint32_t)value;
    }
    bool none = range[1] < range[0];
    ping_groups[0] = none ? 1 : range[0];
    ping_groups[1] = none ? 0 : range[1];
    return (int64_t)n;
}

static const struct pseudo_node ipv4_rows[] = {
    {.name = "ping_group_range",
     .mode = LX_S_IFREG | 0644,
     .show = show_ping_groups,
     .store = store_ping_groups},
    NAME("ip_local_port_range", port_range),
    NAME("tcp_rmem", tcp_rmem),
    NAME("tcp_wmem", tcp_wmem),
    NUMBER("ip_forward", 0, BOOLEAN),
    NUMBER("ip_default_ttl", 64, 1, 255),
    NUMBER("ip_unprivileged_port_start", 1024, 0, 65535),
    NUMBER("ip_nonlocal_bind", 0, BOOLEAN),
    NUMBER("tcp_syncookies", 1, 0, 2),
    NUMBER("tcp_sack", 1, BOOLEAN),
    NUMBER("tcp_timestamps", 1, 0, 2),
    NUMBER("tcp_window_scaling", 1, BOOLEAN),
    NUMBER("tcp_fastopen", 1, ANY_INT),
    NUMBER("tcp_fin_timeout", 60, 0, INT32_MAX),
    NUMBER("tcp_keepalive_time", 7200, 0, 32767),
    NUMBER("tcp_keepalive_intvl", 75, 0, 32767),
    NUMBER("tcp_keepalive_probes", 9, 0, 127),
    NUMBER("tcp_max_syn_backlog", 1024, 0, INT32_MAX),
    NUMBER("tcp_tw_reuse", 2, 0, 2),
    PSEUDO_TEXT("tcp_congestion_control", "cubic\n"),
    PSEUDO_TEXT("tcp_available_congestion_control", "reno cubic\n"),
    PSEUDO_TEXT("tcp_allowed_congestion_control", "reno cubic\n"),
    {.name = NULL},
};
static const struct pseudo_node ipv6_all_rows[] = {
    NUMBER("disable_ipv6", 0, BOOLEAN), NUMBER("forwarding", 0, BOOLEAN), {.name = NULL}};
static const struct pseudo_node ipv6_conf_rows[] = {PSEUDO_DIR("all", ipv6_all_rows),
                                                    PSEUDO_DIR("default", ipv6_all_rows),
                                                    PSEUDO_DIR("lo", ipv6_all_rows),
                                                    {.name = NULL}};
static const struct pseudo_node ipv6_rows[] = {
    PSEUDO_DIR("conf", ipv6_conf_rows), NUMBER("bindv6only", 0, BOOLEAN), {.name = NULL}};
static const struct pseudo_node net_rows[] = {
    PSEUDO_DIR("core", core_rows),
    PSEUDO_DIR("ipv4", ipv4_rows),
    PSEUDO_DIR("ipv6", ipv6_rows),
    PSEUDO_DIR("unix", unix_rows),
    {.name = NULL},
};

static const struct pseudo_node tty_rows[] = {
    NUMBER("legacy_tiocsti", 0, 0, 0), NUMBER("ldisc_autoload", 0, BOOLEAN), {.name = NULL}};
static const struct pseudo_node dev_rows[] = {PSEUDO_DIR("tty", tty_rows), {.name = NULL}};
static const struct pseudo_node user_rows[] = {
    NUMBER("max_user_namespaces", NAMESPACES_MAX, NAMESPACES_MAX, NAMESPACES_MAX),
    NUMBER("max_mnt_namespaces", NAMESPACES_MAX, NAMESPACES_MAX, NAMESPACES_MAX),
    NUMBER("max_net_namespaces", 0, 0, 0),
    NUMBER("max_pid_namespaces", 0, 0, 0),
    NUMBER("max_ipc_namespaces", NAMESPACES_MAX, NAMESPACES_MAX, NAMESPACES_MAX),
    NUMBER("max_uts_namespaces", NAMESPACES_MAX, NAMESPACES_MAX, NAMESPACES_MAX),
    NUMBER("max_inotify_instances", 128, 0, INT32_MAX),
    NUMBER("max_inotify_watches", 65536, 0, INT32_MAX),
    {.name = NULL},
};

const struct pseudo_node proc_sys_rows[] = {
    PSEUDO_DIR("kernel", kernel_rows), PSEUDO_DIR("vm", vm_rows),       PSEUDO_DIR("fs", fs_rows),
    PSEUDO_DIR("net", net_rows),       PSEUDO_DIR("dev", dev_rows),     PSEUDO_DIR("user", user_rows),
    PSEUDO_DIR("abi", empty_rows),     PSEUDO_DIR("debug", empty_rows), {.name = NULL},
};
