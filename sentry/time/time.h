#pragma once
// Timers and clocks of thread groups: interval timers, POSIX timers, CPU time. Kernel lock throughout.
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
