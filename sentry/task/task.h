#pragma once
// Tasks (threads), thread groups (processes), process groups and sessions. Kernel lock throughout.
//
// Numbers: guest-visible pids and tids are those of the guests' host pid namespace; host_tid is the same thread as the
// Sentry's own namespace numbers it, and only ever comes from the kernel (a notification), never from a guest argument.
// Ownership: a thread group is freed when reaped and its last task is gone; a task is freed with its last reference.
#include "sentry/core/list.h"
#include "sentry/core/timer.h"
#include "sentry/core/event.h"
#include "sentry/core/wait.h"
#include "sentry/mm/uaccess.h"
#include "sentry/signal/signal.h"
#include "sentry/task/cred.h"
#include "sentry/trap/call.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

#define TASK_COMM_LEN 16
#define RLIM_NLIMITS_LX 16
#define TASK_CPUS_MAX 1024

struct ptrace;
struct ipc_ns;
struct seccomp_filter;
struct thread_group;
struct tty;
struct uts_ns;

// An address space of a guest. Shared by threads and vfork children.
struct mm {
    unsigned refs;  // tasks and thread groups that use it
    unsigned users; // live tasks in it
    bool dead;      // exec or exit took it: no copy may reach it any more
    uint8_t *areas; // bitmap of stub areas in use, STUB_AREA_MAX bits allocated on demand
    unsigned areas_bytes;
    unsigned areas_mapped; // areas below this index are mapped
    gaddr_t start_code, end_code, start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end,
        start_stack;
    gaddr_t vdso;
    gaddr_t auxv_addr;
    unsigned auxv_len; // bytes
    uint64_t auxv[64]; // for /proc/PID/auxv
    struct file *exe;  // the program
    bool dumpable;
    bool
        unreadable; // its program is not for its user to read: a right to trace in a namespace of the guest's own is none to it
    struct list_head file_maps; // files mapped into it, for /proc/PID/maps names (mm/filemap.c)
    struct list_head shm;       // attached System V segments (ipc/sysv/shm.c)
    unsigned nr_shm;
    int host_mem, host_maps; // descriptors of mm/proc_mem.c; -1: none
};
struct mm *mm_alloc(void);
struct mm *mm_get(struct mm *m);
void mm_put(struct mm *m);

// Root, working directory and umask; shared by CLONE_FS.
struct fs_struct {
    unsigned refs;
    struct path root, pwd;
    uint32_t umask;
    struct mount_ns *mnt_ns;
};
struct fs_struct *fs_dup(const struct fs_struct *f);
struct fs_struct *fs_get(struct fs_struct *f);
void fs_put(struct fs_struct *f);

enum task_state { TASK_NEW, TASK_RUNNING, TASK_DEAD };

// What the trap layer knows of the thread; only sentry/trap touches it.
enum trap_stage {
    STAGE_GUEST, // runs guest code, or sits in a guest call
    STAGE_STUB,  // sits in a hypercall, or runs operations that we ordered
};
struct stub_order;
struct trace_pending;
struct trap_state {
    int host_tid, host_tgid; // in the Sentry's pid namespace
    unsigned area;           // index of its stub area
    enum trap_stage stage;
    bool kick_sent;                   // a kick is on its way and no hypercall has come since
    uint32_t kick_serial;             // kicks sent so far
    uint32_t kick_round;              // watchdog: round in which the outstanding kick was sent or looked at
    uint32_t kick_looks, kick_sleeps; // watchdog: readings of this kick; those in a row that found it asleep
    uint64_t kick_ticks;              // watchdog: processor time at the first reading
    bool hypercall_due;   // a reply was given with a kick outstanding: the next call must be the hypercall
    bool parked;          // stopped inside an open hypercall
    bool resume_queued;   // on the run queue to go on from a stop
    bool booted;          // the last operations of an exec have been ordered
    bool by_kick;         // the open hypercall is a kick's, not a fault's
    bool sigreturn;       // rt_sigreturn was called: restore the guest's frame at the next hypercall
    bool fixup;           // the next hypercall has to see this result
    gaddr_t fixup_ip;     // address after the call
    int64_t fixup_result; // value, -errno or a restart code
    uint32_t fixup_nr;
    uint64_t hypercall_id;       // notification of the open hypercall, 0 when none
    gaddr_t ucontext;            // of the open hypercall; the guest's word
    uint64_t rip, rax, rsp;      // as the hypercall told them; the guest's word
    bool regs_known;             // false: they are still in the ucontext (trap_know_registers)
    struct stub_order *order;    // work in progress, owned
    struct trace_pending *trace; // --strace: the call whose result is still to come, owned
    bool trace_no_kick; // --strace: the host loses replies when kicked; do without results of native calls
    bool stepping;      // the trap flag of the context is ours (PTRACE_SINGLESTEP)
    bool waits_for_donation; // its order goes on when the process's donation number is free
    bool natives_trap;       // the host traps what its filter runs or refuses, for the guest's own to see it
    gaddr_t native_ip;       // address after the native call that runs at STUB_NATIVE_CALL
};

