#pragma once
// procfs (fs/proc of Linux): its parts, and what it asks of the rest. Kernel lock.
#include "sentry/fs/proc/pseudo.h"

struct mm;
struct sentry_config;

// Registers the filesystem types "proc", "sysfs" and "cgroup2". Once at start, before mounting. 0 or -errno.
int proc_init(const struct sentry_config *config);

extern const struct sentry_config *proc_config; // never changes after proc_init
unsigned proc_cpus(void);                       // what --cpus gives, else the host's
// Memory of the sandbox in bytes, as far as known.
struct proc_memory {
    uint64_t total, free, available, cached, swap_total, swap_free;
};
void proc_memory(struct proc_memory *m);

// What the host knows of a guest thread (its stat file); fields in the file's units: clock ticks, bytes, pages.
struct proc_host_stat {
    char state;
    uint64_t minflt, majflt, utime, stime, vsize, rss;
    int processor;
};

// --- gofer --proc (host.c)
// Takes over the connection; its loss ends the sandbox. Without it proc shows no memory figures and no maps. Once at start,
// before the filter. 0 or -errno.
int proc_host_connect(int fd);
// Reads a whole host file of a guest process (enum gofer_proc_file). The kernel lock is dropped meanwhile. 0;
// -LX_EOPNOTSUPP without a connection; or -errno.
int proc_host_read(int file, int host_pid, int host_tid, struct out_text *in);
// Opens one for a thread, with the kernel lock held all the time. A descriptor, or as above.
int proc_host_open(int file, int host_tid);
// Reads `n` bytes from `offset` of such a file of a process; the kernel lock is dropped meanwhile. Bytes, or as proc_host_read().
int64_t proc_host_pread(int file, int host_pid, void *buf, size_t n, uint64_t offset);

// --- processes (process.c)
struct task *proc_task(const struct pseudo *p); // borrowed; NULL when it is gone. A zombie's leader counts
bool proc_alive(const struct pseudo *p);
bool proc_may_access(const struct task *t); // ptrace_may_access(PTRACE_MODE_READ_FSCREDS)
char proc_state(const struct pseudo *p, const struct task *t, const struct proc_host_stat *host);
// The host's stat file of a thread. False: not to be had; `out` is all zero. May drop the kernel lock.
bool proc_host_stat(const struct task *t, struct proc_host_stat *out);
// The most memory that a live process has had, in bytes; 0 when the host does not tell. May drop the kernel lock.
uint64_t proc_host_peak(const struct task *t);
extern const struct pseudo_node proc_root;
bool proc_root_alive(const struct pseudo *dir, const struct pseudo *entry);

// Rows of other files, for the tables.
extern const struct pseudo_node proc_process_rows[], proc_thread_rows[];
extern const struct pseudo_node proc_sys_rows[], proc_net_rows[], proc_sysvipc_rows[];
extern const struct pseudo_node sysfs_root, cgroup_root;
extern const struct file_ops proc_mem_fops, proc_pagemap_fops;

#define PROC_SHOW(name) int proc_show_##name(const struct pseudo *p, struct out_text *out)
#define PROC_STORE(name) int64_t proc_store_##name(const struct pseudo *p, const char *text, size_t n)
PROC_SHOW(status);
PROC_SHOW(stat);
PROC_SHOW(statm);
PROC_SHOW(cmdline);
PROC_SHOW(environ);
PROC_SHOW(auxv);
PROC_SHOW(comm);
PROC_STORE(comm);
PROC_SHOW(limits);
PROC_SHOW(oom_score);
PROC_SHOW(oom_score_adj);
PROC_STORE(oom_score_adj);
PROC_SHOW(loginuid);
PROC_STORE(loginuid);
PROC_SHOW(io);
PROC_SHOW(uid_map);
PROC_STORE(uid_map);
PROC_SHOW(gid_map);
PROC_STORE(gid_map);
PROC_SHOW(setgroups);
PROC_STORE(setgroups);
PROC_SHOW(personality);
PROC_SHOW(syscall);
PROC_SHOW(wchan);
PROC_SHOW(stack);
PROC_SHOW(timers);
PROC_SHOW(oom_adj);
PROC_STORE(oom_adj);
PROC_SHOW(sched);
PROC_SHOW(children);
PROC_SHOW(timerslack);
PROC_SHOW(maps);
PROC_SHOW(smaps);
PROC_SHOW(smaps_rollup);
PROC_SHOW(numa_maps);
PROC_SHOW(mounts);
PROC_SHOW(mountinfo);
PROC_SHOW(mountstats);
PROC_SHOW(fdinfo);
PROC_SHOW(inet);
PROC_SHOW(net_unix);
PROC_SHOW(net_snmp);
PROC_SHOW(net_netstat);
PROC_SHOW(net_snmp6);
PROC_SHOW(net_sockstat);
PROC_SHOW(net_sockstat6);
PROC_SHOW(net_protocols);
PROC_SHOW(meminfo);
PROC_SHOW(cpuinfo);
PROC_SHOW(system_stat);
PROC_SHOW(uptime);
PROC_SHOW(loadavg);
PROC_SHOW(version);
PROC_SHOW(filesystems);
PROC_SHOW(boot_cmdline);

// The host's text of maps or smaps (terminated; cut up by this) as the guest may see it.
void proc_translate_maps(struct mm *mm, char *text, struct out_text *out);
// Sockets of a family and type (0: any) that some process has open; *bound: those with an address. The count or -errno.
int proc_count_sockets(int family, int type, unsigned *bound, unsigned *connected);

// exe, cwd, root
int proc_link_exe(const struct pseudo *p, struct path *out);
int proc_link_cwd(const struct pseudo *p, struct path *out);
int proc_link_root(const struct pseudo *p, struct path *out);
int64_t proc_readlink_magic(const struct pseudo *p, char *buf, size_t size);
// fd and fdinfo directories
int proc_lookup_fd(const struct pseudo *dir, struct dentry *d);
bool proc_iterate_fd(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type, uint64_t *ino);
bool proc_fd_alive(const struct pseudo *dir, const struct pseudo *entry);
extern const struct pseudo_node proc_fd_link, proc_fdinfo_file;
extern const struct pseudo_node proc_ns_rows[];
