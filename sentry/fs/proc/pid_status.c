// status, stat and statm of a process or thread (fs/proc/array.c).
#include "sentry/fs/proc/proc.h"
#include "abi/gofer_proc.h"
#include "abi/linux/errno.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/seccomp/filter.h"
#include "sentry/task/task.h"
#include "sentry/task/user_ns.h"
#include "sentry/time/time.h"
#include "sentry/tty/tty.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TICK_NS UINT64_C(10000000) // 1 / USER_HZ
#define PAGE UINT64_C(4096)

struct numbers {
    struct proc_host_stat host;
    int ppid, pgrp, sid, tpgid;
    uint64_t tty;
    unsigned threads;
    sigset64 ignored, caught;
};

static void gather(const struct task *t, struct numbers *n)
{
    const struct thread_group *tg = t->tg;
    memset(n, 0, sizeof(*n));
    proc_host_stat(t, &n->host);
    n->ppid = tg->parent ? tg->parent->pid : 0;
    n->pgrp = tg->pgrp ? tg->pgrp->pgid : 0;
    n->sid = tg->pgrp ? tg->pgrp->session->sid : 0;
    n->tpgid = -1;
    const struct tty *tty = tg->pgrp ? tg->pgrp->session->tty : NULL;
    if (tty) {
        n->tty = tty_rdev(tty);
        n->tpgid = tty->fg_pgid ? tty->fg_pgid : -1;
    }
    n->threads = tg->nr_threads ? tg->nr_threads : 1;
    for (int sig = 1; t->sighand && sig <= LX_NSIG; sig++) {
        uint64_t handler = t->sighand->action[sig - 1].handler;
        if (handler == 1)
            n->ignored |= SIGBIT(sig);
        else if (handler)
            n->caught |= SIGBIT(sig);
    }
}

static const char *state_name(char state)
{
    switch (state) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'D':
        return "D (disk sleep)";
    case 'T':
        return "T (stopped)";
    case 't':
        return "t (tracing stop)";
    default:
        return "Z (zombie)";
    }
}

// The name with newline and backslash escaped, as status shows it; stat shows it as it is.
static void add_name(struct out_text *out, const char *comm)
{
    for (int i = 0; i < TASK_COMM_LEN && comm[i]; i++) {
        if (comm[i] == '\n')
            out_printf(out, "\\n");
        else if (comm[i] == '\\')
            out_printf(out, "\\\\");
        else
            out_add(out, &comm[i], 1);
    }
}

