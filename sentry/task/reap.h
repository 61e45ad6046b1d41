#pragma once
// Taking a zombie out of the system.
struct thread_group;

// Its parent has waited for it: adds its usage to the parent's children and reaps it.
void group_collect(struct thread_group *tg);
