// The smaller files of a process: names, limits, memory it can show of itself (fs/proc/base.c).
#include "sentry/fs/proc/proc.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/task.h"
#include "sentry/trap/trap.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEM_MOVE_MAX (1u << 20) // one read or write of mem
#define AREA_MAX (8u << 20)     // of arguments or environment that is shown

// Copies [start, end) of the process; what cannot be read ends it.
static void add_area(struct out_text *out, struct task *t, gaddr_t start, gaddr_t end)
{
    if (end <= start || end - start > AREA_MAX)
        return;
    while (start < end) {
        size_t n = 4096 - (start & 4095);
        if (n > end - start)
            n = end - start;
        char *at = out_room(out, n);
        if (!at || task_copy_in(t, at, start, n))
            return;
        out->len += n;
        start += n;
    }
}

static bool has_memory(const struct task *t)
{
    return t && t->mm && !t->mm->dead && t->state == TASK_RUNNING;
}

// A program that writes a longer title over its arguments shows it up to the NUL behind (get_mm_cmdline).
PROC_SHOW(cmdline)
{
    struct task *t = proc_task(p);
    if (!has_memory(t) || t->mm->arg_end <= t->mm->arg_start)
        return 0;
    const struct mm *m = t->mm;
    add_area(out, t, m->arg_start, m->arg_end);
    if (out->len == 0 || out->data[out->len - 1] == 0)
        return 0;
    size_t arguments = strnlen(out->data, out->len);
    if (arguments < out->len) {
        out->len = arguments;
        return 0;
    }
    if (m->env_start == m->arg_end && m->env_end > m->env_start)
        add_area(out, t, m->env_start, m->env_end);
    out->len = strnlen(out->data, out->len);
    return 0;
}

PROC_SHOW(environ)
{
    struct task *t = proc_task(p);
    if (has_memory(t))
        add_area(out, t, t->mm->env_start, t->mm->env_end);
    return 0;
}

PROC_SHOW(auxv)
{
    const struct task *t = proc_task(p);
    if (t && t->mm)
        out_add(out, t->mm->auxv, t->mm->auxv_len);
    return 0;
}

PROC_SHOW(comm)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%.*s\n", TASK_COMM_LEN - 1, t->comm);
    return 0;
}

PROC_STORE(comm)
{
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    if (t->tg != current->tg)
        return -LX_EINVAL;
    memset(t->comm, 0, sizeof(t->comm));
    memcpy(t->comm, text, n < TASK_COMM_LEN - 1 ? n : TASK_COMM_LEN - 1);
    return (int64_t)n;
}

PROC_SHOW(limits)
{
    static const struct {
        const char *name, *unit;
    } rows[RLIM_NLIMITS_LX] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; i < RLIM_NLIMITS_LX; i++) {
        const struct lx_rlimit64 *l = &t->tg->rlim[i];
        char soft[24] = "unlimited", hard[24] = "unlimited";
        if (l->cur != UINT64_MAX)
            snprintf(soft, sizeof(soft), "%" PRIu64, l->cur);
        if (l->max != UINT64_MAX)
            snprintf(hard, sizeof(hard), "%" PRIu64, l->max);
        out_printf(out, "%-25s %-20s %-20s %-10s\n", rows[i].name, soft, hard, rows[i].unit);
    }
    return 0;
}

PROC_SHOW(oom_score)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%d\n", (1000 + t->tg->oom_score_adj) * 2 / 3);
    return 0;
}

PROC_SHOW(oom_score_adj)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%d\n", t->tg->oom_score_adj);
    return 0;
}

PROC_STORE(oom_score_adj)
{
    char *end;
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    long value = strtol(text, &end, 0);
    while (*end == '\n' || *end == ' ')
        end++;
    if (end == text || *end || value < -1000 || value > 1000)
        return -LX_EINVAL;
    if (value < t->tg->oom_score_adj && !capable(LX_CAP_SYS_RESOURCE))
        return -LX_EACCES;
    t->tg->oom_score_adj = (int)value;
    return (int64_t)n;
}

PROC_SHOW(loginuid)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%u", t->tg->loginuid);
    return 0;
}

