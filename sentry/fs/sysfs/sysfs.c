// A small sysfs: processors, transparent huge pages, empty device classes; and the root of the cgroup view.
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/boot/config.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/task/task.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pseudo_node empty_rows[] = {{.name = NULL}};

static int show_cpu_list(const struct pseudo *p, struct out_text *out)
{
    unsigned cpus = proc_cpus();
    if (cpus == 1)
        out_printf(out, "0\n");
    else
        out_printf(out, "0-%u\n", cpus - 1);
    return 0;
}

static int show_cpu_mask(const struct pseudo *p, struct out_text *out)
{
    unsigned cpus = proc_cpus(), words = (cpus + 31) / 32;
    for (unsigned word = words; word-- > 0;) {
        unsigned bits = cpus - word * 32 >= 32 ? 32 : cpus - word * 32;
        uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
        out_printf(out, word == words - 1 ? "%x%s" : "%08x%s", mask, word ? "," : "\n");
    }
    return 0;
}

// --- cpuN

static int show_core_id(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%" PRId64 "\n", p->number);
    return 0;
}

static int show_core_mask(const struct pseudo *p, struct out_text *out)
{
    unsigned word = (unsigned)p->number / 32;
    out_printf(out, "%x", 1u << (p->number % 32));
    while (word-- > 0)
        out_printf(out, ",00000000");
    out_printf(out, "\n");
    return 0;
}

static const struct pseudo_node topology_rows[] = {
    PSEUDO_TEXT("physical_package_id", "0\n"),
    PSEUDO_FILE("core_id", 0444, show_core_id),
    PSEUDO_FILE("thread_siblings", 0444, show_core_mask),
    PSEUDO_FILE("core_cpus", 0444, show_core_mask),
    PSEUDO_FILE("thread_siblings_list", 0444, show_core_id),
    PSEUDO_FILE("core_cpus_list", 0444, show_core_id),
    PSEUDO_FILE("core_siblings", 0444, show_cpu_mask),
    PSEUDO_FILE("package_cpus", 0444, show_cpu_mask),
    PSEUDO_FILE("core_siblings_list", 0444, show_cpu_list),
    PSEUDO_FILE("package_cpus_list", 0444, show_cpu_list),
    {.name = NULL},
};
static const struct pseudo_node cpu_rows[] = {
    PSEUDO_DIR("topology", topology_rows), PSEUDO_TEXT("online", "1\n"), {.name = NULL}};
static const struct pseudo_node cpu_dir = PSEUDO_DIR("cpuN", cpu_rows);

static int lookup_cpu(const struct pseudo *dir, struct dentry *d)
{
    char *end;
    if (strncmp(d->name, "cpu", 3) || d->name[3] < '0' || d->name[3] > '9')
        return 0;
    unsigned long n = strtoul(d->name + 3, &end, 10);
    if (*end || n >= proc_cpus())
        return 0;
    struct inode *i = pseudo_inode(d->parent->inode->sb, &cpu_dir, NULL);
    if (!i)
        return -LX_ENOMEM;
    pseudo_of(i)->number = (int64_t)n;
    dentry_attach(d, i);
    return 0;
}

static bool iterate_cpus(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type,
                         uint64_t *ino)
{
    if (*index >= (int64_t)proc_cpus())
        return false;
    *type = LX_DT_DIR;
    snprintf(name, 24, "cpu%" PRId64, *index);
    return true;
}

static const struct pseudo_node cpus_rows[] = {
    PSEUDO_FILE("online", 0444, show_cpu_list),
    PSEUDO_FILE("possible", 0444, show_cpu_list),
    PSEUDO_FILE("present", 0444, show_cpu_list),
    PSEUDO_TEXT("offline", "\n"),
    PSEUDO_TEXT("isolated", "\n"),
    PSEUDO_TEXT("kernel_max", "1023\n"),
    {.name = NULL},
};

static int show_node_meminfo(const struct pseudo *p, struct out_text *out)
{
    struct proc_memory m;
    proc_memory(&m);
    out_printf(out, "Node 0 MemTotal:       %8" PRIu64 " kB\nNode 0 MemFree:        %8" PRIu64 " kB\n",
               m.total >> 10, m.free >> 10);
    return 0;
}
static const struct pseudo_node node0_rows[] = {PSEUDO_FILE("cpulist", 0444, show_cpu_list),
                                                PSEUDO_FILE("cpumap", 0444, show_cpu_mask),
                                                PSEUDO_FILE("meminfo", 0444, show_node_meminfo),
                                                PSEUDO_TEXT("distance", "10\n"),
                                                {.name = NULL}};
static const struct pseudo_node nodes_rows[] = {
    PSEUDO_TEXT("online", "0\n"),     PSEUDO_TEXT("possible", "0\n"),  PSEUDO_TEXT("has_cpu", "0\n"),
    PSEUDO_TEXT("has_memory", "0\n"), PSEUDO_DIR("node0", node0_rows), {.name = NULL}};

static const struct pseudo_node system_rows[] = {
    {.name = "cpu",
     .mode = LX_S_IFDIR | 0555,
     .children = cpus_rows,
     .lookup = lookup_cpu,
     .iterate = iterate_cpus},
    PSEUDO_DIR("node", nodes_rows),
    {.name = NULL},
};

