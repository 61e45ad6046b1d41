// Timers in a file (fs/timerfd.c of Linux).
//
// Expiries are kept on the timer's own clock and turned to CLOCK_MONOTONIC when the kernel timer is armed. A
// periodic timer that nobody reads is armed once only: what it missed is counted when it is looked at.
#include "sentry/fs/timerfd/timerfd.h"
#include "abi/linux/errno.h"
#include "abi/linux/eventfd.h"
#include "abi/linux/fcntl.h"
#include "sentry/core/timer.h"
#include "sentry/core/wait.h"
#include "sentry/ipc/poll.h"
#include "sentry/trap/call.h"
#include <stdio.h>
#include <stdlib.h>

struct timerfd {
    int clock;         // LX_CLOCK_*; never changes
    int host_clock;    // the host's clock that runs alike; never changes
    int settime_flags; // of the last timerfd_settime
    uint64_t expires;  // next expiry on `host_clock`; 0: disarmed
    uint64_t interval; // 0: once
    uint64_t ticks;    // expiries not read yet
    struct ktimer timer;
    struct wait_queue wait;
};

static void arm(struct timerfd *t)
{
    uint64_t now = clock_now_ns(t->host_clock), mono = mono_now_ns();
    uint64_t wait = t->expires > now ? t->expires - now : 0, at;
    if (__builtin_add_overflow(mono, wait, &at))
        at = KTIMER_NEVER - 1;
    ktimer_arm(&t->timer, at);
}

static void timerfd_fire(struct ktimer *k)
{
    struct timerfd *t = container_of(k, struct timerfd, timer);
    // The host's clock may have been set back meanwhile.
    if (clock_now_ns(t->host_clock) < t->expires) {
        arm(t);
        return;
    }
    t->ticks++;
    if (t->interval)
        t->expires += t->interval;
    else
        t->expires = 0;
    wake_up(&t->wait, EV_IN);
}

// Counts what a periodic timer missed since it fired, and arms it again.
static void catch_up(struct timerfd *t)
{
    if (!t->expires || !t->interval || ktimer_armed(&t->timer))
        return;
    uint64_t now = clock_now_ns(t->host_clock);
    if (now >= t->expires) {
        uint64_t missed = (now - t->expires) / t->interval + 1;
        t->ticks += missed;
        t->expires += missed * t->interval;
    }
    arm(t);
}

static int64_t timerfd_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct timerfd *t = f->priv;
    if (it->count < sizeof(uint64_t))
        return -LX_EINVAL;
    if (t->ticks == 0)
        return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : block_on(&t->wait, EV_IN);
    catch_up(t);
    uint64_t ticks = t->ticks;
    t->ticks = 0;
    return iter_copy_to(it, &ticks, sizeof(ticks)) == sizeof(ticks) ? (int64_t)sizeof(ticks) : -LX_EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *pt)
{
    struct timerfd *t = f->priv;
    poll_wait(pt, &t->wait);
    return t->ticks ? EV_IN : 0;
}

static void timerfd_release(struct file *f)
{
    struct timerfd *t = f->priv;
    ktimer_cancel(&t->timer);
    wait_queue_release(&t->wait);
    free(t);
}

static size_t timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
    struct timerfd *t = f->priv;
    struct lx_itimerspec v;
    timerfd_get(f, &v);
    int n = snprintf(
        buf, size,
        "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\nit_interval: (%lld, %lld)\n",
        t->clock, (unsigned long long)t->ticks, (unsigned)t->settime_flags, (long long)v.value.sec,
        (long long)v.value.nsec, (long long)v.interval.sec, (long long)v.interval.nsec);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static const struct file_ops timerfd_fops = {
    .read = timerfd_read,
    .poll = timerfd_poll,
    .release = timerfd_release,
    .show_fdinfo = timerfd_fdinfo,
};

bool is_timerfd(struct file *f)
{
    return f->ops == &timerfd_fops;
}

struct file *timerfd_file(int clock, uint32_t flags)
{
    struct timerfd *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->clock = clock;
    t->host_clock = clock == LX_CLOCK_REALTIME_ALARM   ? LX_CLOCK_REALTIME
                    : clock == LX_CLOCK_BOOTTIME_ALARM ? LX_CLOCK_BOOTTIME
                                                       : clock;
    t->timer.fire = timerfd_fire;
    wait_queue_init(&t->wait);
    struct file *f = anon_file(&timerfd_fops, t, FMODE_READ | FMODE_WRITE,
                               LX_O_RDWR | (flags & LX_O_NONBLOCK), "anon_inode:[timerfd]", 0600);
    if (!f)
        free(t);
    return f;
}

static struct lx_timespec to_timespec(uint64_t ns)
{
    return (struct lx_timespec){(int64_t)(ns / LX_NSEC_PER_SEC), (int64_t)(ns % LX_NSEC_PER_SEC)};
}

void timerfd_get(struct file *f, struct lx_itimerspec *value)
{
    struct timerfd *t = f->priv;
    catch_up(t);
    uint64_t now = clock_now_ns(t->host_clock);
    // An armed timer shows at least one nanosecond: zero means disarmed.
    uint64_t left = t->expires == 0 ? 0 : t->expires > now ? t->expires - now : 1;
    value->value = to_timespec(left);
    value->interval = to_timespec(t->interval);
}

int timerfd_set(struct file *f, int flags, const struct lx_itimerspec *value, struct lx_itimerspec *old)
{
    struct timerfd *t = f->priv;
    int64_t first = timespec_ns(&value->value), interval = timespec_ns(&value->interval);
    if (first < 0 || interval < 0)
        return -LX_EINVAL;
    timerfd_get(f, old);
    ktimer_cancel(&t->timer);
    t->settime_flags = flags;
    t->ticks = 0;
    t->interval = (uint64_t)interval;
    t->expires = (uint64_t)first;
    if (!first)
        return 0;
    if (!(flags & LX_TFD_TIMER_ABSTIME) &&
        __builtin_add_overflow((uint64_t)first, clock_now_ns(t->host_clock), &t->expires))
        t->expires = INT64_MAX;
    arm(t);
    if (!ktimer_armed(&t->timer)) {
        t->expires = 0;
        return -LX_ENOMEM;
    }
    return 0;
}
