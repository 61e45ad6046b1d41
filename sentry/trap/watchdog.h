#pragma once
// Threads that owe us a call and never make it: a guest can forge a return into a context that masks the kick's signal, or
// overwrite the stub. It would take no signal and no stop, or hold up every clone, so its process is killed. Kernel lock.
struct task;

void watchdog_init(void);
// A kick has just been sent to t.
void watchdog_kick(struct task *t);
