// Tasks: making, copying (clone), publishing, freeing. Follows kernel/fork.c of Linux.
#include "sentry/task/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/boot/config.h"
#include "sentry/task/unshare.h"
#include "sentry/task/uts.h"
#include "sentry/fs/pidfd/pidfd.h"
#include "sentry/seccomp/filter.h"
#include "abi/linux/capability.h"
#include "abi/linux/resource.h"
#include "abi/linux/sched.h"
#include "abi/linux/signal.h"
#include <stdlib.h>
#include <string.h>

static struct task *task_alloc(void)
{
    struct task *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->refs = 1;
    t->state = TASK_NEW;
    t->call.task = t;
    t->call.deadline_ns = KTIMER_NEVER;
    t->start_ns = clock_now_ns(7 /* CLOCK_BOOTTIME */);
    t->timer_slack_ns = 50000;
    list_init(&t->thread_link);
    list_init(&t->hash_link);
    list_init(&t->host_link);
    list_init(&t->call.run_link);
    list_init(&t->tracees);
    list_init(&t->ended_tracees);
    sigpending_init(&t->pending);
    wait_queue_init(&t->signalfd_wait);
    nr_tasks++;
    return t;
}

struct task *task_get(struct task *t)
{
    t->refs++;
    return t;
}

static void drop_resources(struct task *t)
{
    if (t->files)
        fdtable_put(t->files);
    t->files = NULL;
    fs_put(t->fs);
    t->fs = NULL;
    mm_put(t->mm);
    t->mm = NULL;
}

void task_put(struct task *t)
{
    if (!t || --t->refs > 0)
        return;
    call_wait_free(&t->call);
    held_free(&t->call.held);
    list_del(&t->host_link);
    list_del(&t->hash_link);
    list_del(&t->call.run_link);
    if (t->files || t->fs || t->mm)
        drop_resources(t);
    sigpending_flush(&t->pending);
    if (t->sighand)
        sighand_put(t->sighand);
    if (t->cred)
        cred_put(t->cred);
    if (t->vfork_parent)
        task_put(t->vfork_parent);
    seccomp_filter_put(t->seccomp);
    task_put_namespaces(t);
    tg_put(t->tg);
    free(t);
}

// Limits of a first process: what a login on Debian has (include/asm-generic/resource.h).
static void default_limits(struct thread_group *tg)
{
    for (int i = 0; i < RLIM_NLIMITS_LX; i++)
        tg->rlim[i] = (struct lx_rlimit64){LX_RLIM_INFINITY, LX_RLIM_INFINITY};
    tg->rlim[LX_RLIMIT_STACK].cur = 8u << 20;
    tg->rlim[LX_RLIMIT_CORE].cur = 0;
    tg->rlim[LX_RLIMIT_NPROC] = (struct lx_rlimit64){max_tasks, max_tasks};
    tg->rlim[LX_RLIMIT_NOFILE] = (struct lx_rlimit64){1024, FD_TABLE_MAX};
    tg->rlim[LX_RLIMIT_MEMLOCK] = (struct lx_rlimit64){8u << 20, 8u << 20};
    tg->rlim[LX_RLIMIT_SIGPENDING] = (struct lx_rlimit64){max_tasks * 4, max_tasks * 4};
    tg->rlim[LX_RLIMIT_MSGQUEUE] = (struct lx_rlimit64){819200, 819200};
    tg->rlim[LX_RLIMIT_NICE] = (struct lx_rlimit64){0, 0};
    tg->rlim[LX_RLIMIT_RTPRIO] = (struct lx_rlimit64){0, 0};
}