struct task {
    unsigned refs;
    int tid; // guest-visible; changes only when a non-leader's exec takes the leader's number
    enum task_state state;
    struct thread_group *tg;
    struct list_head thread_link; // in tg->threads
    struct list_head hash_link;   // tid hash
    struct list_head host_link;   // host tid hash
    struct mm *mm;
    struct fdtable *files;
    struct fs_struct *fs;
    struct cred *cred;
    struct uts_ns *uts; // referenced, as is `ipc`
    struct ipc_ns *ipc;
    struct sighand *sighand;
    sigset64 blocked, saved_mask, real_blocked; // `blocked`: read it with task_blocked()
    bool mask_local;   // the stub answers rt_sigprocmask and has the mask (signal/mask.c)
    bool mask_known;   // `blocked` is it all the same for the call under way, whose thread stands still
    bool mask_untold;  // `mask_local`, and the hypercall that is open has not told it
    bool mask_changed; // `blocked` has to be written into the stub's area
    bool restore_mask; // saved_mask comes back at delivery or at the end of the call
    struct sigpending pending;
    struct sigaltstack_state altstack;
    bool altstack_entered;           // a handler has run on it since it was set
    struct wait_queue signalfd_wait; // signalfd and sigtimedwait of this task
    char comm[TASK_COMM_LEN];
    struct call call;
    struct trap_state trap;
    int seccomp_mode;               // LX_SECCOMP_MODE_*
    struct seccomp_filter *seccomp; // referenced; NULL: none
    struct ptrace *ptrace;          // owned; NULL: not traced (sentry/ptrace)
    struct list_head tracees;       // ptrace.link
    struct list_head ended_tracees; // ptrace_end.link
    bool mm_gone;                   // exec or exit took the address space: no copy may reach it any more
    bool exiting; // exit has begun; takes no more signals. Its running call ends in task_exit_finish()
    bool stopped; // parked by a group stop
    gaddr_t clear_child_tid; // informational; the host clears it natively
    int pdeath_signal;
    int exit_code;     // wait status form
    uint64_t start_ns; // CLOCK_BOOTTIME of creation
    uint64_t personality;
    bool vfork_held;           // in the stub, until its vfork child has memory of its own; traced ones only
    struct task *vfork_parent; // held while a vfork child has not exec'ed or exited
    // restart_syscall: what a nanosleep, poll or futex goes on with
    int64_t (*restart_fn)(struct call *call);
    uint64_t restart_words[6];
    gaddr_t clone_pidfd_addr; // of the clone under way (CLONE_PIDFD)
    int ioprio, nice;
    int sched_policy, sched_priority;
    bool sched_reset_on_fork;
    bool has_affinity; // sched_setaffinity was called; remembered, the host is not told
    uint8_t affinity[TASK_CPUS_MAX / 8];
    uint64_t timer_slack_ns;
};

enum job_state { JOB_RUNNING, JOB_STOPPED };

struct session {
    unsigned refs;
    int sid;
    struct tty *tty;         // controlling terminal
    struct list_head groups; // process_group.session_link
};
struct process_group {
    unsigned refs;
    int pgid;
    struct session *session;
    struct list_head members; // thread_group.pgrp_link
    struct list_head session_link;
    struct list_head hash_link;
};

struct lx_rlimit64 {
    uint64_t cur, max;
};

