#pragma once
// Guest signals: dispositions, queues, masks, and what is to be delivered. Kernel lock throughout.
#include "sentry/core/list.h"
#include "sentry/core/wait.h"
#include "sentry/mm/uaccess.h"
#include <stdbool.h>
#include <stdint.h>

struct task;
struct thread_group;

#define LX_NSIG 64
typedef uint64_t sigset64; // bit n-1 is signal n
#define SIGBIT(n) (1ull << ((n)-1))
#define UNBLOCKABLE_SIGNALS (SIGBIT(9) | SIGBIT(19)) // SIGKILL, SIGSTOP

// The guest's struct kernel_sigaction (x86-64).
struct lx_sigaction {
    uint64_t handler, flags, restorer, mask;
};
_Static_assert(sizeof(struct lx_sigaction) == 32, "kernel_sigaction");

// The guest's siginfo_t, 128 bytes.
struct lx_siginfo {
    int32_t signo, err, code, pad0;
    union {
        uint8_t bytes[112];
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value;
        } rt; // kill, sigqueue
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status;
            int32_t pad;
            int64_t utime, stime;
        } chld;
        struct {
            int32_t tid;
            int32_t overrun;
            uint64_t value;
            int32_t sys_private;
        } timer;
        struct {
            uint64_t addr;
            int16_t addr_lsb;
            uint8_t pad[6];
            uint64_t lower, upper;
        } fault;
        struct {
            int64_t band;
            int32_t fd;
        } poll;
        struct {
            uint64_t call_addr;
            int32_t nr;
            uint32_t arch;
        } sys;
    } u;
};
_Static_assert(sizeof(struct lx_siginfo) == 128, "siginfo");

struct sigpending {
    struct list_head queue; // struct sigqueue.link
    sigset64 set;
};
struct sigqueue {
    struct list_head link;
    struct lx_siginfo info;
    void (*free)(struct sigqueue *q); // NULL: free(3). POSIX timers own theirs
    // A timer's signal is being taken: may complete `info` (overrun count) and arm the timer again. NULL: nothing.
    void (*dequeued)(struct sigqueue *q, struct lx_siginfo *info);
    uint32_t uid; // whom it is counted for
    bool counted;
};

// Dispositions; shared by CLONE_SIGHAND.
struct sighand {
    unsigned refs;
    struct lx_sigaction action[LX_NSIG];
};

struct sigaltstack_state {
    gaddr_t sp;
    uint64_t size;
    uint32_t flags; // LX_SS_*
};

// --- sending. 0 or -errno. `info` NULL: from the kernel (SI_KERNEL). Target selection, queueing, SIGCONT and stop
// interplay, ignored signals, wake-up of the target (through task_interrupt) are done inside. Permission is the caller's.
int send_signal_task(struct task *t, int sig, const struct lx_siginfo *info);
int send_signal_group(struct thread_group *tg, int sig, const struct lx_siginfo *info);
int send_signal_pgrp(int pgid, int sig, const struct lx_siginfo *info); // -LX_ESRCH when empty
// Ends t's process as the default action of `sig` does.
void signal_kill(struct task *t, int sig);
// A fault of the task itself: not blockable, kills if blocked or ignored (force_sig_info).
void force_signal(struct task *t, const struct lx_siginfo *info);

// Queues a preallocated entry (POSIX timers): 0 queued, 1 when it was queued already, or ignored -LX_EINVAL.
int send_sigqueue(struct task *t, bool group, struct sigqueue *q);
// May current send `sig` to the process? 0 or -LX_EPERM (kill_ok_by_cred, SIGCONT within the session).
int signal_permission(const struct thread_group *tg, int sig);
// The siginfo of kill(2) and tgkill(2) from current.
void siginfo_from_current(struct lx_siginfo *info, int sig, int code);

// The first process of a container takes no signal whose default action it has not changed, as the first one of a pid
// namespace on Linux (SIGNAL_UNKILLABLE); its own faults end it all the same. Set by the boot code.
extern bool init_is_protected;
struct thread_group;
bool signal_init_protected(const struct thread_group *tg);

// Takes the lowest signal of `set` off t's queues (its own first, then the shared ones): sigtimedwait, signalfd. 0: none.
int dequeue_signal(struct task *t, sigset64 set, struct lx_siginfo *info);
// Signals of `set` that are pending for t, blocked or not.
sigset64 signals_pending_in(const struct task *t, sigset64 set);
// Is there an unblocked signal (or a group stop/kill) for t to act on?
bool signal_pending(struct task *t);
bool fatal_signal_pending(const struct task *t);
// Takes the next deliverable signal of t off its queues. Fatal and stopping default actions are carried out inside
// (task_group_exit, group stop). Returns the signal with its info and action when a HANDLER is to run, else 0.
// Resets SA_RESETHAND actions. `info`, `action` filled only when the result is not 0.
// After 0 look at t->exiting (a fatal signal: the thread never returns to its program) and t->stopped (park it until
// task_resume, then ask again).
int dequeue_for_delivery(struct task *t, struct lx_siginfo *info, struct lx_sigaction *action);
void set_blocked(struct task *t, sigset64 mask); // SIGKILL and SIGSTOP are removed; re-targets shared signals
// The mask of t, wherever it is.
sigset64 task_blocked(struct task *t);
// What the trap layer does for it (signal/mask.c): a hypercall has told the word, or not; the open hypercall is about to be answered.
void mask_told(struct task *t, uint64_t word);
void mask_not_told(struct task *t);
void mask_leave_stub(struct task *t);
// From the next return on the stub of t answers rt_sigprocmask.
void mask_keep_in_stub(struct task *t);
void mask_set(struct task *t, sigset64 mask); // t->blocked and nothing else
// Must t, on its way to guest code, go through the stub for the sake of its mask?
bool mask_must_come_home(const struct task *t);
// If so and t is in guest code: kicks it.
void mask_recall(struct task *t);
// signal_pending(), or a mask that must come home: t may not return to guest code before a hypercall.
bool signal_work(struct task *t);
// Mask swap of sigsuspend, ppoll, pselect, epoll_pwait: the old mask comes back after the handler's frame is built, or at
// the end of the call when no handler runs.
void set_temporary_mask(struct task *t, sigset64 mask);
void restore_saved_mask(struct task *t);

// The mask that goes into the frame's uc_sigmask: the saved one of a temporary mask, else the present one. Once per frame.
sigset64 mask_for_frame(struct task *t);
// The frame is built: blocks what the action says while its handler runs.
void signal_delivered(struct task *t, int sig, const struct lx_sigaction *action);

// --- job control (signal/stop.c)
// A thread came to rest or died: tells the parent once all have stopped.
void group_stop_check(struct thread_group *tg);
// Begins a group stop with `sig`.
void group_stop_begin(struct thread_group *tg, int sig);
// Tells the parent that tg stopped or continued (`code` LX_CLD_STOPPED or LX_CLD_CONTINUED).
void notify_parent_job(struct thread_group *tg, int code);
// Tells the parent of a zombie. True: nobody will wait for it, the caller reaps it.
bool notify_parent_exit(struct thread_group *tg);
// A thread leaves or blocks more: somebody else takes the shared signals of `which` that it can no longer take.
void retarget_shared(struct thread_group *tg, const struct task *except, sigset64 which);

bool signal_default_ignored(int sig);
bool signal_default_stops(int sig);
bool signal_default_dumps_core(int sig);

struct sighand *sighand_alloc(void);
struct sighand *sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);
struct sighand *sighand_dup(const struct sighand *s);
void sighand_exec(struct task *t); // handlers become default, ignored stay
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);
