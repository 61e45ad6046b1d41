// Ends of threads and groups: what they release, who is told, who inherits the children (kernel/exit.c of Linux).
#include "sentry/task/internal.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/task/reap.h"
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/time/time.h"
#include "abi/linux/signal.h"

void (*init_exit_hook)(int wait_status);
void (*launched_exit_hook)(struct thread_group *tg, int wait_status);

// Who takes the children of a dying group: the nearest ancestor that asked to (PR_SET_CHILD_SUBREAPER), else the first
// process. NULL when that is what dies.
static struct thread_group *find_reaper(const struct thread_group *father)
{
    for (struct thread_group *tg = father->parent; tg; tg = tg->parent)
        if (tg->child_subreaper && !tg->zombie)
            return tg;
    return init_tg && init_tg != father && !init_tg->zombie ? init_tg : NULL;
}

static void signal_parent_death(struct thread_group *child, const struct thread_group *father)
{
    struct task *t = child->leader;
    if (child->zombie || !t || !t->pdeath_signal)
        return;
    struct lx_siginfo info = {.signo = t->pdeath_signal, .code = LX_SI_USER};
    info.u.rt.pid = father->pid;
    info.u.rt.uid = father->leader ? father->leader->cred->uid : 0;
    send_signal_group(child, t->pdeath_signal, &info);
}

static void reparent(struct thread_group *child, struct thread_group *father, struct thread_group *reaper)
{
    list_del(&child->sibling);
    child->parent = reaper;
    child->parent_tid = 0;
    if (reaper)
        list_add_tail(&child->sibling, &reaper->children);
    child->exit_signal = LX_SIGCHLD;
    tg_get(child); // the signal may be its end
    bool waits = child->zombie;
    signal_parent_death(child, father);
    if (child->linked)
        pgrp_orphan_check(child, father);
    if (waits && (!reaper || notify_parent_exit(child)))
        group_reap(child);
    tg_put(child);
}

static void reparent_children(struct thread_group *father)
{
    struct thread_group *reaper = find_reaper(father);
    while (!list_empty(&father->children))
        reparent(list_first(&father->children, struct thread_group, sibling), father, reaper);
}

static struct thread_group *child_made_by(const struct task *t)
{
    list_for_each(child, &t->tg->children, struct thread_group,
                  sibling) if (child->parent_tid == t->tid) return child;
    return NULL;
}

// PR_SET_PDEATHSIG is about the thread that made the child; the children go on to another thread of the same group.
static void thread_leaves_children(struct task *t)
{
    const struct task *heir = group_thread(t->tg);
    int heir_tid = heir ? heir->tid : 0;
    struct thread_group *child;
    if (heir_tid == t->tid)
        return; // a leader whose number, and children, went to the thread that did an exec
    while ((child = child_made_by(t))) {
        child->parent_tid = heir_tid;
        signal_parent_death(child, t->tg);
    }
}

void group_reap(struct thread_group *tg)
{
    if (!tg->linked)
        return;
    tg->linked = false;
    list_del(&tg->sibling);
    list_del(&tg->hash_link);
    list_del(&tg->all_link);
    pgrp_leave(tg);
    struct task *leader = tg->leader;
    tg->leader = NULL;
    tg->parent = NULL; // which may go before a descriptor of ours does
    task_put(leader);
    tg_put(tg);
}

// __exit_signal and wait_task_zombie: what the dead process and its waited children used.
static void add_usage_to_parent(const struct thread_group *tg)
{
    struct thread_group *parent = tg->parent;
    parent->cutime_ns += tg->utime_ns + tg->cutime_ns;
    parent->cstime_ns += tg->stime_ns + tg->cstime_ns;
    parent->cmin_flt += tg->min_flt + tg->cmin_flt;
    parent->cmaj_flt += tg->maj_flt + tg->cmaj_flt;
    uint64_t rss = tg->maxrss > tg->cmaxrss ? tg->maxrss : tg->cmaxrss;
    if (rss > parent->cmaxrss)
        parent->cmaxrss = rss;
}

void group_collect(struct thread_group *tg)
{
    if (tg->parent)
        add_usage_to_parent(tg);
    group_reap(tg);
}

static void session_leader_exits(struct thread_group *tg)
{
    struct session *s = tg->pgrp->session;
    if (s->sid != tg->pid || !s->tty || !session_leader_exit_hook)
        return;
    session_get(s);
    session_leader_exit_hook(s);
    session_put(s);
}

