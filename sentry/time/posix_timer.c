// POSIX timers (kernel/time/posix-timers.c): one queued signal each, overruns counted while it waits to be taken.
#include "sentry/time/internal.h"
#include "abi/linux/resource.h"
#include "abi/linux/signal.h"
#include "abi/linux/time.h"
#include <stdlib.h>

struct posix_timer {
    struct list_head link; // thread_group.posix_timers
    struct thread_group *tg;
    int id;
    struct guest_clock clock;
    int notify, tid, clock_id;
    uint64_t expires; // on its clock; 0: disarmed
    uint64_t interval;
    uint64_t patience_ns; // CPU clocks
    int64_t overrun, overrun_last;
    struct ktimer timer;
    struct sigqueue q; // linked while the signal waits to be taken
    uint32_t uid;      // whom it is counted for
};

static void rearm(struct posix_timer *t)
{
    uint64_t at = KTIMER_NEVER;
    if (t->expires)
        at = guest_clock_check_at(&t->clock, guest_clock_now(&t->clock), t->expires, t->patience_ns);
    ktimer_arm(&t->timer, at);
}

// Moves a periodic timer behind `now`, counting what it missed; a one-shot timer is done.
static void advance(struct posix_timer *t, uint64_t now)
{
    uint64_t missed = 0;
    t->expires = t->interval ? next_period(t->expires, t->interval, now, &missed) : 0;
    t->overrun = (int64_t)(missed > INT32_MAX ? INT32_MAX : missed);
}

// The signal is being taken: now the next period counts (posixtimer_rearm).
static void timer_dequeued(struct sigqueue *q, struct lx_siginfo *info)
{
    struct posix_timer *t = container_of(q, struct posix_timer, q);
    if (t->interval && t->expires)
        advance(t, guest_clock_now(&t->clock));
    else
        t->expires = 0;
    t->overrun_last = t->overrun;
    t->overrun = 0;
    info->u.timer.overrun = (int32_t)t->overrun_last;
    rearm(t);
}

static void keep_entry(struct sigqueue *q) {}

static void expire(struct posix_timer *t, uint64_t now)
{
    struct task *target = t->notify & LX_SIGEV_THREAD_ID ? find_task(t->tid) : group_thread(t->tg);
    bool group = !(t->notify & LX_SIGEV_THREAD_ID);
    if (t->notify == LX_SIGEV_NONE) {
        advance(t, now);
    } else if (!target || target->tg != t->tg || send_sigqueue(target, group, &t->q) < 0) {
        advance(t, now); // ignored: go on as if taken at once
        t->overrun = 0;
    } else {
        return; // armed again when the signal is taken
    }
    rearm(t);
}

static void timer_fire(struct ktimer *timer)
{
    struct posix_timer *t = container_of(timer, struct posix_timer, timer);
    if (!t->expires)
        return;
    uint64_t now = guest_clock_now(&t->clock);
    if (now < t->expires) { // a sampled clock, or a host clock that was set
        t->patience_ns = t->patience_ns * 2 < CPU_SAMPLE_MAX_NS ? t->patience_ns * 2 : CPU_SAMPLE_MAX_NS;
        rearm(t);
        return;
    }
    t->patience_ns = CPU_SAMPLE_MIN_NS;
    struct thread_group *tg = tg_get(t->tg); // the signal may end the process, and the timer with it
    expire(t, now);
    tg_put(tg);
}

struct posix_timer *posix_timer_find(struct thread_group *tg, int id)
{
    list_for_each(t, &tg->posix_timers, struct posix_timer, link) if (t->id == id) return t;
    return NULL;
}

static int fresh_id(struct thread_group *tg)
{
    while (posix_timer_find(tg, tg->next_timer_id))
        tg->next_timer_id = tg->next_timer_id == INT32_MAX ? 0 : tg->next_timer_id + 1;
    int id = tg->next_timer_id;
    tg->next_timer_id = id == INT32_MAX ? 0 : id + 1;
    return id;
}

