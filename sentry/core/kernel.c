// The kernel lock and the worker pool.
//
// Leader and followers: few workers wait in NOTIF_RECV at a time, because every waiter is woken for every
// call. A worker that is about to block on the host hands its place to a parked one.
#include "sentry/core/kernel.h"
#include "sentry/core/log.h"
#include "sentry/trap/listener.h"
#include "sentry/trap/trap.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define RECEIVERS_MAX 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool holds_lock;
static pthread_cond_t followers = PTHREAD_COND_INITIALIZER;
static unsigned workers;   // threads made; kernel lock
static unsigned parked;    // waiting on `followers`; kernel lock
static unsigned blocking;  // between kernel_blocking_begin() and kernel_blocking_end(); kernel lock
static unsigned receivers; // in NOTIF_RECV or on the way there; kernel lock

static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static bool paused; // kernel lock

void kernel_lock(void)
{
    pthread_mutex_lock(&lock);
    holds_lock = true;
}

void kernel_unlock(void)
{
    holds_lock = false;
    pthread_mutex_unlock(&lock);
}

bool kernel_locked(void)
{
    return holds_lock;
}

void kernel_assert_locked(void)
{
    if (!holds_lock)
        kernel_fatal("internal error: the kernel lock is not held");
}

bool kernel_paused(void)
{
    return paused;
}

void kernel_pause(bool on)
{
    paused = on;
    if (!on)
        pthread_cond_broadcast(&resumed);
}

static void wait_while_paused(void)
{
    while (paused) {
        holds_lock = false;
        pthread_cond_wait(&resumed, &lock);
        holds_lock = true;
    }
}

static void *worker_main(void *arg)
{
    (void)arg;
    kernel_lock();
    for (;;) {
        wait_while_paused();
        trap_run_queue();
        while (receivers >= RECEIVERS_MAX) {
            parked++;
            holds_lock = false;
            pthread_cond_wait(&followers, &lock);
            holds_lock = true;
            parked--;
            wait_while_paused();
            trap_run_queue();
        }
        receivers++;
        kernel_unlock();
        struct trap_notif n;
        int r = listener_receive(&n);
        kernel_lock();
        receivers--;
        wait_while_paused();
        if (r == 0)
            trap_receive(&n);
        else if (r != -ENOENT && r != -EINTR)
            kernel_fatal("receiving system calls failed: %s", strerror(-r));
    }
    return NULL;
}

static int worker_start(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attr, worker_main, NULL);
    pthread_attr_destroy(&attr);
    if (r == 0)
        workers++;
    return -r;
}

int kernel_workers_start(void)
{
    kernel_lock();
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++)
        r = worker_start();
    kernel_unlock();
    return r;
}

// Wakes a parked worker, or makes one. False: neither is possible.
static bool another_worker(void)
{
    if (parked > 0)
        return pthread_cond_signal(&followers) == 0;
    return workers > 0 && workers < WORKERS_MAX && worker_start() == 0;
}

void kernel_run_woken(void)
{
    if (trap_queue_empty() || paused)
        return;
    // A worker that is neither parked nor receiving nor away on the host comes back to the queue by itself.
    if (parked == 0 && workers > receivers + blocking)
        return;
    if (!another_worker())
        trap_run_queue();
}

void kernel_blocking_begin(void)
{
    kernel_assert_locked();
    blocking++;
    if (receivers < RECEIVERS_MAX || !trap_queue_empty())
        (void)another_worker(); // without one calls wait until this one is back
    kernel_unlock();
}

void kernel_blocking_end(void)
{
    kernel_lock();
    blocking--;
}

void kernel_fatal(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_error("fatal: %s", text);
    // The Sentry is first in its pid namespace: the host kills every guest with it.
    _exit(125);
}
