// Queues of pending signals (kernel/signal.c: collect_signal, flush_sigqueue_mask, __sigqueue_alloc).
#include "sentry/signal/queue.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"
#include <stdlib.h>
#include <string.h>

#define SYNCHRONOUS                                                                                        \
    (SIGBIT(LX_SIGSEGV) | SIGBIT(LX_SIGBUS) | SIGBIT(LX_SIGILL) | SIGBIT(LX_SIGTRAP) | SIGBIT(LX_SIGFPE) | \
     SIGBIT(LX_SIGSYS))

void sigpending_init(struct sigpending *p)
{
    list_init(&p->queue);
    p->set = 0;
}

struct sigqueue *sigqueue_alloc(const struct task *t, bool override)
{
    uint32_t uid = t->cred->uid;
    const struct user_usage *u = user_usage_find(uid);
    if (!override && u && u->signals >= t->tg->rlim[LX_RLIMIT_SIGPENDING].cur)
        return NULL;
    struct sigqueue *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    if (!user_add_signals(uid, 1)) {
        free(q);
        return NULL;
    }
    list_init(&q->link);
    q->uid = uid;
    q->counted = true;
    return q;
}

void sigqueue_release(struct sigqueue *q)
{
    list_del(&q->link);
    if (q->free) {
        q->free(q);
        return;
    }
    if (q->counted)
        user_add_signals(q->uid, -1);
    free(q);
}

void flush_signals(struct sigpending *p, sigset64 set)
{
    if (!(p->set & set))
        return;
    p->set &= ~set;
    list_for_each_safe(q, &p->queue, struct sigqueue, link) if (SIGBIT(q->info.signo) & set)
        sigqueue_release(q);
}

void sigpending_flush(struct sigpending *p)
{
    flush_signals(p, ~0ull);
}

int next_signal(const struct sigpending *p, sigset64 set)
{
    sigset64 x = p->set & set;
    if (!x)
        return 0;
    if (x & SYNCHRONOUS)
        x &= SYNCHRONOUS;
    return __builtin_ctzll(x) + 1;
}

void collect_signal(struct sigpending *p, int sig, struct lx_siginfo *info)
{
    struct sigqueue *first = NULL;
    bool more = false;
    list_for_each(q, &p->queue, struct sigqueue, link)
    {
        if (q->info.signo != sig)
            continue;
        if (first) {
            more = true;
            break;
        }
        first = q;
    }
    if (!more)
        p->set &= ~SIGBIT(sig);
    if (!first) {
        *info = (struct lx_siginfo){.signo = sig, .code = LX_SI_USER};
        return;
    }
    *info = first->info;
    list_del(&first->link);
    if (first->dequeued)
        first->dequeued(first, info);
    sigqueue_release(first);
}
