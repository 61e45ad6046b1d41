// Files about the whole system: memory, processor time, load, versions (fs/proc/{meminfo,stat,uptime,loadavg}.c).
#include "sentry/boot/config.h"
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "sentry/core/timer.h"
#include "sentry/task/task.h"
#include "sentry/task/uts.h"
#include "sentry/time/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <sched.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#define TICK_NS 10000000ull
#define CPUS_MAX 1024

const struct sentry_config *proc_config;

unsigned proc_cpus(void)
{
    static unsigned host;
    if (proc_config && proc_config->cpus)
        return proc_config->cpus;
    if (!host) {
        cpu_set_t set;
        host = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
        if (host == 0 || host > CPUS_MAX)
            host = 1;
    }
    return host;
}

void proc_memory(struct proc_memory *m)
{
    struct sysinfo host;
    memset(m, 0, sizeof(*m));
    if (sysinfo(&host) != 0)
        return;
    uint64_t unit = host.mem_unit ? host.mem_unit : 1, limit = proc_config ? proc_config->memory_limit : 0;
    m->total = host.totalram * unit;
    m->free = host.freeram * unit;
    m->cached = host.bufferram * unit;
    if (limit && limit < m->total) {
        m->total = limit;
        m->cached = 0;
        if (m->free > limit)
            m->free = limit;
    }
    m->available = m->free + m->cached;
}

PROC_SHOW(meminfo)
{
    struct proc_memory m;
    proc_memory(&m);
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"MemTotal", m.total},
        {"MemFree", m.free},
        {"MemAvailable", m.available},
        {"Buffers", 0},
        {"Cached", m.cached},
        {"SwapCached", 0},
        {"Active", 0},
        {"Inactive", 0},
        {"Active(anon)", 0},
        {"Inactive(anon)", 0},
        {"Active(file)", 0},
        {"Inactive(file)", 0},
        {"Unevictable", 0},
        {"Mlocked", 0},
        {"SwapTotal", m.swap_total},
        {"SwapFree", m.swap_free},
        {"Dirty", 0},
        {"Writeback", 0},
        {"AnonPages", m.total - m.available},
        {"Mapped", 0},
        {"Shmem", 0},
        {"KReclaimable", 0},
        {"Slab", 0},
        {"SReclaimable", 0},
        {"SUnreclaim", 0},
        {"KernelStack", 0},
        {"PageTables", 0},
        {"NFS_Unstable", 0},
        {"Bounce", 0},
        {"WritebackTmp", 0},
        {"CommitLimit", m.total / 2},
        {"Committed_AS", m.total - m.available},
        {"VmallocTotal", 34359738367ull << 10},
        {"VmallocUsed", 0},
        {"VmallocChunk", 0},
        {"Percpu", 0},
        {"AnonHugePages", 0},
        {"ShmemHugePages", 0},
        {"ShmemPmdMapped", 0},
        {"FileHugePages", 0},
        {"FilePmdMapped", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char label[32];
        snprintf(label, sizeof(label), "%s:", rows[i].name);
        out_printf(out, "%-15s %8" PRIu64 " kB\n", label, rows[i].bytes >> 10);
    }
    out_printf(out, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        "
                    "0\nHugePages_Surp:        0\n"
                    "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n");
    return 0;
}

struct cpu_time {
    uint64_t user, system, idle; // ticks
    unsigned running, processes;
};

// The sandbox's processors have done what its processes did, and idled otherwise.
static void cpu_time(struct cpu_time *c)
{
    memset(c, 0, sizeof(*c));
    uint64_t user_total = 0, system_total = 0;
    list_for_each(tg, &all_groups, struct thread_group, all_link)
    {
        uint64_t user = 0, system = 0;
        group_cpu_times(tg, &user, &system);
        user_total += user;
        system_total += system;
        if (tg == init_tg) {
            user_total += tg->cutime_ns;
            system_total += tg->cstime_ns;
        }
        list_for_each(t, &tg->threads, struct task, thread_link)
        {
            struct proc_host_stat none = {0};
            const struct pseudo about = {.tg = tg, .task = t};
            c->processes++;
            c->running += proc_state(&about, t, &none) == 'R' && t->call.phase != CALL_IDLE;
        }
    }
    if (c->running == 0)
        c->running = 1;
    c->user = user_total / TICK_NS;
    c->system = system_total / TICK_NS;
    uint64_t all = clock_now_ns(CLOCK_BOOTTIME) / TICK_NS * proc_cpus();
    c->idle = all > c->user + c->system ? all - c->user - c->system : 0;
}

PROC_SHOW(system_stat)
{
    struct cpu_time c;
    cpu_time(&c);
    unsigned cpus = proc_cpus();
    out_printf(out, "cpu  %" PRIu64 " 0 %" PRIu64 " %" PRIu64 " 0 0 0 0 0 0\n", c.user, c.system, c.idle);
    for (unsigned i = 0; i < cpus; i++)
        out_printf(out, "cpu%u %" PRIu64 " 0 %" PRIu64 " %" PRIu64 " 0 0 0 0 0 0\n", i, c.user / cpus,
                   c.system / cpus, c.idle / cpus);
    uint64_t boot = (clock_now_ns(CLOCK_REALTIME) - clock_now_ns(CLOCK_BOOTTIME)) / 1000000000u;
    int last = 0;
    list_for_each(tg, &all_groups, struct thread_group, all_link) last = tg->pid > last ? tg->pid : last;
    out_printf(out, "intr 0\nctxt 0\nbtime %" PRIu64 "\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n",
               boot, last, c.running);
    out_printf(out, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return 0;
}

PROC_SHOW(uptime)
{
    struct cpu_time c;
    cpu_time(&c);
    uint64_t centi = clock_now_ns(CLOCK_BOOTTIME) / TICK_NS;
    out_printf(out, "%" PRIu64 ".%02u %" PRIu64 ".%02u\n", centi / 100, (unsigned)(centi % 100), c.idle / 100,
               (unsigned)(c.idle % 100));
    return 0;
}

PROC_SHOW(loadavg)
{
    struct cpu_time c;
    struct sysinfo host;
    unsigned long loads[3] = {0, 0, 0};
    cpu_time(&c);
    if (sysinfo(&host) == 0)
        memcpy(loads, host.loads, sizeof(loads));
    for (int i = 0; i < 3; i++)
        out_printf(out, "%lu.%02lu ", loads[i] >> 16, ((loads[i] & 0xffff) * 100) >> 16);
    int last = 0;
    list_for_each(tg, &all_groups, struct thread_group, all_link) last = tg->pid > last ? tg->pid : last;
    out_printf(out, "%u/%u %d\n", c.running, c.processes, last);
    return 0;
}

PROC_SHOW(version)
{
    out_printf(out, "%s version %s (root@sentry) (gcc) %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION);
    return 0;
}

PROC_SHOW(filesystems)
{
    list_for_each(t, &fs_types, struct fs_type, link) out_printf(out, "nodev\t%s\n", t->name);
    return 0;
}

PROC_SHOW(boot_cmdline)
{
    out_printf(out, "quiet\n");
    return 0;
}