static void add_memory(struct out_text *out, const struct task *t, const struct numbers *n)
{
    uint64_t size = n->host.vsize >> 10, rss = n->host.rss * (PAGE >> 10);
    uint64_t exe = t->mm ? (t->mm->end_code - t->mm->start_code) >> 10 : 0;
    const struct {
        const char *name;
        uint64_t kb;
    } rows[] = {{"VmPeak", size}, {"VmSize", size},
                {"VmLck", 0},     {"VmPin", 0},
                {"VmHWM", rss},   {"VmRSS", rss},
                {"RssAnon", rss}, {"RssFile", 0},
                {"RssShmem", 0},  {"VmData", size > exe ? size - exe : 0},
                {"VmStk", 132},   {"VmExe", exe},
                {"VmLib", 0},     {"VmPTE", 64},
                {"VmSwap", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        out_printf(out, "%s:\t%8" PRIu64 " kB\n", rows[i].name, rows[i].kb);
    out_printf(
        out, "HugetlbPages:\t%8d kB\nCoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n", 0);
}

// The host's own status file, terminated. False: not to be had.
static bool host_status(const struct task *t, struct out_text *in)
{
    bool ok = !t->tg->dead && proc_host_read(GOFER_PROC_STATUS, t->tg->host_pid, 0, in) == 0;
    out_add(in, "", 1);
    return ok && !in->failed;
}

// The pages that a line such as "VmRSS:	    1876 kB" gives.
static uint64_t pages_of(const char *status, const char *line)
{
    uint64_t kb = 0;
    const char *at = strstr(status, line);
    if (at)
        sscanf(at + strlen(line), " %" SCNu64, &kb);
    return kb / (PAGE >> 10);
}

uint64_t proc_host_peak(const struct task *t)
{
    struct out_text in = {NULL, 0, 0, false};
    uint64_t pages = host_status(t, &in) ? pages_of(in.data, "\nVmHWM:") : 0;
    out_free(&in);
    return pages * PAGE;
}

// Its memory lines. False: there are none.
static bool add_host_memory(struct out_text *out, const struct task *t)
{
    struct out_text in = {NULL, 0, 0, false};
    const char *start = host_status(t, &in) ? strstr(in.data, "\nVmPeak:") : NULL;
    const char *end = start ? strstr(start, "\nThreads:") : NULL;
    if (end)
        out_add(out, start + 1, (size_t)(end - start));
    out_free(&in);
    return end;
}

static bool cpu_allowed(const struct task *t, unsigned cpu)
{
    if (t->has_affinity)
        return cpu / 8 < sizeof(t->affinity) && (t->affinity[cpu / 8] >> (cpu % 8) & 1);
    return cpu < proc_cpus();
}

static void add_cpus(struct out_text *out, const struct task *t)
{
    unsigned words = (proc_cpus() + 31) / 32;
    out_printf(out, "Cpus_allowed:\t");
    for (unsigned word = words; word-- > 0;) {
        uint32_t mask = 0;
        for (unsigned bit = 0; bit < 32; bit++)
            mask |= (uint32_t)cpu_allowed(t, word * 32 + bit) << bit;
        out_printf(out, word == words - 1 ? "%x%s" : "%08x%s", mask, word ? "," : "\n");
    }
    out_printf(out, "Cpus_allowed_list:\t");
    const char *separator = "";
    for (unsigned cpu = 0; cpu < words * 32; cpu++) {
        unsigned first = cpu;
        if (!cpu_allowed(t, cpu))
            continue;
        while (cpu_allowed(t, cpu + 1))
            cpu++;
        out_printf(out, first == cpu ? "%s%u" : "%s%u-%u", separator, first, cpu);
        separator = ",";
    }
    out_printf(out, "\n");
    out_printf(out, "Mems_allowed:\t00000000,00000001\nMems_allowed_list:\t0\n");
}

PROC_SHOW(status)
{
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    struct numbers n;
    task_get(t);
    gather(t, &n);
    const struct thread_group *tg = t->tg;
    struct cred *c = cred_get(t->cred); // the task may change it while the lock is dropped
    char state = proc_state(p, t, &n.host);
    out_printf(out, "Name:\t");
    add_name(out, t->comm);
    out_printf(out, "\nUmask:\t%04o\n", t->fs ? t->fs->umask : 022);
    out_printf(out, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
               state_name(state), tg->pid, p->task ? t->tid : tg->pid, n.ppid, ptrace_tracer_tid(t));
    out_printf(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", show_uid(c->uid), show_uid(c->euid),
               show_uid(c->suid), show_uid(c->fsuid), show_gid(c->gid), show_gid(c->egid), show_gid(c->sgid),
               show_gid(c->fsgid));
    unsigned fds = t->files ? t->files->size : 0;
    out_printf(out, "FDSize:\t%u\nGroups:\t", t->files && fds < 64 ? 64 : fds);
    for (uint32_t i = 0; i < c->nr_groups; i++)
        out_printf(out, "%s%u", i ? " " : "", show_gid(c->groups[i]));
    int pid = p->task ? t->tid : tg->pid;
    out_printf(out, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t0\n", tg->pid, pid,
               n.pgrp, n.sid);
    if (t->mm && state != 'Z' && !add_host_memory(out, t))
        add_memory(out, t, &n);
    out_printf(out, "Threads:\t%u\nSigQ:\t0/%" PRIu64 "\n", n.threads, tg->rlim[11].cur);
    out_printf(out,
               "SigPnd:\t%016" PRIx64 "\nShdPnd:\t%016" PRIx64 "\nSigBlk:\t%016" PRIx64
               "\nSigIgn:\t%016" PRIx64 "\n",
               t->pending.set, tg->shared_pending.set, task_blocked(t), n.ignored);
    out_printf(out,
               "SigCgt:\t%016" PRIx64 "\nCapInh:\t%016" PRIx64 "\nCapPrm:\t%016" PRIx64
               "\nCapEff:\t%016" PRIx64 "\n",
               n.caught, c->cap_inheritable, c->cap_permitted, c->cap_effective);
    out_printf(out,
               "CapBnd:\t%016" PRIx64 "\nCapAmb:\t%016" PRIx64
               "\nNoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n",
               c->cap_bounding, c->cap_ambient, c->no_new_privs, t->seccomp_mode,
               seccomp_filter_count(t->seccomp));
    out_printf(out,
               "Speculation_Store_Bypass:\tvulnerable\nSpeculationIndirectBranch:\tconditional enabled\n");
    add_cpus(out, t);
    out_printf(out, "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
    cred_put(c);
    task_put(t);
    return 0;
}

static int nice_of(const struct task *t)
{
    return t->nice;
}

PROC_SHOW(stat)
{
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    struct numbers n;
    task_get(t);
    gather(t, &n);
    struct thread_group *tg = t->tg;
    bool permitted = proc_may_access(t);
    const struct mm *m = permitted ? t->mm : NULL;
    uint64_t user = n.host.utime * TICK_NS, system = n.host.stime * TICK_NS;
    if (!p->task || (!n.host.state && tg->nr_threads == 1))
        group_cpu_times(tg, &user, &system);
    out_printf(out, "%d (", p->task ? t->tid : tg->pid);
    out_add(out, t->comm, strnlen(t->comm, TASK_COMM_LEN));
    out_printf(out, ") %c %d %d %d %" PRIu64 " %d %u", proc_state(p, t, &n.host), n.ppid, n.pgrp, n.sid,
               n.tty, n.tpgid, 0x400000u | (tg->did_exec ? 0 : 0x40u));
    out_printf(out, " %" PRIu64 " 0 %" PRIu64 " 0", n.host.minflt, n.host.majflt);
    out_printf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, user / TICK_NS, system / TICK_NS,
               tg->cutime_ns / TICK_NS, tg->cstime_ns / TICK_NS);
    out_printf(out, " %d %d %u 0 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, 20 + nice_of(t), nice_of(t),
               n.threads, (p->task ? t->start_ns : tg->start_ns) / TICK_NS, n.host.vsize, n.host.rss,
               tg->rlim[5].cur);
    if (m)
        out_printf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64, m->start_code, m->end_code, m->start_stack);
    else
        out_printf(out, t->mm ? " 1 1 0" : " 0 0 0");
    out_printf(out, " 0 0 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
               (uint64_t)t->pending.set & 0x7fffffff, (uint64_t)task_blocked(t) & 0x7fffffff,
               n.ignored & 0x7fffffff, n.caught & 0x7fffffff);
    out_printf(out, " 0 0 0 %d %d 0 0 0 0 0", tg->exit_signal ? tg->exit_signal : 17, n.host.processor);
    if (m)
        out_printf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
                   m->start_data, m->end_data, m->start_brk, m->arg_start, m->arg_end, m->env_start,
                   m->env_end);
    else
        out_printf(out, " 0 0 0 0 0 0 0");
    out_printf(out, " %d\n", permitted && tg->zombie ? tg->exit_code : 0);
    task_put(t);
    return 0;
}

// From status, because the counters behind stat are off by some pages, which shows in small programs.
PROC_SHOW(statm)
{
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    struct out_text in = {NULL, 0, 0, false};
    task_get(t);
    const char *s = host_status(t, &in) ? in.data : "";
    out_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " 0 %" PRIu64 " 0\n",
               pages_of(s, "\nVmSize:"), pages_of(s, "\nVmRSS:"),
               pages_of(s, "\nRssFile:") + pages_of(s, "\nRssShmem:"), pages_of(s, "\nVmExe:"),
               pages_of(s, "\nVmData:") + pages_of(s, "\nVmStk:"));
    out_free(&in);
    task_put(t);
    return 0;
}