static const struct pseudo_node hugepage_rows[] = {
    PSEUDO_TEXT("enabled", "always [madvise] never\n"),
    PSEUDO_TEXT("defrag", "always defer defer+madvise [madvise] never\n"),
    PSEUDO_TEXT("hpage_pmd_size", "2097152\n"),
    PSEUDO_TEXT("shmem_enabled", "always within_size advise [never] deny force\n"),
    PSEUDO_TEXT("use_zero_page", "1\n"),
    {.name = NULL}};
static const struct pseudo_node mm_rows[] = {
    PSEUDO_DIR("transparent_hugepage", hugepage_rows), PSEUDO_DIR("hugepages", empty_rows), {.name = NULL}};
static const struct pseudo_node kernel_rows[] = {PSEUDO_DIR("mm", mm_rows),
                                                 PSEUDO_DIR("debug", empty_rows),
                                                 PSEUDO_DIR("security", empty_rows),
                                                 {.name = NULL}};

static const struct pseudo_node lo_rows[] = {
    PSEUDO_TEXT("mtu", "65536\n"),         PSEUDO_TEXT("address", "00:00:00:00:00:00\n"),
    PSEUDO_TEXT("operstate", "unknown\n"), PSEUDO_TEXT("type", "772\n"),
    PSEUDO_TEXT("ifindex", "1\n"),         PSEUDO_TEXT("flags", "0x9\n"),
    PSEUDO_TEXT("carrier", "1\n"),         {.name = NULL}};
static const struct pseudo_node net_rows[] = {PSEUDO_DIR("lo", lo_rows), {.name = NULL}};
static const struct pseudo_node class_rows[] = {PSEUDO_DIR("net", net_rows),
                                                PSEUDO_DIR("block", empty_rows),
                                                PSEUDO_DIR("tty", empty_rows),
                                                PSEUDO_DIR("mem", empty_rows),
                                                PSEUDO_DIR("misc", empty_rows),
                                                PSEUDO_DIR("power_supply", empty_rows),
                                                PSEUDO_DIR("thermal", empty_rows),
                                                PSEUDO_DIR("input", empty_rows),
                                                {.name = NULL}};
static const struct pseudo_node dev_rows[] = {
    PSEUDO_DIR("block", empty_rows), PSEUDO_DIR("char", empty_rows), {.name = NULL}};
static const struct pseudo_node devices_rows[] = {
    PSEUDO_DIR("system", system_rows), PSEUDO_DIR("virtual", empty_rows), {.name = NULL}};
static const struct pseudo_node cgroup_mount_rows[] = {PSEUDO_DIR("cgroup", empty_rows), {.name = NULL}};

static const struct pseudo_node root_rows[] = {PSEUDO_DIR("block", empty_rows),
                                               PSEUDO_DIR("bus", empty_rows),
                                               PSEUDO_DIR("class", class_rows),
                                               PSEUDO_DIR("dev", dev_rows),
                                               PSEUDO_DIR("devices", devices_rows),
                                               PSEUDO_DIR("firmware", empty_rows),
                                               PSEUDO_DIR("fs", cgroup_mount_rows),
                                               PSEUDO_DIR("kernel", kernel_rows),
                                               PSEUDO_DIR("module", empty_rows),
                                               PSEUDO_DIR("power", empty_rows),
                                               {.name = NULL}};
const struct pseudo_node sysfs_root = PSEUDO_DIR("/", root_rows);

// --- the cgroup view: one group that holds every process

static int show_procs(const struct pseudo *p, struct out_text *out)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link) if (!tg->zombie)
        out_printf(out, "%d\n", tg->pid);
    return 0;
}

static int show_limit(const struct pseudo *p, struct out_text *out)
{
    uint64_t limit = p->node->arg ? max_tasks : proc_config ? proc_config->memory_limit : 0;
    if (limit)
        out_printf(out, "%" PRIu64 "\n", limit);
    else
        out_printf(out, "max\n");
    return 0;
}

static int show_task_count(const struct pseudo *p, struct out_text *out)
{
    out_printf(out, "%u\n", nr_tasks);
    return 0;
}

static int show_cpu_max(const struct pseudo *p, struct out_text *out)
{
    if (proc_config && proc_config->cpus)
        out_printf(out, "%u 100000\n", proc_config->cpus * 100000);
    else
        out_printf(out, "max 100000\n");
    return 0;
}

static const struct pseudo_node cgroup_rows[] = {
    PSEUDO_TEXT("cgroup.controllers", "cpu memory pids\n"),
    PSEUDO_TEXT("cgroup.subtree_control", "\n"),
    PSEUDO_TEXT("cgroup.type", "domain\n"),
    PSEUDO_TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
    PSEUDO_FILE("cgroup.procs", 0444, show_procs),
    PSEUDO_FILE("memory.max", 0444, show_limit),
    {.name = "pids.max", .mode = LX_S_IFREG | 0444, .show = show_limit, .arg = 1},
    PSEUDO_FILE("pids.current", 0444, show_task_count),
    PSEUDO_FILE("cpu.max", 0444, show_cpu_max),
    {.name = NULL},
};
const struct pseudo_node cgroup_root = PSEUDO_DIR("/", cgroup_rows);
