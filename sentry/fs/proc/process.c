// /proc/PID and /proc/PID/task/TID: which entries there are, whose they are, and who may look.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/user_ns.h"
#include "sentry/task/task.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task *proc_task(const struct pseudo *p)
{
    if (p->task)
        return p->task->state == TASK_RUNNING ? p->task : NULL;
    if (!p->tg || !p->tg->linked)
        return NULL;
    struct task *live = group_thread(p->tg);
    return live ? live : p->tg->leader;
}

bool proc_alive(const struct pseudo *p)
{
    if (p->task)
        return p->task->state == TASK_RUNNING;
    return p->tg && p->tg->linked;
}

bool proc_may_access(const struct task *t)
{
    if (!current || t->tg == current->tg)
        return true;
    const struct cred *mine = current->cred, *its = t->cred;
    bool same = mine->fsuid == its->euid && mine->fsuid == its->suid && mine->fsuid == its->uid &&
                mine->fsgid == its->egid && mine->fsgid == its->sgid && mine->fsgid == its->gid;
    if (may_trace(t))
        return true;
    if (!same || (t->mm && !t->mm->dumpable))
        return false;
    return mine->user_ns == its->user_ns && !(its->cap_permitted & ~mine->cap_permitted);
}

static bool may_access(const struct pseudo *p)
{
    if (!p->tg)
        return true;
    const struct task *t = proc_task(p);
    return t && proc_may_access(t);
}

// Owner and mode follow the process; what is world-accessible stays so where the process is not dumpable (task_dump_owner).
static void refresh_owner(struct inode *i)
{
    const struct pseudo *p = pseudo_of(i);
    const struct task *t = proc_task(p);
    if (!t)
        return;
    bool dumpable = !t->mm || t->mm->dumpable || i->attr.mode == (LX_S_IFDIR | 0555);
    i->attr.uid = dumpable ? t->cred->euid : 0;
    i->attr.gid = dumpable ? t->cred->egid : 0;
    if (p->node == &proc_fd_link && t->files) {
        const struct file *f = fd_lookup_path(t->files, (int)p->number);
        if (f)
            i->attr.mode = LX_S_IFLNK | (f->mode & (FMODE_READ | FMODE_PATH) ? 0500 : 0) |
                           (f->mode & (FMODE_WRITE | FMODE_PATH) ? 0300 : 0);
        i->attr.size = 64;
    }
}

char proc_state(const struct pseudo *p, const struct task *t, const struct proc_host_stat *host)
{
    if (t->state == TASK_DEAD || t->tg->zombie)
        return 'Z';
    if (ptrace_stopped(t))
        return 't';
    if (t->stopped || (t->tg->job == JOB_STOPPED && t != current))
        return 'T';
    if (t == current || t->call.phase == CALL_RUNNING || t->call.phase == CALL_RUNNABLE)
        return 'R';
    if (t->call.phase == CALL_BLOCKED)
        return 'S';
    return host->state == 'S' || host->state == 'D' ? host->state : 'R'; // sleeping in a native futex
}

// --- names

static int parse_number(const char *name)
{
    char *end;
    if (name[0] < '1' || name[0] > '9')
        return -1;
    unsigned long value = strtoul(name, &end, 10);
    return *end || value > INT32_MAX ? -1 : (int)value;
}

