// What an exec changes in the task that did it (begin_new_exec of fs/exec.c of Linux).
#include "sentry/task/internal.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/time/time.h"
#include "abi/linux/signal.h"
#include <stdio.h>
#include <string.h>

int task_exec_prepare(struct task *t)
{
    if (t->files->refs > 1) {
        struct fdtable *own = fdtable_dup(t->files);
        if (!own)
            return -LX_ENOMEM;
        fdtable_put(t->files);
        t->files = own;
    }
    if (t->sighand->refs >
        t->tg->nr_threads) { // shared outside the group: CLONE_VM|CLONE_SIGHAND without CLONE_THREAD
        struct sighand *own = sighand_dup(t->sighand);
        if (!own)
            return -LX_ENOMEM;
        struct sighand *old = t->sighand;
        list_for_each(other, &t->tg->threads, struct task, thread_link)
        {
            if (other->sighand != old)
                continue;
            other->sighand = sighand_get(own);
            sighand_put(old);
        }
        sighand_put(own);
    }
    return 0;
}

// The host has ended the other threads; t takes over the number of the leader (de_thread).
static void become_leader(struct task *t)
{
    struct thread_group *tg = t->tg;
    list_for_each_safe(other, &tg->threads, struct task, thread_link) if (other != t)
    {
        list_del(&other->hash_link); // one whose call still runs ends later
        task_exit(other, 0);
    }
    if (tg->leader == t)
        return;
    task_put(tg->leader);
    tg->leader = task_get(t);
    list_for_each(child, &tg->children, struct thread_group, sibling) child->parent_tid = tg->pid;
    list_del(&t->hash_link);
    t->tid = tg->pid;
    table_add_task(t);
}

void task_exec_commit(struct task *t, struct mm *new_mm, const char *comm)
{
    struct thread_group *tg = t->tg;
    int old_tid = t->tid;
    become_leader(t);
    fdtable_close_on_exec(t->files);
    sighand_exec(t);
    t->altstack = (struct sigaltstack_state){.flags = LX_SS_DISABLE};
    struct mm *old = t->mm;
    t->mm = new_mm;
    new_mm->users++;
    if (--old->users == 0)
        old->dead = true;
    mm_put(old);
    ptrace_vfork_over(t->vfork_parent);
    task_put(t->vfork_parent);
    t->vfork_parent = NULL;
    snprintf(t->comm, sizeof(t->comm), "%s", comm);
    t->clear_child_tid = 0;
    t->restart_fn = NULL;
    tg->exit_signal = LX_SIGCHLD;
    tg->did_exec = true;
    tg->exec_id++;
    time_group_exec(tg);
    ptrace_exec(t, old_tid);
}
