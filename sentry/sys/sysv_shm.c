// shmget(2), shmat(2), shmdt(2), shmctl(2).
#include "abi/linux/capability.h"
#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "abi/linux/resource.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/ipc/sysv/sysv.h"
#include "sentry/trap/trap.h"
#include "syscall_handlers.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096u

static struct shm_segment *segment(int id)
{
    return (struct shm_segment *)(void *)ipc_find(&sysv_current()->shm, id);
}

static int check_size(const struct ipc_perm *p, uint64_t size)
{
    return ((const struct shm_segment *)(const void *)p)->size < size ? -LX_EINVAL : 0;
}

static int make(int32_t key, int flags, uint64_t size)
{
    struct sysv_ns *ns = sysv_current();
    if (size < 1 || size > ns->limits.shmmax)
        return -LX_EINVAL;
    uint64_t pages = size / PAGE + (size % PAGE != 0);
    if (pages > INT64_MAX / PAGE || ns->shm_pages + pages < ns->shm_pages ||
        ns->shm_pages + pages > ns->limits.shmall)
        return -LX_ENOSPC;
    if (flags & LX_SHM_HUGETLB)
        return -LX_ENOMEM; // no huge pages are set aside
    struct shm_segment *s = calloc(1, sizeof(*s));
    char name[16];
    snprintf(name, sizeof(name), "SYSV%08x", (uint32_t)key);
    if (!s)
        return -LX_ENOMEM;
    s->file = tmpfs_memfd(name, 0, 0777);
    if (!s->file) {
        free(s);
        return -LX_ENOMEM;
    }
    const struct iattr attr = {.valid = ATTR_SIZE, .size = pages * PAGE};
    struct inode *i = s->file->inode;
    int id = i->ops->setattr(i, &attr);
    if (id == 0)
        id = ipc_add(&ns->shm, &s->perm, key, flags, (unsigned)ns->limits.shmmni);
    if (id < 0) {
        file_put(s->file);
        free(s);
        return id;
    }
    s->size = size;
    s->cpid = current->tg->pid;
    i->attr.ino = (uint64_t)id; // as /proc/PID/maps shows it
    s->ns = ns;
    ns->shm_pages += pages;
    return id;
}

int64_t sys_shmget(struct call *c)
{
    return ipc_get(&sysv_current()->shm, arg_int(c, 0), arg_int(c, 2), c->args[1], check_size, make);
}

struct attach_order {
    struct map_then then;
    struct shm_attach *attach;
    struct mm *mm; // referenced: it has the list that the attachment is in
    int pid;
};

static void attach_finish(struct map_then *then, gaddr_t addr)
{
    struct attach_order *o = container_of(then, struct attach_order, then);
    shm_attach_end(o->attach, addr, o->pid);
    mm_put(o->mm);
    free(o);
}

static int64_t attach_done(struct map_then *then, struct task *t, int64_t result)
{
    attach_finish(then, result > 0 ? (gaddr_t)result : 0);
    return result == -LX_EEXIST ? -LX_EINVAL : result; // something is mapped there
}

static void attach_drop(struct map_then *then)
{
    attach_finish(then, 0);
}

// The place and flags of the mapping. 0 or -LX_EINVAL.
static int attach_place(gaddr_t *addr, int flags, int *map_flags)
{
    *map_flags = LX_MAP_SHARED;
    if (!*addr)
        return flags & LX_SHM_REMAP ? -LX_EINVAL : 0;
    if (*addr % PAGE) {
        if (!(flags & LX_SHM_RND))
            return -LX_EINVAL;
        *addr -= *addr % PAGE;
        if (!*addr && (flags & LX_SHM_REMAP))
            return -LX_EINVAL;
    }
    *map_flags |= flags & LX_SHM_REMAP ? LX_MAP_FIXED : LX_MAP_FIXED_NOREPLACE;
    return 0;
}

// The segment's file, open for what the attachment may do. A reference, or NULL.
static struct file *attach_file(struct shm_segment *s, bool readonly)
{
    if (!readonly)
        return file_get(s->file);
    return inode_file(inode_get(s->file->inode), FMODE_READ | FMODE_SEEKABLE, 0, s->file->path.dentry->name);
}

static int64_t attach(struct call *c, struct shm_segment *s, gaddr_t addr, int flags, int map_flags)
{
    bool readonly = flags & LX_SHM_RDONLY;
    int prot = LX_PROT_READ | (readonly ? 0 : LX_PROT_WRITE) | (flags & LX_SHM_EXEC ? LX_PROT_EXEC : 0);
    struct file *f = attach_file(s, readonly);
    struct attach_order *o = f ? calloc(1, sizeof(*o)) : NULL;
    struct host_map hm;
    int err = o ? f->ops->map(f, 0, s->size, prot, LX_MAP_SHARED, &hm) : -LX_ENOMEM;
    if (!err && !(o->attach = shm_attach_begin(s, current->mm)))
        err = -LX_ENOMEM;
    int64_t r = err == -LX_ENFILE ? -LX_ENOMEM : err;
    if (err) {
        free(o);
    } else {
        o->then = (struct map_then){attach_done, attach_drop};
        o->mm = mm_get(current->mm);
        o->pid = current->tg->pid;
        r = trap_map_then(c, f, hm.fd, addr, (s->size + PAGE - 1) & ~(uint64_t)(PAGE - 1), prot, map_flags,
                          &o->then);
    }
    if (f)
        file_put(f);
    return r;
}