// The caller's limits, where they are lower than what the Sentry itself can bear.
static void inherit_limits(struct thread_group *tg, const struct sentry_config *config)
{
    const struct lx_rlimit64 most[RLIM_NLIMITS_LX] = {
        [LX_RLIMIT_NPROC] = tg->rlim[LX_RLIMIT_NPROC],
        [LX_RLIMIT_NOFILE] = {FD_TABLE_MAX, FD_TABLE_MAX},
        [LX_RLIMIT_SIGPENDING] = tg->rlim[LX_RLIMIT_SIGPENDING],
        [LX_RLIMIT_MSGQUEUE] = tg->rlim[LX_RLIMIT_MSGQUEUE],
    };
    for (int i = 0; i < RLIM_NLIMITS_LX; i++) {
        const struct limit_config *from = &config->limits[i];
        if (!(config->limits_given >> i & 1))
            continue;
        uint64_t max = most[i].max && most[i].max < from->max ? most[i].max : from->max;
        tg->rlim[i] = (struct lx_rlimit64){from->cur < max ? from->cur : max, max};
    }
}

static void inherit_ignored(struct sighand *s, uint64_t signals)
{
    for (int sig = 1; sig <= LX_NSIG; sig++)
        if (signals >> (sig - 1) & 1)
            s->action[sig - 1].handler = LX_SIG_IGN;
}

static int compare_gid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void take_capabilities(struct cred *c, const struct capability_config *given)
{
    c->cap_bounding = given->bounding & LX_CAP_FULL;
    c->cap_permitted = given->permitted & LX_CAP_FULL;
    c->cap_effective = given->effective & c->cap_permitted;
    c->cap_inheritable = given->inheritable & LX_CAP_FULL;
    c->cap_ambient = given->ambient & c->cap_permitted & c->cap_inheritable;
}

static struct cred *first_cred(const struct sentry_config *config)
{
    struct cred *c = cred_alloc();
    if (!c)
        return NULL;
    c->uid = c->euid = c->suid = c->fsuid = config->uid;
    c->gid = c->egid = c->sgid = c->fsgid = config->gid;
    c->cap_bounding = LX_CAP_FULL;
    if (config->uid == 0)
        c->cap_permitted = c->cap_effective = LX_CAP_FULL;
    if (config->capabilities.given)
        take_capabilities(c, &config->capabilities);
    c->no_new_privs = config->no_new_privs;
    if (config->nr_groups > 0 && config->nr_groups <= CRED_GROUPS_MAX) {
        c->groups = malloc(config->nr_groups * sizeof(*c->groups));
        if (!c->groups) {
            cred_put(c);
            return NULL;
        }
        memcpy(c->groups, config->groups, config->nr_groups * sizeof(*c->groups));
        c->nr_groups = (uint32_t)config->nr_groups;
        qsort(c->groups, c->nr_groups, sizeof(*c->groups), compare_gid);
    }
    return c;
}

// Makes t the leader of a group that has no other task yet.
static void set_group(struct task *t, struct thread_group *tg)
{
    t->tg = tg;
    if (!tg)
        return;
    tg_get(tg);
    tg->leader = task_get(t); // until it is reaped
}

struct task *task_create(const struct sentry_config *config, int *err)
{
    if (config->max_tasks)
        max_tasks = config->max_tasks;
    system_memory_limit = config->memory_limit;
    system_cpus = config->cpus;
    if (!init_tg)
        uts_init(config);
    *err = -LX_EAGAIN;
    if (nr_tasks >= max_tasks)
        return NULL;
    *err = -LX_ENOMEM;
    struct task *t = task_alloc();
    if (!t)
        return NULL;
    t->cred = first_cred(config);
    if (!t->cred || !user_add_threads(t->cred->uid, 1)) {
        cred_put(t->cred);
        t->cred = NULL;
        task_abandon(t);
        return NULL;
    }
    task_first_namespaces(t);
    set_group(t, group_alloc());
    t->sighand = sighand_alloc();
    t->files = fdtable_alloc();
    t->mm = mm_alloc();
    if (!t->tg || !t->sighand || !t->files || !t->mm) {
        task_abandon(t);
        return NULL;
    }
    default_limits(t->tg);
    inherit_limits(t->tg, config);
    inherit_ignored(t->sighand, config->ignored_signals);
    t->tg->oom_score_adj = config->oom_score_adj;
    strcpy(t->comm, "sentry");
    return t;
}

