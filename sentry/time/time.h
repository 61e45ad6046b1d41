#pragma once
// Timers and clocks of thread groups: interval timers, POSIX timers, CPU time. Kernel lock throughout.
#include <stdbool.h>
#include <stdint.h>

struct thread_group;
struct task;

void time_group_init(struct thread_group *tg);
void time_group_exit(struct thread_group *tg);    // it has ended: no timer fires any more
void time_group_exec(struct thread_group *tg);    // POSIX timers do not survive an exec
void time_group_release(struct thread_group *tg); // its memory goes
// User and system time of the whole process so far, dead threads included, in nanoseconds. Keeps the last reading of a
// process that is gone.
void group_cpu_times(struct thread_group *tg, uint64_t *user_ns, uint64_t *system_ns);
// CPU time of the process by a clock of the guest's ABI (LX_CPUCLOCK_*), in nanoseconds.
uint64_t group_cpu_clock(struct thread_group *tg, int which);
// RLIMIT_CPU of tg has a new value.
void time_cpu_limit_changed(struct thread_group *tg);
// CPU time of one thread, when somebody can tell (0 and *ns, else -1). Set by the code that reads the host's /proc.
extern int (*thread_cpu_time_hook)(struct task *t, int which, uint64_t *ns);

// A clock of the guest, resolved once.
struct guest_clock {
    bool cpu;  // CPU time of a process or thread
    int host;  // not cpu: the host's clock that runs alike
    int pid;   // cpu: the process
    int tid;   // cpu: the thread, 0 for the whole process
    int which; // cpu: LX_CPUCLOCK_*
};
// Resolves a clockid_t as current means it. 0 or -LX_EINVAL.
int guest_clock_resolve(int id, struct guest_clock *out);
// Now, in nanoseconds; a process that is gone stands still at 0.
uint64_t guest_clock_now(const struct guest_clock *c);
// The kernel time (CLOCK_MONOTONIC) at which to look whether `expires` on the clock has come: exact for clocks of the
// host; CPU clocks are sampled, not earlier than the remaining time split over all processors, and every `patience`
// nanoseconds (between 4 and 100 ms, doubled while the process uses no CPU).
uint64_t guest_clock_check_at(const struct guest_clock *c, uint64_t now, uint64_t expires,
                              uint64_t patience_ns);
#define CPU_SAMPLE_MIN_NS 4000000u
#define CPU_SAMPLE_MAX_NS 100000000u

// --- interval timers (itimer.c). Values in nanoseconds; 0: not armed.
struct itimer_value {
    uint64_t value, interval;
};
void itimer_get(struct thread_group *tg, int which, struct itimer_value *out);
// 0 or -LX_ENOMEM. `old` as itimer_get, before.
int itimer_set(struct thread_group *tg, int which, const struct itimer_value *new, struct itimer_value *old);

// --- POSIX timers (posix_timer.c)
struct posix_timer;
struct posix_timer_spec {
    struct guest_clock clock;
    int clock_id;           // as the program gave it
    int notify, signo, tid; // LX_SIGEV_*
    uint64_t value;
    bool default_event; // no sigevent: SIGALRM with the timer's number
};
// The number of the new timer, -LX_EAGAIN or -LX_ENOMEM.
int posix_timer_create(struct thread_group *tg, const struct posix_timer_spec *spec);
struct posix_timer *posix_timer_find(struct thread_group *tg, int id);
void posix_timer_get(struct posix_timer *t, struct itimer_value *out);
int posix_timer_set(struct posix_timer *t, const struct itimer_value *new, bool absolute,
                    struct itimer_value *old);
// For /proc/PID/timers: the timer after `previous` (NULL: the first), newest first; NULL at the end.
struct posix_timer_info {
    int id, signo, notify, clock_id;
    int target; // thread or process
    uint64_t value;
};
struct posix_timer *posix_timer_next(struct thread_group *tg, struct posix_timer *previous,
                                     struct posix_timer_info *out);
int posix_timer_overrun(const struct posix_timer *t);
void posix_timer_delete(struct posix_timer *t);
void posix_timers_delete_all(struct thread_group *tg);
