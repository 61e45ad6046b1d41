// One timer looks at all threads that owe us a call, ten times a second while there are any. What counts is the thread's own time on a
// processor, not the clock: it may be paused, faulting, or on a busy host.
#include "sentry/trap/watchdog.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/trap/hypercall.h"

#define PERIOD_NS 100000000ull
#define TICKS_PER_SECOND 100u // USER_HZ, the unit of /proc
#define PATIENCE_TICKS (TICKS_PER_SECOND / 5)
#define PATIENCE_OPS_TICKS (TICKS_PER_SECOND * 5) // operations that we ordered may fault in and map a lot
#define SLEEPS_MAX 5 // readings in a row that find the thread asleep although the kick is pending

static struct ktimer timer; // kernel lock
static uint32_t round_nr;   // looks so far; kernel lock

void watchdog_kick(struct task *t)
{
    t->trap.kick_round = round_nr;
    t->trap.kick_looks = 0;
    t->trap.kick_serial++;
    if (!ktimer_armed(&timer))
        (void)ktimer_arm(&timer, mono_now_ns() + PERIOD_NS); // without memory the next kick tries again
}

// Does t owe us a call: the hypercall of a kick, or the end of ordered operations?
static bool outstanding(const struct task *t)
{
    const struct trap_state *trap = &t->trap;
    return t->state == TASK_RUNNING && !t->exiting &&
           (trap->kick_sent || (trap->stage == STAGE_STUB && !trap->hypercall_id && !clone_child_known(t)));
}

// Does t ignore its kick? Drops the kernel lock while it asks the host.
static void look(struct task *t)
{
    struct proc_host_stat stat;
    uint32_t serial = t->trap.kick_serial;
    if (!proc_host_stat(t, &stat) || !outstanding(t) || t->trap.kick_serial != serial)
        return;
    uint64_t used = stat.utime + stat.stime;
    if (t->trap.kick_looks++ == 0) {
        t->trap.kick_ticks = used;
        t->trap.kick_sleeps = 0;
    }
    uint64_t patience = t->trap.kick_sent ? PATIENCE_TICKS : PATIENCE_OPS_TICKS;
    // Not when its hypercall may wait for a worker, which on a busy host can take long.
    bool asleep = stat.state == 'S' && !t->call.id && !t->trap.hypercall_id && !listener_pending();
    t->trap.kick_sleeps = asleep ? t->trap.kick_sleeps + 1 : 0;
    if (used - t->trap.kick_ticks >= patience || t->trap.kick_sleeps >= SLEEPS_MAX)
        violation(t, "it does not come into the stub, or does not leave it");
}

// The next task after the ones already looked at this round; the lists may change while the lock is dropped.
static struct task *next_late(void)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link)
        list_for_each(t, &tg->threads, struct task,
                      thread_link) if (outstanding(t) && t->trap.kick_round != round_nr) return t;
    return NULL;
}

static bool any_outstanding(void)
{
    list_for_each(tg, &all_groups, struct thread_group, all_link)
        list_for_each(t, &tg->threads, struct task, thread_link) if (outstanding(t)) return true;
    return false;
}

static void fire(struct ktimer *k)
{
    struct task *t;
    round_nr++;
    while ((t = next_late()) != NULL) {
        t->trap.kick_round = round_nr;
        task_get(t);
        look(t);
        task_put(t);
    }
    if (any_outstanding())
        (void)ktimer_arm(k, mono_now_ns() + PERIOD_NS);
}

void watchdog_init(void)
{
    timer.fire = fire;
}