static bool over_process_limit(const struct task *parent)
{
    uint64_t limit = parent->tg->rlim[LX_RLIMIT_NPROC].cur;
    const struct user_usage *u = user_usage_find(parent->cred->uid);
    return u && u->threads >= limit && parent->cred->uid != 0 &&
           !cred_has(parent->cred, LX_CAP_SYS_RESOURCE) && !cred_has(parent->cred, LX_CAP_SYS_ADMIN);
}

static struct thread_group *copy_group(struct task *parent, uint64_t flags, int exit_signal)
{
    struct thread_group *from = parent->tg, *tg = group_alloc();
    if (!tg)
        return NULL;
    memcpy(tg->rlim, from->rlim, sizeof(tg->rlim));
    tg->oom_score_adj = from->oom_score_adj;
    tg->loginuid = from->loginuid;
    tg->exit_signal = flags & LX_CLONE_PARENT ? from->exit_signal : exit_signal;
    tg->parent = from; // stays until the child is published
    tg->parent_tid = parent->tid;
    tg->usage_asked = from->usage_asked;
    tg->is_sibling = flags & LX_CLONE_PARENT;
    pgrp_join(tg, from->pgrp);
    if (flags & LX_CLONE_PIDFD) {
        tg->pidfd_to = task_get(parent);
        tg->pidfd_addr = parent->clone_pidfd_addr;
    }
    return tg;
}

static bool copy_shared_objects(struct task *t, const struct task *parent, uint64_t flags)
{
    t->sighand = flags & LX_CLONE_SIGHAND ? sighand_get(parent->sighand) : sighand_dup(parent->sighand);
    t->files = flags & LX_CLONE_FILES ? fdtable_get(parent->files) : fdtable_dup(parent->files);
    t->fs = flags & LX_CLONE_FS ? fs_get(parent->fs) : fs_dup(parent->fs);
    t->mm = flags & LX_CLONE_VM ? mm_get(parent->mm) : mm_dup(parent->mm);
    return t->sighand && t->files && t->fs && t->mm;
}

void task_inherit_seccomp(struct task *t, const struct task *parent)
{
    struct seccomp_filter *old = t->seccomp;
    t->seccomp_mode = parent->seccomp_mode;
    t->seccomp = seccomp_filter_get(parent->seccomp);
    t->trap.natives_trap = parent->trap.natives_trap;
    seccomp_filter_put(old);
}

struct task *task_copy(struct task *parent, uint64_t flags, int exit_signal, int *err)
{
    *err = -LX_EAGAIN;
    if (nr_tasks >= max_tasks || over_process_limit(parent))
        return NULL;
    *err = -LX_ENOMEM;
    if (!user_add_threads(parent->cred->uid, 1))
        return NULL;
    struct task *t = task_alloc();
    if (!t) {
        user_add_threads(parent->cred->uid, -1);
        return NULL;
    }
    t->cred = cred_get(parent->cred);
    if (flags & LX_CLONE_THREAD)
        t->tg = tg_get(parent->tg);
    else
        set_group(t, copy_group(parent, flags, exit_signal));
    if (!t->tg || !copy_shared_objects(t, parent, flags)) {
        task_abandon(t);
        return NULL;
    }
    task_inherit_namespaces(t, parent);
    *err = task_new_namespaces(t, flags);
    if (*err) {
        task_abandon(t);
        return NULL;
    }
    if (flags & LX_CLONE_CLEAR_SIGHAND)
        for (int i = 0; i < LX_NSIG; i++)
            if (t->sighand->action[i].handler != LX_SIG_IGN)
                t->sighand->action[i] = (struct lx_sigaction){0};
    t->blocked = parent->blocked;
    t->mask_local = t->mask_untold = parent->mask_local; // its area gets the word, too
    if ((flags & (LX_CLONE_VM | LX_CLONE_VFORK)) != LX_CLONE_VM)
        t->altstack = parent->altstack, t->altstack_entered = parent->altstack_entered;
    memcpy(t->comm, parent->comm, sizeof(t->comm));
    task_inherit_seccomp(t, parent);
    t->personality = parent->personality;
    t->ioprio = parent->ioprio;
    t->nice = parent->nice;
    if (!parent->sched_reset_on_fork) {
        t->sched_policy = parent->sched_policy;
        t->sched_priority = parent->sched_priority;
    } else if (t->nice < 0) {
        t->nice = 0;
    }
    t->timer_slack_ns = parent->timer_slack_ns;
    t->has_affinity = parent->has_affinity;
    memcpy(t->affinity, parent->affinity, sizeof(t->affinity));
    if (flags & LX_CLONE_VFORK)
        t->vfork_parent = task_get(parent);
    return t;
}

