#include "sentry/ipc/sysv/sysv.h"
#include "abi/linux/errno.h"
#include "sentry/task/task.h"
#include <stdlib.h>

// A guest may unmap what it has attached without our knowledge: its lists are bounded, as its mappings are on Linux, and so are
// all lists together.
#define ATTACHMENTS_MAX 65530u // vm.max_map_count
#define ALL_ATTACHMENTS_MAX (1u << 18)

static unsigned all_attachments; // kernel lock

struct shm_attach {
    struct list_head link; // in mm.shm
    struct shm_segment *segment;
    struct mm *mm; // whose list it is in; never changes
    gaddr_t addr;  // 0: on its way
};

static uint64_t pages_of(const struct shm_segment *s)
{
    return s->size / 4096 + (s->size % 4096 != 0);
}

uint64_t shm_resident(const struct shm_segment *s)
{
    struct kstat st;
    if (s->file->inode->ops->getattr)
        (void)vfs_getattr(s->file->inode, &st);
    return s->file->inode->attr.blocks * 512 / 4096;
}

void shm_destroy(struct shm_segment *s)
{
    ipc_remove(s->ns ? &s->ns->shm : NULL, &s->perm);
    if (s->ns)
        s->ns->shm_pages -= pages_of(s);
    file_put(s->file);
    free(s);
}

static void drop_attachment(struct shm_attach *a, int pid)
{
    struct shm_segment *s = a->segment;
    list_del(&a->link);
    a->mm->nr_shm--;
    all_attachments--;
    free(a);
    s->nattch--;
    s->dtime = ipc_now();
    if (pid)
        s->lpid = pid;
    if (s->nattch == 0 && (s->perm.mode & LX_SHM_DEST))
        shm_destroy(s);
}

struct shm_attach *shm_attach_begin(struct shm_segment *s, struct mm *m)
{
    bool full = m->nr_shm >= ATTACHMENTS_MAX || all_attachments >= ALL_ATTACHMENTS_MAX;
    struct shm_attach *a = full ? NULL : calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    m->nr_shm++;
    all_attachments++;
    a->segment = s;
    a->mm = m;
    s->nattch++;
    list_add_tail(&a->link, &m->shm);
    return a;
}

// What lay there before was unmapped without our knowledge.
static void drop_stale(const struct shm_attach *fresh, int pid)
{
    list_for_each_safe(a, &fresh->mm->shm, struct shm_attach, link)
    {
        if (a != fresh && a->addr >= fresh->addr && a->addr - fresh->addr < fresh->segment->size)
            drop_attachment(a, pid);
    }
}

void shm_attach_end(struct shm_attach *a, gaddr_t addr, int pid)
{
    if (!addr) {
        drop_attachment(a, pid);
        return;
    }
    a->addr = addr;
    a->segment->atime = ipc_now();
    a->segment->lpid = pid;
    drop_stale(a, pid);
}

static struct shm_attach *attachment(const struct mm *m, gaddr_t addr)
{
    list_for_each(a, &m->shm, struct shm_attach, link) if (a->addr == addr) return a;
    return NULL;
}

uint64_t shm_attached_at(const struct mm *m, gaddr_t addr)
{
    const struct shm_attach *a = addr ? attachment(m, addr) : NULL;
    return a ? pages_of(a->segment) * 4096 : 0;
}

void shm_detach(struct mm *m, gaddr_t addr, int pid)
{
    struct shm_attach *a = attachment(m, addr);
    if (a)
        drop_attachment(a, pid);
}

int shm_mm_dup(struct mm *to, const struct mm *from)
{
    list_for_each(a, &from->shm, struct shm_attach, link)
    {
        if (!a->addr)
            continue;
        struct shm_attach *copy = shm_attach_begin(a->segment, to);
        if (!copy)
            return -LX_ENOMEM;
        copy->addr = a->addr;
        a->segment->atime = ipc_now();
    }
    return 0;
}

void shm_mm_free(struct mm *m)
{
    while (!list_empty(&m->shm))
        drop_attachment(list_first(&m->shm, struct shm_attach, link), current ? current->tg->pid : 0);
}