struct thread_group {
    unsigned refs;
    int pid;                  // guest-visible
    struct task *leader;      // may be dead while others live
    struct list_head threads; // live tasks, task.thread_link
    unsigned nr_threads;
    struct thread_group *parent; // NULL for the first process
    struct list_head children;   // thread_group.sibling, zombies included
    struct list_head sibling;
    struct list_head hash_link; // pid hash
    struct list_head all_link;
    struct process_group *pgrp;
    struct list_head pgrp_link;
    struct sigpending shared_pending;
    struct wait_queue child_wait; // wait4 of its threads
    struct wait_queue exit_wait;  // pidfds
    bool group_exit;              // exit_group or a fatal signal is under way
    int exit_code;                // wait status once zombie
    bool zombie;
    bool dead;          // the host process is known to be gone
    bool linked;        // published: the tree and the hashes know it
    bool stop_notified; // the parent knows of the present stop
    bool is_sibling;    // made with CLONE_PARENT; never changes
    int parent_tid;     // the thread that made it (PR_SET_PDEATHSIG, __WNOTHREAD); 0 when unknown
    int exit_signal;    // what the parent gets
    enum job_state job;
    int stop_signal;                       // of the present stop
    bool stop_reported, continued_pending; // for wait4 WUNTRACED / WCONTINUED
    struct lx_rlimit64 rlim[RLIM_NLIMITS_LX];
    int host_pid;           // in the Sentry's namespace
    struct task *exec_task; // thread whose native exec is under way; borrowed, only exec/ and trap/ touch it
    struct task
        *donation_owner; // thread that uses the donation number now; borrowed, only sentry/trap touches it
    int host_pidfd;      // owned; -1 when gone
    struct host_watch death_watch;
    bool did_exec;
    bool child_subreaper;
    uint64_t min_flt, maj_flt;
    uint64_t utime_ns, stime_ns;            // of dead threads
    uint64_t cutime_ns, cstime_ns, cmaxrss; // of waited children
    uint64_t cmin_flt, cmaj_flt;
    uint64_t
        maxrss; // bytes; known when it ends: the peak if its parent asked for usage before, else as little as is certain
    bool usage_asked; // asks for what its children used; theirs inherit it
    uint64_t start_ns;
    struct ktimer itimer_real;
    uint64_t itimer_real_interval_ns;
    struct list_head posix_timers; // struct posix_timer.link
    int next_timer_id;
    void *timers; // other timer state (time/)
    void *ipc;    // SEM_UNDO etc.
    int oom_score_adj;
    uint32_t loginuid; // UINT32_MAX: nobody has logged in
    uint32_t exec_id;
    struct task *pidfd_to; // CLONE_PIDFD: who gets the descriptor at task_publish(), referenced
    gaddr_t pidfd_addr;
};

extern struct thread_group *init_tg; // the first process
extern struct list_head all_groups;  // thread_group.all_link, zombies included
extern unsigned nr_tasks;            // threads that are published or being made
extern unsigned max_tasks;           // limit of the sandbox (--pids)
extern uint64_t system_memory_limit; // bytes (--memory), 0: none
extern unsigned system_cpus;         // processors (--cpus), 0: the host's

struct task *task_get(struct task *t);
void task_put(struct task *t);
struct task *find_task(int tid);           // borrowed; NULL
struct thread_group *find_group(int pid);  // borrowed, zombies included; NULL
struct process_group *find_pgrp(int pgid); // borrowed
struct thread_group *tg_get(struct thread_group *tg);
void tg_put(struct thread_group *tg);

// --- process groups and sessions (task/pgrp.c)
struct process_group *pgrp_get(struct process_group *p);
void pgrp_put(struct process_group *p);
struct session *session_get(struct session *s);
void session_put(struct session *s);
// The first process belongs to a shell outside that can continue it: its group counts as not orphaned, so that ^Z stops it.
extern bool init_has_shell;
// Has no member a parent in another group of the same session? (POSIX 3.264)
bool pgrp_is_orphaned(const struct process_group *p);
bool group_leads_session(const struct thread_group *tg);
// Moves tg into group `pgid` of its session, making it when pgid is tg's own number. 0, -LX_EPERM, -LX_ENOMEM.
int group_set_pgrp(struct thread_group *tg, int pgid);
// setsid(2): the number of the new session, -LX_EPERM, -LX_ENOMEM.
int group_new_session(struct thread_group *tg);
// A live thread of the group, the leader if it lives; NULL when all are gone.
struct task *group_thread(const struct thread_group *tg);
// Called when a session leader that has a controlling terminal dies; set by the terminal code.
extern void (*session_leader_exit_hook)(struct session *s);

