#include "sentry/net/open_sockets.h"
#include "abi/linux/socket.h"
#include "sentry/net/inet/inet.h"
#include "sentry/task/task.h"
#include <stdlib.h>

static int by_inode(const void *a, const void *b)
{
    const struct socket *x = *(struct socket *const *)a, *y = *(struct socket *const *)b;
    return x->file->inode->attr.ino < y->file->inode->attr.ino
               ? -1
               : x->file->inode->attr.ino > y->file->inode->attr.ino;
}

// Sockets of the host's network have the same families, but nothing here knows what their struct holds.
static bool is_listed(const struct socket *s)
{
    return (s->family != LX_AF_INET && s->family != LX_AF_INET6) || s->ops == &tcp_ops || s->ops == &udp_ops;
}

static void look_in(struct open_sockets *f, const struct fdtable *files, int family, int type)
{
    for (unsigned fd = 0; files && fd < files->size && f->count < OPEN_SOCKETS_MAX; fd++) {
        struct socket *s = files->slots[fd].file ? file_socket(files->slots[fd].file) : NULL;
        if (s && s->file && s->family == family && (!type || s->type == type) && is_listed(s))
            f->sockets[f->count++] = s;
    }
}

struct open_sockets *find_open_sockets(int family, int type)
{
    struct open_sockets *f = malloc(sizeof(*f));
    if (!f)
        return NULL;
    f->count = 0;
    list_for_each(tg, &all_groups, struct thread_group, all_link)
        list_for_each(t, &tg->threads, struct task, thread_link) if (t == tg->leader || t->files->refs == 1)
            look_in(f, t->files, family, type);
    if (f->count)
        qsort(f->sockets, f->count, sizeof(f->sockets[0]), by_inode);
    unsigned kept = 0;
    for (unsigned i = 0; i < f->count; i++)
        if (i == 0 || f->sockets[i] != f->sockets[kept - 1])
            f->sockets[kept++] = f->sockets[i];
    f->count = kept;
    return f;
}