static int attach(struct dentry *d, const struct pseudo_node *node, struct thread_group *tg,
                  struct task *task)
{
    struct super_block *sb = d->parent->inode->sb;
    const struct pseudo about = {.tg = tg, .task = task};
    struct inode *i = pseudo_inode(sb, node, &about);
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

static const struct pseudo_node process_dir = PSEUDO_DIR("PID", proc_process_rows);
static const struct pseudo_node thread_dir = PSEUDO_DIR("TID", proc_thread_rows);

static int root_lookup(const struct pseudo *dir, struct dentry *d)
{
    int pid = parse_number(d->name);
    if (pid < 0)
        return 0;
    struct thread_group *tg = find_group(pid);
    if (!tg) { // a thread's number works, unlisted
        struct task *t = find_task(pid);
        tg = t ? t->tg : NULL;
    }
    return tg && tg->linked ? attach(d, &process_dir, tg, NULL) : 0;
}

static int next_pid(int64_t from)
{
    int best = -1;
    list_for_each(tg, &all_groups, struct thread_group,
                  all_link) if (tg->pid >= from && (best < 0 || tg->pid < best)) best = tg->pid;
    return best;
}

static bool root_iterate(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type,
                         uint64_t *ino)
{
    int pid = next_pid(*index);
    if (pid < 0)
        return false;
    *index = pid;
    *type = LX_DT_DIR;
    snprintf(name, 24, "%d", pid);
    return true;
}

bool proc_root_alive(const struct pseudo *dir, const struct pseudo *entry)
{
    return !entry->tg || proc_alive(entry);
}

static bool process_alive(const struct pseudo *dir, const struct pseudo *entry)
{
    return proc_alive(entry);
}

static int task_lookup(const struct pseudo *dir, struct dentry *d)
{
    int tid = parse_number(d->name);
    struct task *t = tid < 0 ? NULL : find_task(tid);
    return t && t->tg == dir->tg && t->state == TASK_RUNNING ? attach(d, &thread_dir, dir->tg, t) : 0;
}

static bool task_iterate(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type,
                         uint64_t *ino)
{
    int best = -1;
    list_for_each(t, &dir->tg->threads, struct task,
                  thread_link) if (t->tid >= *index && (best < 0 || t->tid < best)) best = t->tid;
    if (best < 0)
        return false;
    *index = best;
    *type = LX_DT_DIR;
    snprintf(name, 24, "%d", best);
    return true;
}

// --- self and thread-self

static int64_t self_link(const struct pseudo *p, char *buf, size_t size)
{
    char text[32];
    if (!current)
        return -LX_ENOENT;
    snprintf(text, sizeof(text), "%d", current->tg->pid);
    return pseudo_link_text(text, buf, size);
}

static int64_t thread_self_link(const struct pseudo *p, char *buf, size_t size)
{
    char text[64];
    if (!current)
        return -LX_ENOENT;
    snprintf(text, sizeof(text), "%d/task/%d", current->tg->pid, current->tid);
    return pseudo_link_text(text, buf, size);
}

static int64_t constant_link(const struct pseudo *p, char *buf, size_t size)
{
    return pseudo_link_text(p->node->data, buf, size);
}

#define LINK(name_, fn_)                                          \
    {                                                             \
        .name = name_, .mode = LX_S_IFLNK | 0777, .readlink = fn_ \
    }
#define MAGIC(name_, fn_)                                                                                  \
    {                                                                                                      \
        .name = name_, .mode = LX_S_IFLNK | 0777, .flags = PSEUDO_PTRACE, .readlink = proc_readlink_magic, \
        .get_link = fn_                                                                                    \
    }
#define FILE_W(name_, mode_, what_)                                                                         \
    {                                                                                                       \
        .name = name_, .mode = LX_S_IFREG | (mode_), .show = proc_show_##what_, .store = proc_store_##what_ \
    }
#define PRIVATE(name_, mode_, show_)                                                       \
    {                                                                                      \
        .name = name_, .mode = LX_S_IFREG | (mode_), .flags = PSEUDO_PTRACE, .show = show_ \
    }

// What processes and threads have alike.
#define COMMON_ROWS                                                                                         \
    {.name = "fd",                                                                                          \
     .mode = LX_S_IFDIR | 0500,                                                                             \
     .lookup = proc_lookup_fd,                                                                              \
     .iterate = proc_iterate_fd,                                                                            \
     .alive = proc_fd_alive,                                                                                \
     .data = &proc_fd_link},                                                                                \
        {.name = "fdinfo",                                                                                  \
         .mode = LX_S_IFDIR | 0555,                                                                         \
         .lookup = proc_lookup_fd,                                                                          \
         .iterate = proc_iterate_fd,                                                                        \
         .alive = proc_fd_alive,                                                                            \
         .data = &proc_fdinfo_file},                                                                        \
        {.name = "ns", .mode = LX_S_IFDIR | 0511, .children = proc_ns_rows, .alive = process_alive},        \
        PSEUDO_DIR("net", proc_net_rows), PRIVATE("environ", 0400, proc_show_environ),                      \
        PRIVATE("auxv", 0400, proc_show_auxv), PSEUDO_FILE("status", 0444, proc_show_status),               \
        PSEUDO_FILE("personality", 0400, proc_show_personality),                                            \
        PSEUDO_FILE("limits", 0444, proc_show_limits), PSEUDO_FILE("sched", 0644, proc_show_sched),         \
        FILE_W("comm", 0644, comm), PRIVATE("syscall", 0400, proc_show_syscall),                            \
        PSEUDO_FILE("cmdline", 0444, proc_show_cmdline), PSEUDO_FILE("stat", 0444, proc_show_stat),         \
        PSEUDO_FILE("statm", 0444, proc_show_statm), PRIVATE("maps", 0444, proc_show_maps),                 \
        PRIVATE("smaps", 0444, proc_show_smaps), PRIVATE("smaps_rollup", 0444, proc_show_smaps_rollup),     \
        PRIVATE("numa_maps", 0444, proc_show_numa_maps),                                                    \
        {.name = "pagemap", .mode = LX_S_IFREG | 0400, .flags = PSEUDO_PTRACE, .fops = &proc_pagemap_fops}, \
        {.name = "mem", .mode = LX_S_IFREG | 0600, .flags = PSEUDO_PTRACE, .fops = &proc_mem_fops},         \
        MAGIC("cwd", proc_link_cwd), MAGIC("root", proc_link_root), MAGIC("exe", proc_link_exe),            \
        PSEUDO_FILE("mounts", 0444, proc_show_mounts), PSEUDO_FILE("mountinfo", 0444, proc_show_mountinfo), \
        PSEUDO_FILE("wchan", 0444, proc_show_wchan), PSEUDO_TEXT("schedstat", "0 0 0\n"),                   \
        PSEUDO_TEXT("cgroup", "0::/\n"), PSEUDO_FILE("oom_score", 0444, proc_show_oom_score),               \
        FILE_W("oom_adj", 0644, oom_adj), PRIVATE("stack", 0400, proc_show_stack),                          \
        FILE_W("oom_score_adj", 0644, oom_score_adj), FILE_W("loginuid", 0644, loginuid),                   \
        PSEUDO_TEXT("sessionid", "4294967295"), PRIVATE("io", 0400, proc_show_io),                          \
        FILE_W("uid_map", 0644, uid_map), FILE_W("gid_map", 0644, gid_map),                                 \
        FILE_W("setgroups", 0644, setgroups)

const struct pseudo_node proc_thread_rows[] = {
    COMMON_ROWS,
    PSEUDO_FILE("children", 0444, proc_show_children),
    {.name = NULL},
};

const struct pseudo_node proc_process_rows[] = {
    {.name = "task",
     .mode = LX_S_IFDIR | 0555,
     .lookup = task_lookup,
     .iterate = task_iterate,
     .alive = process_alive},
    COMMON_ROWS,
    PSEUDO_FILE("mountstats", 0400, proc_show_mountstats),
    PSEUDO_TEXT("coredump_filter", "00000033\n"),
    PSEUDO_FILE("timers", 0444, proc_show_timers),
    PSEUDO_FILE("timerslack_ns", 0666, proc_show_timerslack),
    {.name = NULL},
};

static const struct pseudo_node empty_rows[] = {{.name = NULL}};

static const struct pseudo_node root_rows[] = {
    LINK("self", self_link),
    LINK("thread-self", thread_self_link),
    {.name = "mounts", .mode = LX_S_IFLNK | 0777, .readlink = constant_link, .data = "self/mounts"},
    {.name = "net", .mode = LX_S_IFLNK | 0777, .readlink = constant_link, .data = "self/net"},
    PSEUDO_DIR("sys", proc_sys_rows),
    PSEUDO_DIR("sysvipc", proc_sysvipc_rows),
    PSEUDO_DIR("tty", empty_rows),
    PSEUDO_DIR("bus", empty_rows),
    PSEUDO_DIR("fs", empty_rows),
    PSEUDO_DIR("driver", empty_rows),
    PSEUDO_DIR("irq", empty_rows),
    PSEUDO_FILE("meminfo", 0444, proc_show_meminfo),
    PSEUDO_FILE("cpuinfo", 0444, proc_show_cpuinfo),
    PSEUDO_FILE("stat", 0444, proc_show_system_stat),
    PSEUDO_FILE("uptime", 0444, proc_show_uptime),
    PSEUDO_FILE("loadavg", 0444, proc_show_loadavg),
    PSEUDO_FILE("version", 0444, proc_show_version),
    PSEUDO_FILE("filesystems", 0444, proc_show_filesystems),
    PSEUDO_FILE("cmdline", 0444, proc_show_boot_cmdline),
    PSEUDO_TEXT(
        "devices",
        "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n136 pts\n\n"
        "Block devices:\n"),
    PSEUDO_TEXT("partitions", "major minor  #blocks  name\n\n"),
    PSEUDO_TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
    PSEUDO_TEXT("diskstats", ""),
    PSEUDO_TEXT("interrupts", ""),
    PSEUDO_TEXT("softirqs", ""),
    PSEUDO_TEXT("modules", ""),
    PSEUDO_TEXT("misc", ""),
    PSEUDO_TEXT("crypto", ""),
    PSEUDO_TEXT("locks", ""),
    PSEUDO_TEXT("buddyinfo", ""),
    PSEUDO_TEXT("vmstat",
                "nr_free_pages 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n"),
    PSEUDO_TEXT("zoneinfo", ""),
    PSEUDO_TEXT("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
    PSEUDO_TEXT("consoles", ""),
    PSEUDO_TEXT("key-users", ""),
    PSEUDO_TEXT("keys", ""),
    {.name = NULL},
};

const struct pseudo_node proc_root = {.name = "/",
                                      .mode = LX_S_IFDIR | 0555,
                                      .children = root_rows,
                                      .lookup = root_lookup,
                                      .iterate = root_iterate,
                                      .alive = proc_root_alive};

#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP2_SUPER_MAGIC 0x63677270

int proc_init(const struct sentry_config *config)
{
    static struct pseudo_fs proc_fs, sys_fs, cgroup_fs;
    proc_config = config;
    pseudo_refresh = refresh_owner;
    pseudo_may_access = may_access;
    // What these ask for is so anyway.
    static const char *const proc_options[] = {"hidepid=0", "hidepid=off", NULL};
    static const char *const cgroup_options[] = {"nsdelegate", "memory_recursiveprot", NULL};
    proc_fs.missing_is_error = true;
    proc_fs.options = proc_options;
    cgroup_fs.options = cgroup_options;
    int err = pseudo_fs_register(&proc_fs, "proc", &proc_root, PROC_SUPER_MAGIC);
    if (!err)
        proc_fs.sb->flags |= SB_AS_MANY;
    if (!err)
        err = pseudo_fs_register(&sys_fs, "sysfs", &sysfs_root, SYSFS_MAGIC);
    if (!err)
        err = pseudo_fs_register(&cgroup_fs, "cgroup2", &cgroup_root, CGROUP2_SUPER_MAGIC);
    return err;
}
