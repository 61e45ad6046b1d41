// devpts (fs/devpts/inode.c): numbers of terminals and their nodes, and the directory that shows them.
#include "sentry/fs/devpts/devpts.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/stat.h"
#include "sentry/task/task.h"
#include "sentry/tty/tty.h"
#include "sentry/vfs/chrdev.h"
#include "sentry/vfs/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVPTS_SUPER_MAGIC 0x1cd1
#define INO_ROOT 1
#define INO_PTMX 2
#define INO_FIRST 3 // of /dev/pts/0

struct entry {
    struct tty *tty;     // a reference, NULL when the number is free
    struct inode *inode; // a reference
};

static struct super_block *devpts_sb; // never goes away
static struct dentry *devpts_root;
static struct inode *ptmx_inode;
static struct entry *entries; // DEVPTS_MAX of them would be 64 KiB: grown on demand
static int nr_entries, used_entries;

static int set_attributes(struct inode *i, const struct iattr *a)
{
    setattr_copy(i, a);
    return 0;
}

static int statfs_devpts(struct inode *i, struct kstatfs *out)
{
    out->type = DEVPTS_SUPER_MAGIC;
    out->bsize = 4096;
    out->namelen = VFS_NAME_MAX;
    return 0;
}

static const struct inode_ops node_ops = {.setattr = set_attributes, .statfs = statfs_devpts};

static int parse_index(const char *name)
{
    char *end;
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1]))
        return -1;
    unsigned long value = strtoul(name, &end, 10);
    return *end || value >= DEVPTS_MAX ? -1 : (int)value;
}

static struct inode *find_node(const char *name)
{
    if (strcmp(name, "ptmx") == 0)
        return ptmx_inode;
    int index = parse_index(name);
    return index >= 0 && index < nr_entries ? entries[index].inode : NULL;
}

static int lookup(struct inode *dir, struct dentry *dentry)
{
    struct inode *node = find_node(dentry->name);
    if (node)
        dentry_attach(dentry, inode_get(node));
    return 0;
}

static int revalidate(struct inode *dir, struct dentry *dentry)
{
    return find_node(dentry->name) == dentry->inode;
}

static const struct inode_ops root_ops = {
    .lookup = lookup, .revalidate = revalidate, .setattr = set_attributes, .statfs = statfs_devpts};

// Positions: 0 and 1 the dots, 2 ptmx, 3 + N terminal N.
static int iterate(struct file *f, struct dir_context *ctx)
{
    char name[16];
    if (ctx->pos == 0 && !ctx->emit(ctx, ".", 1, 1, INO_ROOT, LX_DT_DIR))
        return 0;
    if (ctx->pos <= 1) {
        ctx->pos = 1;
        if (!ctx->emit(ctx, "..", 2, 2, f->path.dentry->parent->inode->attr.ino, LX_DT_DIR))
            return 0;
    }
    if (ctx->pos <= 2) {
        ctx->pos = 2;
        if (!ctx->emit(ctx, "ptmx", 4, 3, INO_PTMX, LX_DT_CHR))
            return 0;
        ctx->pos = 3;
    }
    for (; ctx->pos - 3 < nr_entries; ctx->pos++) {
        int index = (int)(ctx->pos - 3);
        if (!entries[index].tty)
            continue;
        int n = snprintf(name, sizeof(name), "%d", index);
        if (!ctx->emit(ctx, name, (size_t)n, ctx->pos + 1, entries[index].inode->attr.ino, LX_DT_CHR))
            return 0;
    }
    return 0;
}

static const struct file_ops root_fops = {.iterate = iterate, .lseek = dir_lseek};
static const struct file_ops node_fops = {0}; // chrdev_open puts the driver's in

static struct inode *make_inode(uint64_t ino, uint32_t mode, uint32_t uid, uint32_t gid, uint64_t rdev)
{
    bool dir = (mode & LX_S_IFMT) == LX_S_IFDIR;
    struct inode *i = inode_alloc(devpts_sb, dir ? &root_ops : &node_ops, dir ? &root_fops : &node_fops);
    if (!i)
        return NULL;
    i->attr.ino = ino;
    i->attr.mode = mode;
    i->attr.uid = uid;
    i->attr.gid = gid;
    i->attr.rdev = rdev;
    i->attr.blksize = 1024;
    i->attr.nlink = dir ? 2 : 1;
    i->attr.atime = i->attr.mtime = i->attr.ctime = vfs_now();
    return i;
}

static int grow(int wanted)
{
    int size = nr_entries ? nr_entries : 16;
    while (size <= wanted)
        size *= 2;
    struct entry *bigger = realloc(entries, (size_t)size * sizeof(*entries));
    if (!bigger)
        return -LX_ENOMEM;
    memset(bigger + nr_entries, 0, (size_t)(size - nr_entries) * sizeof(*entries));
    entries = bigger;
    nr_entries = size;
    return 0;
}

