#include "tests/unit/fixture.h"
#include "sentry/task/user_ns.h"
#include "sentry/core/kernel.h"
#include "sentry/ipc/mqueue/mqueue.h"
#include "sentry/ipc/sysv/sysv.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

struct task fixture_task;
struct thread_group fixture_group;
unsigned char fixture_guest[FIXTURE_GUEST_SIZE];
unsigned fixture_runnable;
int fixture_last_signal;

WEAK __thread struct task *current;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
WEAK void kernel_lock(void)
{
    pthread_mutex_lock(&lock);
}
WEAK void kernel_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
WEAK void held_drop(struct held_files *h) {}
WEAK void held_free(struct held_files *h) {}
WEAK bool kernel_locked(void)
{
    return true;
}
WEAK void kernel_assert_locked(void) {}
WEAK void kernel_blocking_begin(void) {}
WEAK void kernel_blocking_end(void) {}
WEAK void kernel_fatal(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}
WEAK void call_make_runnable(struct call *c)
{
    c->phase = CALL_RUNNABLE;
    fixture_runnable++;
}
WEAK int send_signal_task(struct task *t, int sig, const struct lx_siginfo *info)
{
    fixture_last_signal = sig;
    return 0;
}
WEAK int send_signal_group(struct thread_group *tg, int sig, const struct lx_siginfo *info)
{
    fixture_last_signal = sig;
    return 0;
}
WEAK bool signal_pending(struct task *t)
{
    return false;
}

// --- guest memory
static bool in_guest(gaddr_t addr, size_t n)
{
    return addr >= FIXTURE_GUEST_BASE && addr - FIXTURE_GUEST_BASE <= FIXTURE_GUEST_SIZE &&
           n <= FIXTURE_GUEST_SIZE - (addr - FIXTURE_GUEST_BASE);
}
static size_t reachable(gaddr_t addr, size_t n)
{
    if (!in_guest(addr, 0))
        return 0;
    size_t room = FIXTURE_GUEST_SIZE - (addr - FIXTURE_GUEST_BASE);
    return n < room ? n : room;
}
static ssize_t guest_read(struct task *t, void *dst, gaddr_t src, size_t n)
{
    n = reachable(src, n);
    if (n == 0)
        return -LX_EFAULT;
    memcpy(dst, &fixture_guest[src - FIXTURE_GUEST_BASE], n);
    return (ssize_t)n;
}
static ssize_t guest_write(struct task *t, gaddr_t dst, const void *src, size_t n)
{
    n = reachable(dst, n);
    if (n == 0)
        return -LX_EFAULT;
    memcpy(&fixture_guest[dst - FIXTURE_GUEST_BASE], src, n);
    return (ssize_t)n;
}
static bool guest_valid(struct task *t)
{
    return true;
}
static const struct uaccess_ops guest_ops = {guest_read, guest_write, guest_valid};
WEAK const struct uaccess_ops *uaccess_ops;

void fixture_setup(void)
{
    static struct cred cred;
    static struct mm mm;
    call_wait_free(&fixture_task.call);
    held_free(&fixture_task.call.held);
    memset(&fixture_task, 0, sizeof(fixture_task));
    memset(&fixture_group, 0, sizeof(fixture_group));
    memset(fixture_guest, 0, sizeof(fixture_guest));
    fixture_runnable = 0;
    fixture_last_signal = 0;
    uaccess_ops = &guest_ops;
    cred.refs = 1;
    cred.user_ns = &init_user_ns;
    mm.refs = 1;
    mm.users = 1;
    struct task *t = &fixture_task;
    t->refs = 1;
    t->tid = 1;
    t->state = TASK_RUNNING;
    t->tg = &fixture_group;
    t->cred = &cred;
    t->mm = &mm;
    t->call.task = t;
    list_init(&t->thread_link);
    list_init(&t->hash_link);
    list_init(&t->host_link);
    list_init(&t->pending.queue);
    wait_queue_init(&t->signalfd_wait);
    struct thread_group *tg = &fixture_group;
    tg->refs = 1;
    tg->pid = 1;
    tg->leader = t;
    list_init(&tg->threads);
    list_init(&tg->children);
    list_init(&tg->sibling);
    list_init(&tg->shared_pending.queue);
    wait_queue_init(&tg->child_wait);
    wait_queue_init(&tg->exit_wait);
    for (int i = 0; i < RLIM_NLIMITS_LX; i++)
        tg->rlim[i] = (struct lx_rlimit64){UINT64_MAX, UINT64_MAX};
    tg->rlim[7] = (struct lx_rlimit64){1024, 4096}; // RLIMIT_NOFILE
    current = t;
}

struct call *fixture_call(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct call *c = &fixture_task.call;
    call_unblock(c);
    held_drop(&c->held);
    memset(c->state.bytes, 0, sizeof(c->state.bytes));
    uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
    memcpy(c->args, args, sizeof(args));
    c->task = &fixture_task;
    c->first = true;
    c->timed_out = false;
    c->phase = CALL_RUNNING;
    c->interrupted = -LX_ERESTARTSYS;
    c->release = NULL;
    return c;
}

// Namespaces own System V objects and message queues; most tests have neither, nor what those need.
WEAK struct sysv_ns init_sysv_ns;
WEAK struct sysv_ns *sysv_ns_alloc(void)
{
    return calloc(1, sizeof(struct sysv_ns));
}
WEAK void sysv_ns_free(struct sysv_ns *ns)
{
    free(ns);
}
WEAK void sem_group_exit(struct thread_group *tg) {}
WEAK struct mq_ns init_mq_ns;
WEAK struct mq_ns *mq_ns_alloc(void)
{
    return calloc(1, sizeof(struct mq_ns));
}
WEAK void mq_ns_free(struct mq_ns *ns)
{
    free(ns);
}
WEAK void mq_group_exit(struct thread_group *tg) {}
