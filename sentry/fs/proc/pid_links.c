// exe, cwd, root, ns, and the directories fd and fdinfo.
#include "sentry/fs/proc/proc.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int give(const struct path *from, struct path *out)
{
    if (!from->dentry)
        return -LX_ENOENT;
    *out = *from;
    path_get(out);
    return 0;
}

int proc_link_exe(const struct pseudo *p, struct path *out)
{
    const struct task *t = proc_task(p);
    return t && t->mm && t->mm->exe ? give(&t->mm->exe->path, out) : -LX_ENOENT;
}

int proc_link_cwd(const struct pseudo *p, struct path *out)
{
    const struct task *t = proc_task(p);
    return t && t->fs ? give(&t->fs->pwd, out) : -LX_ENOENT;
}

int proc_link_root(const struct pseudo *p, struct path *out)
{
    const struct task *t = proc_task(p);
    return t && t->fs ? give(&t->fs->root, out) : -LX_ENOENT;
}

// Where the link leads, as text.
int64_t proc_readlink_magic(const struct pseudo *p, char *buf, size_t size)
{
    struct path at;
    int err = p->node->get_link(p, &at);
    if (err)
        return err;
    char *text = malloc(VFS_PATH_MAX);
    int64_t n = text ? path_name(&at, text, VFS_PATH_MAX) : -LX_ENOMEM;
    path_put(&at);
    if (n > 0) {
        n = n < (int64_t)size ? n : (int64_t)size;
        memcpy(buf, text, (size_t)n);
    }
    free(text);
    return n;
}

// --- fd

static struct fdtable *table_of(const struct pseudo *p)
{
    const struct task *t = proc_task(p);
    return t ? t->files : NULL;
}

static int fd_link(const struct pseudo *p, struct path *out)
{
    struct fdtable *files = table_of(p);
    const struct file *f = files ? fd_lookup_path(files, (int)p->number) : NULL;
    return f ? give(&f->path, out) : -LX_ENOENT;
}

const struct pseudo_node proc_fd_link = {.name = "N",
                                         .mode = LX_S_IFLNK | 0700,
                                         .flags = PSEUDO_PTRACE,
                                         .readlink = proc_readlink_magic,
                                         .get_link = fd_link};
const struct pseudo_node proc_fdinfo_file = {
    .name = "N", .mode = LX_S_IFREG | 0444, .flags = PSEUDO_PTRACE, .show = proc_show_fdinfo};

static bool may_list(const struct pseudo *dir)
{
    const struct task *t = proc_task(dir);
    return t && proc_may_access(t);
}

int proc_lookup_fd(const struct pseudo *dir, struct dentry *d)
{
    char *end;
    struct fdtable *files = table_of(dir);
    if (d->name[0] < '0' || d->name[0] > '9' || (d->name[0] == '0' && d->name[1]) || !files || !may_list(dir))
        return 0;
    unsigned long fd = strtoul(d->name, &end, 10);
    if (*end || fd > INT32_MAX || !fd_lookup_path(files, (int)fd))
        return 0;
    struct inode *i = pseudo_inode(d->parent->inode->sb, dir->node->data, dir);
    if (!i)
        return -LX_ENOMEM;
    pseudo_of(i)->number = (int64_t)fd;
    pseudo_refresh(i);
    dentry_attach(d, i);
    return 0;
}

bool proc_fd_alive(const struct pseudo *dir, const struct pseudo *entry)
{
    struct fdtable *files = table_of(dir);
    return files && fd_lookup_path(files, (int)entry->number);
}

bool proc_iterate_fd(const struct pseudo *dir, int64_t *index, char name[24], unsigned *type, uint64_t *ino)
{
    struct fdtable *files = table_of(dir);
    if (!files || !may_list(dir))
        return false;
    while (*index < files->size && !files->slots[*index].file)
        ++*index;
    if (*index >= files->size)
        return false;
    *type = (((const struct pseudo_node *)dir->node->data)->mode & LX_S_IFMT) >> 12;
    snprintf(name, 24, "%" PRId64, *index);
    return true;
}

PROC_SHOW(fdinfo)
{
    struct fdtable *files = table_of(p);
    struct file *f = files ? fd_lookup_path(files, (int)p->number) : NULL;
    if (!f)
        return -LX_ENOENT;
    uint32_t flags = f->flags;
    if (files->slots[p->number].flags & FD_CLOEXEC_BIT)
        flags |= LX_O_CLOEXEC;
    out_printf(out, "pos:\t%" PRId64 "\nflags:\t0%o\nmnt_id:\t%d\nino:\t%" PRIu64 "\n", f->pos, flags,
               f->path.mnt ? f->path.mnt->id : 0, f->inode ? f->inode->attr.ino : 0);
    if (f->ops && f->ops->show_fdinfo) {
        char *at = out_room(out, 4096);
        if (at)
            out->len += f->ops->show_fdinfo(f, at, 4096);
    }
    return 0;
}
