// Advisory locks (fs/locks.c). Each inode that has any carries one context: a sorted list and a wait queue.
#include "sentry/vfs/locks.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/task/task.h"
#include <stdlib.h>

// Locks one sandbox may hold: beyond it ENOLCK.
#define LOCKS_MAX 65536u

struct lock {
    struct list_head link;
    struct lock_request r;
};
struct lock_context { // inode->locks; lives as long as the inode
    struct list_head held;
    struct wait_queue wait;
};
// POSIX owners that wait, for deadlock detection. An entry lives in the call's state via its owner; kept small.
struct waiting {
    const void *owner;
    struct inode *inode;
    struct lock_request r;
};
#define WAITING_MAX 256
static struct waiting waiting[WAITING_MAX];
static unsigned nr_locks;

static struct lock_context *context(struct inode *i, bool make)
{
    struct lock_context *c = i->locks;
    if (!c && make && (c = malloc(sizeof(*c))) != NULL) {
        list_init(&c->held);
        wait_queue_init(&c->wait);
        i->locks = c;
    }
    return c;
}

static bool same_kind(const struct lock_request *a, const struct lock_request *b)
{
    return (a->class == LOCK_FLOCK) == (b->class == LOCK_FLOCK);
}
static bool same_owner(const struct lock_request *a, const struct lock_request *b)
{
    return a->class == b->class && a->owner == b->owner;
}
static bool overlap(const struct lock_request *a, const struct lock_request *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static bool conflict_in(struct lock_context *c, const struct lock_request *r, struct lock_request *out)
{
    if (c && r->type != LX_F_UNLCK)
        list_for_each(l, &c->held, struct lock, link) if (same_kind(&l->r, r) && !same_owner(&l->r, r) &&
                                                          overlap(&l->r, r) &&
                                                          (l->r.type == LX_F_WRLCK || r->type == LX_F_WRLCK))
        {
            *out = l->r;
            return true;
        }
    return false;
}

bool lock_conflict(struct inode *i, const struct lock_request *r, struct lock_request *out)
{
    return conflict_in(i->locks, r, out);
}

static struct lock *lock_new(const struct lock_request *r)
{
    struct lock *l = nr_locks < LOCKS_MAX ? malloc(sizeof(*l)) : NULL;
    if (!l)
        return NULL;
    nr_locks++;
    l->r = *r;
    return l;
}

static void lock_free(struct lock *l)
{
    list_del(&l->link);
    free(l);
    nr_locks--;
}

// Cuts [start, end] out of the owner's locks. `spare` is used when one lock splits into two.
static void cut(struct lock_context *c, const struct lock_request *r, struct lock **spare)
{
    list_for_each_safe(l, &c->held, struct lock, link)
    {
        if (!same_owner(&l->r, r) || !overlap(&l->r, r))
            continue;
        bool left = l->r.start<r->start, right = l->r.end> r->end;
        if (left && right) {
            struct lock *tail = *spare;
            *spare = NULL;
            tail->r = l->r;
            tail->r.start = r->end + 1;
            l->r.end = r->start - 1;
            list_add(&tail->link, &l->link);
        } else if (left) {
            l->r.end = r->start - 1;
        } else if (right) {
            l->r.start = r->end + 1;
        } else {
            lock_free(l);
        }
    }
}

static void merge(struct lock_context *c, struct lock *n)
{
    list_for_each_safe(l, &c->held, struct lock, link)
    {
        if (l == n || !same_owner(&l->r, &n->r) || l->r.type != n->r.type)
            continue;
        bool touches = (l->r.end != INT64_MAX && l->r.end + 1 == n->r.start) ||
                       (n->r.end != INT64_MAX && n->r.end + 1 == l->r.start) || overlap(&l->r, &n->r);
        if (!touches)
            continue;
        if (l->r.start < n->r.start)
            n->r.start = l->r.start;
        if (l->r.end > n->r.end)
            n->r.end = l->r.end;
        lock_free(l);
    }
}

// flock(2) lets the old lock go before it asks for one of the other type, and does not take it back (flock_lock_inode).
static void begin_conversion(struct lock_context *c, const struct lock_request *r)
{
    list_for_each_safe(l, &c->held, struct lock, link) if (same_owner(&l->r, r) && l->r.type != r->type)
    {
        lock_free(l);
        wake_up(&c->wait, EV_ALL);
    }
}

int lock_set(struct inode *i, const struct lock_request *r)
{
    struct lock_context *c = context(i, r->type != LX_F_UNLCK);
    if (!c)
        return r->type == LX_F_UNLCK ? 0 : -LX_ENOLCK;
    struct lock_request other;
    if (r->class == LOCK_FLOCK && r->type != LX_F_UNLCK)
        begin_conversion(c, r);
    if (conflict_in(c, r, &other))
        return -LX_EAGAIN;
    struct lock *spare = lock_new(r), *fresh = NULL;
    if (!spare)
        return -LX_ENOLCK;
    list_init(&spare->link);
    if (r->type != LX_F_UNLCK) {
        fresh = lock_new(r);
        if (!fresh) {
            lock_free(spare);
            return -LX_ENOLCK;
        }
    }
    cut(c, r, &spare);
    if (fresh) {
        list_add_tail(&fresh->link, &c->held);
        merge(c, fresh);
    }
    if (spare)
        lock_free(spare);
    locks_wait_done(r->owner);
    wake_up(&c->wait, EV_ALL);
    return 0;
}

bool lock_deadlock(struct inode *i, const struct lock_request *r)
{
    struct lock_request holder;
    struct inode *at = i;
    struct lock_request want = *r;
    for (int depth = 0; depth < 10; depth++) {
        if (!lock_conflict(at, &want, &holder) || holder.class != LOCK_POSIX)
            return false;
        if (holder.owner == r->owner)
            return true;
        const struct waiting *next = NULL;
        for (unsigned k = 0; k < WAITING_MAX; k++)
            if (waiting[k].owner == holder.owner)
                next = &waiting[k];
        if (!next)
            return false;
        at = next->inode;
        want = next->r;
    }
    return false;
}

int64_t lock_wait(struct inode *i, const struct lock_request *r)
{
    struct lock_context *c = context(i, true);
    if (!c)
        return -LX_ENOLCK;
    if (r->class == LOCK_POSIX)
        for (unsigned k = 0; k < WAITING_MAX; k++)
            if (!waiting[k].owner || waiting[k].owner == r->owner) {
                waiting[k] = (struct waiting){r->owner, i, *r};
                break;
            }
    return block_on(&c->wait, EV_ALL);
}

static void release(struct inode *i, const struct lock_request *r)
{
    struct lock_context *c = i->locks;
    if (!c)
        return;
    bool any = false;
    list_for_each_safe(l, &c->held, struct lock, link) if (same_owner(&l->r, r))
    {
        lock_free(l);
        any = true;
    }
    if (any)
        wake_up(&c->wait, EV_ALL);
}

void locks_release_posix(struct file *f, struct fdtable *owner)
{
    struct lock_request r = {.class = LOCK_POSIX, .owner = owner};
    locks_wait_done(owner);
    release(f->inode, &r);
}

void locks_release_file(struct file *f)
{
    if (!f->inode->locks)
        return;
    struct lock_request r = {.class = LOCK_OFD, .owner = f};
    release(f->inode, &r);
    r.class = LOCK_FLOCK;
    release(f->inode, &r);
}

void locks_wait_done(const void *owner)
{
    for (unsigned k = 0; k < WAITING_MAX; k++)
        if (waiting[k].owner == owner)
            waiting[k].owner = NULL;
}

void locks_free(struct inode *i)
{
    struct lock_context *c = i->locks;
    if (!c)
        return;
    for (unsigned k = 0; k < WAITING_MAX; k++)
        if (waiting[k].inode == i)
            waiting[k] = (struct waiting){0};
    wait_queue_release(&c->wait);
    free(c);
    i->locks = NULL;
}
