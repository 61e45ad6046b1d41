// Descriptor tables (fs/file.c). A table grows by doubling up to the caller's RLIMIT_NOFILE.
#include "sentry/vfs/internal.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/mutate.h"
#include "sentry/task/task.h"
#include <stdlib.h>

#define FIRST_SIZE 16u
// Slots of all tables together (16 bytes each, and only those in use are touched): beyond it ENOMEM.
#define SLOTS_MAX (1u << 26)
static unsigned nr_slots;

static uint64_t nofile_limit(void)
{
    uint64_t limit =
        current && !mutated("table-limit") ? current->tg->rlim[7].cur : FD_TABLE_MAX; // RLIMIT_NOFILE
    return limit < FD_TABLE_MAX ? limit : FD_TABLE_MAX;
}

struct fdtable *fdtable_alloc(void)
{
    struct fdtable *t = calloc(1, sizeof(*t));
    if (t)
        t->refs = 1;
    return t;
}

struct fdtable *fdtable_get(struct fdtable *t)
{
    t->refs++;
    return t;
}

static void close_file(struct fdtable *t, struct file *f)
{
    if (f->inode && f->inode->locks && !(f->mode & FMODE_PATH))
        locks_release_posix(f, t);
    if (f->ops && f->ops->flush && !(f->mode & FMODE_PATH))
        f->ops->flush(f, t);
    file_put(f);
}

void fdtable_put(struct fdtable *t)
{
    if (!t || --t->refs > 0)
        return;
    for (unsigned i = 0; i < t->size; i++) {
        struct file *f = t->slots[i].file;
        t->slots[i].file = NULL;
        if (f)
            close_file(t, f);
    }
    nr_slots -= t->size;
    free(t->slots);
    free(t);
}

struct fdtable *fdtable_dup(const struct fdtable *t)
{
    struct fdtable *n = fdtable_alloc();
    if (!n)
        return NULL;
    unsigned used = t->size;
    while (used > 0 && !t->slots[used - 1].file)
        used--;
    unsigned size = FIRST_SIZE;
    while (size < used)
        size *= 2;
    n->slots = size <= SLOTS_MAX - nr_slots ? calloc(size, sizeof(*n->slots)) : NULL;
    if (!n->slots) {
        free(n);
        return NULL;
    }
    nr_slots += size;
    n->size = size;
    n->next = t->next;
    for (unsigned i = 0; i < used; i++)
        if (t->slots[i].file) {
            n->slots[i].file = file_get(t->slots[i].file);
            n->slots[i].flags = t->slots[i].flags;
        }
    return n;
}

static int grow(struct fdtable *t, unsigned need)
{
    unsigned size = t->size ? t->size : FIRST_SIZE;
    while (size < need)
        size *= 2;
    if (size > FD_TABLE_MAX)
        return -LX_EMFILE;
    if (size - t->size > SLOTS_MAX - nr_slots)
        return -LX_ENOMEM;
    // Fresh zero pages that only used slots touch: one high number does not cost a whole table.
    struct fd_slot *slots = calloc(size, sizeof(*slots));
    if (!slots)
        return -LX_ENOMEM;
    for (unsigned i = 0; i < t->size; i++)
        if (t->slots[i].file)
            slots[i] = t->slots[i];
    free(t->slots);
    nr_slots += size - t->size;
    t->slots = slots;
    t->size = size;
    return 0;
}

static unsigned find_free(const struct fdtable *t, unsigned from)
{
    if (from < t->next)
        from = t->next;
    while (from < t->size && t->slots[from].file)
        from++;
    return from;
}

int fd_available(struct fdtable *t)
{
    return find_free(t, 0) < nofile_limit() ? 0 : -LX_EMFILE;
}

int fd_install(struct fdtable *t, struct file *f, unsigned min, bool cloexec)
{
    uint64_t limit = nofile_limit();
    if (min && min >= limit)
        return -LX_EINVAL;
    unsigned fd = find_free(t, min);
    if (fd >= limit)
        return -LX_EMFILE;
    if (fd >= t->size) {
        int err = grow(t, fd + 1);
        if (err)
            return err;
    }
    t->slots[fd].file = f;
    t->slots[fd].flags = cloexec ? FD_CLOEXEC_BIT : 0;
    if (min <= t->next)
        t->next = fd + 1;
    return (int)fd;
}

struct file *fd_lookup_now(struct fdtable *t, int fd)
{
    return (unsigned)fd < t->size ? t->slots[fd].file : NULL;
}

struct file *fd_lookup_path(struct fdtable *t, int fd)
{
    struct file *f = fd_lookup_now(t, fd);
    return current && t == current->files ? held_look(&current->call.held, fd, f) : f;
}

struct file *fd_lookup(struct fdtable *t, int fd)
{
    struct file *f = fd_lookup_path(t, fd);
    return f && !(f->mode & FMODE_PATH) ? f : NULL;
}

int fd_close(struct fdtable *t, int fd)
{
    struct file *f = fd_lookup_now(t, fd);
    if (!f)
        return -LX_EBADF;
    t->slots[fd].file = NULL;
    t->slots[fd].flags = 0;
    if ((unsigned)fd < t->next)
        t->next = (unsigned)fd;
    close_file(t, f);
    return 0;
}

int fd_set_at(struct fdtable *t, int fd, struct file *f, bool cloexec)
{
    if (fd < 0 || (uint64_t)fd >= nofile_limit())
        return -LX_EBADF;
    if ((unsigned)fd >= t->size) {
        int err = grow(t, (unsigned)fd + 1);
        if (err)
            return err;
    }
    struct file *old = t->slots[fd].file;
    t->slots[fd].file = f;
    t->slots[fd].flags = cloexec ? FD_CLOEXEC_BIT : 0;
    if (old)
        close_file(t, old);
    return fd;
}

void fdtable_close_on_exec(struct fdtable *t)
{
    for (unsigned i = 0; i < t->size; i++)
        if (t->slots[i].file && (t->slots[i].flags & FD_CLOEXEC_BIT))
            fd_close(t, (int)i);
}