// --- life cycle (task/). clone flags are the guest's, already checked by sys_clone.
// The first process, or one more for `exec`: a task in a group of its own with the identity the configuration gives,
// TASK_NEW. Its fs is NULL and is the caller's to set. NULL and *err on failure.
struct sentry_config;
struct task *task_create(const struct sentry_config *config, int *err);
// Makes the task objects of a clone before the host thread exists: fields copied or shared as the flags say, state TASK_NEW,
// not visible. NULL and *err on failure (-LX_EAGAIN, -LX_ENOMEM).
struct task *task_copy(struct task *parent, uint64_t flags, int exit_signal, int *err);
// The host thread has registered: gives numbers, links it everywhere (parent, threads, pgrp, hashes), TASK_RUNNING. On
// failure nothing is linked, the caller kills the host thread and abandons the task: -LX_ESRCH when its process or the
// sandbox ended meanwhile, -LX_EAGAIN when a zombie, a process group or a session still has this number.
// Whoever watches the host process (death_watch) holds a reference on the group.
int task_publish(struct task *t, int tid, int pid);
// t, which does not run yet, gets the seccomp filters that `parent` has now. task_copy() has done it; a thread gets those that
// its maker has when it starts (SECCOMP_FILTER_FLAG_TSYNC in between).
void task_inherit_seccomp(struct task *t, const struct task *parent);
void task_abandon(struct task *t); // a copy that never became a thread
// One thread ends (exit, or found dead). Releases what it holds. The last one makes the group a zombie with its code.
// A task whose call is CALL_RUNNING only becomes `exiting`: whoever runs the call must call task_exit_finish() after the
// handler returned, because a handler uses files, mm and so on of its task. Whoever holds a task over a call (the trap layer)
// holds a reference.
void task_exit(struct task *t, int wait_status);
// The rest of task_exit() for a task that is exiting; harmless otherwise. The trap layer calls it after each handler.
void task_exit_finish(struct task *t);
// exit_group or a fatal signal: marks the group, records the status; kills the other host threads.
void group_exit(struct thread_group *tg, int wait_status);
// The same without killing the host process, for exit_group, which the host then runs itself.
void group_exit_native(struct thread_group *tg, int wait_status);
// The host process died (learnt from its pidfd). One that died without our knowledge (SIGKILL from outside, OOM) ends with
// status 9.
void group_found_dead(struct thread_group *tg);
// Before the point of no return of an exec: a descriptor table and signal handlers of its own. 0 or -LX_ENOMEM.
int task_exec_prepare(struct task *t);
// After a successful exec in `t`: others are gone, t becomes the leader, dispositions reset, cloexec closed, new mm (takes
// over the caller's reference). task_exec_prepare() succeeded before.
void task_exec_commit(struct task *t, struct mm *new_mm, const char *comm);
// The first process has ended, with this wait status; set by the boot code.
extern void (*init_exit_hook)(int wait_status);
// Another process that was launched from outside has ended; set by the boot code. `tg` is borrowed.
extern void (*launched_exit_hook)(struct thread_group *tg, int wait_status);
// The first process, which has no parent inside, has stopped by this signal; set by the boot code.
extern void (*init_stop_hook)(int sig);

// May current look into t as ptrace would (PTRACE_MODE_REALCREDS of ptrace_may_access): same ids and dumpable, or CAP_SYS_PTRACE.
bool task_may_access(const struct task *t);
// CAP_SYS_PTRACE of current, where it counts for t (mm->user_ns of Linux).
bool may_trace(const struct task *t);
// Gives t other credentials (takes over the reference) and counts it for its new user.
void task_set_cred(struct task *t, struct cred *c);

// --- credentials at exec (task/cred_exec.c). What the program file says.
struct exec_cred_file {
    uint32_t mode, uid, gid; // of the inode; mode 0 when the mount is nosuid or it is a script
    bool has_caps;           // security.capability, never on nosuid mounts
    uint64_t cap_permitted, cap_inheritable;
    bool cap_effective;
};
// The credentials a program gets (capabilities(7), begin_exec of fs/exec.c): set-id bits, file capabilities, no_new_privs,
// ambient and securebits. *secure is AT_SECURE. *out has one reference for the caller. 0, -LX_ENOMEM, -LX_EPERM when the file
// counts on a capability that it may not give.
int cred_for_exec(struct task *t, const struct exec_cred_file *file, struct cred **out, bool *secure);
// May the program be looked into, and does its parent's death still reach it (PR_SET_PDEATHSIG)?
bool cred_exec_dumpable(const struct cred *old, const struct cred *new);

// --- asked of the trap layer (trap/); task/ and signal/ call these.
// Something changed for t (a signal, a stop, a continue): a blocked call ends or runs again, a running thread is kicked.
void task_interrupt(struct task *t);
// SIGCONT: threads parked by a stop go on (t->stopped is false again).
void task_resume(struct task *t);
// Kills the host process of tg / one host thread's whole process.
void trap_kill_group(struct thread_group *tg);
// The thread is dead: its call, if one is blocked, gets no answer any more. Its registrations are gone already. The trap
// layer forgets the host thread.
void trap_task_gone(struct task *t);