// A process may say once who logged in (audit_set_loginuid).
PROC_STORE(loginuid)
{
    char *end;
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    if (t->tg != current->tg)
        return -LX_EPERM;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || (*end && *end != '\n') || value > UINT32_MAX)
        return -LX_EINVAL;
    if (t->tg->loginuid != UINT32_MAX && !capable(LX_CAP_AUDIT_CONTROL))
        return -LX_EPERM;
    t->tg->loginuid = (uint32_t)value;
    return (int64_t)n;
}

PROC_SHOW(io)
{
    out_printf(
        out,
        "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return 0;
}

PROC_SHOW(personality)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%08" PRIx64 "\n", t->personality);
    return 0;
}

PROC_SHOW(syscall)
{
    struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    const struct call *c = &t->call;
    if (c->phase == CALL_IDLE || (c->trapped && !trap_know_registers(t))) {
        out_printf(out, "running\n");
        return 0;
    }
    out_printf(out, "%u", c->nr);
    for (int i = 0; i < 6; i++)
        out_printf(out, " 0x%" PRIx64, c->args[i]);
    out_printf(out, " 0x0 0x%" PRIx64 "\n", c->ip);
    return 0;
}

PROC_SHOW(sched)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%.*s (%d, #threads: %u)\n", TASK_COMM_LEN - 1, t->comm, p->task ? t->tid : t->tg->pid,
               t->tg->nr_threads);
    out_printf(out, "-------------------------------------------------------------------\n");
    out_printf(out, "%-45s:%21d\n%-45s:%21d\n", "policy", 0, "prio", 120 + t->nice);
    return 0;
}

PROC_SHOW(children)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    list_for_each(child, &t->tg->children, struct thread_group, sibling) out_printf(out, "%d ", child->pid);
    return 0;
}

PROC_SHOW(timerslack)
{
    const struct task *t = proc_task(p);
    if (!t)
        return -LX_ESRCH;
    out_printf(out, "%" PRIu64 "\n", t->timer_slack_ns ? t->timer_slack_ns : 50000);
    return 0;
}

// --- mem: the memory itself

static int64_t mem_move(struct task *t, struct iov_iter *it, int64_t *pos, bool write_it)
{
    uint8_t bytes[4096];
    int64_t total = 0;
    if (it->count > MEM_MOVE_MAX)
        it->count = MEM_MOVE_MAX;
    if (!has_memory(t))
        return 0;
    if (!proc_may_access(t))
        return -LX_EACCES;
    while (it->count) {
        uint64_t address = (uint64_t)*pos;
        size_t n = 4096 - (address & 4095);
        if (n > it->count)
            n = it->count;
        ssize_t moved = write_it ? iter_copy_from(it, bytes, n) : 0;
        if (moved < 0)
            return total ? total : moved;
        n = write_it ? (size_t)moved : n;
        bool ordered = write_it && ptrace_stopped(t) && t->ptrace->tracer == current && t->ptrace->order;
        int err = ordered    ? -LX_EIO
                  : write_it ? task_copy_out(t, address, bytes, n)
                             : task_copy_in(t, bytes, address, n);
        if (err && write_it && total == 0 && ptrace_stopped(t) && t->ptrace->tracer == current) {
            int64_t r = ptrace_write_memory(t, address, bytes, n); // a tracer may write what is protected
            if (r == -LX_EBLOCKED)
                return r;
            err = (int)r;
        }
        if (err || n == 0)
            return total ? total : -LX_EIO;
        moved = write_it ? (ssize_t)n : iter_copy_to(it, bytes, n);
        if (moved < 0)
            return total ? total : moved;
        *pos += moved;
        total += moved;
        if ((size_t)moved < n)
            break;
    }
    return total;
}

static int64_t mem_of_file(struct file *f, struct iov_iter *it, int64_t *pos, bool write_it)
{
    struct task *t = proc_task(pseudo_of(f->inode));
    if (!t)
        return 0;
    task_get(t); // a write for a tracer drops the kernel lock
    int64_t r = mem_move(t, it, pos, write_it);
    task_put(t);
    return r;
}

static int64_t mem_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return mem_of_file(f, it, pos, false);
}

static int64_t mem_write(struct file *f, struct iov_iter *it, int64_t *pos)
{
    return mem_of_file(f, it, pos, true);
}

// Addresses of the upper half are negative positions; none of them is the guest's.
const struct file_ops proc_mem_fops = {.read = mem_read, .write = mem_write, .lseek = dir_lseek};