int devpts_add(struct tty *t, int index, uint32_t uid, uint32_t gid, uint32_t mode)
{
    if (index < 0)
        for (index = 0; index < nr_entries && entries[index].tty; index++)
            ;
    if (index >= DEVPTS_MAX)
        return -LX_ENOSPC;
    if (index >= nr_entries) {
        int err = grow(index);
        if (err)
            return err;
    }
    if (entries[index].tty)
        return -LX_EBUSY;
    t->index = index;
    struct inode *i = make_inode(INO_FIRST + (uint64_t)index, LX_S_IFCHR | mode, uid, gid, tty_rdev(t));
    if (!i)
        return -LX_ENOMEM;
    entries[index] = (struct entry){tty_get(t), i};
    used_entries++;
    return 0;
}

void devpts_remove(struct tty *t)
{
    if (devpts_find(t->index) != t)
        return;
    struct entry gone = entries[t->index];
    entries[t->index] = (struct entry){NULL, NULL};
    used_entries--;
    char name[16];
    int n = snprintf(name, sizeof(name), "%d", t->index);
    struct dentry *cached = dentry_find(devpts_root, name, (size_t)n);
    if (cached) {
        dentry_drop(cached);
        dentry_put(cached);
    }
    gone.inode->attr.nlink = 0;
    inode_put(gone.inode);
    tty_put(gone.tty);
}

struct tty *devpts_find(int index)
{
    return index >= 0 && index < nr_entries ? entries[index].tty : NULL;
}

int devpts_count(void)
{
    return used_entries;
}

static struct mount *visible_mount(void)
{
    const struct task *t = current ? current : init_tg ? init_tg->leader : NULL;
    if (!t || !t->fs || !t->fs->mnt_ns)
        return NULL;
    list_for_each(m, &t->fs->mnt_ns->mounts, struct mount, link) if (m->sb == devpts_sb) return m;
    return NULL;
}

static uint32_t fmode_of(uint32_t flags)
{
    uint32_t access = flags & LX_O_ACCMODE;
    return (access != LX_O_WRONLY ? FMODE_READ : 0) | (access != LX_O_RDONLY ? FMODE_WRITE : 0);
}

// An open file on the node, still without operations.
static struct file *node_file(const struct tty *t, uint32_t flags)
{
    struct inode *node = entries[t->index].inode;
    char name[32];
    struct mount *m = visible_mount();
    if (!m) {
        snprintf(name, sizeof(name), "/dev/pts/%d", t->index);
        return inode_file(inode_get(node), fmode_of(flags), flags, name);
    }
    int n = snprintf(name, sizeof(name), "%d", t->index);
    struct dentry *d;
    if (dentry_lookup(devpts_root, name, (size_t)n, &d))
        return NULL;
    struct file *f = file_alloc();
    if (!f) {
        dentry_put(d);
        return NULL;
    }
    f->path = (struct path){mount_get(m), d};
    f->inode = d->inode;
    f->mode = fmode_of(flags);
    f->flags = flags;
    f->ops = &node_fops;
    return f;
}

int devpts_open_peer(struct tty *t, uint32_t o_flags, struct file **out)
{
    if (devpts_find(t->index) != t)
        return -LX_EIO;
    struct file *f = node_file(t, o_flags & ~LX_O_CLOEXEC);
    if (!f)
        return -LX_ENOMEM;
    int err = tty_open_file(t, f);
    if (err) {
        file_put(f);
        return err;
    }
    f->flags &= ~LX_O_NOCTTY;
    *out = f;
    return 0;
}

static int mount_devpts(const struct fs_type *type, const char *source, const char *options,
                        struct super_block **sb, struct dentry **root)
{
    devpts_sb->refs++;
    *sb = devpts_sb;
    *root = dentry_get(devpts_root);
    return 0;
}

static size_t show_options(struct super_block *sb, char *buf, size_t size)
{
    int n = snprintf(buf, size, ",gid=%u,mode=%o,ptmxmode=666", DEVPTS_GID_TTY, DEVPTS_MODE);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static const struct super_ops devpts_super_ops = {.show_options = show_options};
static struct fs_type devpts_type = {.name = "devpts", .mount = mount_devpts, .guest_may_mount = true};

int devpts_init(void)
{
    devpts_sb = sb_alloc("devpts", &devpts_super_ops, NULL);
    if (!devpts_sb)
        return -LX_ENOMEM;
    devpts_sb->flags |= SB_NODCACHE | SB_SINGLE | SB_AS_MANY;
    struct inode *root = make_inode(INO_ROOT, LX_S_IFDIR | 0755, 0, 0, 0);
    ptmx_inode = make_inode(INO_PTMX, LX_S_IFCHR | 0666, 0, 0, lx_makedev(5, 2));
    if (!root || !ptmx_inode)
        return -LX_ENOMEM;
    devpts_root = dentry_alloc_root(root);
    if (!devpts_root)
        return -LX_ENOMEM;
    fs_type_register(&devpts_type);
    return tty_register_devices();
}