int64_t sys_shmat(struct call *c)
{
    gaddr_t addr = c->args[1];
    int flags = arg_int(c, 2), map_flags;
    if (arg_int(c, 0) < 0)
        return -LX_EINVAL;
    int err = attach_place(&addr, flags, &map_flags);
    if (err)
        return err;
    struct shm_segment *s = segment(arg_int(c, 0));
    if (!s)
        return -LX_EINVAL;
    err = ipc_permission(&s->perm, (flags & LX_SHM_RDONLY ? IPC_READ : IPC_READ | IPC_WRITE) |
                                       (flags & LX_SHM_EXEC ? 0111u : 0));
    if (err)
        return err;
    if (addr + s->size < addr)
        return -LX_EINVAL;
    return attach(c, s, addr, flags, map_flags);
}

int64_t sys_shmdt(struct call *c)
{
    gaddr_t addr = c->args[0];
    uint64_t len = addr % PAGE ? 0 : shm_attached_at(current->mm, addr);
    if (!len)
        return -LX_EINVAL;
    shm_detach(current->mm, addr, current->tg->pid);
    return trap_unmap(c, addr, len);
}

static int64_t put_info(gaddr_t out)
{
    const struct sysv_ns *ns = sysv_current();
    const struct lx_shminfo info = {.shmmax = ns->limits.shmmax,
                                    .shmmin = 1,
                                    .shmmni = (uint64_t)ns->limits.shmmni,
                                    .shmseg = (uint64_t)ns->limits.shmmni,
                                    .shmall = ns->limits.shmall};
    return put_user(info, out) ? -LX_EFAULT : ipc_highest(&ns->shm);
}

static int64_t put_use(gaddr_t out)
{
    const struct sysv_ns *ns = sysv_current();
    struct lx_shm_info info = {.used_ids = (int32_t)ns->shm.used, .tot = ns->shm_pages};
    for (unsigned i = 0; i < ns->shm.size; i++)
        if (ns->shm.slots[i])
            info.rss += shm_resident((struct shm_segment *)(void *)ns->shm.slots[i]);
    return put_user(info, out) ? -LX_EFAULT : ipc_highest(&ns->shm);
}

static int64_t put_stat(struct shm_segment *s, gaddr_t out, int64_t ret)
{
    struct lx_shmid_ds ds = {.segsz = s->size,
                             .atime = s->atime,
                             .dtime = s->dtime,
                             .ctime = s->perm.ctime,
                             .cpid = s->cpid,
                             .lpid = s->lpid,
                             .nattch = s->nattch};
    ipc_stat(&s->perm, &ds.perm);
    return put_user(ds, out) ? -LX_EFAULT : ret;
}

static int64_t remove_segment(struct shm_segment *s)
{
    if (s->nattch == 0) {
        shm_destroy(s);
        return 0;
    }
    s->perm.mode |= LX_SHM_DEST;
    ipc_forget_key(&s->perm);
    return 0;
}

// SHM_LOCK and SHM_UNLOCK: remembered; the host locks nothing.
static int64_t set_locked(struct shm_segment *s, bool locked)
{
    uint32_t euid = current->cred->euid;
    if (!capable(LX_CAP_IPC_LOCK)) {
        if (euid != s->perm.uid && euid != s->perm.cuid)
            return -LX_EPERM;
        if (locked && current->tg->rlim[LX_RLIMIT_MEMLOCK].cur == 0)
            return -LX_EPERM;
    }
    s->perm.mode = locked ? s->perm.mode | LX_SHM_LOCKED : s->perm.mode & ~(uint32_t)LX_SHM_LOCKED;
    return 0;
}

int64_t sys_shmctl(struct call *c)
{
    int id = arg_int(c, 0), cmd = arg_int(c, 1);
    gaddr_t out = c->args[2];
    struct lx_shmid_ds ds;
    if (id < 0 || cmd < 0)
        return -LX_EINVAL;
    if (cmd == LX_IPC_INFO)
        return put_info(out);
    if (cmd == LX_SHM_INFO)
        return put_use(out);
    if (cmd == LX_IPC_SET && get_user(ds, out))
        return -LX_EFAULT;
    bool by_slot = cmd == LX_SHM_STAT || cmd == LX_SHM_STAT_ANY;
    struct shm_segment *s =
        by_slot ? (struct shm_segment *)(void *)ipc_at(&sysv_current()->shm, (unsigned)id) : segment(id);
    bool known = by_slot || cmd == LX_IPC_STAT || cmd == LX_IPC_SET || cmd == LX_IPC_RMID ||
                 cmd == LX_SHM_LOCK || cmd == LX_SHM_UNLOCK;
    if (!known || !s)
        return -LX_EINVAL;
    int err = cmd == LX_SHM_STAT || cmd == LX_IPC_STAT  ? ipc_permission(&s->perm, IPC_READ)
              : cmd == LX_IPC_SET || cmd == LX_IPC_RMID ? ipc_owner(&s->perm)
                                                        : 0;
    if (err)
        return err;
    switch (cmd) {
    case LX_IPC_SET:
        return ipc_set(&s->perm, &ds.perm);
    case LX_IPC_RMID:
        return remove_segment(s);
    case LX_SHM_LOCK:
    case LX_SHM_UNLOCK:
        return set_locked(s, cmd == LX_SHM_LOCK);
    default:
        return put_stat(s, out, by_slot ? s->perm.id : 0);
    }
}
