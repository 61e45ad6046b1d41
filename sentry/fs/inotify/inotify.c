#include "sentry/fs/inotify/inotify.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "sentry/task/task.h"
#include "sentry/vfs/notify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCES_MAX 128u     // fs.inotify.max_user_instances
#define WATCHES_MAX 65536u     // fs.inotify.max_user_watches
#define EVENTS_MAX 16384u      // fs.inotify.max_queued_events
#define EVENTS_MAX_ALL 262144u // of all instances together

struct instance {
    struct list_head watches; // struct watch.mine
    struct list_head events;  // struct event.link
    struct event *last;       // newest event, NULL when none is queued
    unsigned nr_events;
    int last_wd;
    bool wrapped; // last_wd has begun again
    struct wait_queue wait;
};
struct watch {
    struct list_head mine; // in instance.watches
    struct watch *next;    // other watches of the inode (inode->watches)
    struct instance *owner;
    struct inode *inode; // a reference
    uint32_t mask;
    int wd;
};
struct event {
    struct list_head link;
    struct lx_inotify_event head;
    char name[]; // head.len bytes
};
static unsigned nr_instances, nr_events_all;
static const struct file_ops inotify_fops;

static void queue(struct instance *in, int wd, uint32_t mask, uint32_t cookie, const char *name)
{
    size_t len = name ? (strlen(name) + 1 + 15) & ~(size_t)15 : 0;
    struct event *last = in->last;
    if (last && last->head.wd == wd && last->head.mask == mask && last->head.cookie == cookie &&
        last->head.len == len && (len == 0 || strcmp(last->name, name) == 0))
        return; // the same once more
    if (in->nr_events >= EVENTS_MAX || (nr_events_all >= EVENTS_MAX_ALL && in->nr_events)) {
        if (last && last->head.mask == LX_IN_Q_OVERFLOW)
            return;
        wd = -1;
        mask = LX_IN_Q_OVERFLOW;
        cookie = 0;
        len = 0;
    }
    struct event *e = calloc(1, sizeof(*e) + len);
    if (!e)
        return;
    e->head = (struct lx_inotify_event){wd, mask, cookie, (uint32_t)len};
    if (len)
        memcpy(e->name, name, strlen(name));
    list_add_tail(&e->link, &in->events);
    in->last = e;
    in->nr_events++;
    nr_events_all++;
    wake_up(&in->wait, EV_IN | EV_RDNORM);
}

static struct event *take_first(struct instance *in)
{
    struct event *e = list_first(&in->events, struct event, link);
    list_del(&e->link);
    in->nr_events--;
    nr_events_all--;
    if (in->last == e)
        in->last = NULL;
    return e;
}

static void watch_end(struct watch *w, bool say_so)
{
    struct watch **p = (struct watch **)&w->inode->watches;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    list_del(&w->mine);
    notify_watches--;
    if (say_so)
        queue(w->owner, w->wd, LX_IN_IGNORED, 0, NULL);
    struct inode *i = w->inode;
    free(w);
    inode_put(i);
}

static void notify(struct inode *i, uint32_t mask, uint32_t cookie, const char *name)
{
    inode_get(i);
    for (struct watch *w = i->watches, *next; w; w = next) {
        next = w->next;
        if (!(mask & w->mask & LX_IN_ALL_EVENTS))
            continue;
        // Only a directory's own entry says that it is one; events about itself do too, except its end.
        uint32_t shown = mask & LX_IN_DELETE_SELF ? mask & ~LX_IN_ISDIR : mask;
        queue(w->owner, w->wd, shown, cookie, name);
        if (w->mask & LX_IN_ONESHOT)
            watch_end(w, true);
    }
    if (mask & LX_IN_DELETE_SELF)
        while (i->watches)
            watch_end(i->watches, true);
    inode_put(i);
}

static int64_t inotify_read(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct instance *in = f->priv;
    int64_t done = 0;
    while (!list_empty(&in->events)) {
        struct event *e = list_first(&in->events, struct event, link);
        size_t n = sizeof(e->head) + e->head.len;
        if (n > it->count)
            return done ? done : -LX_EINVAL;
        e = take_first(in);
        ssize_t moved = iter_copy_to(it, &e->head, sizeof(e->head));
        if (moved == (ssize_t)sizeof(e->head) && e->head.len)
            moved += iter_copy_to(it, e->name, e->head.len);
        free(e);
        if (moved != (ssize_t)n)
            return done ? done : -LX_EFAULT;
        done += moved;
    }
    if (done || it->count == 0)
        return done;
    return f->flags & LX_O_NONBLOCK ? -LX_EAGAIN : block_on(&in->wait, EV_IN);
}

