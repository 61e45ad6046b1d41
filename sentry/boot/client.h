#pragma once
// Connections of commands (start, kill, exec, pause ...) to the kernel of a container. The monitor has accepted them and checked
// who is there; each is served here by itself. Kernel lock.
#include "sentry/boot/config.h"

struct fs_struct;
struct task;
struct thread_group;

// What `exec` starts from: the configuration of the sandbox, and the first process's root (a copy is kept). 0 or -ENOMEM.
int clients_init(const struct sentry_config *config, const struct fs_struct *fs);
// Takes over a connection.
void client_add(int fd);
// The hooks of launches that are not the first (trap.h, task.h).
void client_launched(struct task *t, int err);
void client_process_ended(struct thread_group *tg, int wait_status);
// The first process waits before its program: whoever asked for that is told.
void client_held(void);
// A signal for a container whose program has not begun: its default action is what a program would do that does nothing yet.
void client_signal_unstarted(int sig);
