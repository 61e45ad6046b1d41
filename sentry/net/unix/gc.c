// Sockets in flight, and those that nothing but messages in each other's queues keeps alive
// (net/unix/garbage.c of Linux before 6.10).
#include "abi/linux/capability.h"
#include "abi/linux/resource.h"
#include "sentry/core/timer.h"
#include "sentry/net/unix/unix.h"
#include "sentry/task/task.h"

static struct list_head in_flight = LIST_INIT(in_flight); // sockets whose file is in a queue
static struct list_head alive = LIST_INIT(alive); // during a collection: found alive, children not looked at
static unsigned files_in_flight;                  // files of every kind
static bool collecting;

// A collection looks at every socket in flight. So that closing many costs no more than a constant for each, one is due only
// when a share of them has ended since the last, or after a while.
#define COLLECT_SHARE 32u
#define COLLECT_AFTER_NS 20000000u
static unsigned ended; // sockets since the last collection
static void late(struct ktimer *t);
static struct ktimer collect_late = {.fire = late};

static struct unix_sock *unix_of(struct file *f)
{
    struct socket *s = file_socket(f);
    return s && s->family == LX_AF_UNIX ? unix_sk(s) : NULL;
}

bool unix_inflight_over(unsigned more)
{
    return files_in_flight + more > current->tg->rlim[LX_RLIMIT_NOFILE].cur &&
           !capable(LX_CAP_SYS_RESOURCE) && !capable(LX_CAP_SYS_ADMIN);
}

void unix_inflight(struct scm_files *files)
{
    files_in_flight += files->count;
    for (unsigned i = 0; i < files->count; i++) {
        struct unix_sock *u = unix_of(files->files[i]);
        if (u && u->inflight++ == 0)
            list_add_tail(&u->inflight_link, &in_flight);
    }
}

void unix_notinflight(struct scm_files *files)
{
    files_in_flight -= files->count;
    for (unsigned i = 0; i < files->count; i++) {
        struct unix_sock *u = unix_of(files->files[i]);
        if (u && --u->inflight == 0)
            list_del(&u->inflight_link);
    }
}

// Calls `visit` for each candidate whose file is in a queue of `u`, or of a socket that waits there to be
// accepted.
static void for_each_child(struct unix_sock *u, void (*visit)(struct unix_sock *child))
{
    list_for_each(b, &u->queue, struct unix_buf, link)
    {
        for (unsigned i = 0; b->files && i < b->files->count; i++) {
            struct unix_sock *child = unix_of(b->files->files[i]);
            if (child && child->gc_candidate)
                visit(child);
        }
    }
    list_for_each(embryo, &u->accept_queue, struct unix_sock, accept_link) for_each_child(embryo, visit);
}

static void count_down(struct unix_sock *child)
{
    child->gc_count--;
}

static void mark_alive(struct unix_sock *child)
{
    child->gc_candidate = false;
    list_del(&child->inflight_link);
    list_add_tail(&child->inflight_link, &alive);
}

// Candidates are sockets of which every reference is a message. Those that messages outside the candidates'
// queues refer to are alive, and so is all they lead to. The others become the list `dead`.
static void find_dead(struct list_head *dead)
{
    struct list_head checked;
    list_init(&checked);
    list_init(dead);
    list_for_each(u, &in_flight, struct unix_sock, inflight_link)
    {
        u->gc_candidate = u->sk.file && u->sk.file->refs == u->inflight;
        u->gc_count = u->inflight;
    }
    list_for_each(u, &in_flight, struct unix_sock, inflight_link) if (u->gc_candidate)
        for_each_child(u, count_down);
    list_for_each_safe(u, &in_flight, struct unix_sock, inflight_link) if (u->gc_candidate && u->gc_count > 0)
        mark_alive(u);
    while (!list_empty(&alive)) {
        struct unix_sock *u = list_first(&alive, struct unix_sock, inflight_link);
        list_del(&u->inflight_link);
        list_add_tail(&u->inflight_link, &checked);
        for_each_child(u, mark_alive);
    }
    list_for_each_safe(u, &in_flight, struct unix_sock, inflight_link)
    {
        if (!u->gc_candidate)
            continue;
        list_del(&u->inflight_link);
        list_add_tail(&u->inflight_link, dead);
    }
    while (!list_empty(&checked)) {
        struct list_head *link = checked.next;
        list_del(link);
        list_add_tail(link, &in_flight);
    }
}

static struct unix_sock *embryo_with_messages(struct unix_sock *u)
{
    list_for_each(embryo, &u->accept_queue, struct unix_sock,
                  accept_link) if (!list_empty(&embryo->queue)) return embryo;
    return NULL;
}

static void collect(void)
{
    if (list_empty(&in_flight) || collecting)
        return;
    collecting = true;
    ended = 0;
    ktimer_cancel(&collect_late);
    struct list_head dead;
    struct unix_sock *embryo;
    find_dead(&dead);
    // A socket leaves the list by itself when its last message goes, which may happen to any of them.
    while (!list_empty(&dead)) {
        struct unix_sock *u = unix_get(list_first(&dead, struct unix_sock, inflight_link));
        list_del(&u->inflight_link);
        list_add_tail(&u->inflight_link, &in_flight);
        u->gc_candidate = false;
        unix_flush(u);
        while ((embryo = embryo_with_messages(u))) {
            unix_flush(unix_get(embryo));
            unix_put(embryo);
        }
        unix_put(u);
    }
    collecting = false;
}

static void late(struct ktimer *t)
{
    collect();
}

void unix_gc(void)
{
    if (list_empty(&in_flight) || collecting)
        return;
    if (++ended >= files_in_flight / COLLECT_SHARE)
        collect();
    else if (!ktimer_armed(&collect_late) && ktimer_arm(&collect_late, mono_now_ns() + COLLECT_AFTER_NS))
        collect();
}