int posix_timer_create(struct thread_group *tg, const struct posix_timer_spec *spec)
{
    uint32_t uid = current->cred->uid;
    const struct user_usage *u = user_usage_find(uid);
    if (u && u->signals >= tg->rlim[LX_RLIMIT_SIGPENDING].cur)
        return -LX_EAGAIN;
    struct posix_timer *t = calloc(1, sizeof(*t));
    if (!t)
        return -LX_ENOMEM;
    if (!user_add_signals(uid, 1)) {
        free(t);
        return -LX_ENOMEM;
    }
    t->uid = uid;
    t->tg = tg;
    t->id = fresh_id(tg);
    t->clock = spec->clock;
    t->notify = spec->notify;
    t->tid = spec->tid;
    t->clock_id = spec->clock_id;
    t->patience_ns = CPU_SAMPLE_MIN_NS;
    t->timer.fire = timer_fire;
    list_init(&t->q.link);
    t->q.free = keep_entry;
    t->q.dequeued = timer_dequeued;
    t->q.info = (struct lx_siginfo){.signo = spec->signo, .code = LX_SI_TIMER};
    t->q.info.u.timer.tid = t->id;
    t->q.info.u.timer.value = spec->default_event ? (uint64_t)t->id : spec->value;
    list_add_tail(&t->link, &tg->posix_timers);
    return t->id;
}

void posix_timer_get(struct posix_timer *t, struct itimer_value *out)
{
    *out = (struct itimer_value){.interval = t->interval};
    if (!t->expires)
        return;
    uint64_t now = guest_clock_now(&t->clock), expires = t->expires, missed;
    if (now >= expires) {
        if (!t->interval) {
            out->value = t->notify == LX_SIGEV_NONE || !list_empty(&t->q.link) ? 0 : 1;
            return;
        }
        expires = next_period(expires, t->interval, now, &missed);
    }
    out->value = expires - now;
}

// Takes the timer's signal back from where it waits.
static void unqueue(struct posix_timer *t)
{
    if (list_empty(&t->q.link))
        return;
    struct sigpending *p = &t->tg->shared_pending;
    if (t->notify & LX_SIGEV_THREAD_ID) {
        struct task *target = find_task(t->tid);
        p = target ? &target->pending : NULL;
    }
    list_del(&t->q.link);
    if (!p)
        return;
    list_for_each(q, &p->queue, struct sigqueue, link) if (q->info.signo == t->q.info.signo) return;
    p->set &= ~SIGBIT(t->q.info.signo);
}

int posix_timer_set(struct posix_timer *t, const struct itimer_value *new, bool absolute,
                    struct itimer_value *old)
{
    posix_timer_get(t, old);
    t->interval = new->interval;
    t->expires = 0;
    t->overrun = t->overrun_last = 0;
    t->patience_ns = CPU_SAMPLE_MIN_NS;
    unqueue(t);
    if (new->value) {
        t->expires = new->value;
        if (!absolute && __builtin_add_overflow(guest_clock_now(&t->clock), new->value, &t->expires))
            t->expires = UINT64_MAX - 1;
    }
    rearm(t);
    return 0;
}

struct posix_timer *posix_timer_next(struct thread_group *tg, struct posix_timer *previous,
                                     struct posix_timer_info *out)
{
    struct list_head *at = previous ? previous->link.prev : tg->posix_timers.prev;
    if (at == &tg->posix_timers)
        return NULL;
    struct posix_timer *t = list_entry(at, struct posix_timer, link);
    *out = (struct posix_timer_info){.id = t->id,
                                     .signo = t->q.info.signo,
                                     .notify = t->notify,
                                     .clock_id = t->clock_id,
                                     .target = t->notify & LX_SIGEV_THREAD_ID ? t->tid : tg->pid,
                                     .value = t->q.info.u.timer.value};
    return t;
}

int posix_timer_overrun(const struct posix_timer *t)
{
    return (int)t->overrun_last;
}

void posix_timer_delete(struct posix_timer *t)
{
    ktimer_cancel(&t->timer);
    unqueue(t);
    list_del(&t->link);
    user_add_signals(t->uid, -1);
    free(t);
}

void posix_timers_delete_all(struct thread_group *tg)
{
    while (!list_empty(&tg->posix_timers))
        posix_timer_delete(list_first(&tg->posix_timers, struct posix_timer, link));
}