static void group_finish(struct thread_group *tg)
{
    uint64_t user, system;
    group_cpu_times(tg, &user, &system); // the last reading
    time_group_exit(tg);
    sem_group_exit(tg);
    mq_group_exit(tg);
    session_leader_exits(tg);
    tg->zombie = true;
    tg->job = JOB_RUNNING;
    reparent_children(tg);
    pgrp_orphan_check(tg, NULL);
    sigpending_flush(&tg->shared_pending);
    wake_up(&tg->exit_wait, EV_IN | EV_RDNORM);
    bool first = tg == init_tg;
    int status = tg->exit_code;
    if (!tg->parent && !first && launched_exit_hook)
        launched_exit_hook(tg, status);
    if (!tg->parent || notify_parent_exit(tg))
        group_reap(tg);
    if (first && init_exit_hook)
        init_exit_hook(status);
}

// The peak of a dead process is the host's secret: at least its program and a page of stack were there.
static uint64_t image_size(const struct mm *m)
{
    return m->end_code - m->start_code + (m->end_data - m->start_data) + 4096;
}

static void release_mm(struct task *t)
{
    struct mm *m = t->mm;
    uint64_t size = image_size(m);
    if (size > t->tg->maxrss)
        t->tg->maxrss = size;
    t->mm = NULL;
    if (--m->users == 0)
        m->dead = true;
    mm_put(m);
}

// The thread is over: takes it out of everything and releases what it holds.
static void finish(struct task *t)
{
    struct thread_group *tg = tg_get(t->tg);
    t->state = TASK_DEAD;
    call_unblock(&t->call);
    held_drop(&t->call.held);
    list_del(&t->hash_link);
    list_del(&t->thread_link);
    // An epoll with a signalfd that this thread made may be waited for by another: Linux keeps the queue for the process.
    if (list_empty(&tg->threads))
        wait_queue_release(&t->signalfd_wait);
    else
        wait_queue_move(&t->signalfd_wait,
                        &list_first(&tg->threads, struct task, thread_link)->signalfd_wait);
    tg->nr_threads--;
    nr_tasks--;
    user_add_threads(t->cred->uid, -1);
    if (t == tg->leader && !tg->group_exit)
        tg->exit_code = t->exit_code;
    trap_task_gone(t);
    if (t->files)
        fdtable_put(t->files);
    t->files = NULL;
    fs_put(t->fs);
    t->fs = NULL;
    release_mm(t);
    ptrace_vfork_over(t->vfork_parent);
    task_put(t->vfork_parent);
    t->vfork_parent = NULL;
    sigpending_flush(&t->pending);
    ptrace_thread_exits(t);
    if (tg->nr_threads == 0) {
        group_finish(tg);
    } else {
        if (!tg->group_exit)
            thread_leaves_children(t);
        retarget_shared(tg, t, ~0ull);
        group_stop_check(tg);
    }
    task_put(t);
    tg_put(tg);
}

void task_exit(struct task *t, int wait_status)
{
    if (t->state != TASK_RUNNING || t->exiting)
        return;
    t->exiting = true;
    t->exit_code = wait_status;
    if (t->call.phase != CALL_RUNNING)
        finish(t);
}

void task_exit_finish(struct task *t)
{
    if (t->exiting && t->state == TASK_RUNNING)
        finish(t);
}

static void end_threads(struct thread_group *tg, int wait_status)
{
    list_for_each_safe(t, &tg->threads, struct task, thread_link) task_exit(t, wait_status);
}

void group_exit_native(struct thread_group *tg, int wait_status)
{
    if (tg->group_exit || tg->zombie)
        return;
    tg_get(tg);
    tg->group_exit = true;
    tg->exit_code = wait_status;
    end_threads(tg, wait_status);
    tg_put(tg);
}

void group_exit(struct thread_group *tg, int wait_status)
{
    if (tg->group_exit || tg->zombie)
        return;
    uint64_t user, system;
    tg_get(tg);
    group_cpu_times(tg, &user, &system); // while the host still knows
    trap_kill_group(tg);
    group_exit_native(tg, wait_status);
    tg_put(tg);
}

void group_found_dead(struct thread_group *tg)
{
    tg_get(tg);
    tg->dead = true;
    group_exit_native(tg, LX_SIGKILL);
    tg_put(tg);
}
