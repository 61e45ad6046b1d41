#pragma once
// A world of tasks without host threads: the trap layer is faked by counters. Every test starts with one process, pid 1.
#include "sentry/boot/config.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/seccomp/filter.h"
#include "sentry/task/task.h"
#include "sentry/trap/seccomp.h"
#include "tests/unit/fixture.h"
#include "abi/linux/sched.h"
#include "abi/linux/signal.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static unsigned world_interrupted, world_resumed, world_killed; // calls of the trap layer
static struct task *world_last_interrupted;
static int world_next_pid = 2;

void task_interrupt(struct task *t)
{
    world_interrupted++;
    world_last_interrupted = t;
}
void task_resume(struct task *t)
{
    world_resumed++;
}
void trap_kill_group(struct thread_group *tg)
{
    world_killed++;
}
void trap_task_gone(struct task *t) {}
int64_t trap_seccomp(struct call *call, int mode, struct seccomp_filter *filter, bool sync)
{
    seccomp_filter_put(filter);
    return 0;
}
uint64_t proc_host_peak(const struct task *t)
{
    return 0; // the host does not tell
}

// The caller keeps a reference on every task made here, so that a test may look at dead ones.
__attribute__((unused)) static struct task *world_init(uint32_t uid)
{
    struct sentry_config config = {.uid = uid, .gid = uid, .max_tasks = 64};
    int err;
    fixture_setup();
    struct task *t = task_create(&config, &err);
    cr_assert(t);
    t->fs = calloc(1, sizeof(*t->fs));
    t->fs->refs = 1;
    cr_assert_eq(task_publish(t, 1, 1), 0);
    task_get(t);
    current = t;
    return t;
}

__attribute__((unused)) static struct task *world_clone(struct task *parent, uint64_t flags, int exit_signal)
{
    int err, pid = world_next_pid++;
    struct task *t = task_copy(parent, flags | LX_CLONE_FS, exit_signal, &err);
    cr_assert(t, "task_copy: %d", err);
    cr_assert_eq(task_publish(t, pid, flags & LX_CLONE_THREAD ? parent->tg->pid : pid), 0);
    return task_get(t);
}
__attribute__((unused)) static struct task *world_fork(struct task *parent)
{
    return world_clone(parent, 0, LX_SIGCHLD);
}
__attribute__((unused)) static struct task *world_thread(struct task *parent)
{
    return world_clone(parent, LX_CLONE_VM | LX_CLONE_SIGHAND | LX_CLONE_THREAD | LX_CLONE_FILES, 0);
}

// One run of a handler as `t`.
__attribute__((unused)) static int64_t world_run(struct task *t, syscall_handler handler, bool first)
{
    struct call *c = &t->call;
    struct task *before = current;
    current = t;
    c->first = first;
    c->phase = CALL_RUNNING;
    int64_t r = handler(c);
    c->phase = r == -LX_EBLOCKED ? CALL_BLOCKED : CALL_IDLE;
    if (r != -LX_EBLOCKED && c->release) {
        c->release(c);
        c->release = NULL;
    }
    current = before;
    task_exit_finish(t);
    return r;
}
#define world_call(t, handler, ...)                                    \
    ({                                                                 \
        struct task *t_ = (t);                                         \
        uint64_t args_[6] = {__VA_ARGS__};                             \
        memcpy(t_->call.args, args_, sizeof(args_));                   \
        memset(t_->call.state.bytes, 0, sizeof(t_->call.state.bytes)); \
        t_->call.release = NULL;                                       \
        t_->call.timed_out = false;                                    \
        t_->call.interrupted = -LX_ERESTARTSYS;                        \
        world_run(t_, handler, true);                                  \
    })
// What the trap layer does when a thread is to act on signals. The signal whose handler runs, or 0.
__attribute__((unused)) static int world_deliver(struct task *t)
{
    struct lx_siginfo info;
    struct lx_sigaction action;
    return dequeue_for_delivery(t, &info, &action);
}
__attribute__((unused)) static void world_handle(struct task *t, int sig, uint64_t handler, uint64_t flags)
{
    t->sighand->action[sig - 1] = (struct lx_sigaction){.handler = handler, .flags = flags};
}
#define HANDLER 0x401000u