static uint32_t inotify_poll(struct file *f, struct poll_table *pt)
{
    struct instance *in = f->priv;
    poll_wait(pt, &in->wait);
    return list_empty(&in->events) ? 0 : EV_IN | EV_RDNORM;
}

static int64_t inotify_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    struct instance *in = f->priv;
    int32_t bytes = 0;
    if (cmd != LX_FIONREAD)
        return -LX_ENOTTY;
    list_for_each(e, &in->events, struct event, link) bytes += (int32_t)(sizeof(e->head) + e->head.len);
    return put_user(bytes, arg);
}

static void inotify_release(struct file *f)
{
    struct instance *in = f->priv;
    while (!list_empty(&in->watches))
        watch_end(list_first(&in->watches, struct watch, mine), false);
    while (!list_empty(&in->events))
        free(take_first(in));
    wait_queue_release(&in->wait);
    nr_instances--;
    free(in);
}

static size_t inotify_fdinfo(struct file *f, char *buf, size_t size)
{
    struct instance *in = f->priv;
    size_t used = 0;
    list_for_each(w, &in->watches, struct watch, mine)
    {
        int n = snprintf(buf + used, size - used, "inotify wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:0\n",
                         w->wd, (unsigned long long)w->inode->attr.ino,
                         (unsigned long long)w->inode->attr.dev, w->mask);
        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
    return used;
}

static const struct file_ops inotify_fops = {
    .read = inotify_read,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .release = inotify_release,
    .show_fdinfo = inotify_fdinfo,
};

int inotify_create(uint32_t flags, struct file **out)
{
    if (nr_instances >= INSTANCES_MAX)
        return -LX_EMFILE;
    struct instance *in = calloc(1, sizeof(*in));
    if (!in)
        return -LX_ENOMEM;
    list_init(&in->watches);
    list_init(&in->events);
    wait_queue_init(&in->wait);
    *out = anon_file(&inotify_fops, in, FMODE_READ, LX_O_RDONLY | (flags & LX_O_NONBLOCK),
                     "anon_inode:inotify", 0600);
    if (!*out) {
        free(in);
        return -LX_ENOMEM;
    }
    nr_instances++;
    return 0;
}

static bool wd_taken(const struct instance *in, int wd)
{
    list_for_each(w, &in->watches, struct watch, mine) if (w->wd == wd) return true;
    return false;
}

int inotify_add(struct file *f, struct inode *i, uint32_t mask)
{
    if (f->ops != &inotify_fops)
        return -LX_EINVAL;
    struct instance *in = f->priv;
    uint32_t kept = mask & (LX_IN_ALL_EVENTS | LX_IN_ONESHOT | LX_IN_EXCL_UNLINK);
    for (struct watch *w = i->watches; w; w = w->next)
        if (w->owner == in) {
            if (mask & LX_IN_MASK_CREATE)
                return -LX_EEXIST;
            w->mask = mask & LX_IN_MASK_ADD ? w->mask | kept : kept;
            return w->wd;
        }
    if (notify_watches >= WATCHES_MAX)
        return -LX_ENOSPC;
    struct watch *w = calloc(1, sizeof(*w));
    if (!w)
        return -LX_ENOMEM;
    // Numbers are not used again until they have all been given once.
    bool again = in->last_wd == INT32_MAX || in->wrapped;
    do {
        in->wrapped |= in->last_wd == INT32_MAX;
        in->last_wd = in->last_wd == INT32_MAX ? 1 : in->last_wd + 1;
    } while (again && wd_taken(in, in->last_wd));
    w->wd = in->last_wd;
    w->owner = in;
    w->inode = inode_get(i);
    w->mask = kept;
    w->next = i->watches;
    i->watches = w;
    list_add_tail(&w->mine, &in->watches);
    notify_watches++;
    return w->wd;
}

int inotify_remove(struct file *f, int wd)
{
    if (f->ops != &inotify_fops)
        return -LX_EINVAL;
    struct instance *in = f->priv;
    list_for_each(w, &in->watches, struct watch, mine) if (w->wd == wd)
    {
        watch_end(w, true);
        return 0;
    }
    return -LX_EINVAL;
}

void inotify_init(void)
{
    notify_hook = notify;
}
