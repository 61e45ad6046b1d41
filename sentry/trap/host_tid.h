#pragma once
// Threads by the number that notifications carry (the Sentry's pid namespace). Kernel lock.
#include "sentry/task/task.h"

void host_tid_insert(struct task *t);     // t->trap.host_tid must be set
void host_tid_remove(struct task *t);     // harmless when absent
struct task *host_tid_find(int host_tid); // borrowed
