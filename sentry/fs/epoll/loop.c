// Epolls inside epolls: no circle, and not too deep (ep_loop_check, reverse_path_check).
#include "abi/linux/errno.h"
#include "sentry/fs/epoll/internal.h"

static uint64_t walk; // number of the present walk

// How deep epolls nest below `ep` (0: none), or -1 when `wanted` is among them or it is too deep. Each is
// visited once.
static int depth_below(struct eventpoll *ep, const struct eventpoll *wanted, int level)
{
    if (ep == wanted || level > EPOLL_MAX_NESTS)
        return -1;
    if (ep->visit == walk)
        return ep->visit_depth;
    ep->visit = walk;
    ep->visit_depth = 0;
    int deepest = 0;
    for (unsigned i = 0; i < ep->hash_size; i++) {
        for (struct epitem *item = ep->hash[i]; item; item = item->hash_next) {
            struct eventpoll *inner = file_eventpoll(item->file);
            if (!inner)
                continue;
            int depth = depth_below(inner, wanted, level + 1);
            if (depth < 0)
                return -1;
            if (depth + 1 > deepest)
                deepest = depth + 1;
        }
    }
    ep->visit_depth = deepest;
    return deepest;
}

// How many epolls there are above a file on the longest way up; stops counting above the limit.
static int depth_above(struct file *f, int level)
{
    if (level > EPOLL_MAX_NESTS)
        return level;
    struct eventpoll *self = file_eventpoll(f);
    if (self) {
        if (self->visit == walk)
            return level + self->visit_depth;
        self->visit = walk;
        self->visit_depth = 0;
    }
    int highest = level;
    list_for_each(item, &f->epoll_links, struct epitem, file_link)
    {
        int depth = depth_above(item->ep->file, level + 1);
        if (depth > highest)
            highest = depth;
    }
    if (self)
        self->visit_depth = highest - level;
    return highest;
}

int epoll_loop_check(struct eventpoll *ep, struct file *f)
{
    struct eventpoll *inner = file_eventpoll(f);
    if (!inner)
        return 0;
    walk++;
    int below = depth_below(inner, ep, 0);
    if (below < 0)
        return -LX_ELOOP;
    walk++;
    int above = depth_above(ep->file, 0);
    return below + above + 1 > EPOLL_MAX_NESTS ? -LX_ELOOP : 0;
}
