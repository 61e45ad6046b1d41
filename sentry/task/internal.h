#pragma once
// Shared by the files of task/ only. Kernel lock throughout.
#include "sentry/task/task.h"

// --- table.c: the hashes
void table_add_task(struct task *t);
void table_add_group(struct thread_group *tg);
void table_add_pgrp(struct process_group *p);
struct session *find_session(int sid);

// --- pgrp.c
struct session *session_create(int sid);
// A new, empty process group in `s`, which the caller's reference keeps; NULL: no memory.
struct process_group *pgrp_create(int pgid, struct session *s);
void pgrp_join(struct thread_group *tg, struct process_group *p); // leaves the present one
void pgrp_leave(struct thread_group *tg);
// `tg` dies (parent NULL), or has just lost `parent`, which died: its process group, if that orphans it and a member is
// stopped, gets SIGHUP and SIGCONT (kill_orphaned_pgrp).
void pgrp_orphan_check(struct thread_group *tg, struct thread_group *parent);

// --- group.c
struct thread_group *group_alloc(void);

// --- exit.c
void group_reap(struct thread_group *tg);
