// Inodes, directories and files of table-driven filesystems.
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/pseudo.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"
#include <stdlib.h>
#include <string.h>

void (*pseudo_refresh)(struct inode *i);
bool (*pseudo_may_access)(const struct pseudo *p);

struct pseudo_file {
    struct out_text text;
    bool filled;
    // What the open was allowed to see, for rows with PSEUDO_PTRACE: an exec may give the process a program whose memory is no
    // business of the opener's. Referenced; NULL: none.
    struct mm *mm;
};

static struct mm *mm_now(const struct pseudo *p)
{
    const struct task *t = p->node->flags & PSEUDO_PTRACE ? proc_task(p) : NULL;
    return t ? t->mm : NULL;
}

static void refresh(struct inode *i)
{
    if (pseudo_refresh && pseudo_of(i)->tg)
        pseudo_refresh(i);
}

// --- directories

static bool missing_is_error(const struct super_block *sb)
{
    return ((const struct pseudo_fs *)sb->priv)->missing_is_error;
}

static const struct pseudo_node *find_child(const struct pseudo_node *dir, const char *name)
{
    for (const struct pseudo_node *n = dir->children; n && n->name; n++)
        if (strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
    const struct pseudo *p = pseudo_of(dir);
    const struct pseudo_node *n = find_child(p->node, d->name);
    if (!n) {
        int err = p->node->lookup ? p->node->lookup(p, d) : 0;
        // proc has no negative names: making one there finds no directory entry to make (proc_lookup).
        return !err && !d->inode && missing_is_error(dir->sb) ? -LX_ENOENT : err;
    }
    struct inode *i = pseudo_inode(dir->sb, n, p);
    if (!i)
        return -LX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

static int dir_revalidate(struct inode *dir, struct dentry *d)
{
    const struct pseudo *p = pseudo_of(dir);
    if (!d->inode)
        return 0;
    if (p->node->alive && !p->node->alive(p, pseudo_of(d->inode)))
        return 0;
    refresh(d->inode);
    return 1;
}

static unsigned type_of(uint32_t mode)
{
    return (mode & LX_S_IFMT) >> 12;
}

static uint64_t name_ino(const struct inode *dir, const char *name)
{
    uint64_t hash = dir->attr.ino * 1099511628211u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return (hash & 0x7fffffff) | 0x40000000;
}

#define DYNAMIC_START 1024 // positions from here on are the directory's own index

static int dir_iterate(struct file *f, struct dir_context *ctx)
{
    const struct inode *dir = f->inode;
    const struct pseudo *p = pseudo_of(dir);
    int64_t rows = 0;
    if (ctx->pos == 0) {
        if (!ctx->emit(ctx, ".", 1, 1, dir->attr.ino, LX_DT_DIR))
            return 0;
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        if (!ctx->emit(ctx, "..", 2, 2, f->path.dentry->parent->inode->attr.ino, LX_DT_DIR))
            return 0;
        ctx->pos = 2;
    }
    for (const struct pseudo_node *n = p->node->children; n && n->name; n++, rows++) {
        if (ctx->pos != rows + 2)
            continue;
        if (!ctx->emit(ctx, n->name, strlen(n->name), rows + 3, name_ino(dir, n->name), type_of(n->mode)))
            return 0;
        ctx->pos = rows + 3;
    }
    if (!p->node->iterate)
        return 0;
    int64_t index = ctx->pos < DYNAMIC_START ? 0 : ctx->pos - DYNAMIC_START;
    for (;; index++) {
        char name[24];
        unsigned type = LX_DT_UNKNOWN;
        uint64_t ino = 0;
        if (!p->node->iterate(p, &index, name, &type, &ino))
            return 0;
        if (!ctx->emit(ctx, name, strlen(name), DYNAMIC_START + index + 1, ino ? ino : name_ino(dir, name),
                       type)) {
            ctx->pos = DYNAMIC_START + index;
            return 0;
        }
        ctx->pos = DYNAMIC_START + index + 1;
    }
}

// --- files

static int fill(struct file *f, struct pseudo_file *pf)
{
    const struct pseudo *p = pseudo_of(f->inode);
    struct out_text fresh = {NULL, 0, 0, false};
    file_get(f);
    int err = !p->node->show ? -LX_EIO : mm_now(p) == pf->mm ? p->node->show(p, &fresh) : 0;
    if (mm_now(p) != pf->mm) // the lock may have been dropped
        fresh.len = 0;
    file_put(f);
    if (!err && fresh.failed)
        err = -LX_ENOMEM;
    if (err) {
        out_free(&fresh);
        return err;
    }
    out_free(&pf->text);
    out_tighten(&fresh);
    pf->text = fresh;
    pf->filled = true;
    return 0;
}

static int64_t file_read_text(struct file *f, struct iov_iter *it, int64_t *pos)
{
    struct pseudo_file *pf = f->priv;
    if (*pos < 0)
        return -LX_EINVAL;
    if (!pf->filled || *pos == 0) {
        int err = fill(f, pf);
        if (err)
            return err;
    }
    if ((uint64_t)*pos >= pf->text.len)
        return 0;
    size_t n = pf->text.len - (size_t)*pos;
    if (n > it->count)
        n = it->count;
    ssize_t done = n ? iter_copy_to(it, pf->text.data + *pos, n) : 0;
    if (done > 0)
        *pos += done;
    return done;
}

static int64_t file_write_text(struct file *f, struct iov_iter *it, int64_t *pos)
{
    const struct pseudo *p = pseudo_of(f->inode);
    char buf[PSEUDO_WRITE_MAX + 1];
    if (!p->node->store)
        return -LX_EIO;
    size_t n = it->count;
    if (n > PSEUDO_WRITE_MAX)
        return -LX_EINVAL;
    ssize_t got = n ? iter_copy_from(it, buf, n) : 0;
    if (got < 0)
        return got;
    buf[got] = 0;
    int64_t done = p->node->store(p, buf, (size_t)got);
    if (done > 0)
        *pos += done;
    return done;
}

static void file_release_text(struct file *f)
{
    struct pseudo_file *pf = f->priv;
    if (pf) {
        out_free(&pf->text);
        if (pf->mm)
            mm_put(pf->mm);
        free(pf);
    }
}

static const struct file_ops text_fops = {
    .read = file_read_text, .write = file_write_text, .lseek = dir_lseek, .release = file_release_text};
static const struct file_ops dir_fops = {.iterate = dir_iterate, .lseek = dir_lseek};

static int node_open(struct inode *i, struct file *f)
{
    const struct pseudo *p = pseudo_of(i);
    if ((p->node->flags & PSEUDO_PTRACE) && pseudo_may_access && !pseudo_may_access(p))
        return -LX_EACCES;
    if (i->fops != &text_fops)
        return 0;
    struct pseudo_file *pf = f->priv = calloc(1, sizeof(*pf));
    struct mm *mm = mm_now(p);
    if (pf && mm)
        pf->mm = mm_get(mm);
    return pf ? 0 : -LX_ENOMEM;
}

// --- attributes

static int node_getattr(struct inode *i)
{
    refresh(i);
    const struct pseudo *p = pseudo_of(i);
    if (p->node->children == NULL && p->node->lookup == NULL)
        i->attr.atime = i->attr.mtime = i->attr.ctime = vfs_now();
    return 0;
}

static int node_setattr(struct inode *i, const struct iattr *a)
{
    // O_TRUNC before a write is what a shell's > does.
    return (a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID)) ? -LX_EPERM : 0;
}

static int64_t node_readlink(struct inode *i, char *buf, size_t size)
{
    const struct pseudo *p = pseudo_of(i);
    if ((p->node->flags & PSEUDO_PTRACE) && pseudo_may_access && !pseudo_may_access(p))
        return -LX_EACCES;
    return p->node->readlink(p, buf, size);
}

static int node_get_link(struct inode *i, struct path *out)
{
    const struct pseudo *p = pseudo_of(i);
    if ((p->node->flags & PSEUDO_PTRACE) && pseudo_may_access && !pseudo_may_access(p))
        return -LX_EACCES;
    return p->node->get_link(p, out);
}

static int node_statfs(struct inode *i, struct kstatfs *out)
{
    const struct pseudo_fs *fs = i->sb->priv;
    out->type = fs->magic;
    out->bsize = 4096;
    out->namelen = VFS_NAME_MAX;
    return 0;
}

static void node_evict(struct inode *i)
{
    struct pseudo *p = pseudo_of(i);
    if (!p)
        return;
    if (p->tg)
        tg_put(p->tg);
    if (p->task)
        task_put(p->task);
    free(p);
}

static const struct inode_ops dir_ops = {.lookup = dir_lookup,
                                         .revalidate = dir_revalidate,
                                         .getattr = node_getattr,
                                         .setattr = node_setattr,
                                         .open = node_open,
                                         .statfs = node_statfs,
                                         .evict = node_evict};
static const struct inode_ops file_inode_ops = {.getattr = node_getattr,
                                                .setattr = node_setattr,
                                                .open = node_open,
                                                .statfs = node_statfs,
                                                .evict = node_evict};
static const struct inode_ops link_ops = {.readlink = node_readlink,
                                          .getattr = node_getattr,
                                          .setattr = node_setattr,
                                          .statfs = node_statfs,
                                          .evict = node_evict};
static const struct inode_ops magic_ops = {.readlink = node_readlink,
                                           .get_link = node_get_link,
                                           .getattr = node_getattr,
                                           .setattr = node_setattr,
                                           .statfs = node_statfs,
                                           .evict = node_evict};

struct inode *pseudo_inode(struct super_block *sb, const struct pseudo_node *node,
                           const struct pseudo *parent)
{
    uint32_t type = node->mode & LX_S_IFMT;
    const struct inode_ops *ops = type == LX_S_IFDIR   ? &dir_ops
                                  : type != LX_S_IFLNK ? &file_inode_ops
                                  : node->get_link     ? &magic_ops
                                                       : &link_ops;
    const struct file_ops *fops = type == LX_S_IFDIR ? &dir_fops : node->fops ? node->fops : &text_fops;
    struct pseudo *p = calloc(1, sizeof(*p));
    struct inode *i = p ? inode_alloc(sb, ops, fops) : NULL;
    if (!i) {
        free(p);
        return NULL;
    }
    p->node = node;
    if (parent && parent->tg)
        p->tg = tg_get(parent->tg);
    if (parent && parent->task)
        p->task = task_get(parent->task);
    p->number = parent ? parent->number : 0;
    i->priv = p;
    i->attr.mode = node->mode;
    i->attr.blksize = type == LX_S_IFREG ? 1024 : 4096;
    i->attr.nlink = type == LX_S_IFDIR ? 2 : 1;
    i->attr.atime = i->attr.mtime = i->attr.ctime = vfs_now();
    refresh(i);
    return i;
}

int pseudo_show_constant(const struct pseudo *p, struct out_text *out)
{
    out_add(out, p->node->data, strlen(p->node->data));
    return 0;
}

int64_t pseudo_link_text(const char *text, char *buf, size_t size)
{
    size_t n = strlen(text);
    if (n > size)
        n = size;
    memcpy(buf, text, n);
    return (int64_t)n;
}

// Is each option of a mount one of the list, whose last is NULL? The empty text has none.
static bool options_are(const char *options, const char *const *known)
{
    while (*options) {
        size_t len = strcspn(options, ",");
        const char *const *k = known;
        while (len && k && *k && (strlen(*k) != len || memcmp(*k, options, len) != 0))
            k++;
        if (len && (!k || !*k))
            return false;
        options += len + (options[len] == ',');
    }
    return true;
}

static int mount_pseudo(const struct fs_type *t, const char *source, const char *options,
                        struct super_block **sb, struct dentry **root)
{
    const struct pseudo_fs *fs = (const void *)t; // its first member
    if (options && !options_are(options, fs->options))
        return -LX_EINVAL;
    fs->sb->refs++;
    *sb = fs->sb;
    *root = dentry_get(fs->root_dentry);
    return 0;
}

int pseudo_fs_register(struct pseudo_fs *fs, const char *name, const struct pseudo_node *root, uint64_t magic)
{
    fs->root = root;
    fs->magic = magic;
    fs->sb = sb_alloc(name, NULL, fs);
    if (!fs->sb)
        return -LX_ENOMEM;
    fs->sb->flags |= SB_NODCACHE | SB_SINGLE;
    struct inode *i = pseudo_inode(fs->sb, root, NULL);
    fs->root_dentry = i ? dentry_alloc_root(i) : NULL;
    if (!fs->root_dentry)
        return -LX_ENOMEM;
    fs->type.name = name;
    fs->type.mount = mount_pseudo;
    fs->type.guest_may_mount = true;
    fs_type_register(&fs->type);
    return 0;
}