static int give_identity(struct task *t, int pid)
{
    struct thread_group *tg = t->tg;
    tg->pid = pid;
    if (tg->pgrp)
        return 0;
    int r = group_new_session(tg);
    return r < 0 ? r : 0;
}

static int publish_group(struct task *t, int pid)
{
    struct thread_group *tg = t->tg;
    // The host forgets a number when its process dies; here a zombie, a process group or a session may still have it.
    if (find_group(pid) || find_task(pid) || find_pgrp(pid) || find_session(pid))
        return -LX_EAGAIN;
    if (init_tg && init_tg->zombie)
        return -LX_ESRCH;
    int err = give_identity(t, pid);
    if (err)
        return err;
    if (tg->is_sibling) { // of whom that is now a child
        tg->parent_tid = tg->parent->parent_tid;
        tg->parent = tg->parent->parent;
    }
    if (tg->parent && tg->parent->zombie) {
        tg->parent = init_tg;
        tg->parent_tid = 0;
        tg->exit_signal = LX_SIGCHLD;
    }
    if (tg->parent)
        list_add_tail(&tg->sibling, &tg->parent->children);
    if (!init_tg)
        init_tg = tg;
    table_add_group(tg);
    list_add_tail(&tg->all_link, &all_groups);
    tg->linked = true;
    return 0;
}

// CLONE_PIDFD. sys_clone has seen that a descriptor is free and the address can be written; if the parent changed that
// meanwhile, it gets none.
static void give_pidfd(struct thread_group *tg)
{
    struct task *parent = tg->pidfd_to, *running = current;
    tg->pidfd_to = NULL;
    struct file *f = parent->files ? pidfd_file(tg, 0) : NULL;
    if (f) {
        current = parent;
        int fd = fd_install(parent->files, f, 0, true);
        current = running;
        if (fd < 0)
            file_put(f);
        else if (task_copy_out(parent, tg->pidfd_addr, &fd, sizeof(fd)) != 0)
            fd_close(parent->files, fd);
    }
    task_put(parent);
}

int task_publish(struct task *t, int tid, int pid)
{
    struct thread_group *tg = t->tg;
    if (tg->linked) {
        if (tg->group_exit || tg->zombie)
            return -LX_ESRCH;
        if (find_task(tid) || find_group(tid))
            return -LX_EAGAIN;
    } else {
        int err = publish_group(t, pid);
        if (err)
            return err;
    }
    t->tid = tid;
    table_add_task(t);
    list_add_tail(&t->thread_link, &tg->threads);
    tg->nr_threads++;
    t->mm->users++;
    t->state = TASK_RUNNING;
    if (tg->pidfd_to)
        give_pidfd(tg);
    return 0;
}

void task_abandon(struct task *t)
{
    if (t->cred)
        user_add_threads(t->cred->uid, -1);
    nr_tasks--;
    t->state = TASK_DEAD;
    if (t->files || t->fs || t->mm)
        drop_resources(t);
    struct thread_group *tg = t->tg;
    if (tg && !tg->linked) { // it never entered the tree: the tree's reference, and the group's to its leader
        tg->leader = NULL;
        task_put(t);
        tg_put(tg);
    }
    task_put(t);
}
