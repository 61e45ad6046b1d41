// The event thread: one epoll over host descriptors, and one timerfd that stands for the first kernel timer.
//
// The timerfd lets any thread move the first expiry without waking this one.
#include "sentry/core/event.h"
#include "sentry/core/kernel.h"
#include "sentry/core/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENT_BATCH 32
#define WATCH_FD_MAX (1 << 20)
#define TIMER_TOKEN UINT64_MAX

// Watches by descriptor. A token of the host's epoll is (generation << 32 | fd): an event fetched before
// host_watch_del meets another generation and is dropped. Kernel lock.
static struct {
    struct host_watch *watch;
    uint32_t generation;
} * watches;
static int watches_size;
static uint32_t last_generation;
static uint64_t timer_set_ns = KTIMER_NEVER; // what the timerfd is armed for; kernel lock
static int epoll_fd = -1, timer_fd = -1;     // set once at boot

int event_init(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return -errno;
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer_fd < 0)
        return -errno;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = TIMER_TOKEN};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &ev) < 0)
        return -errno;
    return 0;
}

static uint64_t token(int fd)
{
    return (uint64_t)watches[fd].generation << 32 | (uint32_t)fd;
}

int host_watch_add(struct host_watch *w, int fd, uint32_t events,
                   void (*ready)(struct host_watch *, uint32_t))
{
    if (fd < 0 || fd >= WATCH_FD_MAX)
        return -EBADF;
    if (fd >= watches_size) {
        int size = watches_size ? watches_size : 64;
        while (size <= fd)
            size *= 2;
        void *grown = realloc(watches, (size_t)size * sizeof(*watches));
        if (!grown)
            return -ENOMEM;
        watches = grown;
        memset(&watches[watches_size], 0, (size_t)(size - watches_size) * sizeof(*watches));
        watches_size = size;
    }
    if (watches[fd].watch)
        return -EEXIST;
    watches[fd].generation = ++last_generation;
    struct epoll_event ev = {.events = events | EPOLLONESHOT, .data.u64 = token(fd)};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    watches[fd].watch = w;
    w->fd = fd;
    w->armed = events;
    w->ready = ready;
    return 0;
}

int host_watch_arm(struct host_watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events | EPOLLONESHOT, .data.u64 = token(w->fd)};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) < 0)
        return -errno;
    w->armed = events;
    return 0;
}

void host_watch_del(struct host_watch *w)
{
    if (w->fd < 0 || w->fd >= watches_size || watches[w->fd].watch != w)
        return;
    watches[w->fd].watch = NULL;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->armed = 0;
}

static bool timers_held; // kernel lock

void event_timers_changed(uint64_t first_ns)
{
    if (timer_fd < 0 || first_ns >= timer_set_ns || timers_held)
        return;
    // An all-zero value would disarm.
    if (first_ns == 0)
        first_ns = 1;
    struct itimerspec its = {.it_value = {(time_t)(first_ns / 1000000000u), (long)(first_ns % 1000000000u)}};
    if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &its, NULL) == 0)
        timer_set_ns = first_ns;
    else
        kernel_fatal("timerfd_settime: %s", strerror(errno));
}

static void run_timers(void)
{
    timer_set_ns = KTIMER_NEVER;
    uint64_t next = ktimer_run(mono_now_ns());
    if (next != KTIMER_NEVER)
        event_timers_changed(next);
}

// At the end an expiry in the past makes the timerfd ready at once.
void event_hold_timers(bool hold)
{
    timers_held = hold;
    timer_set_ns = KTIMER_NEVER;
    if (!hold)
        event_timers_changed(1);
}

static void dispatch(const struct epoll_event *ev)
{
    int fd = (int)(uint32_t)ev->data.u64;
    if (fd >= watches_size || token(fd) != ev->data.u64)
        return;
    struct host_watch *w = watches[fd].watch;
    // Error and hang-up are reported unasked: without interest they are for the next arming.
    if (!w || !w->armed)
        return;
    w->armed = 0;
    w->ready(w, ev->events);
}

void (*event_batch_hook)(void);

void event_loop(void)
{
    struct epoll_event batch[EVENT_BATCH];
    for (;;) {
        int n = epoll_wait(epoll_fd, batch, EVENT_BATCH, -1);
        if (n < 0 && errno != EINTR)
            kernel_fatal("epoll_wait: %s", strerror(errno));
        kernel_lock();
        bool timers = false;
        for (int i = 0; i < n; i++) {
            if (batch[i].data.u64 == TIMER_TOKEN)
                timers = true;
            else
                dispatch(&batch[i]);
        }
        if (timers && !timers_held)
            run_timers();
        if (event_batch_hook)
            event_batch_hook();
        kernel_unlock();
    }
}
