#pragma once
// Kicks that never arrive: a guest can forge a return into a context that masks the kick's signal. Its threads would then take
// no signal and no stop, so its process is killed. Kernel lock.
struct task;

void watchdog_init(void);
// A kick has just been sent to t.
void watchdog_kick(struct task *t);
